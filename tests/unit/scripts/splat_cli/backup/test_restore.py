"""Restoring: order and size of the calls, what is counted, and a stack's state that is not replaced unasked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.splat_cli.backup.command import import_state
from scripts.splat_cli.backup.file import Backup
from scripts.splat_cli.backup.restore import BATCH_BYTES, BATCH_ENTRIES, batched, restore
from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.stack import Engine


def scene(number: int) -> dict[str, Any]:
    name = f"p_{number:016}"
    return {"of": name, "tables": {"project": [{"id": name, "name": f"Scene {number}"}]}}


def backup_of(*entries: dict[str, Any]) -> Backup:
    return Backup(id="b_0123456789abcdef", stack="dev", made_at="now", entries=entries)


BOOKS: dict[str, Any] = {"of": "account", "tables": {"job": []}}


class Edge:
    """Answers /api/restore: every third scene exists, every fifth lacks two files."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.refuse: httpx.Response | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.refuse is not None:
            refused, self.refuse = self.refuse, None
            return refused
        body = json.loads(request.content)
        self.calls.append(body)
        numbers = [int(one["of"][2:]) for one in body["entries"] if one["of"] != "account"]
        projects = [
            {"id": f"p_{n:016}", "result": "restored" if n % 3 else "kept", "missing": 0 if n % 5 else 2}
            for n in numbers
        ]
        return httpx.Response(200, json={"projects": projects})


def client(edge: Edge, waits: list[float] | None = None) -> EdgeClient:
    sleep = (lambda _: None) if waits is None else waits.append
    return EdgeClient("http://edge.test", "token", transport=httpx.MockTransport(edge), sleep=sleep)


def test_books_come_first_and_only_the_last_call_ends_the_restore() -> None:
    edge = Edge()
    done = restore(client(edge), backup_of(*map(scene, range(1, 45)), BOOKS), overwrite=False)
    assert [len(call["entries"]) for call in edge.calls] == [BATCH_ENTRIES, BATCH_ENTRIES, 5]
    assert edge.calls[0]["entries"][0] == BOOKS
    assert [call["last"] for call in edge.calls] == [False, False, True]
    assert {call["backup"] for call in edge.calls} == {"b_0123456789abcdef"}
    assert (len(done.restored), len(done.kept)) == (30, 14)
    assert done.missing == {f"p_{n:016}": 2 for n in range(5, 45, 5)}


def test_a_backup_of_an_empty_deployment_ends_with_one_call() -> None:
    edge = Edge()
    assert restore(client(edge), backup_of(), overwrite=True).restored == ()
    assert [(call["entries"], call["last"], call["overwrite"]) for call in edge.calls] == [([], True, True)]


def test_batches_stay_below_the_size_of_a_call_and_a_large_scene_goes_alone() -> None:
    large = {"of": "p_0000000000000009", "tables": {"photo": [{"name": "x" * BATCH_BYTES}]}}
    half = {"of": "p_0000000000000008", "tables": {"photo": [{"name": "x" * (BATCH_BYTES // 2)}]}}
    assert [len(batch) for batch in batched([scene(1), large, half, half, scene(2)])] == [1, 1, 1, 2]


def test_a_refusal_keeps_the_words_of_the_service() -> None:
    edge = Edge()
    said = {"error": {"code": "CONFLICT", "message": "This deployment already has scenes or jobs.", "hint": "h"}}
    edge.refuse = httpx.Response(409, json=said)
    with pytest.raises(ServiceError, match="already has scenes") as refused:
        restore(client(edge), backup_of(scene(1)), overwrite=False)
    assert (refused.value.exit_code, refused.value.hint) == (1, "h")


@pytest.mark.parametrize(("asked", "waited"), [("10", 10.0), ("86400", 15.0), ("soon", 0.5), ("", 0.5)])
def test_a_rate_limit_is_waited_out_as_long_as_it_asks(asked: str, waited: float) -> None:
    edge, waits = Edge(), list[float]()
    edge.refuse = httpx.Response(429, json={}, headers={"retry-after": asked})
    restore(client(edge, waits), backup_of(scene(1)), overwrite=False)
    assert waits == [waited]


def test_a_backup_reads_every_page() -> None:
    pages = {None: ([scene(1)], "a~0"), "a~0": ([], "b~0"), "b~0": ([BOOKS], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        entries, cursor = pages[request.url.params.get("cursor")]
        return httpx.Response(200, json={"entries": entries, "cursor": cursor})

    edge = EdgeClient("http://edge.test", "token", transport=httpx.MockTransport(answer))
    assert list(edge.backup_entries()) == [scene(1), BOOKS]


STATE = {"version": 3, "deployment": {"resources": [{"urn": "urn:1"}]}}


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """Its pulumi exports state.json and records what is imported."""
    (tmp_path / ".tools").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: photo-splat\nruntime: python\n")
    (tmp_path / ".tools/engine.json").write_text(json.dumps({"folder": str(tmp_path)}))
    (tmp_path / "pulumi").write_text(
        f'#!/bin/sh\ncase "$*" in *import*) cp "$4" {tmp_path}/imported.json ;; *) cat {tmp_path}/state.json ;; esac\n'
    )
    (tmp_path / "pulumi").chmod(0o755)
    (tmp_path / "state.json").write_text(json.dumps({"version": 3, "deployment": {}}))
    return Engine(root=tmp_path, stack="dev")


def test_the_state_of_an_empty_stack_is_restored(engine: Engine) -> None:
    import_state(engine, STATE, of_stack="dev", overwrite=False)
    assert json.loads((engine.root / "imported.json").read_text()) == STATE


def test_a_state_with_resources_is_replaced_only_with_overwrite(engine: Engine) -> None:
    (engine.root / "state.json").write_text(json.dumps(STATE))
    with pytest.raises(CommandError, match="has a state with 1 resources"):
        import_state(engine, STATE, of_stack="dev", overwrite=False)
    assert not (engine.root / "imported.json").exists()
    import_state(engine, STATE, of_stack="dev", overwrite=True)
    assert (engine.root / "imported.json").exists()


def test_the_state_of_another_stack_or_none_is_refused(engine: Engine) -> None:
    with pytest.raises(CommandError, match="state of stack prod, not of dev"):
        import_state(engine, STATE, of_stack="prod", overwrite=True)
    with pytest.raises(CommandError, match="holds no state"):
        import_state(engine, None, of_stack="dev", overwrite=True)
