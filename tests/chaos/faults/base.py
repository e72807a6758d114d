"""What a fault is, and faults made of others. Expects nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tests.chaos.cloud import until

if TYPE_CHECKING:
    from tests.chaos.scene import Scene


class Fault(Protocol):
    """strike: begin. end: what happens after the job was let go on, such as what heals by itself in the world."""

    def strike(self, scene: Scene) -> None: ...

    def end(self, scene: Scene) -> None: ...


class Lasting:
    """A fault that ends with its row."""

    def end(self, scene: Scene) -> None:
        """Nothing: the engine resets the cloud."""


@dataclass(frozen=True)
class Both:
    """Several faults at once."""

    faults: tuple[Fault, ...]

    def strike(self, scene: Scene) -> None:
        for fault in self.faults:
            fault.strike(scene)

    def end(self, scene: Scene) -> None:
        for fault in self.faults:
            fault.end(scene)


@dataclass(frozen=True)
class Later:
    """A fault that strikes once the project is in a state, after the job was let go on."""

    state: str
    fault: Fault

    def strike(self, scene: Scene) -> None:
        """Not yet."""

    def end(self, scene: Scene) -> None:
        until(lambda: scene.project()["state"] == self.state, f"the project is {self.state}")
        self.fault.strike(scene)
        self.fault.end(scene)
