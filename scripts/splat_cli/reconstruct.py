"""A scene from a folder of photos, through the edge API exactly as the page does it.
Owns the order of calls and the progress people see; prints to the console it is given."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from scripts.splat_cli.edge_client import EdgeClient, Project, Upload
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.photos import Photo, find_photos
from scripts.splat_cli.progress import Stages
from scripts.splat_cli.show import STAGE_WORDS, seconds, usd

PARALLEL_UPLOADS = 4
POLL_S = 0.7


def reconstruct(
    client: EdgeClient,
    folder: Path,
    *,
    name: str,
    preset: str,
    console: Console,
    sleep: Callable[[float], None] = time.sleep,
) -> Project:
    """Upload, start, watch; returns the finished project.

    Raises CommandError with the worker's own message and hint when the job fails. Ctrl-C before the
    job starts removes the half-made project; during the job it cancels the job.
    """
    photos, left_out = find_photos(folder, client.limits())
    for item in left_out:
        console.print(f"  left out {item.path.name}: {item.reason}", markup=False)
    project = client.create_project(name)
    with _undo_on_interrupt(lambda: client.delete_project(project.id)):
        _upload(client, project, photos, console)
        estimate = client.estimate(project.id, preset)
        console.print(
            f"  {len(photos)} photos, preset {preset}: about {seconds(estimate.seconds)} and {usd(estimate.usd)}"
            f" on the configured GPU",
            markup=False,
        )
    with _undo_on_interrupt(lambda: client.cancel(project.id)):
        client.start(project.id, preset)
        final = _watch(client, project.id, console, sleep=sleep)
    if final.state == "done" and final.report is not None:
        return final
    if final.error is not None:
        where = f" (stage {final.error.stage})" if final.error.stage else ""
        raise ServiceError(
            f"{final.error.message}{where} [{final.error.code}]", hint=final.error.hint or "retry on the page"
        )
    raise CommandError(f"The job ended as {final.state}.", hint="start it again on the page, or run the same command")


@contextmanager
def _undo_on_interrupt(undo: Callable[[], object]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        undo()
        raise


def _upload(client: EdgeClient, project: Project, photos: list[Photo], console: Console) -> None:
    """All photos to their presigned addresses, some at a time. Raises ServiceError for the first that fails."""
    uploads = client.request_uploads(project.id, photos)
    total = sum(photo.size_bytes for photo in photos)
    sent = 0
    with Stages(console) as stages, ThreadPoolExecutor(PARALLEL_UPLOADS) as pool:
        pairs: list[tuple[Upload, Photo]] = list(zip(uploads, photos, strict=True))
        sending = {pool.submit(client.put, upload, photo.path): photo for upload, photo in pairs}
        try:
            stages.update(STAGE_WORDS["upload_photos"], 0.0)
            for finished in as_completed(sending):
                finished.result()
                sent += sending[finished].size_bytes
                stages.update(STAGE_WORDS["upload_photos"], sent / total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        stages.finish()
    missing = client.missing_photos(project.id)
    if missing:
        raise ServiceError(
            f"{len(missing)} photos did not arrive: {', '.join(missing[:5])}.",
            hint="run the same command again",
        )


def _watch(client: EdgeClient, project_id: str, console: Console, *, sleep: Callable[[float], None]) -> Project:
    """Follow the job to its end; one bar per stage. A service that is away for a while is waited for."""
    with Stages(console) as stages:
        while True:
            project = client.project(project_id)
            if project.is_final:
                if project.state == "done":
                    stages.finish()
                return project
            if project.state == "running" and project.progress is not None:
                stage, fraction = project.progress.stage, project.progress.fraction
            else:
                stage, fraction = "queued", 0.0
            stages.update(STAGE_WORDS.get(stage, stage), fraction, _note(project))
            sleep(POLL_S)


def _note(project: Project) -> str:
    if project.progress is None:
        return ""
    left = f", {seconds(project.progress.eta_s)} left" if project.progress.eta_s else ""
    return f"{project.progress.message}{left}"
