"""Which machines are supported, and the one sentence that the others get."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from platforms import NEWEST_PYTHON, OLDEST_PYTHON, Machine, refusal  # type: ignore[import-not-found]

DEPLOY_ONLY = "scripts/bootstrap --deploy-only"


def machine(
    system: str, processor: str, version: tuple[int, ...], python: tuple[int, int] = (3, 12), **more: bool
) -> Machine:
    return Machine(system=system, processor=processor, version=version, python=python, **more)


@pytest.mark.parametrize(
    ("found", "for_scenes", "for_deploying"),
    [
        pytest.param(machine("Linux", "x86_64", (2, 36)), None, None, id="Debian 12"),
        pytest.param(machine("Linux", "x86_64", (2, 28)), None, None, id="oldest glibc"),
        pytest.param(machine("Linux", "x86_64", (2, 27)), "glibc 2.27 is too old", "glibc 2.27", id="Ubuntu 18.04"),
        pytest.param(machine("Linux", "x86_64", (0,)), "no glibc", "no glibc", id="Alpine"),
        pytest.param(machine("Linux", "arm64", (2, 39)), DEPLOY_ONLY, None, id="Linux on arm64"),
        pytest.param(machine("Linux", "riscv64", (2, 39)), "riscv64", "riscv64", id="another processor"),
        pytest.param(machine("Darwin", "arm64", (14, 0)), None, None, id="oldest macOS"),
        pytest.param(machine("Darwin", "arm64", (13, 6)), "macOS 13.6 is too old", "macOS 13.6", id="macOS 13"),
        pytest.param(machine("Darwin", "x86_64", (15, 1)), DEPLOY_ONLY, None, id="Intel Mac"),
        pytest.param(machine("Darwin", "x86_64", (15, 1), translated=True), "Rosetta", "Rosetta", id="Rosetta"),
        pytest.param(machine("Windows", "x86_64", (0,)), "WSL", "WSL", id="Windows"),
        pytest.param(machine("Linux", "x86_64", (2, 36), (3, 10)), "Python 3.10", "Python 3.10", id="old Python"),
        pytest.param(machine("Linux", "x86_64", (2, 36), (3, 15)), "Python 3.15", "Python 3.15", id="new Python"),
    ],
)
def test_a_machine_is_supported_or_refused_in_one_sentence(
    found: Machine, for_scenes: str | None, for_deploying: str | None
) -> None:
    for worker, part in ((True, for_scenes), (False, for_deploying)):
        sentence = refusal(found, worker=worker)
        if part is None:
            assert sentence is None
        else:
            assert sentence is not None
            assert part in sentence
            assert "\n" not in sentence


def test_this_machine_is_supported() -> None:
    assert refusal(Machine.this(), worker=True) is None


def test_the_shell_script_in_front_accepts_the_same_pythons() -> None:
    script = (Path(__file__).parents[4] / "scripts/bootstrap").read_text()
    bounds = re.search(r"\((\d+), (\d+)\) <= sys\.version_info\[:2\] <= \((\d+), (\d+)\)", script)
    assert bounds is not None
    assert tuple(map(int, bounds.groups())) == (*OLDEST_PYTHON, *NEWEST_PYTHON)
