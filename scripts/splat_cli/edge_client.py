"""Typed client of the edge API (docs/contracts.md): projects, photos, jobs, artifacts, sign-in links.
Never prints; never puts the token or a presigned URL into an error."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

import httpx
from pydantic import BaseModel, ConfigDict

from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.photos import Limits, Photo

USER_AGENT = "splat-cli/0.1"
# A compressed body would unpack without a bound.
HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
TIMEOUT_S = 30.0
UPLOAD_TIMEOUT_S = 300.0
BATCH = 50  # the edge signs at most this many URLs per call
TRIES = 4
READ_BYTES = 256 * 1024
JOBS_PAGE = 200
RETRY_AFTER_MAX_S = 15.0
RETRY_STATUS = {429, 500, 502, 503, 504}


class Reply(BaseModel):
    """A reply may have more fields; ours are checked."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Progress(Reply):
    stage: str
    fraction: float
    message: str = ""
    eta_s: float | None = None
    at: str = ""


class Failure(Reply):
    code: str
    message: str
    hint: str = ""
    stage: str | None = None


class Notice(Reply):
    """Why a queued job waits."""

    message: str
    hint: str | None = None


class PhotoCount(Reply):
    count: int = 0
    bytes: int = 0


class Project(Reply):
    """A project of the API. report: the worker's job report, unchanged."""

    id: str
    name: str
    state: str
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    photos: PhotoCount = PhotoCount()
    attempt: int = 0
    progress: Progress | None = None
    notice: Notice | None = None
    error: Failure | None = None
    report: dict[str, Any] | None = None
    artifacts: dict[str, dict[str, Any]] = {}
    edit: dict[str, Any] | None = None
    edits: int = 0
    shown: int | None = None

    @property
    def is_final(self) -> bool:
        return self.state in {"done", "failed", "cancelled"}


class Estimate(Reply):
    seconds: float
    usd: float
    basis: str = ""


class StageSeconds(Reply):
    stage: str
    seconds: float


class Job(Reply):
    """An attempt in the account's books. usd: reserved until it ended, then its cost. name: None if deleted."""

    project_id: str
    name: str | None
    attempt: int
    preset: str
    photos: int
    state: str | None
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    usd: float
    seconds: float | None
    stages: tuple[StageSeconds, ...] = ()
    error: Failure | None = None


class Spend(Reply):
    today_usd: float
    month_usd: float
    reserved_usd: float
    budget_usd: float
    left_usd: float


class RunPodCounts(Reply):
    jobs: dict[str, int]
    workers: dict[str, int]


class Stopped(Reply):
    at: datetime
    reason: str


class Metrics(Reply):
    """The account's figures. runpod: None when RunPod does not answer the edge."""

    success_rate: float | None
    jobs_today: int
    spend: Spend
    failed_starts: int = 0
    stopped: Stopped | None = None
    runpod: RunPodCounts | None


class Rate(Reply):
    """What a second of the deployment's GPU costs, with the day of that price."""

    gpu: str
    usd_per_s: float
    as_of: str


class Upload(Reply):
    """Where a file goes: one PUT for a photo; a clip goes up in parts, without an address of its own."""

    name: str
    as_: str
    method: str = "PUT"
    url: str = ""
    headers: dict[str, str] = {}


class Part(Reply):
    number: int
    offset: int
    bytes: int
    url: str


class Parts(Reply):
    """stored: bytes of the parts that were reported. parts: the next missing ones."""

    stored: int
    parts: tuple[Part, ...]
    complete: bool


class StoredPhoto(Reply):
    name: str
    bytes: int = 0
    uploaded: bool


class UploadsStopped(Exception):
    """Ends an upload that is under way: the command was stopped."""


@dataclass(frozen=True)
class Piece:
    """A file, or `count` of its bytes from `offset`."""

    path: Path
    offset: int = 0
    count: int | None = None

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size if self.count is None else self.count

    def read(self, stopped: threading.Event) -> Iterator[bytes]:
        """The bytes, some at a time: a clip has gigabytes. Raises UploadsStopped once `stopped` is set."""
        left = self.size_bytes
        with self.path.open("rb") as file:
            file.seek(self.offset)
            while left > 0 and (some := file.read(min(READ_BYTES, left))):
                if stopped.is_set():
                    raise UploadsStopped
                left -= len(some)
                yield some


