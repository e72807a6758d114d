"""Stages on the screen: bars on a terminal, a line now and then in a log or a pipe.
Knows labels and fractions only; never what a stage does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

LINE_EVERY_S = 15.0


@dataclass
class Stages:
    """One stage at a time, in the order they come. Use as a context manager."""

    console: Console
    clock: Callable[[], float] = time.monotonic
    _bars: Progress | None = None
    _task: TaskID | None = None
    _label: str | None = None
    _began_s: float = 0.0
    _told_s: float = field(default=0.0)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._bars = Progress(
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.description:<22}"),
                BarColumn(bar_width=16),
                TimeElapsedColumn(),
                # What the worker says may be longer than the terminal is wide: the bar must stay one line.
                TextColumn("{task.fields[note]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
                console=self.console,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def update(self, label: str, fraction: float, note: str = "") -> None:
        """Show how far a stage is, 0 to 1; a new label ends the stage before it."""
        if label != self._label:
            self.finish()
            self._label, self._began_s, self._told_s = label, self.clock(), self.clock()
            if self._bars is not None:
                self._task = self._bars.add_task(label, total=1.0, note=note)
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=fraction, note=note)
        elif self.clock() - self._told_s >= LINE_EVERY_S:
            self._told_s = self.clock()
            self._line(f"{fraction:4.0%}  {note}")

    def finish(self, outcome: str = "") -> None:
        """The current stage is through; `outcome` says in a word or two what came of it."""
        if self._label is None:
            return
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=1.0, note=outcome)
        else:
            self._line(f"done in {self.clock() - self._began_s:.1f} s{', ' if outcome else ''}{outcome}")
        self._label = None

    def _line(self, words: str) -> None:
        self.console.print(f"  {self._label:<22} {words}", markup=False, highlight=False, soft_wrap=True)
