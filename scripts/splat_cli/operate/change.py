"""Changes one key of a stack's configuration and deploys it: shows the plan, asks, applies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.settings.load import SettingsError, read_settings
from infra.settings.model import NAMESPACE
from infra.settings.presets import SCALING_PRESETS, Scaling
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack import Engine

OVERRIDES = ("workersMin", "workersMax", "idleTimeoutS")


def check(config: Mapping[str, str], changes: Mapping[str, str]) -> None:
    """Raises CommandError when the configuration would break a rule, before anything is written."""
    try:
        read_settings({**config, **changes})
    except SettingsError as invalid:
        raise CommandError(f"Nothing was changed.\n{invalid}", hint="fix the key named above, then try again") from None


def scaling_change(config: Mapping[str, str], name: str) -> dict[str, str]:
    """The key for a scaling preset. Raises CommandError for an unknown one, and where other keys override it."""
    if name not in set(Scaling):
        raise CommandError(f"There is no scaling {name!r}.", hint=f"choose one of {', '.join(Scaling)}")
    set_already = [key for key in OVERRIDES if f"{NAMESPACE}:{key}" in config]
    if set_already:
        raise CommandError(
            f"{', '.join(set_already)} would override scaling {name}.",
            hint="; ".join(f"splat pulumi config rm {key}" for key in set_already),
        )
    return {f"{NAMESPACE}:scaling": name}


def scaling_words(name: str) -> str:
    preset = SCALING_PRESETS[Scaling(name)]
    return f"{preset.workers_min} to {preset.workers_max} workers, idle for {preset.idle_timeout_s} s"


def apply(engine: Engine, changes: Mapping[str, str], *, sure: bool, show: Callable[[str], None]) -> None:
    """Write the keys, show the plan, ask, deploy. Where nothing is deployed the keys get their old values back.

    Raises what the engine raises.
    """
    before = engine.config()
    check(before, changes)
    engine.set_config(changes)
    for key, value in sorted(changes.items()):
        show(f"{key}: {before.get(key, '(default)')} -> {value}")
    try:
        engine.change("up", sure=sure)
    except BaseException:
        undo = {key: before[key] for key in changes if key in before}
        if undo:
            engine.set_config(undo)
        for key in sorted(set(changes) - set(undo)):
            engine.run("config", "rm", key, quiet=True)
        show("Not deployed. The configuration is as before.")
        raise
