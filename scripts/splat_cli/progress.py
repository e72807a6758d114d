"""Progress of stages: bars on a terminal, a line every few seconds in a log or a pipe."""

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
    """One stage at a time, in order. Use as a context manager."""

    console: Console
    clock: Callable[[], float] = time.monotonic
    _bars: Progress | None = None
    _task: TaskID | None = None
    _label: str | None = None
    _began_s: float = 0.0
    _printed_s: float = field(default=0.0)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._bars = Progress(
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.description:<22}"),
                BarColumn(bar_width=16),
                TimeElapsedColumn(),
                # The worker's message may be wider than the terminal; the bar must stay on one line.
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
        """Show the progress of a stage, 0 to 1. A new label finishes the stage before it."""
        if label != self._label:
            self.finish()
            self._label, self._began_s, self._printed_s = label, self.clock(), self.clock()
            if self._bars is not None:
                self._task = self._bars.add_task(label, total=1.0, note=note)
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=fraction, note=note)
        elif self.clock() - self._printed_s >= LINE_EVERY_S:
            self._printed_s = self.clock()
            self._line(f"{fraction:4.0%}  {note}")

    def finish(self, outcome: str = "") -> None:
        """Finish the current stage. outcome: its result in a few words."""
        if self._label is None:
            return
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=1.0, note=outcome)
        else:
            self._line(f"done in {self.clock() - self._began_s:.1f} s{', ' if outcome else ''}{outcome}")
        self._label = None

    def _line(self, text: str) -> None:
        self.console.print(f"  {self._label:<22} {text}", markup=False, highlight=False, soft_wrap=True)
