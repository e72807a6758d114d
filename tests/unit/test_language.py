"""Messages, docs, comments and test names use plain English: words that read as translated or private stay out.

Reads all Markdown, string literals and comments of Python and TypeScript, text of pages, comments of the other
sources, names of tests and of files. A name in code is free; a name in a string, a page or a path is not.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Rule:
    """pattern: matched in lower case, over line ends; prose_only: a text without a space is a name and is free."""

    pattern: str
    instead: str
    prose_only: bool = False


PROGRAMS = (
    "pulumi|preview|plan|command|engine|runpod|cloudflare|worker|app|server|service|edge|program|script|api|tool|"
    "stand-in|supervisor|registry|handler|platform|report|image|job|it"
)

RULES = (
    Rule(r"mend(s|ed|ing)?", "fix"),
    Rule(r"put(s|ting)? (it |them |this |that |things )?right", "fix"),
    Rule(r"for want of", "because there is no …, or: ran out of …"),
    Rule(r"amid", "in, during, between"),
    Rule(r"whatever (its|their|the) names?", "This is a text file, not a photo"),
    Rule(r"thereby", "so, which"),
    Rule(r"the ones? (that|which|who)", "the noun"),
    Rule(r"such (a )?ones?", "the noun"),
    Rule(r"(un)?told(?! apart)", "reported, shown, printed, sent", prose_only=True),
    Rule(rf"({PROGRAMS}) (says|said|tells)", "reports, prints, shows", prose_only=True),
    Rule(r"may go(?! (to|into|on|through|back))", "can be removed"),
    Rule(r"(is|are|was|were|be|been|only) heard(?! (of|from))|heard (when|only|once)", "takes effect, applies"),
    Rule(r"in clear", "in plain text"),
    Rule(r"cut( |-)off", "interrupted (a run), cropped (a picture), truncated (a text)"),
    Rule(r"left-?overs?", "orphans, orphaned"),
    Rule(r"strays?", "orphan, orphaned (a resource), floater (a Gaussian)"),
    Rule(r"mint(ed|s|ing)|mint (a|an|the|new)", "generate, generated secret"),
    Rule(r"trials?(?! and error)", "image check"),
    Rule(r"(?<!next\s)doors?", "validation (of photos), entry point"),
    Rule(r"(a|an|the|its|their|every|each|any|no) kept", "cached, saved, partial", prose_only=True),
    Rule(r"begun", "started; as an adjective: partial"),
    Rule(r"spared|to spare|spares", "saved, reused, reusable"),
    Rule(r"look-ups?|look(s|ed|ing)? (it |them |things )?up|looked at", "query, check"),
    Rule(r"as (people|everyone|somebody) (names?|calls?|writes?)", "the usual name"),
)

GAP = r"\s+(?:[#*/]+\s*)?"  # between two words of a phrase, also over a line end of a comment
PATTERNS = [(re.compile(rf"\b(?:{rule.pattern.replace(' ', GAP)})\b", re.IGNORECASE), rule) for rule in RULES]
ANY = re.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in PATTERNS), re.IGNORECASE)

# Words that a file quotes: path, and the phrase as it stands there.
RENAMED = "docs/decisions/0017-rooms-redesigned.md"  # its table has the old names
QUOTES = {(RENAMED, old) for old in ("leftovers", "stray", "minted", "trial", "Trial", "door", "Begun")}


@dataclass(frozen=True)
class Passage:
    """A stretch of text that a person reads, and the lines it stands on."""

    text: str
    first: int
    last: int


def findings(name: str, source: str) -> list[str]:
    """`file:line: word → instead`, for one file."""
    lines = source.splitlines()
    found = [
        f"{name}: file name: {hit} → {instead}"
        for hit, instead in matches(re.sub(r"^\d+-|\.\w+$", "", Path(name).name).replace("-", " "))
    ]
    for passage in passages(name, source):
        for hit, instead in matches(passage.text):
            if (name, hit) not in QUOTES:
                found.append(f"{name}:{line_of(hit, passage, lines)}: {hit} → {instead}")
    return list(dict.fromkeys(found))


def matches(text: str) -> Iterator[tuple[str, str]]:
    words = re.sub(r"(?<=[a-z])(?<!Run)(?=[A-Z])|_", " ", text)  # imageTrial, cut_off
    if not ANY.search(words):
        return
    for pattern, rule in PATTERNS:
        if rule.prose_only and " " not in text.strip():
            continue
        for match in pattern.finditer(words):
            yield re.sub(GAP, " ", match.group()), rule.instead


def line_of(hit: str, passage: Passage, lines: list[str]) -> int:
    word = hit.split()[-1].lower()
    for number in range(passage.first, min(passage.last, len(lines)) + 1):
        if word in lines[number - 1].lower():
            return number
    return passage.first


def passages(name: str, source: str) -> Iterator[Passage]:
    if name.endswith(".py"):
        yield from of_python(source)
    elif name.endswith((".ts", ".tsx", ".mjs")):
        yield from of_typescript(source)
    elif name.endswith((".css", ".cu", ".cuh", ".go")):
        yield from of_matches(r"/\*.*?\*/|//[^\n]*", source)
    elif name.endswith((".md", ".html", ".json")):
        yield from of_matches(r"[^\n]+(?:\n[^\n]+)*", source)
    else:
        yield from of_matches(r"(?:^|(?<=\s))#[^\n]*", source)


def of_matches(pattern: str, source: str) -> Iterator[Passage]:
    for match in re.finditer(pattern, source, re.DOTALL | re.MULTILINE):
        first = source.count("\n", 0, match.start()) + 1
        yield Passage(match.group(), first, first + match.group().count("\n"))


def of_python(source: str) -> Iterator[Passage]:
    """Comments (lines in a row as one), names of tests, and string literals with their f-strings."""
    block: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if block and token.start[0] != block[-1].start[0] + 1:
                yield of_comments(block)
                block = []
            block.append(token)
    if block:
        yield of_comments(block)
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        last = getattr(node, "end_lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield Passage(node.value, node.lineno, last)
        elif isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield Passage("".join(map(str, parts)), node.lineno, last)
            pending += [part for part in node.values if not isinstance(part, ast.Constant)]
            continue
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield Passage(node.name.replace("_", " "), node.lineno, node.lineno)
        pending += ast.iter_child_nodes(node)


def of_comments(block: list[tokenize.TokenInfo]) -> Passage:
    return Passage("\n".join(token.string for token in block), block[0].start[0], block[-1].start[0])


TYPESCRIPT = re.compile(
    r"""(?P<block>/\*.*?\*/)
    | (?P<lines>(?<![:"'`])//[^\n]*(?:\n[ \t]*//[^\n]*)*)
    | (?P<text>"(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | `(?:\\.|[^`\\])*`)
    | (?P<jsx>(?<=[>}])[^<>{}=;()]*[^<>{}=;()\s][^<>{}=;()]*(?=[<{]))""",
    re.DOTALL | re.VERBOSE,
)


def of_typescript(source: str) -> Iterator[Passage]:
    """Comments, string and template literals, and the text between the tags of a page."""
    for match in TYPESCRIPT.finditer(source):
        text = match.group()
        first = source.count("\n", 0, match.start()) + 1
        if match.lastgroup == "text":
            text = re.sub(r"\$\{[^{}]*\}", "…", text[1:-1])
        if match.lastgroup == "jsx" and re.search(r"&&|\|\||\w\.\w", text):
            continue  # a comparison, not the text of a page
        yield Passage(text, first, first + match.group().count("\n"))


SOURCES = {
    ".md",
    ".html",
    ".py",
    ".ts",
    ".tsx",
    ".mjs",
    ".css",
    ".cu",
    ".cuh",
    ".go",
    ".toml",
    ".yml",
    ".yaml",
    ".in",
    "",
}


def files(root: Path) -> list[str]:
    """Of the repository, committed or not yet, that a person reads. Without this file, which holds the words, and
    without data, except the examples of messages."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return [
        name
        for name in listed
        if (Path(name).suffix in SOURCES or name.startswith("docs/contracts/"))
        and Path(name).name not in {"LICENSE", Path(__file__).name}
        and (root / name).is_file()
    ]


def all_findings(root: Path) -> list[str]:
    return [found for name in files(root) for found in findings(name, (root / name).read_text())]


def test_no_text_holds_a_word_that_is_not_plain_english() -> None:
    found = all_findings(ROOT)
    assert not found, f"{len(found)} places:\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("a.md", "# Head\n\nMend it.\n", ["a.md:3: Mend → fix"]),
        ("a.md", "It ended for want of memory.\n", ["a.md:1: for want of"]),
        ("a.md", "This is a PDF, whatever its name says.\n", ["a.md:1: whatever its name"]),
        ("a.md", "`imageTrial: false`\n", ["a.md:1: Trial → image check"]),
        ("0008-stray-tokens.md", "# 8\n", ["0008-stray-tokens.md: file name: stray"]),
        ("a.py", "x = 1\n# runs that are cut\n# off\n", ["a.py:3: cut off"]),
        ("a.py", '"""One.\n\nTwo is begun.\n"""\n', ["a.py:3: begun"]),
        ("a.py", 'x = (\n    f"{y} stands "\n    "in clear"\n)\n', ["a.py:3: in clear"]),
        ("a.py", "x = f\"{f('minted')} z\"\n", ["a.py:1: minted"]),
        ("a.py", "def test_all_failures_are_told_together(): ...\n", ["a.py:1: told"]),
        ("a.py", 'name = "splat-leftovers"\n', ["a.py:1: leftovers"]),
        ("a.ts", "// the one\n// that runs\n", ["a.ts:2: the one that"]),
        ("a.ts", "const a = `is not ${x} looked at`;\n", ["a.ts:1: looked at"]),
        ("a.ts", 'test("RunPod says no", () => {});\n', ["a.ts:1: RunPod says"]),
        ("a.tsx", "<p>\n  A kept scene\n  <b>x</b>\n</p>\n", ["a.tsx:2: A kept"]),
        ("a.css", "/* at the\n door */\n", ["a.css:2: door"]),
        ("a.yml", "run: x  # the key may go\n", ["a.yml:1: may go"]),
        ("a", "#!/bin/sh\n# Heard when it is made.\n", ["a:2: Heard when"]),
    ],
)
def test_a_banned_word_is_found_with_its_line(name: str, source: str, expected: list[str]) -> None:
    found = findings(name, source)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True)), found


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.md", "3 photos are kept back. The key is kept in state. Fix it. An interrupted run.\n"),
        ("a.md", "An amendment recommends a pinned image. Indoor scenes. A lookup table. 405 cuts.\n"),
        ("a.md", "The job may go on. Two fields cannot be told apart. The cutoff is 0.5. What is left over?\n"),
        ("a.py", "told = stray(mend)\nfor minted in told:\n    trial = minted.begun\n"),
        ("a.py", 'told["x"] = f"{trial.stray} runs"\n'),
        ("a.py", "kept = numpy.ones(3)  # all ones\n"),
        ("a.ts", "const { stray } = plan(told); // a plan\nconst u = 'https://x.test/';\n"),
        ("a.tsx", "const a = <b>{told}</b>;\nif (a > stray.b && c < door) x();\n"),
        ("a.css", ".door { color: red }\n"),
    ],
)
def test_plain_words_and_names_in_code_pass(name: str, source: str) -> None:
    assert findings(name, source) == []
