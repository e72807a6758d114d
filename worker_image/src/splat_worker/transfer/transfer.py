"""Downloads photos and uploads artifacts by presigned URL: in parallel, with retries, checked by size and SHA-256.
A presigned URL is a credential: never log it, store it, or put it into an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import httpx

from splat_worker.contract.job_input import CONTENT_TYPES, PhotoSource
from splat_worker.contract.job_report import Artifact
from splat_worker.errors import Code, JobError
from splat_worker.hashing import sha256_of
from splat_worker.limits import PROJECT_BYTES_MAX
from splat_worker.progress import silent
from splat_worker.transfer.guard import GuardedTransport, Refused, private_addresses_allowed

log = logging.getLogger(__name__)

T = TypeVar("T")

PARALLEL = 8
ATTEMPTS = 4
PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 20.0
CHUNK_BYTES = 1 << 20
ANSWER_BYTES_MAX = 64 << 10
"""Bytes of an answer's body that are read, and dropped, to keep its connection. A longer answer closes it."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
PUT_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed. PUT and GET of one object are safe to repeat."""

_RANGE_NOT_SATISFIABLE = 416

REASONS = {
    401: "the server requires credentials, so the presigned URL is incomplete",
    403: "the server rejected the presigned URL; it may have expired",
    404: "the object does not exist",
    410: "the object was deleted",
    413: "the file is too large for the server",
}


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A downloaded photo, with its real size and digest."""

    name: str
    path: Path
    bytes: int
    sha256: str


class Gone(ConnectionError):
    """The receiver of a POST answered 410: nothing will wait for this job any more."""


