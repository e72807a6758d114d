"""Which machines the set-up supports, decided before anything is downloaded.
Pure rules over what the platform reports; tests/unit/scripts/bootstrap/test_locks.py resolves the locks for each."""

from __future__ import annotations

import os
import platform
import re
import sys
from dataclasses import dataclass

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
# pycolmap and torch: manylinux_2_28 and macosx_14_0 wheels.
OLDEST_GLIBC = (2, 28)
OLDEST_MACOS = (14, 0)
DEPLOY_ONLY = "Only deploying works on it: run `scripts/bootstrap --deploy-only`, then `splat` against a remote stack."


@dataclass(frozen=True, kw_only=True)
class Machine:
    """system: Linux, Darwin; processor: x86_64, arm64; version: glibc's on Linux, macOS's own there, (0,) unknown."""

    system: str
    processor: str
    version: tuple[int, ...]
    python: tuple[int, int]
    translated: bool = False

    @staticmethod
    def this() -> Machine:
        system = platform.system()
        found = platform.mac_ver()[0] if system == "Darwin" else _glibc()
        processor = platform.machine().lower()
        return Machine(
            system=system,
            processor={"amd64": "x86_64", "aarch64": "arm64"}.get(processor, processor),
            version=_numbers(found),
            python=sys.version_info[:2],
            # An x86-64 Python on Apple silicon reports the processor that Rosetta imitates.
            translated="/ARM64_" in platform.version(),
        )


def _glibc() -> str:
    """glibc's version, empty with another C library (musl). Asks the C library itself, as a static or bundled Python
    carries no version string that platform.libc_ver could find."""
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").removeprefix("glibc ")
    except (ValueError, OSError):
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2]) or (0,)


def refusal(machine: Machine, *, worker: bool) -> str | None:
    """One sentence why this machine cannot be set up, and what to do; None where it can.

    worker: also photos to scenes on this machine, not only deploying.
    """
    if not OLDEST_PYTHON <= machine.python <= NEWEST_PYTHON:
        return (
            f"Python {_dotted(machine.python)} is not supported: install Python {_dotted(OLDEST_PYTHON)} to"
            f" {_dotted(NEWEST_PYTHON)}, or name one, for example SPLAT_PYTHON=/usr/bin/python3.12 make up"
        )
    if machine.system == "Linux":
        return _linux(machine, worker=worker)
    if machine.system == "Darwin":
        return _macos(machine, worker=worker)
    return f"{machine.system} is not supported: use Linux, macOS, or Linux inside WSL on Windows."


def _linux(machine: Machine, *, worker: bool) -> str | None:
    if machine.processor not in ("x86_64", "arm64"):
        return f"Linux on {machine.processor} is not supported: use a machine with an x86-64 or arm64 processor."
    if machine.version == (0,):
        return "This Linux has no glibc (Alpine and other musl systems): use Debian, Ubuntu, Fedora or the like."
    if machine.version < OLDEST_GLIBC:
        return (
            f"glibc {_dotted(machine.version)} is too old: version {_dotted(OLDEST_GLIBC)} or newer is needed"
            " (Debian 10, Ubuntu 20.04, Fedora 29 and later have it)."
        )
    if worker and machine.processor == "arm64":
        return f"Scenes cannot be made on Linux on arm64: COLMAP has no package for it. {DEPLOY_ONLY}"
    return None


def _macos(machine: Machine, *, worker: bool) -> str | None:
    if machine.processor == "x86_64" and machine.translated:
        return "This Python is made for Intel and runs under Rosetta: use Apple silicon's (`brew install python@3.13`)."
    if worker and machine.processor == "x86_64":
        return f"Scenes cannot be made on a Mac with an Intel processor: PyTorch has no package for it. {DEPLOY_ONLY}"
    if machine.version < OLDEST_MACOS:
        return f"macOS {_dotted(machine.version)} is too old: version {OLDEST_MACOS[0]} or newer is needed."
    return None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
