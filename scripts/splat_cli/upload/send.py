"""Uploads photos and clips to a project, a few at a time, and finds an upload to continue.
A clip goes up in parts; the service knows which are stored, so the same command continues where it stopped."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait

from rich.console import Console

from scripts.splat_cli.edge_client import EdgeClient, Part, Project, Upload
from scripts.splat_cli.errors import ServiceError
from scripts.splat_cli.photos import Photo
from scripts.splat_cli.progress import Stages
from scripts.splat_cli.show import STAGE_WORDS

PARALLEL_UPLOADS = 4
UNFINISHED = {"uploading", "ready"}
KEPT = "The upload is kept for 7 days. Run the same command to continue it."


def unfinished(client: EdgeClient, name: str, photos: Sequence[Photo]) -> Project | None:
    """A project of this name that waits for exactly these files, if some of them are clips; None otherwise."""
    if not resumable(photos):
        return None
    wanted = {(one.name, one.size_bytes) for one in photos}
    for project in client.newest_projects():
        if project.name == name and project.state in UNFINISHED and project.attempt == 0:
            declared = client.stored_photos(project.id)
            if {(one.name, one.bytes) for one in declared} == wanted:
                return project
    return None


def resumable(photos: Sequence[Photo]) -> bool:
    """Whether what was sent is kept after Ctrl-C: a clip may have gigabytes, photos are sent again."""
    return any(one.seconds is not None for one in photos)


def send(client: EdgeClient, project: Project, photos: Sequence[Photo], console: Console) -> None:
    """Upload what the project does not hold yet. Raises ServiceError for the first file that fails."""
    there = {(one.name, one.bytes) for one in client.stored_photos(project.id) if one.uploaded}
    missing = [photo for photo in photos if (photo.name, photo.size_bytes) not in there]
    uploads = client.request_uploads(project.id, missing) if missing else []
    sending = Sending(client, project.id, total=sum(photo.size_bytes for photo in photos))
    sending.add(sum(photo.size_bytes for photo in photos) - sum(photo.size_bytes for photo in missing))
    with Stages(console) as stages, ThreadPoolExecutor(PARALLEL_UPLOADS) as pool:
        underway = [pool.submit(sending.file, upload, photo) for upload, photo in zip(uploads, missing, strict=True)]
        try:
            stages.update(STAGE_WORDS["upload_photos"], sending.fraction)
            while underway:
                try:
                    for finished in as_completed(underway, timeout=1.0):
                        finished.result()
                        underway.remove(finished)
                        stages.update(STAGE_WORDS["upload_photos"], sending.fraction)
                except TimeoutError:
                    stages.update(STAGE_WORDS["upload_photos"], sending.fraction)
        except BaseException:
            client.uploads_stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        stages.finish()
    late = client.missing_photos(project.id)
    if late:
        raise ServiceError(
            f"{len(late)} photos did not arrive: {', '.join(late[:5])}.", hint="run the same command again"
        )


class Sending:
    """The bytes of one upload that have left, counted over all of its threads."""

    def __init__(self, client: EdgeClient, project_id: str, *, total: int) -> None:
        self._client = client
        self._project_id = project_id
        self._total = total
        self._sent = 0
        self._lock = threading.Lock()

    @property
    def fraction(self) -> float:
        return self._sent / self._total if self._total else 0.0

    def add(self, count: int) -> None:
        with self._lock:
            self._sent += count

    def file(self, upload: Upload, photo: Photo) -> None:
        """Upload one file. Raises UploadsStopped when the client's uploads are stopped."""
        if upload.method == "PARTS":
            self._clip(upload, photo)
        else:
            self._client.put(upload, photo.path)
            self.add(photo.size_bytes)

    def _clip(self, upload: Upload, clip: Photo) -> None:
        """Each part is reported as soon as it is stored, so a stop costs only the parts that were under way."""
        answer = self._client.next_parts(self._project_id, upload.as_, {})
        self.add(answer.stored)
        underway: dict[Future[str], Part] = {}
        with ThreadPoolExecutor(PARALLEL_UPLOADS) as pool:
            while not answer.complete:
                sending = {part.number for part in underway.values()}
                fresh = [part for part in answer.parts if part.number not in sending]
                underway |= {pool.submit(self._client.put_part, part, clip): part for part in fresh}
                finished, _ = wait(underway, return_when=FIRST_COMPLETED)
                parts = {one: underway.pop(one) for one in finished}
                stored = {part.number: one.result() for one, part in parts.items() if one.exception() is None}
                answer = self._client.next_parts(self._project_id, upload.as_, stored)
                self.add(sum(part.bytes for part in parts.values() if part.number in stored))
                for one in finished:
                    one.result()
