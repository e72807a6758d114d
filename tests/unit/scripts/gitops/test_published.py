"""The published API against its copy: what is found, and what does not count."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from scripts.gitops import published
from scripts.gitops.__main__ import DRIFTED, main

OURS: dict[str, Any] = published.copy()


@contextmanager
def served(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/openapi.json"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(document: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with served(json.dumps(document).encode()) as url:
        status = main(["published", "--url", url])
    return status, capsys.readouterr().out


def test_the_copy_itself_does_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OURS, capsys) == (0, "")


def test_new_gone_and_changed_parts_are_named_by_their_pointer(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = copy.deepcopy(OURS)
    theirs["paths"]["/v2/teams"] = {"get": {}}
    del theirs["paths"]["/v2/serverless"]["post"]
    schemas = theirs["components"]["schemas"]
    name = sorted(schemas)[0]
    schemas[name] = {"type": "a new type"}
    status, text = run(theirs, capsys)
    assert status == DRIFTED
    assert "| new | `/paths/~1v2~1teams` |" in text
    assert "| gone | `/paths/~1v2~1serverless/post` |" in text
    assert f"/components/schemas/{name}" in text


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        ({"description": "a", "type": "x"}, {"description": "b", "type": "x"}, []),
        ({"required": ["a", "b"]}, {"required": ["b", "a"]}, []),
        ({"required": ["a"]}, {"required": ["a", "b"]}, [("/required", "changed")]),
        ({"properties": {"description": {"type": "x"}}}, {"properties": {}}, [("/properties/description", "gone")]),
        ({"maximum": 5}, {"maximum": 1000}, [("/maximum", "changed")]),
        ({"anyOf": [{"title": "A", "type": "x"}]}, {"anyOf": [{"title": "B", "type": "x"}]}, []),
        ({"a/b": 1}, {"a/b": 2}, [("/a~1b", "changed")]),
    ],
    ids=str,
)
def test_differences(ours: Any, theirs: Any, found: list[tuple[str, str]]) -> None:
    assert [(one.pointer, one.kind) for one in published.differences(ours, theirs)] == found


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"<html>", 200, "cannot read"),
        (b"{}", 200, "no OpenAPI document"),
        (b"{}", 503, "cannot read"),
    ],
)
def test_an_answer_that_is_no_document_fails_and_is_no_difference(
    body: bytes, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(body, status) as url:
        assert main(["published", "--url", url]) == 1
    assert words in capsys.readouterr().err


def test_a_document_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "BYTES_MAX", 1000)
    with served(b"x" * 5000) as url, pytest.raises(published.Failed, match="larger than"):
        published.fetch(url)
