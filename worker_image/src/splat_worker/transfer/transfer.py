"""Photos in, artifacts out, by presigned addresses: in parallel, retried, checked by size and SHA-256.
An address is a credential: none is ever logged, stored, or put into an error.
"""

from __future__ import annotations

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
from splat_worker.limits import PHOTO_BYTES_MAX, PROJECT_BYTES_MAX
from splat_worker.progress import silent
from splat_worker.transfer.guard import GuardedTransport, Refused, private_addresses_allowed

log = logging.getLogger(__name__)

T = TypeVar("T")

PARALLEL = 8
ATTEMPTS = 4
PAUSE_FIRST_S = 0.5
PAUSE_MAX_S = 20.0
CHUNK_BYTES = 1 << 20
TIMEOUT = httpx.Timeout(30.0, connect=10.0)
PUT_TIMEOUT = httpx.Timeout(120.0, connect=10.0)
AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses where the same request may succeed a moment later; PUT and GET of one object are safe to repeat."""

REASONS = {
    401: "the server asked for credentials: the presigned address is incomplete",
    403: "the presigned address was refused: it has expired or does not fit this request",
    404: "there is nothing at the address",
    410: "the object is gone",
    413: "the server takes no file of this size",
}


@dataclass(frozen=True, kw_only=True)
class Fetched:
    """A photo on disk, with what was really received."""

    name: str
    path: Path
    bytes: int
    sha256: str


class _Broken(Exception):
    """One attempt failed; `again` tells whether another may help."""

    def __init__(self, reason: str, *, again: bool, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.again, self.wait_s = reason, again, wait_s


class _Room:
    """Bytes that all photos of a job may still have; most of them may come unannounced."""

    def __init__(self, limit: int) -> None:
        self._left, self._lock = limit, threading.Lock()

    def take(self, size: int) -> bool:
        with self._lock:
            self._left -= size
            return self._left >= 0


class Transfer:
    """One pool of connections for a job. Close it (or use `with`)."""

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
            headers={"user-agent": "splat-worker/1"},
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
        """All photos, in their order. Raises DOWNLOAD_FAILED naming the first photo that cannot be had."""
        folder.mkdir(parents=True, exist_ok=True)
        announced = sum(photo.bytes or 0 for photo in photos)
        if announced > PROJECT_BYTES_MAX:
            raise JobError(
                Code.BAD_INPUT,
                f"The photos have {announced >> 20} MiB in all; at most {PROJECT_BYTES_MAX >> 20} are taken.",
                hint="Send fewer or smaller photos.",
            )
        room = _Room(PROJECT_BYTES_MAX)
        with ThreadPoolExecutor(PARALLEL) as pool:
            futures = [
                pool.submit(self._fetch_photo, photo, folder / f"{i:04d}.bin", room)
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

    def _fetch_photo(self, photo: PhotoSource, path: Path, room: _Room) -> Fetched:
        limit = photo.bytes if photo.bytes is not None else PHOTO_BYTES_MAX
        try:
            size, digest = self._attempts(lambda: self._get(photo.url, path, limit))
        except _Broken as broken:
            raise JobError(Code.DOWNLOAD_FAILED, f"Photo {photo.name} cannot be fetched: {broken.reason}.") from None
        if photo.bytes is not None and size != photo.bytes:
            raise JobError(Code.DOWNLOAD_FAILED, f"Photo {photo.name} has {size} bytes, {photo.bytes} were announced.")
        if photo.sha256 is not None and digest != photo.sha256:
            raise JobError(Code.DOWNLOAD_FAILED, f"Photo {photo.name} is not the one announced: its SHA-256 differs.")
        if not room.take(size):
            raise JobError(
                Code.BAD_INPUT,
                f"The photos have more than {PROJECT_BYTES_MAX >> 20} MiB in all, which is the most that is taken.",
                hint="Send fewer or smaller photos.",
            )
        return Fetched(name=photo.name, path=path, bytes=size, sha256=digest)

    def fetch_checkpoint(self, url: str, path: Path, *, limit: int = PROJECT_BYTES_MAX) -> bool:
        """False where there is none (or it cannot be had: a job can always start from the beginning)."""
        try:
            self._attempts(lambda: self._get(url, path, limit), attempts=2)
        except _Broken as broken:
            log.info("no checkpoint: %s", broken.reason)
            return False
        return True

    def put(self, name: str, path: Path, url: str) -> Artifact:
        """Upload one artifact with its content type. Raises UPLOAD_FAILED."""
        size, digest = path.stat().st_size, _sha256(path)
        try:
            self._attempts(lambda: self._put(url, path, size, CONTENT_TYPES[name]))
        except _Broken as broken:
            raise JobError(Code.UPLOAD_FAILED, f"{name} cannot be uploaded: {broken.reason}.") from None
        return Artifact(bytes=size, sha256=digest)

    def put_all(self, files: Mapping[str, Path], urls: Mapping[str, str]) -> dict[str, Artifact]:
        """Upload what is both there and asked for, in parallel."""
        names = [name for name in files if name in urls]
        with ThreadPoolExecutor(PARALLEL) as pool:
            return dict(zip(names, pool.map(lambda name: self.put(name, files[name], urls[name]), names), strict=True))

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """One POST without retry (progress). Raises on anything but 2xx; the text holds no address."""
        try:
            answer = self._client.post(url, content=body, headers=dict(headers), timeout=5.0)
        except (httpx.HTTPError, httpx.InvalidURL, Refused, ValueError) as error:  # names that no resolver takes
            raise ConnectionError(type(error).__name__) from None
        if not answer.is_success:
            raise ConnectionError(f"HTTP {answer.status_code}")

    def _attempts(self, act: Callable[[], T], attempts: int = ATTEMPTS) -> T:
        for attempt in range(1, attempts + 1):
            try:
                return act()
            except _Broken as broken:
                if not broken.again or attempt == attempts:
                    raise
                pause_s = min(PAUSE_MAX_S, PAUSE_FIRST_S * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311
                self._sleep(min(PAUSE_MAX_S, broken.wait_s) if broken.wait_s is not None else pause_s)
        raise AssertionError("attempts is at least 1")

    def _get(self, url: str, path: Path, limit: int) -> tuple[int, str]:
        digest, size = hashlib.sha256(), 0
        with _network(), self._client.stream("GET", url) as answer:
            _check(answer)
            with path.open("wb") as file:
                for chunk in answer.iter_bytes(CHUNK_BYTES):
                    size += len(chunk)
                    if size > limit:
                        raise _Broken(f"it is larger than the {limit} bytes allowed", again=False)
                    digest.update(chunk)
                    file.write(chunk)
            promised = answer.headers.get("content-length")
            if promised is not None and not answer.headers.get("content-encoding") and int(promised) != size:
                raise _Broken("the connection ended early", again=True)
        return size, digest.hexdigest()

    def _put(self, url: str, path: Path, size: int, content_type: str) -> None:
        headers = {"content-type": content_type, "content-length": str(size)}
        with _network():
            answer = self._client.put(
                url, content=_chunks(path), headers=headers, timeout=httpx.Timeout(120, connect=10)
            )
            _check(answer)


class _network:
    """Turns the libraries' errors into one attempt's failure, without their texts (these may quote the URL)."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, Refused):
            raise _Broken(str(error), again=False) from None
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | ValueError):
            raise _Broken("the address is not a valid URL", again=False) from None
        if isinstance(error, httpx.HTTPError):
            raise _Broken(f"the connection failed ({str(error) or type(error).__name__})", again=True) from None


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    status = answer.status_code
    reason = REASONS.get(status, "the server answered with an error" if status >= 400 else "redirects are not followed")
    raise _Broken(f"{reason} (HTTP {status})", again=status in AGAIN, wait_s=_retry_after_s(answer))


def _retry_after_s(answer: httpx.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdecimal() else None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
