"""Steps that install packages from locks: uv, the two Python environments, Node packages, the web app.
Every Python package is checked against a hash, every npm package against its lock."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from runner import Step, Tell

# Settings of the user's own machine must not change what a lock says.
UV_ENVIRONMENT = {
    "UV_NO_CONFIG": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_NO_PROGRESS": "1",
    "VIRTUAL_ENV": "",
}
NETWORK_HINT = "check that the package registries can be reached (a proxy? a certificate?), then run the same command"


def package_steps(root: Path, *, test: bool, worker: bool) -> list[Step]:
    """All steps but the engine, in no particular order."""
    steps = [_uv(root), _deploy(root, test=test), _edge_packages(root), _edge_build(root)]
    if worker:
        steps += [_worker(root, test=test), _export_tools(root), _kernels(root)]
    return steps


def _bin(environment: Path) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin")


def _stamp(root: Path, name: str) -> Path:
    return root / ".tools/stamps" / name


def _interpreter() -> str:
    return f"{sys.executable} {sys.version}"


def _uv(root: Path) -> Step:
    environment = root / ".tools/uv"
    lock = root / "requirements/bootstrap.txt"

    def act(tell: Tell) -> None:
        tell.say("fetching uv, the package installer")
        tell.run([sys.executable, "-m", "venv", "--clear", environment])
        tell.run([_bin(environment) / "python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock])

    return Step(
        name="uv",
        stamp=_stamp(root, "uv"),
        action=act,
        inputs=[lock, _interpreter()],
        made=[_bin(environment) / "uv"],
        hint=NETWORK_HINT,
    )


def _environment(tell: Tell, root: Path, environment: Path, lock: Path, *, sources: list[Path]) -> None:
    """A virtual environment that holds exactly what the lock says, and finds our own packages."""
    uv = _bin(root / ".tools/uv") / "uv"
    python = _bin(environment) / "python"
    if not python.exists():
        tell.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment], env=UV_ENVIRONMENT)
    command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, lock]
    tell.run(command, cwd=root, env=UV_ENVIRONMENT)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)}))
    (packages / "splat-checkout.pth").write_text("".join(f"{source}\n" for source in sources))


def _deploy(root: Path, *, test: bool) -> Step:
    environment = root / ".venv"
    lock = root / ("requirements/test.txt" if test or _is_test_environment(environment) else "requirements/deploy.txt")

    def act(tell: Tell) -> None:
        tell.say("installing Pulumi's SDK, the local cloud and Node")
        _environment(tell, root, environment, lock, sources=[root])
        if lock.name == "test.txt":
            _test_mark(environment).touch()
        command = _bin(environment) / "splat"
        command.write_text(f"#!{_bin(environment) / 'python'}\nfrom scripts.splat_cli.main import main\n\nmain()\n")
        command.chmod(0o755)

    return Step(
        name="deploy environment",
        stamp=_stamp(root, "deploy"),
        action=act,
        inputs=[lock, _interpreter()],
        made=[_bin(environment) / "python", _bin(environment) / "node", _bin(environment) / "splat"],
        after=["uv"],
        hint=NETWORK_HINT,
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

    def act(tell: Tell) -> None:
        tell.say("installing PyTorch, COLMAP and gsplat (about 3 GB the first time)")
        _environment(tell, root, environment, lock, sources=[root / "worker_image/src"])
        if lock.name == "requirements-test.txt":
            _test_mark(environment).touch()

    return Step(
        name="worker environment",
        stamp=_stamp(root, "worker"),
        action=act,
        inputs=[lock, _interpreter()],
        made=[_bin(environment) / "python"],
        after=["uv"],
        hint=NETWORK_HINT,
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


def _npm_ci(root: Path, folder: Path, *, name: str, words: str) -> Step:
    def act(tell: Tell) -> None:
        tell.say(words)
        tell.run(
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
        hint=NETWORK_HINT,
    )


def _edge_packages(root: Path) -> Step:
    return _npm_ci(root, root / "edge_worker", name="edge packages", words="installing workerd and the web app's parts")


def _export_tools(root: Path) -> Step:
    return _npm_ci(root, root / "worker_image/tools", name="export tools", words="installing the splat converters")


def _sources(folder: Path, *, but: set[str]) -> list[Path]:
    """Every file below, sorted, without generated folders: the input of a build."""
    found: list[Path] = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in but)
        found += [Path(here) / name for name in sorted(files)]
    return found


def _edge_build(root: Path) -> Step:
    folder = root / "edge_worker"

    def act(tell: Tell) -> None:
        tell.say("building the Worker and its web app")
        shutil.rmtree(folder / "dist", ignore_errors=True)
        tell.run([_bin(root / ".venv") / "npm", "run", "build"], cwd=folder, env=node_environment(root))

    return Step(
        name="edge build",
        stamp=_stamp(root, "edge-build"),
        action=act,
        inputs=_sources(folder, but={"node_modules", "dist", "test", "coverage", ".wrangler"}),
        made=[folder / "dist/index.js", folder / "dist/web/index.html"],
        after=["edge packages"],
        hint="read the log named above; the sources of the web app or the Worker do not build",
    )


def _kernels(root: Path) -> Step:
    environment = root / ".venv-worker"
    sources = sorted((root / "worker_image/src/splat_worker/train").rglob("*.py"))

    def act(tell: Tell) -> None:
        tell.say("compiling the trainer's kernels for this processor")
        cache = {"NUMBA_CACHE_DIR": str(root / ".tools/kernels")}
        tell.run([_bin(environment) / "python", "-m", "splat_worker.train.warmup"], cwd=root, env=cache)

    return Step(
        name="kernels",
        stamp=_stamp(root, "kernels"),
        action=act,
        inputs=[*sources, root / "worker_image/requirements.txt"],
        after=["worker environment"],
    )
