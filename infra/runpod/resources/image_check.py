"""The image check: a changed image passes its self-test, as a job on one extra worker, before the endpoint gets it.
Creates an endpoint beside the stack's and always deletes it; never touches the endpoint that serves.

RunPod stops idle workers of the old release at once (rolling releases), so an image that cannot start would leave
nothing that serves. The check's worker has the cards, disk, credential and data centres of the real ones. So it finds
what they would meet: a handler that crashes, a failing self-test, a card without kernels, a driver that is too old.
It costs one worker for about a minute."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.dynamic import Props, differ, plain_errors
from infra.runpod import catalog, errors, model
from infra.runpod.client import FINAL_JOB_STATES, RunPodClient, client_from_config
from infra.runpod.resources.endpoint import marked_endpoints

SELF_TEST = {"selftest": True}  # docs/contracts.md
LIMIT_S = 1800.0  # a cold host pulls gigabytes first, and a card may have to come free
POLL_S = 1.0
WORKERS_LOST = 2  # one may be the host's fault, two are the image's
WORKERS_SEEN = 4  # this many workers came and went without accepting the job
LOG_LINES = 200
SHOWN_LINES = 6
REMEMBERED = 20
# What the check's endpoint has of its own: one worker, and none that waits for a second job.
ITS_OWN: Mapping[str, Any] = {
    "workers": {"min": 0, "max": 1, "idleTimeout": 1},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 1},
    "timeout": 600_000,
    "flashboot": "OFF",
}


class ImageBroken(Exception):
    """The image failed its check. `str()` gives the reason, that nothing was changed, and the next step."""


@dataclass(kw_only=True)
class Watch:
    """What was seen of the check's workers. `lost`: worker id to the last lines of its log."""

    seen: set[str] = field(default_factory=set)
    lost: dict[str, tuple[str, ...]] = field(default_factory=dict)
    throttled: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """The first log that could be read: a lost worker and its log may disappear between two calls."""
        return next((lines for lines in self.lost.values() if lines), ())


@plain_errors(errors.RunPodError, errors.MissingKey, ImageBroken, catalog.NotOffered)
class ImageCheckProvider(ResourceProvider):
    """Runs a check whenever the image, the cards or their number change under an endpoint that serves."""

    _client: RunPodClient

    def configure(self, req: ConfigureRequest) -> None:
        self._client = client_from_config(req.config)

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=differ(olds, news, news.keys() - {"passed", "__provider"}), replaces=[])

    def create(self, props: Props) -> CreateResult:
        """Before the first deployment nothing serves that a broken image could break, so no check delays it. A later
        return to this image needs none either, as it might have to wait for a card."""
        return CreateResult(str(props["name"]), {**props, "passed": [subject(props)]})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Raises ImageBroken. The state then keeps the old image, so the next run checks again."""
        passed = [str(one) for one in olds.get("passed") or ()]
        wanted = subject(news)
        if news.get("enabled") and wanted not in passed and wanted != subject(olds):
            gpus = catalog.read_catalog(self._client.list_gpus())
            resolved = catalog.resolve({}, news, gpus, today=datetime.now(UTC).date())
            endpoint = model.canonical({**news, "gpu": resolved["gpu"], **ITS_OWN})
            check_image(self._client, endpoint, serving=str(olds.get("image")))
            passed.append(wanted)
        return UpdateResult({**news, "passed": passed[-REMEMBERED:]})

    def delete(self, _id: str, props: Props) -> None:
        """Delete what an interrupted run may have left."""
        remove(self._client, str(props["env"][model.MARKER]))


def subject(props: Mapping[str, Any]) -> str:
    """What a check is valid for, as one text."""
    return f"{props['image']} on {int(props['gpuCount'])} x {', '.join(props['gpuNames'])}"


def check_image(
    client: RunPodClient,
    endpoint: model.Wire,
    *,
    serving: str,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Return when the image of `endpoint` passed its self-test; `serving` is the image in use meanwhile. Raises
    ImageBroken, or RunPodError when it could not be checked."""
    marker = endpoint["env"][model.MARKER]
    remove(client, marker)
    try:
        id_ = str(client.create_endpoint(endpoint)["id"])
        job_id = client.run_job(id_, SELF_TEST)
        watch, until = Watch(), now() + LIMIT_S
        while (job := client.job(id_, job_id)).get("status") not in FINAL_JOB_STATES:
            observe(client, id_, watch)
            if reason := _why_hopeless(watch, queued=job.get("status") == "IN_QUEUE", late=now() > until):
                raise broken(endpoint["image"], reason, watch.lines, serving=serving)
            sleep(POLL_S)
        if job["status"] != "COMPLETED":
            raise broken(endpoint["image"], f"its self-test ended as {job['status']}", _error_of(job), serving=serving)
    finally:
        remove(client, marker)


