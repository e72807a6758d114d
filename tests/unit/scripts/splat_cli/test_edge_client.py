"""The client against a server that is a plain function: order of calls, retries, error messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from scripts.splat_cli.edge_client import EdgeClient, Upload
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.photos import Photo

CONTRACTS = Path(__file__).parents[4] / "docs/contracts"
TOKEN = "splat_secret_token"
PROJECT = json.loads((CONTRACTS / "project.json").read_text())


def client(answer: Callable[[httpx.Request], httpx.Response]) -> EdgeClient:
    return EdgeClient("http://edge.test", TOKEN, transport=httpx.MockTransport(answer), sleep=lambda _: None)


def test_the_project_of_the_contract_is_read() -> None:
    project = client(lambda _: httpx.Response(200, json=PROJECT)).project("p_1")
    assert (project.state, project.progress.stage if project.progress else None) == ("running", "train")
    assert not project.is_final


def test_requests_carry_the_token_and_a_user_agent() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=PROJECT)

    client(answer).project("p_1")
    assert seen[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert seen[0].headers["user-agent"].startswith("splat-cli/")


def test_no_compressed_answer_is_requested_and_no_compressed_artifact_unpacked(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, stream=httpx.ByteStream(b"packed"), headers={"content-encoding": "gzip"})

    with pytest.raises(ServiceError, match="compressed"):
        client(answer).download("p_1", "scene.ply", tmp_path)
    assert seen[0].headers["accept-encoding"] == "identity"
    assert list(tmp_path.iterdir()) == []


def test_the_storage_never_sees_the_token(tmp_path: Path) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"bytes")
    upload = Upload(name="a.jpg", as_="0001.jpg", url="http://s3.test/x?sig=1", headers={"content-type": "image/jpeg"})
    client(answer).put(upload, photo)
    assert "authorization" not in seen[0].headers
    assert seen[0].headers["content-type"] == "image/jpeg"
    assert seen[0].content == b"bytes"


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([200], None),
        ([503, 200], None),
        ([500, 412], None),  # the first try arrived, its answer was lost
        ([412], "the storage answered 412"),
        ([403], "the storage answered 403"),
        ([503, 503, 503, 503], "the storage answered 503"),
    ],
)
def test_an_upload_is_retried_only_when_that_can_help(answers: list[int], outcome: str | None, tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"bytes")
    left = iter(answers)
    edge = client(lambda _: httpx.Response(next(left)))
    upload = Upload(name="a.jpg", as_="0001.jpg", url="http://s3.test/x?X-Amz-Signature=topsecret", headers={})
    if outcome is None:
        edge.put(upload, photo)
    else:
        with pytest.raises(ServiceError, match=outcome) as caught:
            edge.put(upload, photo)
        assert "topsecret" not in str(caught.value) + caught.value.hint
    assert list(left) == []


def test_a_lost_connection_to_the_storage_is_retried(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"bytes")
    tries: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        if len(tries) == 1:
            raise httpx.ReadError("reset", request=request)
        return httpx.Response(200)

    client(answer).put(Upload(name="a", as_="1", url="http://s3.test/x", headers={}), photo)
    assert len(tries) == 2


def test_a_post_whose_answer_was_lost_is_not_sent_again() -> None:
    tries: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        raise httpx.ReadTimeout("late", request=request)

    with pytest.raises(ServiceError, match="does not answer"):
        client(answer).start("p_1", "preview")
    assert len(tries) == 1


def test_an_error_has_the_message_code_and_hint_of_the_envelope() -> None:
    body = {"error": {"code": "NOT_FOUND", "message": "There is no project p_9.", "hint": "splat scenes lists them"}}
    with pytest.raises(CommandError) as caught:
        client(lambda _: httpx.Response(404, json=body)).project("p_9")
    assert caught.value.message == "There is no project p_9. [NOT_FOUND]"
    assert caught.value.hint == "splat scenes lists them"
    assert caught.value.exit_code == 1


def test_a_gateway_page_instead_of_json_is_reported_by_its_status() -> None:
    with pytest.raises(ServiceError, match="the service answered 502") as caught:
        client(lambda _: httpx.Response(502, text="<html>bad gateway</html>")).project("p_9")
    assert caught.value.exit_code == 2


def test_many_photos_are_announced_in_batches_of_fifty(tmp_path: Path) -> None:
    photos = [Photo(path=tmp_path / f"{n}.jpg", name=f"{n}.jpg", type="image/jpeg", size_bytes=9) for n in range(120)]
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        wanted = json.loads(request.content)["photos"]
        sizes.append(len(wanted))
        uploads = [
            {"name": w["name"], "as": w["name"], "method": "PUT", "url": "http://s3.test/x", "headers": {}}
            for w in wanted
        ]
        return httpx.Response(201, json={"uploads": uploads})

    uploads = client(answer).request_uploads("p_1", photos)
    assert sizes == [50, 50, 20]
    assert [upload.name for upload in uploads] == [photo.path.name for photo in photos]


def test_lists_are_read_to_their_last_page() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        second = request.url.params.get("cursor") == "next"
        return httpx.Response(200, json={"projects": [PROJECT], "cursor": None if second else "next"})

    assert len(client(answer).projects()) == 2


def test_a_download_that_breaks_leaves_no_file(tmp_path: Path) -> None:
    body = {"error": {"code": "NOT_FOUND", "message": "No such artifact."}}
    with pytest.raises(CommandError, match="No such artifact"):
        client(lambda _: httpx.Response(404, json=body)).download("p_1", "scene.sog", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("inline; filename=\"Kase.sog\"; filename*=UTF-8''K%C3%A4se%20%281%29.sog", "Käse (1).sog"),
        ('inline; filename="scene.sog"', "scene.sog"),
        (None, "scene.sog"),
        ("inline; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "scene.sog"),
        ('inline; filename=".."', "scene.sog"),
    ],
)
def test_a_download_has_the_name_that_the_service_gives_it(tmp_path: Path, disposition: str | None, name: str) -> None:
    headers = {} if disposition is None else {"content-disposition": disposition}
    reply = httpx.Response(200, stream=httpx.ByteStream(b"splats"), headers=headers)
    assert client(lambda _: reply).download("p_1", "scene.sog", tmp_path) == tmp_path / name
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"splats")]
