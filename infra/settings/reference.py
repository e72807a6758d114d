"""The configuration schema of Pulumi.yaml and the reference page, both generated from the settings.
`python -m infra.settings.reference` writes them; `--check` fails when they are stale."""

from __future__ import annotations

import sys
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from infra.settings.load import SECRETS
from infra.settings.model import NAMESPACE, Settings, all_settings
from infra.settings.presets import SCALING_PRESETS

PROJECT_FILE = Path("Pulumi.yaml")
PAGE = Path("docs/configuration.md")
_BEGIN = "# Generated from infra/settings/model.py by `python -m infra.settings.reference`; edit there.\n"


def schema() -> dict[str, Any]:
    """The `config` block of Pulumi.yaml. Typed keys without a default are required there, so an optional key has the
    empty default, which is read as "not set". An optional secret cannot stand there: its default would have to be
    encrypted."""
    block: dict[str, Any] = {}
    for setting in all_settings():
        namespace, _, name = setting.key.partition(":")
        if namespace != NAMESPACE:
            continue  # Pulumi.yaml may type keys of the project's own namespace only
        entry: dict[str, Any] = {"type": _pulumi_type(setting.info), "description": setting.info.description}
        if not setting.info.is_required():
            entry["default"] = _pulumi_default(setting.info)
        block[name] = entry
    return block


def project_file(current: str) -> str:
    """Text of Pulumi.yaml with a fresh `config` block; what stands above it stays."""
    head = current.partition(_BEGIN)[0].rstrip("\n")
    return f"{head}\n{_BEGIN}{yaml.safe_dump({'config': schema()}, sort_keys=False, width=110, allow_unicode=True)}"


def page() -> str:
    """The reference page: every key with default, bounds and sentence."""
    lines = [
        "# Configuration",
        "",
        "Every key of a stack. Set one with `pulumi config set KEY VALUE`. `pulumi up` rejects a value that does not",
        "fit before it changes anything.",
        "",
        "This page is generated from `infra/settings/model.py` by `python -m infra.settings.reference`.",
    ]
    section = None
    for setting in all_settings():
        if setting.section != section:
            section = setting.section
            model: Any = Settings.model_fields[section].annotation if section else Settings
            lines += ["", f"## {model.heading}", "", "| key | default | allowed | meaning |", "|---|---|---|---|"]
        key, info = setting.key.removeprefix(f"{NAMESPACE}:"), setting.info
        default = "required" if info.is_required() else f"`{_shown(info.default)}`"
        lines.append(f"| `{key}` | {default} | {_bounds(info)} | {_cell(info.description)} |")
    lines += ["", "## Secrets", "", "| key | or environment variable | meaning |", "|---|---|---|"]
    for secret in SECRETS.values():
        need = "" if secret.required else " (optional)"
        key = secret.key.removeprefix(f"{NAMESPACE}:")
        lines.append(f"| `{key}`{need} | `{secret.environment}` | {_cell(secret.description)} |")
    lines += [
        "",
        "Set a secret with `pulumi config set --secret KEY`. The program derives or generates every other secret",
        "(bucket key pair, hook keys, operator token). They are stored encrypted in the stack's state.",
        "",
        "## Scaling presets",
        "",
        "| scaling | workers | idle timeout |",
        "|---|---|---|",
    ]
    for scaling, preset in SCALING_PRESETS.items():
        lines.append(f"| `{scaling}` | {preset.workers_min} to {preset.workers_max} | {preset.idle_timeout_s} s |")
    return "\n".join(lines) + "\n"


def stale(root: Path) -> tuple[str, ...]:
    """Which generated files do not match the settings."""
    files = {PROJECT_FILE: project_file((root / PROJECT_FILE).read_text("utf-8")), PAGE: page()}
    return tuple(
        path.as_posix()
        for path, text in files.items()
        if not (root / path).is_file() or (root / path).read_text("utf-8") != text
    )


def main(arguments: list[str], root: Path = Path()) -> int:
    if arguments == ["--check"]:
        for name in stale(root):
            print(f"{name} is stale: run `python -m infra.settings.reference`", file=sys.stderr)
        return 1 if stale(root) else 0
    (root / PROJECT_FILE).write_text(project_file((root / PROJECT_FILE).read_text("utf-8")), "utf-8")
    (root / PAGE).write_text(page(), "utf-8")
    return 0


def _pulumi_type(field: FieldInfo) -> str:
    """Pulumi knows string, integer and boolean. An optional integer is a string there, since "" is no integer."""
    kind = field.annotation
    if get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind):
        return "string"
    return {int: "integer", bool: "boolean"}.get(kind, "string") if isinstance(kind, type) else "string"


def _pulumi_default(field: FieldInfo) -> Any:
    value = field.default
    if isinstance(value, bool | int):
        return value
    return "" if value is None else _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(value) or ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _bounds(field: FieldInfo) -> str:
    limits = {type(rule).__name__: rule for rule in field.metadata}
    low, high = limits.get("Ge"), limits.get("Le")
    if low and high:
        return f"{low.ge:g} to {high.le:g}" if high.le < 1e6 else f"{low.ge} to {high.le}"
    if low:
        return f"from {low.ge}"
    kind = field.annotation
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        return ", ".join(f"`{member.value}`" for member in kind)
    return ""


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
