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


def changed(engine: Engine, changes: Mapping[str, str]) -> list[str]:
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


def test_a_scaling_is_its_key() -> None:
    assert scaling_change(CONFIG, "medium") == {"photo-splat:scaling": "medium"}
    assert scaling_words("medium") == "0 to 5 workers, idle for 30 s"


@pytest.mark.parametrize(
    ("config", "name", "message"),
    [
        (CONFIG, "huge", "no scaling 'huge'"),
        ({**CONFIG, "photo-splat:workersMax": "3"}, "medium", "workersMax would override scaling medium"),
    ],
)
def test_a_scaling_that_would_have_no_effect_is_refused(config: dict[str, str], name: str, message: str) -> None:
    with pytest.raises(CommandError, match=message):
        scaling_change(config, name)