class _AttemptFailed(Exception):
    """One attempt failed. retry: whether another one may succeed. stored: what the bucket holds is the cause, so
    another job would fail in the same way."""

    def __init__(self, reason: str, *, retry: bool, wait_s: float | None = None, stored: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry, self.wait_s, self.stored = reason, retry, wait_s, stored


class _Part:
    """The bytes of a download that have arrived; a clip of gigabytes continues after a lost connection."""

    def __init__(self) -> None:
        self.etag: str | None = None
        self.restart()

    def restart(self) -> None:
        self.size, self.digest = 0, hashlib.sha256()

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.digest.update(chunk)

    def continuation(self) -> dict[str, str]:
        """Headers that request the rest. Empty, and the part with it, if the object cannot be recognised."""
        if not self.size or not self.etag or self.etag.startswith("W/"):
            self.restart()
            return {}
        return {"range": f"bytes={self.size}-", "if-match": self.etag}


class _Allowance:
    """Bytes that the photos of a job may still take; most sizes are not announced."""

    def __init__(self, limit: int) -> None:
        self._left, self._lock = limit, threading.Lock()

    def take(self, size: int) -> bool:
        with self._lock:
            self._left -= size
            return self._left >= 0


class Transfer:
    """A connection pool for one job. Close it, or use `with`."""

    def __init__(
        self,
        *,
        allow_private: bool | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        allowed = private_addresses_allowed() if allow_private is None else allow_private
        self._client = httpx.Client(
            transport=transport or GuardedTransport(allow_private=allowed, connections=PARALLEL),
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            # A kilobyte of Brotli can unpack to gigabytes: bodies are neither requested nor accepted compressed.
            headers={"user-agent": "splat-worker/1", "accept-encoding": "identity"},
        )
        self._sleep = sleep

    def __enter__(self) -> Transfer:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._client.close()

    def fetch_photos(
        self,
        photos: Sequence[PhotoSource],
        folder: Path,
        *,
        on_progress: Callable[[int, int], None] = silent,
    ) -> tuple[Fetched, ...]:
        """All photos, in order. Raises DOWNLOAD_FAILED with the name of the first photo that failed."""
        folder.mkdir(parents=True, exist_ok=True)
        announced = sum(photo.bytes or 0 for photo in photos)
        if announced > PROJECT_BYTES_MAX:
            raise _too_many_bytes()
        allowance = _Allowance(PROJECT_BYTES_MAX)
        with ThreadPoolExecutor(PARALLEL) as pool:
            futures = [
                pool.submit(self._fetch_photo, photo, folder / f"{i:04d}.bin", allowance)
                for i, photo in enumerate(photos, start=1)
            ]
            pending = set(futures)
            while pending:
                done, pending = wait(pending, return_when=FIRST_EXCEPTION, timeout=0.5)
                if any(future.exception() for future in done):
                    for future in pending:
                        future.cancel()
                    break
                on_progress(len(futures) - len(pending), len(futures))
        return tuple(future.result() for future in futures if not future.cancelled())

    def _fetch_photo(self, photo: PhotoSource, path: Path, allowance: _Allowance) -> Fetched:
        limit = photo.bytes if photo.bytes is not None else photo.bytes_max
        part = _Part()
        try:
            size, digest = self._attempts(lambda: self._get(photo.url, path, limit, part))
            _check_announced(photo, size, digest)
        except _AttemptFailed as failed:
            again = f"Delete {photo.name} from the project, upload it again, then start the job again."
            hint = again if failed.stored else None
            message = f"Could not download {photo.name}: {failed.reason}."
            raise JobError(Code.DOWNLOAD_FAILED, message, hint=hint) from None
        if not allowance.take(size):
            raise _too_many_bytes()
        return Fetched(name=photo.name, path=path, bytes=size, sha256=digest)

    def fetch(self, name: str, url: str, path: Path, *, limit: int = PROJECT_BYTES_MAX) -> None:
        """One file of an earlier job. Raises DOWNLOAD_FAILED with its name."""
        part = _Part()
        try:
            self._attempts(lambda: self._get(url, path, limit, part))
        except _AttemptFailed as failed:
            raise JobError(Code.DOWNLOAD_FAILED, f"Could not download {name}: {failed.reason}.") from None

    def fetch_checkpoint(self, url: str, path: Path, *, limit: int = PROJECT_BYTES_MAX) -> bool:
        """False if there is none, or if it cannot be downloaded: a job can always start from the beginning. That
        repeats minutes of GPU work, so a failing bucket is asked as often as for a photo."""
        try:
            part = _Part()
            self._attempts(lambda: self._get(url, path, limit, part))
        except _AttemptFailed as failed:
            log.info("no checkpoint: %s", failed.reason)
            return False
        return True

    def put(self, name: str, path: Path, url: str) -> Artifact:
        """Upload one artifact with its content type. Raises UPLOAD_FAILED."""
        size, digest = path.stat().st_size, sha256_of(path)
        try:
            self._attempts(lambda: self._put(url, path, size, CONTENT_TYPES[name]))
        except _AttemptFailed as failed:
            raise JobError(Code.UPLOAD_FAILED, f"Could not upload {name}: {failed.reason}.") from None
        return Artifact(bytes=size, sha256=digest)

    def put_all(self, files: Mapping[str, Path], urls: Mapping[str, str]) -> dict[str, Artifact]:
        """Upload the files that have a URL, in parallel."""
        names = [name for name in files if name in urls]
        with ThreadPoolExecutor(PARALLEL) as pool:
            return dict(zip(names, pool.map(lambda name: self.put(name, files[name], urls[name]), names), strict=True))

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """One POST without retry. Raises ConnectionError unless the status is 2xx, Gone for 410; its text contains no
        URL."""
        try:
            with self._client.stream("POST", url, content=body, headers=dict(headers), timeout=5.0) as answer:
                _drop_body(answer)
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            Refused,
            ValueError,
        ) as error:  # ValueError: a host name that cannot be encoded
            raise ConnectionError(type(error).__name__) from None
        if answer.status_code == httpx.codes.GONE:
            raise Gone("HTTP 410")
        if not answer.is_success:
            raise ConnectionError(f"HTTP {answer.status_code}")

    def _attempts(self, act: Callable[[], T]) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return act()
            except _AttemptFailed as failed:
                if not failed.retry or attempt == ATTEMPTS:
                    raise
                pause_s = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311
                self._sleep(min(PAUSE_MAX_S, failed.wait_s) if failed.wait_s is not None else pause_s)
        raise AssertionError("ATTEMPTS is at least 1")

    def _get(self, url: str, path: Path, limit: int, part: _Part) -> tuple[int, str]:
        """Continues after the bytes of `part`, where the object has a strong ETag and is still the same."""
        headers = part.continuation()
        with _network(), self._client.stream("GET", url, headers=headers) as answer:
            if headers and answer.status_code in (httpx.codes.PRECONDITION_FAILED, _RANGE_NOT_SATISFIABLE):
                part.restart()
                raise _AttemptFailed("it changed while it was downloaded", retry=True)
            _check(answer)
            _check_not_encoded(answer)
            if answer.status_code != httpx.codes.PARTIAL_CONTENT or not answer.headers.get(
                "content-range", ""
            ).startswith(f"bytes {part.size}-"):
                if answer.status_code == httpx.codes.PARTIAL_CONTENT:
                    raise _AttemptFailed("the server sent another part than requested", retry=False)
                part.restart()
            part.etag = answer.headers.get("etag")
            before = part.size
            with path.open("r+b" if before else "wb") as file:
                file.seek(before)
                for (
                    chunk
                ) in answer.iter_raw():  # as they arrive: chunks of a fixed size would be lost with the connection
                    if part.size + len(chunk) > limit:
                        raise _AttemptFailed(f"it is larger than {limit} bytes", retry=False, stored=True)
                    file.write(chunk)
                    part.add(chunk)
            promised = answer.headers.get("content-length")
            if promised is not None and int(promised) != part.size - before:
                raise _AttemptFailed("the connection closed early", retry=True)
        return part.size, part.digest.hexdigest()

    def _put(self, url: str, path: Path, size: int, content_type: str) -> None:
        headers = {"content-type": content_type, "content-length": str(size)}
        content = _chunks(path)
        with (
            _network(),
            self._client.stream("PUT", url, content=content, headers=headers, timeout=PUT_TIMEOUT) as answer,
        ):
            _drop_body(answer)
            _check(answer)


@contextlib.contextmanager
def _network() -> Iterator[None]:
    """Turns the libraries' errors into _AttemptFailed, without their texts, which may contain the URL."""
    try:
        yield
    except Refused as error:
        raise _AttemptFailed(str(error), retry=False) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
        raise _AttemptFailed("the URL is invalid", retry=False) from None
    except httpx.HTTPError as error:
        raise _AttemptFailed(f"the connection failed ({str(error) or type(error).__name__})", retry=True) from None


def _check_announced(photo: PhotoSource, size: int, digest: str) -> None:
    if photo.bytes is not None and size != photo.bytes:
        raise _AttemptFailed(f"it has {size} bytes, not {photo.bytes} as announced", retry=False, stored=True)
    if photo.sha256 is not None and digest != photo.sha256:
        raise _AttemptFailed("it is not the announced photo (its SHA-256 differs)", retry=False, stored=True)


def _too_many_bytes() -> JobError:
    return JobError(
        Code.BAD_INPUT,
        f"The photos have more than {PROJECT_BYTES_MAX >> 20} MiB in all, which is the limit.",
        hint="Use fewer or smaller photos.",
    )


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    status = answer.status_code
    reason = REASONS.get(status, "the server returned an error" if status >= 400 else "redirects are not followed")
    raise _AttemptFailed(
        f"{reason} (HTTP {status})",
        retry=status in RETRIED,
        wait_s=_retry_after_s(answer),
        stored=status == httpx.codes.NOT_FOUND,
    )


def _check_not_encoded(answer: httpx.Response) -> None:
    if answer.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise _AttemptFailed("it is stored compressed (Content-Encoding)", retry=False, stored=True)


def _drop_body(answer: httpx.Response) -> None:
    """Read the rest of a short answer, without decoding it, so that its connection can be used again."""
    size = 0
    for chunk in answer.iter_raw():
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            return


def _retry_after_s(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