@dataclass
class EdgeClient:
    """One connection to one deployment. Use as a context manager.
    uploads_stopped: ends the uploads that other threads have under way."""

    base_url: str
    token: str
    transport: httpx.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    uploads_stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._http = httpx.Client(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {self.token}", **HEADERS},
            timeout=TIMEOUT_S,
            transport=self.transport,
            trust_env=not self.base_url.startswith("http://127.0.0.1"),
        )
        # Presigned URLs must not receive our token.
        self._storage = httpx.Client(
            headers=HEADERS, timeout=UPLOAD_TIMEOUT_S, transport=self.transport, trust_env=self._http.trust_env
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._storage.close()

    def limits(self) -> Limits:
        raw = self._call("GET", "/api/settings")["limits"]
        return Limits(**{name: raw[name] for name in ("photos_min", "photos_max", "photo_bytes_max")})

    def presets(self) -> list[str]:
        """Names of the presets that this deployment offers."""
        return [str(name) for name in self._call("GET", "/api/settings")["presets"]]

    def create_project(self, name: str) -> Project:
        return Project.model_validate(self._call("POST", "/api/projects", json={"name": name}))

    def project(self, project_id: str) -> Project:
        return Project.model_validate(self._call("GET", f"/api/projects/{project_id}"))

    def newest_projects(self) -> list[Project]:
        """The first page of projects, newest first."""
        return [Project.model_validate(item) for item in self._call("GET", "/api/projects")["projects"]]

    def projects(self) -> list[Project]:
        """Every project, newest first."""
        found: list[Project] = []
        cursor: str | None = None
        while True:
            page = self._call("GET", "/api/projects", params={"cursor": cursor} if cursor else None)
            found += [Project.model_validate(item) for item in page["projects"]]
            cursor = page.get("cursor")
            if not cursor:
                return found

    def delete_project(self, project_id: str) -> None:
        self._call("DELETE", f"/api/projects/{project_id}")

    def request_uploads(self, project_id: str, photos: Sequence[Photo]) -> list[Upload]:
        """Presigned URLs for all photos, in their order."""
        uploads: list[Upload] = []
        for start in range(0, len(photos), BATCH):
            batch = photos[start : start + BATCH]
            wanted = [
                {"name": p.name, "type": p.type, "bytes": p.size_bytes}
                | ({} if p.seconds is None else {"seconds": p.seconds})
                for p in batch
            ]
            answer = self._call("POST", f"/api/projects/{project_id}/photos", json={"photos": wanted})
            uploads += [Upload(**{**item, "as_": item["as"]}) for item in answer["uploads"]]
        return uploads

    def put(self, upload: Upload, path: Path) -> None:
        """Upload one file to its presigned URL, with retries on network faults and busy answers.

        Raises ServiceError with the photo's name and the status, never with the URL.
        """
        self._put(upload.name, upload.url, upload.headers, Piece(path))

    def next_parts(self, project_id: str, as_: str, stored: Mapping[int, str]) -> Parts:
        """Report stored parts of a clip (number -> ETag), and get the next missing ones. When none is missing, the
        service assembles the clip."""
        body = {"stored": [{"number": number, "etag": etag} for number, etag in sorted(stored.items())]}
        for attempt in range(1, TRIES + 1):
            try:
                return Parts.model_validate(
                    self._call("POST", f"/api/projects/{project_id}/photos/{as_}/parts", json=body)
                )
            except ServiceError as error:
                # Reported twice, a part is the same part.
                if attempt == TRIES or error.exit_code != ServiceError.exit_code:
                    raise
            self.sleep(0.5 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    def put_part(self, part: Part, clip: Photo) -> str:
        """Upload one part of a clip. Returns its ETag; raises like `put`."""
        answer = self._put(
            f"part {part.number} of {clip.name}", part.url, {}, Piece(clip.path, part.offset, part.bytes)
        )
        return str(answer.headers.get("etag", "")).strip('"')

    def _put(self, name: str, url: str, headers: Mapping[str, str], piece: Piece) -> httpx.Response:
        for attempt in range(1, TRIES + 1):
            try:
                length = {"Content-Length": str(piece.size_bytes)}
                content = piece.read(self.uploads_stopped)
                answer = self._storage.put(url, content=content, headers={**headers, **length})
            except OSError as error:
                raise CommandError(
                    f"{piece.path} cannot be read any more: {error.strerror}.",
                    hint="restore it or leave it out, then try again",
                ) from None
            except httpx.TransportError as fault:
                said = f"the connection failed ({type(fault).__name__})"
            else:
                # 412: an earlier try arrived although its answer was lost; the URL writes once.
                if answer.is_success or (answer.status_code == 412 and attempt > 1):
                    return answer
                said = f"the storage answered {answer.status_code}"
                if answer.status_code not in RETRY_STATUS:
                    break
            if attempt < TRIES:
                self.sleep(0.5 * 2**attempt)
        hint = (
            "the upload link has expired: run the same command again" if "403" in said else "run the same command again"
        )
        raise ServiceError(f"{name} was not uploaded: {said}.", hint=hint)

    def photo_names(self, project_id: str) -> dict[str, str]:
        """The user's file names by the names that the service gave the photos (0001.jpg)."""
        listed = self._call("GET", f"/api/projects/{project_id}/photos")["photos"]
        return {item["as"]: item["name"] for item in listed}

    def stored_photos(self, project_id: str) -> list[StoredPhoto]:
        """Declared photos and clips, and which of them have arrived."""
        listed = self._call("GET", f"/api/projects/{project_id}/photos")["photos"]
        return [StoredPhoto.model_validate(item) for item in listed]

    def missing_photos(self, project_id: str) -> list[str]:
        """Names of photos that were announced and have not arrived."""
        listed = self._call("GET", f"/api/projects/{project_id}/photos")["photos"]
        return [item["name"] for item in listed if not item["uploaded"]]

    def estimate(self, project_id: str, preset: str) -> Estimate:
        return Estimate.model_validate(
            self._call("GET", f"/api/projects/{project_id}/estimate", params={"preset": preset})
        )

    def estimate_for(self, preset: str, photos: int) -> Estimate:
        """The estimate of a job before anything is uploaded."""
        return Estimate.model_validate(self._call("GET", "/api/estimate", params={"preset": preset, "photos": photos}))

    def start(self, project_id: str, preset: str, *, usd_max: float | None = None) -> Project:
        """Start a job. usd_max: refused if it is estimated above, and stopped there."""
        body = {"preset": preset, **_ceiling(usd_max)}
        return Project.model_validate(self._call("POST", f"/api/projects/{project_id}/jobs", json=body))

    def retry(self, project_id: str, *, usd_max: float | None = None) -> Project:
        """Start a new attempt with the preset of the last one, and its ceiling unless another is given."""
        return Project.model_validate(
            self._call("POST", f"/api/projects/{project_id}/jobs/retry", json=_ceiling(usd_max))
        )

    def cancel(self, project_id: str) -> Project:
        return Project.model_validate(self._call("POST", f"/api/projects/{project_id}/jobs/cancel"))

    def edit(self, project_id: str, recipe: Mapping[str, Any]) -> Project:
        """Store an edit (docs/contracts/edit.schema.json) as the newest of a finished scene."""
        return Project.model_validate(self._call("PUT", f"/api/projects/{project_id}/edit", json=recipe))

    def apply_edit(self, project_id: str, *, also: Sequence[str] = (), usd_max: float | None = None) -> Project:
        """Start a job that applies the edit to the scene's files, and makes the files of `also` besides."""
        body = {"also": list(also), **_ceiling(usd_max)}
        return Project.model_validate(self._call("POST", f"/api/projects/{project_id}/edit/apply", json=body))

    def edit_estimate(self, project_id: str) -> Estimate:
        return Estimate.model_validate(self._call("GET", f"/api/projects/{project_id}/edit/estimate"))

    def undo_edit(self, project_id: str) -> Project:
        return Project.model_validate(self._call("POST", f"/api/projects/{project_id}/edit/undo"))

    def jobs(self) -> Iterator[Job]:
        """Every attempt of all projects, newest first. Reads the next page when it is needed."""
        cursor: str | None = None
        while True:
            page = self._call("GET", "/api/jobs", params={"limit": JOBS_PAGE, **({"cursor": cursor} if cursor else {})})
            yield from (Job.model_validate(item) for item in page["jobs"])
            cursor = page.get("cursor")
            if not cursor:
                return

    def metrics(self) -> Metrics:
        return Metrics.model_validate(self._call("GET", "/api/metrics"))

    def rate(self) -> Rate:
        return Rate.model_validate(self._call("GET", "/api/settings")["price"])

    def stop_jobs(self, reason: str) -> Stopped:
        """Start no more jobs, and end those that wait. Returns the stop that is in force."""
        return Stopped.model_validate(self._call("POST", "/api/stop", json={"reason": reason})["stopped"])

    def resume_jobs(self) -> None:
        self._call("POST", "/api/resume")

    def backup_entries(self) -> Iterator[dict[str, Any]]:
        """Every row of the deployment, a project or some rows of the account at a time."""
        cursor: str | None = None
        while True:
            page = self._call("GET", "/api/backup", params={"cursor": cursor} if cursor else None)
            yield from page["entries"]
            cursor = page.get("cursor")
            if not cursor:
                return

    def restore(
        self, backup: str, entries: Sequence[dict[str, Any]], *, overwrite: bool, last: bool
    ) -> list[dict[str, Any]]:
        """Write entries of a backup into the deployment. Returns what became of its projects."""
        body = {"backup": backup, "overwrite": overwrite, "last": last, "entries": list(entries)}
        return list(self._call("POST", "/api/restore", json=body)["projects"])

    def login_link(self) -> str:
        """A link that signs a browser in once."""
        return str(self._call("POST", "/api/login-links")["url"])

    def cameras(self, project_id: str) -> dict[str, Any]:
        """cameras.json of a finished scene."""
        return self._call("GET", f"/api/projects/{project_id}/artifacts/cameras.json")

    def download(self, project_id: str, artifact: str, folder: Path) -> Path:
        """Download one artifact into a folder, under the name that the service gives it. An error leaves no file."""
        draft = folder / f".{artifact}.part"
        with self._http.stream("GET", f"/api/projects/{project_id}/artifacts/{artifact}") as answer:
            if not answer.is_success:
                answer.read()
                raise _as_error(answer)
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise ServiceError(f"{artifact} arrived compressed.", hint="use no proxy that compresses downloads")
            target = folder / _file_name(answer.headers.get("content-disposition", ""), otherwise=artifact)
            try:
                with draft.open("wb") as file:
                    for piece in answer.iter_raw():
                        file.write(piece)
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
        return target

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """One API call. Retries GET and DELETE on faults; POST only when nothing was sent."""
        for attempt in range(1, TRIES + 1):
            last, wait_s = attempt == TRIES, 0.0
            try:
                answer = self._http.request(method, path, **options)
            except httpx.TransportError as fault:
                if last or (method == "POST" and not isinstance(fault, httpx.ConnectError)):
                    raise ServiceError(
                        f"{self.base_url} does not answer ({type(fault).__name__}).",
                        hint="for the local stack, run make up; otherwise check the stack's appUrl and the network",
                    ) from None
            else:
                if answer.is_success:
                    return dict(answer.json()) if answer.content else {}
                if last or answer.status_code not in RETRY_STATUS or (method == "POST" and answer.status_code != 429):
                    raise _as_error(answer)
                wait_s = _retry_after_s(answer)
            self.sleep(max(wait_s, 0.25 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")


def _retry_after_s(answer: httpx.Response) -> float:
    """Seconds that a busy answer asks for, at most as long as the edge's rate limit lasts."""
    asked = answer.headers.get("retry-after", "")
    return min(float(asked), RETRY_AFTER_MAX_S) if asked.isdigit() else 0.0


def _ceiling(usd_max: float | None) -> dict[str, float]:
    return {} if usd_max is None else {"max_cost_usd": usd_max}


def _as_error(answer: httpx.Response) -> ServiceError:
    """The message of the API's error envelope, or the bare status without one."""
    try:
        body = answer.json()["error"]
        message, code, hint = str(body["message"]), str(body["code"]), body.get("hint")
    except (ValueError, KeyError, TypeError):
        message, code, hint = f"the service answered {answer.status_code}", "", None
    error = ServiceError(f"{message} [{code}]" if code else message, hint=hint or "run the same command again")
    if 400 <= answer.status_code < 500:
        error.exit_code = 1
    return error


def _file_name(disposition: str, *, otherwise: str) -> str:
    """The file name in a Content-Disposition (RFC 6266), never a path."""
    exact = re.search(r"filename\*=UTF-8''([^;\s]+)", disposition, re.IGNORECASE)
    plain = re.search(r'filename="([^"]+)"', disposition)
    name = unquote(exact.group(1)) if exact else plain.group(1) if plain else otherwise
    return name if name not in (".", "..") and not set(name) & set("/\\\0") else otherwise
