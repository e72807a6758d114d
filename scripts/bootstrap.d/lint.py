"""actionlint, which reads the workflows as GitHub does: built from its pinned Go module, for the tests only.
Its package on PyPI fetches a binary from elsewhere at install; the module is checked against go.sum."""

from __future__ import annotations

from pathlib import Path

from engine import go_environment, go_toolchain
from runner import Context, Step

PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"


def actionlint_step(root: Path) -> Step:
    """After the engine, which may have to fetch the same Go toolchain."""
    module = root / "scripts/lint/actionlint"
    binary = root / ".tools/actionlint"

    def act(context: Context) -> None:
        context.update("building actionlint from its pinned module")
        context.run(
            [go_toolchain(context, root), "build", "-mod=readonly", "-buildvcs=false", "-o", binary, PACKAGE],
            cwd=module,
            env=go_environment(root),
        )

    return Step(
        name="actionlint",
        stamp=root / ".tools/stamps/actionlint",
        action=act,
        inputs=[module / name for name in ("go.mod", "go.sum", "tools.go")],
        made=[binary],
        after=["pulumi engine"],
    )