def observe(client: RunPodClient, endpoint_id: str, watch: Watch) -> None:
    """Add to `watch` what the check's workers are doing now."""
    workers = client.list_workers(endpoint_id).get("workers") or ()
    watch.throttled = any(one.get("status") == "THROTTLED" for one in workers)
    for worker in workers:
        worker_id = str(worker.get("id"))
        watch.seen.add(worker_id)
        if worker.get("status") == "UNHEALTHY" and not watch.lost.get(worker_id):
            watch.lost[worker_id] = last_lines(client.worker_log(endpoint_id, worker_id, lines=LOG_LINES))


def _why_hopeless(watch: Watch, *, queued: bool, late: bool) -> str:
    """The reason to give up; "" while there is hope."""
    if len(watch.lost) >= WORKERS_LOST and (watch.lines or len(watch.seen) >= WORKERS_SEEN):
        return "test workers did not start"
    if len(watch.seen) >= WORKERS_SEEN and queued:
        return "test workers exited before they accepted a job"
    if late and watch.throttled:
        return f"no card was free within {LIMIT_S:.0f} s, so it could not be checked"
    return f"it did not finish its self-test within {LIMIT_S:.0f} s" if late else ""


def remove(client: RunPodClient, marker: str) -> None:
    """Delete every endpoint with this marker: this check's, or that of an interrupted run."""
    for one in marked_endpoints(client, marker):
        try:
            client.delete_endpoint(str(one["id"]))
        except errors.NotFound:
            continue


def last_lines(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The end of a crash's log, without the steps of a traceback."""
    plain = [line.strip() for line in lines if line.strip() and not line.startswith((" ", "\t", "Traceback"))]
    return tuple(plain[-SHOWN_LINES:])


def broken(image: str, reason: str, lines: tuple[str, ...], *, serving: str) -> ImageBroken:
    log = "".join(f"\n  | {line}" for line in lines)
    return ImageBroken(
        f"Image {image} failed its check: {reason}.{' Last log lines:' if log else ''}{log}\n"
        f"Nothing was changed: the endpoint still runs {serving}.\n"
        "What to do: fix the image and run again, or set photo-splat:image to the reference that serves. To deploy an "
        "image without a check, set photo-splat:imageCheck to false."
    )


def _error_of(job: Mapping[str, Any]) -> tuple[str, ...]:
    """The message of a failed job: of our form, as an object or as JSON text, else the platform's text."""
    error: Any = job.get("error") or job.get("output") or ""
    if isinstance(error, str):
        try:
            error = json.loads(error)
        except ValueError:
            return last_lines(tuple(error.splitlines()))
    if isinstance(error, Mapping):
        inner = error.get("error", error)
        message = inner.get("message") if isinstance(inner, Mapping) else inner
        return last_lines(tuple(str(message or error).splitlines()))
    return (str(error),)


class ImageCheck(Resource, module="runpod", name="ImageCheck"):
    """Let the endpoint depend on it: a changed image then reaches the endpoint only after it passed. `inputs` are the
    endpoint's, with a name and a marker of their own; `enabled` False checks nothing."""

    def __init__(
        self,
        resource_name: str,
        inputs: Mapping[str, Any],
        *,
        enabled: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        own = {name: value for name, value in inputs.items() if name not in (*ITS_OWN, "adoptId")}
        super().__init__(ImageCheckProvider(), resource_name, {**own, "enabled": enabled, "passed": None}, opts)
