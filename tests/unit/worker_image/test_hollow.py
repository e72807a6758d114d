"""Hollow libraries: a program linked to the real library starts, and a call names the missing library.
Needs gcc, and skips without it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.worker_image.sources import load

REAL = """
int splat_version = 7;
int splat_add(int a, int b) { return a + b; }
int splat_old(int a) { return a; }
"""
VERSIONS = "LIB_1 { global: splat_old; local: *; };\nLIB_2 { global: splat_add; splat_version; };\n"
PROGRAM = """
#include <stdio.h>
#include <string.h>
extern int splat_version; int splat_add(int, int); int splat_old(int);
int (*kept)(int) = splat_old; /* the loader resolves this address at start */
int main(int n, char **words) {
  puts("started");
  fflush(stdout);
  return n > 1 ? splat_add(n, splat_version) + kept(1) : 0;
}
"""


hollow = load("hollow")


def compile_(*arguments: str | Path) -> None:
    subprocess.run(["gcc", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program linked to libsplat.so.3 beside it, a library with two version nodes."""
    for tool in ("gcc", "nm", "readelf"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed here")
    (tmp_path / "real.c").write_text(REAL)
    (tmp_path / "real.map").write_text(VERSIONS)
    (tmp_path / "program.c").write_text(PROGRAM)
    library = tmp_path / "libsplat.so.3"
    script = f"-Wl,--version-script={tmp_path / 'real.map'}"
    compile_("-shared", "-fPIC", "-Wl,-soname,libsplat.so.3", script, "-o", library, tmp_path / "real.c")
    compile_(tmp_path / "program.c", library, f"-Wl,-rpath,{tmp_path}", "-Wl,-z,lazy", "-o", tmp_path / "program")
    return tmp_path / "program"


def test_a_program_linked_to_the_real_library_still_starts(program: Path) -> None:
    assert subprocess.run([program, "call"], check=False).returncode == 2 + 7 + 1
    hollow.hollow_out(program.parent / "libsplat.so.3", "adding")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "started\n", "")


def test_a_call_names_the_library_and_its_purpose_and_ends_the_process(program: Path) -> None:
    hollow.hollow_out(program.parent / "libsplat.so.3", "adding")
    done = subprocess.run([program, "call"], capture_output=True, text=True, check=False)
    assert done.returncode < 0
    assert "libsplat.so.3 (adding) is left out of this image" in done.stderr


def test_a_library_that_is_asked_first_answers_nothing(program: Path) -> None:
    hollow.hollow_out(program.parent / "libsplat.so.3", "adding", asked=True)
    assert subprocess.run([program, "call"], check=False).returncode == 0


def test_versions_and_names_equal_those_of_the_real_library(program: Path) -> None:
    library = program.parent / "libsplat.so.3"
    command = ["nm", "-DS", "--defined-only", "--with-symbol-versions", str(library)]
    before = hollow.exported(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    hollow.hollow_out(library, "adding")
    after = hollow.exported(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert {(s.name, s.version) for s in after} == {(s.name, s.version) for s in before}
    assert {s.name for s in after} >= {"splat_add", "splat_old", "splat_version"}


def test_symbols_of_the_linker_are_not_defined_twice() -> None:
    symbols = hollow.exported("0000000000001000 T _init\n0000000000002000 T real_one\n0000000000000000 A LIB_1\n")
    assert [symbol.name for symbol in symbols] == ["real_one"]


def test_weak_cpp_names_are_skipped_and_weak_c_names_are_not() -> None:
    """Other libraries would find the hollow copy of a C++ template first, as libcufile did. NCCL's functions are weak C
    names, and needed."""
    symbols = hollow.exported("0000000000001000 0000000000000010 W _ZNSt6vectorIiE\n0000000000002000 W ncclRecv\n")
    assert [symbol.name for symbol in symbols] == ["ncclRecv"]
