"""Makes a scene from a folder of photos and clips, or from one clip, with the same calls to the edge API as the web
app."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from scripts.splat_cli.edge_client import EdgeClient, Estimate, Project
from scripts.splat_cli.edit.recipe import UNEDITED
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.photos import Photo, find_photos, photos_in, readable, told
from scripts.splat_cli.progress import Stages
from scripts.splat_cli.show import STAGE_WORDS, own_names, seconds, usd
from scripts.splat_cli.upload.send import KEPT, resumable, send, unfinished

POLL_S = 0.7
NAME_LENGTH_MAX = 120  # of a project (docs/contracts.md)
# With these the same photos fail again, so the exit code blames the photos and not the service.
PHOTOS_AT_FAULT = {"TOO_FEW_PHOTOS", "SFM_FAILED", "TRAINING_FAILED", "PHOTO_UNREADABLE"}
NO_SUBJECT = "No subject was found that most photos show. The scene has its surroundings; crop it in the app."


def reconstruct(
    client: EdgeClient,
    folder: Path,
    *,
    name: str,
    preset: str,
    console: Console,
    usd_max: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
    created: Callable[[Project], object] = lambda _: None,
) -> Project:
    """Upload the photos, start the job and follow it. Returns the finished project. created: called with the project
    once it exists.

    When the job fails, raises CommandError with the worker's message and hint if the photos are at fault, or else
    ServiceError. An error before the job starts removes the project, unless clips are on their way: then the same
    command continues the upload. Ctrl-C during the job cancels the job.
    """
    check_preset(client, preset)
    photos, left_out = find_photos(folder, client.limits())
    for line in told(left_out):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if usd_max is not None:
        check_ceiling(client.estimate_for(preset, photos_in(photos)), usd_max, photos=photos_in(photos), preset=preset)
    title = readable(name).strip()[:NAME_LENGTH_MAX] or "Scene"
    project = unfinished(client, title, photos) or client.create_project(title)
    created(project)
    with _kept_or_undone(photos, console, lambda: client.delete_project(project.id)):
        send(client, project, photos, console)
        estimate = client.estimate(project.id, preset)
        console.print(
            f"  {_counted(photos)}, preset {preset}: about {seconds(round(estimate.seconds))} and"
            f" {usd(estimate.usd)} on the GPU of this deployment",
            markup=False,
            soft_wrap=True,
        )
    with _undo_on(KeyboardInterrupt, lambda: client.cancel(project.id)):
        client.start(project.id, preset, usd_max=usd_max)
        final = watch(client, project.id, console, sleep=sleep)
    if final.state == "done" and final.report is not None:
        return final
    if final.error is not None:
        message = own_names(final.error.message, client.photo_names(project.id))
        where = f" (while {STAGE_WORDS.get(final.error.stage, final.error.stage)})" if final.error.stage else ""
        kind = CommandError if final.error.code in PHOTOS_AT_FAULT else ServiceError
        raise kind(f"{message}{where} [{final.error.code}]", hint=final.error.hint or "run the same command again")
    raise CommandError(f"The job ended as {final.state}.", hint="start it again in the app, or run the same command")


def _counted(photos: Sequence[Photo]) -> str:
    clips = sum(one.seconds is not None for one in photos)
    if not clips:
        return f"{len(photos)} photos"
    frames = sum(one.frames for one in photos if one.seconds is not None)
    alone = len(photos) - clips
    from_clips = f"up to {frames} frames of {clips} clip{'s' if clips > 1 else ''}"
    return f"{alone} photos and {from_clips}" if alone else from_clips


def check_preset(client: EdgeClient, preset: str) -> None:
    """Raises CommandError for a preset that the deployment does not offer, before anything is sent."""
    offered = client.presets()
    if preset not in offered:
        raise CommandError(f"There is no preset {preset!r}.", hint=f"choose one of {', '.join(offered)}")


def check_ceiling(estimate: Estimate, usd_max: float, *, photos: int, preset: str) -> None:
    """Raises CommandError, before anything is uploaded, when the job is estimated above its ceiling."""
    if estimate.usd > usd_max:
        raise CommandError(
            f"{photos} photos with preset {preset} are estimated at {usd(estimate.usd)},"
            f" above --max-cost {usd(usd_max)}.",
            hint="use fewer photos or a smaller preset, or raise --max-cost",
        )


@contextmanager
def _kept_or_undone(photos: Sequence[Photo], console: Console, undo: Callable[[], object]) -> Iterator[None]:
    """On an error before the job starts: keep what was sent of clips, undo anything else."""
    if not resumable(photos):
        with _undo_on(BaseException, undo):
            yield
        return
    try:
        yield
    except (KeyboardInterrupt, CommandError) as error:
        if isinstance(error, KeyboardInterrupt) or error.exit_code == ServiceError.exit_code:
            console.print(f"  {KEPT}", markup=False, soft_wrap=True)
        else:
            # Refused: the same command would be refused again.
            with suppress(ServiceError):
                undo()
        raise


@contextmanager
def _undo_on(kind: type[BaseException], undo: Callable[[], object]) -> Iterator[None]:
    """Undo when the block raises `kind`, then raise the original error."""
    try:
        yield
    except kind as reason:
        try:
            undo()
        except ServiceError:
            # After Ctrl-C the user must learn that the undo failed; other errors have their own message.
            if isinstance(reason, KeyboardInterrupt):
                raise
        raise


def watch(client: EdgeClient, project_id: str, console: Console, *, sleep: Callable[[float], None]) -> Project:
    """Follow the job to its end, with one bar per stage."""
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
            stages.update(STAGE_WORDS.get(stage, stage), fraction, note(project))
            sleep(POLL_S)


def note(project: Project) -> str:
    """What to show beside the stage: why a queued job waits, or the worker's message and the time left."""
    if project.notice is not None:
        return f"{project.notice.message} {project.notice.hint or ''}".strip()
    if project.progress is None:
        return ""
    left = f", {seconds(max(1, round(project.progress.eta_s)))} left" if project.progress.eta_s else ""
    return f"{project.progress.message}{left}"


def show_alone(client: EdgeClient, project_id: str) -> str | None:
    """Crop the scene to the box that the worker found. Returns a sentence for people if there is none."""
    recipe = subject_recipe(client.cameras(project_id))
    if recipe is None:
        return NO_SUBJECT
    client.edit(project_id, recipe)
    return None


def subject_recipe(cameras: Mapping[str, Any]) -> dict[str, Any] | None:
    """The recipe that leaves the subject's box of cameras.json, its soft edge around it; None without a box."""
    box = cameras.get("subject")
    if box is None:
        return None
    soft = min(float(box["soft"]), 10.0)
    crop = {
        "shape": "box",
        "keep": "inside",
        "soft": soft,
        "centre": box["centre"],
        "half": [side + soft for side in box["half"]],
        "quat": box["quat"],
    }
    return {**UNEDITED, "crops": [crop]}
