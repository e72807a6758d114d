"""A stand-in for the engine that records its commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scripts.gitops.engine import Engine, EngineFailed


class Recorder(Engine):
    """Records commands; has stacks; fails a command that contains `failing`."""

    def __init__(
        self, folder: Path, stacks: tuple[str, ...] = (), failing: str = "", image: str = "", reason: str = ""
    ) -> None:
        object.__setattr__(self, "folder", folder)
        object.__setattr__(self, "environment", {})
        state = {"stacks": list(stacks), "commands": [], "failing": failing, "image": image, "reason": reason}
        object.__setattr__(self, "state", state)

    @property
    def commands(self) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = self.state["commands"]  # type: ignore[attr-defined]
        return found

    def run(self, *arguments: str) -> str:
        self.commands.append(arguments)
        state = self.state  # type: ignore[attr-defined]
        if state["failing"] and state["failing"] in " ".join(arguments):
            raise EngineFailed(f"pulumi {arguments[0]} failed: {state['reason']}")
        if arguments[:2] == ("config", "set"):
            state["pending"] = arguments[-1]
        if arguments[0] == "up" and "pending" in state:
            state["image"] = state["pending"]
        return ""

    def ask(self, *arguments: str) -> Any:
        state = self.state  # type: ignore[attr-defined]
        if arguments[:2] == ("stack", "ls"):
            return [{"name": f"organization/photo-splat/{name}"} for name in state["stacks"]]
        return {"appUrl": "https://app.example", **({"imageReference": state["image"]} if state["image"] else {})}
