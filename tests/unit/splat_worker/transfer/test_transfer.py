"""Transfers against a real server on this machine, and addresses that must never be contacted.
Silent failures: half a photo accepted as a whole one, a redirect to a metadata service."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import logging
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import brotli
import httpx
import pytest

from splat_worker.contract.job_input import PhotoSource
from splat_worker.errors import Code, JobError
from splat_worker.transfer.guard import GuardedTransport
from splat_worker.transfer.transfer import ATTEMPTS, Transfer

BODY = bytes(range(256)) * 5000
SIGNATURE = "X-Amz-Signature=do-not-show"

BOMB_BYTES = 64 << 20
BOMBS = {
    "br": brotli.compress(bytes(BOMB_BYTES), quality=1),
    "gzip": gzip.compress(bytes(BOMB_BYTES)),
    "deflate": zlib.compress(bytes(BOMB_BYTES)),
    "x-unknown": b"x" * 100,
}


class Bucket:
    """Paths with behaviour: /ok, /expired, /flaky/<n fails>, /short, /slowdown, /redirect, /gone."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.headers: dict[str, dict[str, str]] = {}
        self.stored: dict[str, bytes] = {}
        self.begins: list[int] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def count(self, path: str) -> int:
        return sum(p == path for _, p in self.requests)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    state = Bucket()

    class Handler(BaseHTTPRequestHandler):
        def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            state.requests.append(("GET", path))
            state.headers[path] = {k.lower(): v for k, v in self.headers.items()}
            if path == "/expired":
                self.answer(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
            elif path.startswith("/flaky/") and state.count(path) <= int(path.split("/")[2]):
                self.answer(503)
            elif path == "/slowdown" and state.count(path) == 1:
                self.answer(429, Retry_After="7")
            elif path == "/short":
                self.answer(200, BODY[:100], Content_Length=str(len(BODY)))
            elif path == "/redirect":
                self.answer(302, Location="http://169.254.169.254/latest/meta-data")
            elif path == "/gone":
                self.answer(404)
            elif path.startswith("/torn/"):
                self.torn(path)
            elif path.startswith("/bomb/"):
                self.bomb(path)
            else:
                self.answer(200, BODY, Content_Length=str(len(BODY)))

        def torn(self, path: str) -> None:
            """Sends at most a third of what is left of an object, which is another one after /torn/changed's first."""
            changed = path == "/torn/changed" and state.count(path) > 1
            body, tag = (BODY[::-1], '"two"') if changed else (BODY, '"one"')
            begin = int((self.headers["Range"] or "bytes=0-").removeprefix("bytes=").removesuffix("-"))
            if begin and self.headers["If-Match"] != tag:
                self.answer(412)
                return
            rest = body[begin:]
            headers = {"Content_Length": str(len(rest)), "ETag": tag}
            if begin:
                headers["Content_Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
            state.begins.append(begin)
            whole = changed and not begin
            self.answer(
                206 if begin else 200,
                rest if whole or begin > len(body) // 2 else rest[: len(rest) // 3 + 1],
                **headers,
            )

        def do_PUT(self) -> None:
            path = self.path.split("?")[0]
            state.requests.append(("PUT", path))
            state.headers[path] = {k.lower(): v for k, v in self.headers.items()}
            body = self.rfile.read(int(self.headers["content-length"]))
            if path == "/expired":
                self.answer(403)
            elif path.startswith("/bomb/"):
                self.bomb(path)
            elif path.startswith("/flaky/") and state.count(path) <= int(path.split("/")[2]):
                self.answer(500)
            else:
                state.stored[path] = body
                self.answer(200)

        def do_POST(self) -> None:
            path = self.path.split("?")[0]
            state.requests.append(("POST", path))
            self.rfile.read(int(self.headers["content-length"]))
            if path == "/endless":
                self.endless()
            else:
                self.bomb(path)

        def bomb(self, path: str) -> None:
            """A short body that unpacks to BOMB_BYTES, with the encoding that the path names."""
            encoding = path.split("/")[2]
            packed = BOMBS[encoding]
            self.answer(200, packed, Content_Encoding=encoding, Content_Length=str(len(packed)))

        def endless(self) -> None:
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client closes the connection
                for _ in range(1 << 20):
                    self.wfile.write(BODY)
            state.ended.set()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.server = server
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def transfer(pauses: list[float]) -> Iterator[Transfer]:
    with Transfer(allow_private=True, sleep=pauses.append) as opened:
        yield opened


def photo(bucket: Bucket, path: str, **changes: object) -> PhotoSource:
    return PhotoSource.model_validate({"name": "0001.jpg", "url": f"{bucket.url}{path}?{SIGNATURE}", **changes})


def test_photos_arrive_in_order_with_size_and_digest(bucket: Bucket, transfer: Transfer, tmp_path: Path) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    given = [
        photo(bucket, f"/{i}", name=f"{i}.jpg", bytes=len(BODY), sha256=digest if i % 2 else None) for i in range(30)
    ]
    progress: list[tuple[int, int]] = []
    fetched = transfer.fetch_photos(given, tmp_path, on_progress=lambda done, total: progress.append((done, total)))
    assert [item.name for item in fetched] == [f"{i}.jpg" for i in range(30)]
    assert all(item.path.read_bytes() == BODY and item.sha256 == digest for item in fetched)
    assert progress[-1] == (30, 30)


FAULTS = [
    ("an expired address", "/expired", {}, "expired", 1),
    ("an object that is gone", "/gone", {}, "does not exist (HTTP 404)", 1),
    ("a redirect", "/redirect", {}, "redirects are not followed", 1),
    ("a connection that ends early", "/short", {}, "connection", ATTEMPTS),
    ("a server that never recovers", "/flaky/99", {}, "HTTP 503", ATTEMPTS),
    ("fewer bytes than announced", "/ok", {"bytes": len(BODY) + 1}, f"has {len(BODY)} bytes", 1),
    ("more bytes than announced", "/ok", {"bytes": 10}, "larger than 10 bytes", 1),
    ("other content than announced", "/ok", {"sha256": "0" * 64}, "SHA-256 differs", 1),
]


@pytest.mark.parametrize(("path", "changes", "words", "requests"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_failed_download_names_the_photo_and_the_reason_but_no_url(  # noqa: PLR0917
    path: str,
    changes: dict[str, object],
    words: str,
    requests: int,
    bucket: Bucket,
    transfer: Transfer,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    with pytest.raises(JobError) as caught:
        transfer.fetch_photos([photo(bucket, path, **changes)], tmp_path)
    assert caught.value.code is Code.DOWNLOAD_FAILED
    assert "0001.jpg" in caught.value.message
    assert words in caught.value.message
    assert bucket.count(path) == requests
    # Where the stored photo is the cause, another job fails in the same way.
    again = "Delete 0001.jpg from the project, upload it again"
    assert (again in caught.value.hint) is (path in ("/ok", "/gone"))
    for text in (caught.value.message, caught.value.hint, caplog.text):
        assert "127.0.0.1" not in text
        assert "Signature" not in text


def test_photos_of_unannounced_size_stop_at_the_limit_of_a_project(
    bucket: Bucket, transfer: Transfer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("splat_worker.transfer.transfer.PROJECT_BYTES_MAX", 3 * len(BODY))
    assert len(transfer.fetch_photos([photo(bucket, f"/{i}", name=f"{i}") for i in range(3)], tmp_path)) == 3
    with pytest.raises(JobError) as caught:
        transfer.fetch_photos([photo(bucket, f"/{i}", name=f"{i}") for i in range(4)], tmp_path)
    assert caught.value.code is Code.BAD_INPUT
    assert "MiB in all" in caught.value.message


def test_an_unknown_host_is_reported_as_unknown(tmp_path: Path) -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    transport = GuardedTransport(allow_private=False, connections=1, resolver=nobody)
    with Transfer(transport=transport, sleep=lambda s: None) as transfer, pytest.raises(JobError) as caught:
        transfer.fetch_photos([PhotoSource(name="a.jpg", url="https://photos.example/a")], tmp_path)
    assert "the host name is unknown" in caught.value.message
    assert "photos.example" not in caught.value.message


@pytest.mark.parametrize(
    "url", ["https://[::1/x", "https://..", f"https://{'a' * 64}.example/", "https://xn--/", "https://127.0.0.1/"]
)
def test_a_post_to_an_invalid_url_raises_connection_error(url: str) -> None:
    with Transfer(allow_private=False) as transfer, pytest.raises(ConnectionError):
        transfer.post(url, b"{}", {})


def test_a_short_outage_is_retried_with_growing_pauses(
    bucket: Bucket, transfer: Transfer, tmp_path: Path, pauses: list[float]
) -> None:
    assert transfer.fetch_photos([photo(bucket, "/flaky/3")], tmp_path)[0].bytes == len(BODY)
    assert len(pauses) == 3
    assert pauses[0] < pauses[1] < pauses[2] < 4


def test_retry_after_is_respected(bucket: Bucket, transfer: Transfer, tmp_path: Path, pauses: list[float]) -> None:
    transfer.fetch_photos([photo(bucket, "/slowdown")], tmp_path)
    assert pauses == [7.0]


def test_an_upload_sends_the_signed_content_type_and_a_length(
    bucket: Bucket, transfer: Transfer, tmp_path: Path
) -> None:
    (tmp_path / "poster.webp").write_bytes(BODY)
    artifact = transfer.put("poster.webp", tmp_path / "poster.webp", f"{bucket.url}/p?{SIGNATURE}")
    assert (artifact.bytes, artifact.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert bucket.stored["/p"] == BODY
    assert bucket.headers["/p"]["content-type"] == "image/webp"
    assert bucket.headers["/p"]["content-length"] == str(len(BODY))
    assert "transfer-encoding" not in bucket.headers["/p"]


def test_an_upload_is_retried_after_a_server_error_and_fails_when_expired(
    bucket: Bucket, transfer: Transfer, tmp_path: Path
) -> None:
    (tmp_path / "scene.ply").write_bytes(BODY)
    transfer.put("scene.ply", tmp_path / "scene.ply", f"{bucket.url}/flaky/2")
    assert bucket.stored["/flaky/2"] == BODY
    with pytest.raises(JobError) as caught:
        transfer.put("scene.ply", tmp_path / "scene.ply", f"{bucket.url}/expired?{SIGNATURE}")
    assert caught.value.code is Code.UPLOAD_FAILED
    assert "scene.ply" in caught.value.message
    assert "Signature" not in caught.value.message
    assert bucket.count("/expired") == 1


def test_only_requested_files_are_uploaded(bucket: Bucket, transfer: Transfer, tmp_path: Path) -> None:
    files = {}
    for name in ("scene.ply", "scene.sog", "poster.webp"):
        files[name] = tmp_path / name
        files[name].write_bytes(name.encode())
    artifacts = transfer.put_all(files, {"scene.sog": f"{bucket.url}/sog", "scene.spz": f"{bucket.url}/spz"})
    assert set(artifacts) == {"scene.sog"}
    assert bucket.stored == {"/sog": b"scene.sog"}


def test_a_missing_checkpoint_is_no_failure(bucket: Bucket, transfer: Transfer, tmp_path: Path) -> None:
    assert transfer.fetch_checkpoint(f"{bucket.url}/gone", tmp_path / "c") is False
    assert transfer.fetch_checkpoint(f"{bucket.url}/ok", tmp_path / "c") is True


def test_a_checkpoint_is_worth_as_many_tries_as_a_photo(bucket: Bucket, transfer: Transfer, tmp_path: Path) -> None:
    assert transfer.fetch_checkpoint(f"{bucket.url}/flaky/{ATTEMPTS - 1}", tmp_path / "c") is True


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://bucket.example/x", "only https"),
        ("https://localhost:1/x", "private"),
        ("https://127.0.0.1:1/x", "private"),
        ("https://[::1]:1/x", "private"),
        ("https://2130706433:1/x", "private"),
        ("https://0x7f.1:1/x", "private"),
    ],
)
def test_a_photo_at_a_private_address_is_refused_with_the_rule(url: str, words: str, tmp_path: Path) -> None:
    with Transfer(allow_private=False) as transfer, pytest.raises(JobError) as caught:
        transfer.fetch_photos([PhotoSource(name="a.jpg", url=url)], tmp_path)
    assert caught.value.code is Code.DOWNLOAD_FAILED
    assert words in caught.value.message


def test_a_public_name_with_a_private_address_is_refused_after_one_dns_query(tmp_path: Path) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["93.184.216.34", "169.254.169.254"]

    transport = GuardedTransport(allow_private=False, connections=1, resolver=rebinding)
    with Transfer(transport=transport) as transfer, pytest.raises(JobError) as caught:
        transfer.fetch_photos([PhotoSource(name="a.jpg", url="https://photos.example/a")], tmp_path)
    assert "private" in caught.value.message
    assert asked == ["photos.example"]


def test_the_checked_address_is_the_address_used(bucket: Bucket) -> None:
    port = bucket.server.server_address[1]
    transport = GuardedTransport(allow_private=True, connections=1, resolver=lambda host, port: ["127.0.0.1"])
    with httpx.Client(transport=transport) as client:
        assert client.get(f"http://no-such-name.invalid:{port}/ok").content == BODY


@contextlib.contextmanager
def memory_under(limit_bytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit_bytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_compressed_photo_is_refused_and_not_unpacked(
    encoding: str, bucket: Bucket, transfer: Transfer, tmp_path: Path
) -> None:
    """833 bytes of Brotli unpack to gigabytes, before any limit on the photo's size is reached."""
    with memory_under(8 << 20), pytest.raises(JobError) as caught:
        transfer.fetch_photos([photo(bucket, f"/bomb/{encoding}")], tmp_path)
    assert caught.value.code is Code.DOWNLOAD_FAILED
    assert "Content-Encoding" in caught.value.message
    assert bucket.headers[f"/bomb/{encoding}"]["accept-encoding"] == "identity"


@pytest.mark.parametrize("encoding", BOMBS)
def test_answers_to_uploads_and_messages_are_not_unpacked(
    encoding: str, bucket: Bucket, transfer: Transfer, tmp_path: Path
) -> None:
    (tmp_path / "scene.sog").write_bytes(BODY)
    with memory_under(8 << 20):
        transfer.put("scene.sog", tmp_path / "scene.sog", f"{bucket.url}/bomb/{encoding}")
        transfer.post(f"{bucket.url}/bomb/{encoding}", b"{}", {})


def test_an_endless_answer_to_a_message_is_not_read_to_its_end(bucket: Bucket, transfer: Transfer) -> None:
    with memory_under(8 << 20):
        transfer.post(f"{bucket.url}/endless", b"{}", {})
    assert bucket.ended.wait(30)


def test_a_torn_download_continues_where_it_stopped(bucket: Bucket, tmp_path: Path) -> None:
    photo = PhotoSource(name="walk.mp4", url=f"{bucket.url}/torn/clip", frames_max=40)
    with Transfer(allow_private=True, sleep=lambda _: None) as transfer:
        (fetched,) = transfer.fetch_photos([photo], tmp_path)
    assert fetched.path.read_bytes() == BODY
    assert fetched.sha256 == hashlib.sha256(BODY).hexdigest()
    assert bucket.begins == sorted(set(bucket.begins))
    assert bucket.begins[0] == 0
    assert len(bucket.begins) > 1


def test_an_object_that_changed_meanwhile_is_downloaded_again_from_its_begin(bucket: Bucket, tmp_path: Path) -> None:
    photo = PhotoSource(name="walk.mp4", url=f"{bucket.url}/torn/changed", frames_max=40)
    with Transfer(allow_private=True, sleep=lambda _: None) as transfer:
        (fetched,) = transfer.fetch_photos([photo], tmp_path)
    assert fetched.path.read_bytes() == BODY[::-1]
    assert bucket.begins == [0, 0]
