"""Makes a hollow copy of a shared library: its name, symbols and versions without their code.
Needs gcc and binutils. A call of any symbol prints the library's name and aborts; or, where the program asks what
the library offers before it uses any of it, returns 0.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

DATA_TYPES = "BbDdRrGgSsVv"
WEAK_TYPES = "WwVvu"
LINKERS_OWN = frozenset({"_init", "_fini", "_edata", "_end", "__bss_start"})


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """One exported name. version: its version node, empty if the library has none; bytes: of a variable, else 0."""

    name: str
    version: str
    bytes: int


def exported(nm_output: str) -> tuple[Symbol, ...]:
    """Symbols of `nm -DS --defined-only --with-symbol-versions`, without the version nodes themselves."""
    found = []
    for line in nm_output.splitlines():
        match = re.fullmatch(r"[0-9a-f]*\s+(?:([0-9a-f]+)\s+)?(\w)\s+([\w.$]+)(@{0,2})([\w.]*)", line.strip())
        if match is None or match[2] in "Aa" or match[3] in LINKERS_OWN:
            continue
        if match[2] in WEAK_TYPES and match[3].startswith("_Z"):
            continue  # every library has its own copy of a C++ template; a hollow copy would replace them all
        if match[4] == "@":
            continue  # an old version of a symbol, which nothing links to
        size = max(1, int(match[1] or "1", 16)) if match[2] in DATA_TYPES else 0
        found.append(Symbol(name=match[3], version=match[5], bytes=size))
    return tuple(found)


def source(symbols: tuple[Symbol, ...], *, soname: str, purpose: str, asked: bool = False) -> str:
    """C source that defines every symbol as a function that prints the library's name and aborts, or returns 0 if it is
    asked."""
    text = f"{soname} ({purpose}) is left out of this image but was called: remove it from left_out.py\\n"
    lines = [
        "#include <stdlib.h>",
        "#include <unistd.h>",
        f'static const char text[] = "{text}";',
        "static void left_out(void) { (void)!write(2, text, sizeof text - 1); abort(); }",
    ]
    for number, symbol in enumerate(symbols):
        # An assembler name allows any symbol, even the name of a C builtin.
        if symbol.bytes:
            lines.append(f'char d{number}[{symbol.bytes}] __asm__("{symbol.name}");')
        else:
            lines.append(f'long f{number}(void) __asm__("{symbol.name}");')
            body = "return 0;" if asked else "left_out(); return 0;"
            lines.append(f"long f{number}(void) {{ {body} }}")
    return "\n".join(lines) + "\n"


def version_script(symbols: tuple[Symbol, ...], versions: tuple[str, ...]) -> str:
    """The linker's version script: every version node with its symbols."""
    members: dict[str, list[str]] = defaultdict(list)
    for symbol in symbols:
        members[symbol.version].append(symbol.name)
    nodes = dict.fromkeys((*versions, *(version for version in members if version)))
    return "\n".join(
        f"{node} {{ {'global: ' + '; '.join(members[node]) + ';' if members.get(node) else ''} }};" for node in nodes
    )


def soname_of(library: Path) -> str:
    dynamic = _run("readelf", "-dW", str(library))
    found = re.search(r"\(SONAME\)[^\[]*\[([^\]]+)\]", dynamic)
    return found[1] if found else library.name


def hollow_out(library: Path, purpose: str, *, asked: bool = False) -> int:
    """Replace `library` by its hollow copy; returns the bytes saved. asked: its functions return 0 and do not abort."""
    before = library.stat().st_size
    soname = soname_of(library)
    versioned = _run("nm", "-DS", "--defined-only", "--with-symbol-versions", str(library))
    symbols = exported(versioned)
    nodes = tuple(re.findall(r"^[0-9a-f]+\s+(?:[0-9a-f]+\s+)?A\s+([\w.]+)", versioned, re.MULTILINE))
    with tempfile.TemporaryDirectory() as scratch:
        code, script = Path(scratch) / "hollow.c", Path(scratch) / "hollow.map"
        out = Path(scratch) / soname
        code.write_text(source(symbols, soname=soname, purpose=purpose, asked=asked))
        command = ["gcc", "-w", "-O1", "-fno-builtin", "-shared", "-fPIC", "-s"]
        command += [f"-Wl,-soname,{soname}", "-o", str(out), str(code)]
        nodes = tuple(node for node in nodes if node != soname)
        if nodes:
            script.write_text(version_script(symbols, nodes))
            command.append(f"-Wl,--version-script={script}")
        subprocess.run(command, check=True)
        library.write_bytes(out.read_bytes())
    return before - library.stat().st_size


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
