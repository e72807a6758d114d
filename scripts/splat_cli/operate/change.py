"""Changes one key of a stack's configuration and deploys it: shows the plan, asks, applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.settings.load import SettingsError, read_settings
from infra.settings.model import NAMESPACE
from infra.settings.presets import SCALING_PRESETS, Scaling
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack import Engine

# A key and its new value; None removes it.
Changes = Mapping[str, str | None]
OVERRIDES = ("workersMin", "workersMax", "idleTimeoutS")


def check(config: Mapping[str, str], changes: Changes) -> None:
    """Raises CommandError when the configuration would break a rule, before anything is written."""
    merged = {**config, **changes}
    try:
        read_settings({key: value for key, value in merged.items() if value is not None})
    except SettingsError as invalid:
        raise CommandError(f"Nothing was changed.\n{invalid}", hint="fix the key named above, then try again") from None


def scaling_change(config: Mapping[str, str], name: str) -> dict[str, str | None]:
    """The key for a scaling preset; keys that would override it are removed. Raises CommandError for an unknown one."""
    if name not in set(Scaling):
        raise CommandError(f"There is no scaling {name!r}.", hint=f"choose one of {', '.join(Scaling)}")
    overrides = (f"{NAMESPACE}:{key}" for key in OVERRIDES)
    return {f"{NAMESPACE}:scaling": name, **{key: None for key in overrides if config.get(key)}}


def scaling_words(name: str) -> str:
    preset = SCALING_PRESETS[Scaling(name)]
    return f"{preset.workers_min} to {preset.workers_max} workers, idle for {preset.idle_timeout_s} s"


def apply(engine: Engine, changes: Changes, *, sure: bool, show: Callable[[str], None]) -> None:
    """Write the keys, show the plan, ask, deploy. Where nothing is deployed the keys get their old values back.

    Raises what the engine raises.
    """
    before = _given(engine)
    check(before, changes)
    for key, value in sorted(changes.items()):
        show(f"{key}: {before.get(key, '(default)')} -> {'(default)' if value is None else value}")
    try:
        _write(engine, changes)
        engine.change("up", sure=sure)
    except BaseException:
        _write(engine, {key: before.get(key) for key in changes})
        show("Not deployed. The configuration is as before.")
        raise


def _given(engine: Engine) -> dict[str, str]:
    """Keys that have a value. Pulumi.yaml declares an empty default for those that are optional."""
    return {key: value for key, value in engine.config().items() if value}


def _write(engine: Engine, changes: Changes) -> None:
    present = _given(engine)
    kept = {key: value for key, value in changes.items() if value is not None}
    if kept:
        engine.set_config(kept)
    for key in sorted(key for key, value in changes.items() if value is None and key in present):
        engine.run("config", "rm", key, quiet=True)
