"""Changing a key: checks before it writes, and what is left when the plan is declined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.operate.change import apply, scaling_change, scaling_words

CONFIG = {
    "photo-splat:cloudflareAccountId": "0" * 32,
    "photo-splat:appUrl": "https://splat.example.org",
    "photo-splat:image": f"ghcr.io/team/splat@sha256:{'0' * 64}",
    "photo-splat:gpu": "RTX 4090",
    "photo-splat:workersMin": "",  # declared in Pulumi.yaml, not set
}


@dataclass
class Engine:
    """Records what would be written and deployed. declined: the plan is not accepted."""

    values: dict[str, str] = field(default_factory=lambda: dict(CONFIG))
    declined: bool = False
    calls: list[str] = field(default_factory=list)

    def config(self) -> dict[str, str]:
        return dict(self.values)

    def set_config(self, values: Mapping[str, str]) -> None:
        self.calls.append("set")
        self.values.update(values)

    def change(self, command: str, *, sure: bool) -> None:
        self.calls.append(f"{command} {'at once' if sure else 'after a question'}")
        if self.declined:
            raise KeyboardInterrupt

    def run(self, *arguments: str, quiet: bool = False) -> str:
        self.calls.append(" ".join(arguments))
        del self.values[arguments[-1]]
        return ""


def changed(engine: Engine, changes: Mapping[str, str | None]) -> list[str]:
    shown: list[str] = []
    apply(engine, changes, sure=False, show=shown.append)  # type: ignore[arg-type]
    return shown


def test_the_key_is_written_and_the_plan_is_asked_for() -> None:
    engine = Engine()
    assert changed(engine, {"photo-splat:gpu": "L40S"}) == ["photo-splat:gpu: RTX 4090 -> L40S"]
    assert engine.calls == ["set", "up after a question"]


def test_a_declined_plan_leaves_the_configuration_as_it_was() -> None:
    for changes in ({"photo-splat:gpu": "L40S"}, {"photo-splat:scaling": "medium"}):
        engine = Engine(declined=True)
        with pytest.raises(KeyboardInterrupt):
            changed(engine, changes)
        assert engine.values == CONFIG


def test_a_configuration_that_breaks_a_rule_is_not_written() -> None:
    engine = Engine()
    with pytest.raises(CommandError, match=r"Nothing was changed.\n.*workersMin is 2"):
        changed(engine, {"photo-splat:workersMin": "2"})
    assert engine.calls == []


def test_a_scaling_is_its_key_and_removes_what_would_override_it() -> None:
    assert scaling_change(CONFIG, "medium") == {"photo-splat:scaling": "medium"}
    overridden = {**CONFIG, "photo-splat:workersMax": "3", "photo-splat:idleTimeoutS": "20"}
    change = scaling_change(overridden, "medium")
    assert change == {"photo-splat:scaling": "medium", "photo-splat:workersMax": None, "photo-splat:idleTimeoutS": None}
    assert scaling_words("medium") == "0 to 5 workers, idle for 30 s"
    for declined in (False, True):
        engine = Engine(values=dict(overridden), declined=declined)
        if declined:
            with pytest.raises(KeyboardInterrupt):
                changed(engine, change)
            assert engine.values == overridden
        else:
            assert "photo-splat:workersMax: 3 -> (default)" in changed(engine, change)
            assert engine.values == {**CONFIG, "photo-splat:scaling": "medium"}


def test_an_unknown_scaling_is_refused() -> None:
    with pytest.raises(CommandError, match="no scaling 'huge'"):
        scaling_change(CONFIG, "huge")
