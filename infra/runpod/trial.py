"""A changed image proves itself before the endpoint gets it: its self-test, as a job, on one worker of its own.
Makes an endpoint beside the stack's, and always deletes it; never touches the one that serves.

RunPod ends idle workers of the old release at once (rolling releases), so an image that cannot start would leave
nothing that serves. The worker of the trial has the cards, disk, credential and places of the real ones, so what
it finds (a handler that crashes, a failing self-test, a card without kernels, a driver that is too old) is what
they would meet. It costs one worker for about a minute.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from infra.plain_errors import speaks_plainly
from infra.runpod import catalog, errors, model, plan
from infra.runpod.account import MissingKey, StillThere, client_from_config
from infra.runpod.client import RunPodClient
from infra.runpod.jobs import FINAL, JobApi, job_api_from_config
from infra.runpod.provider import MARKER

SELF_TEST = {"selftest": True}  # docs/contracts.md
LIMIT_S = 1800.0  # a cold host pulls gigabytes first, and a card may have to come free
JOB_LIMIT_MS = 600_000
POLL_S = 1.0
WORKERS_LOST = 2  # one may be the host's fault, two are the image's
WORKERS_SEEN = 4  # as many that came and went without taking the job
WORDS = 6
REMEMBERED = 20
Props = dict[str, Any]


class ImageBroken(Exception):
    """The image did not pass. `str()` says what is wrong with it, that nothing was changed, and the next step."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is tried (`endpoint`: declared as the real one, with one worker) and what serves meanwhile."""

    endpoint: model.Endpoint
    serving: str


@dataclass(kw_only=True)
class Watch:
    """What was seen of the trial's workers. `lost`: worker id to its last words."""

    seen: set[str] = field(default_factory=set)
    lost: dict[str, tuple[str, ...]] = field(default_factory=dict)
    throttled: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """The first last words that could be read: a lost worker and its log may go between two calls."""
        return next((words for words in self.lost.values() if words), ())


@speaks_plainly(errors.RunPodError, MissingKey, StillThere, ImageBroken, catalog.NotOffered)
class ImageTrialProvider(ResourceProvider):
    """Runs a trial whenever image, cards or their number change under an endpoint that serves."""

    _client: RunPodClient
    _jobs: JobApi

    def configure(self, req: ConfigureRequest) -> None:
        self._client = client_from_config(req)
        self._jobs = job_api_from_config(req)

    def check(self, _olds: Props, news: Props) -> CheckResult:
        return CheckResult(news, [])

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        changed = [key for key in news if key not in ("proved", "__provider") and olds.get(key) != news[key]]
        return DiffResult(changes=bool(changed), replaces=[], delete_before_replace=True)

    def create(self, props: Props) -> CreateResult:
        """Nothing serves yet that a broken image could take away: the first deployment is not held up. Nor is a way
        back to it later, when a trial might wait for a card."""
        return CreateResult(str(props["name"]), {**props, "proved": [subject(props)]})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Raises ImageBroken; the state then keeps the old image, so that the next run tries again."""
        proved = [str(one) for one in olds.get("proved") or ()]
        wanted = subject(news)
        if news.get("enabled") and wanted not in proved and wanted != subject(olds):
            prove(self._client, self._jobs, self._trial(olds, news))
            proved.append(wanted)
        return UpdateResult({**news, "proved": proved[-REMEMBERED:]})

    def delete(self, _id: str, props: Props) -> None:
        """What a run that was cut off may have left."""
        remove(self._client, str(props["marker"]))

    def _trial(self, olds: Props, news: Props) -> Trial:
        gpus = catalog.read_catalog(self._client.list_gpus())
        resolved = plan.with_gpu({}, news, gpus, today=datetime.now(UTC).date())
        endpoint = model.from_wire(
            {
                "name": news["name"],
                "image": news["image"],
                "gpu": resolved["gpu"],
                "workers": {"min": 0, "max": 1, "idleTimeout": 1},
                "scaling": {"type": "QUEUE_DELAY", "queueDelay": 1},
                "timeout": JOB_LIMIT_MS,
                "disk": news["disk"],
                "dataCenterIds": news.get("dataCenterIds"),
                "registry": news.get("registry"),
                "env": {MARKER: news["marker"]},
            }
        )
        return Trial(endpoint=endpoint, serving=str(olds.get("image")))


def subject(props: Mapping[str, Any]) -> str:
    """What a trial says something about, as one text."""
    cards = ", ".join(str(name) for name in props.get("gpuNames") or ())
    return f"{props.get('image')} on {int(props.get('gpuCount') or 1)} x {cards}"


def prove(
    client: RunPodClient,
    jobs: JobApi,
    trial: Trial,
    *,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Returns when the image passed its self-test. Raises ImageBroken, or RunPodError when it could not be tried."""
    marker = trial.endpoint.env[MARKER]
    remove(client, marker)
    try:
        made = str(client.create_endpoint(model.to_wire(trial.endpoint))["id"])
        job_id = jobs.run(made, SELF_TEST)
        watch, until = Watch(), now() + LIMIT_S
        while (job := jobs.status(made, job_id)).get("status") not in FINAL:
            look(client, jobs, made, watch)
            if len(watch.lost) >= WORKERS_LOST and (watch.words or len(watch.seen) >= WORKERS_SEEN):
                raise broken(trial, "its workers do not come up", watch.words)
            if len(watch.seen) >= WORKERS_SEEN and job.get("status") == "IN_QUEUE":
                raise broken(trial, "its workers end without taking a job", watch.words)
            if now() > until:
                raise broken(trial, _why_late(watch), ())
            sleep(POLL_S)
        if job["status"] != "COMPLETED":
            raise broken(trial, f"its self-test ended as {job['status']}", _said(job))
    finally:
        remove(client, marker)


def look(client: RunPodClient, jobs: JobApi, endpoint_id: str, watch: Watch) -> None:
    """Add to `watch` what the trial's workers are doing now."""
    workers = client.list_workers(endpoint_id).get("workers") or ()
    watch.throttled = any(one.get("status") == "THROTTLED" for one in workers)
    for worker in workers:
        worker_id = str(worker.get("id"))
        watch.seen.add(worker_id)
        if worker.get("status") == "UNHEALTHY" and not watch.lost.get(worker_id):
            watch.lost[worker_id] = last_words(jobs.last_lines(endpoint_id, worker_id, count=200))


def remove(client: RunPodClient, marker: str) -> None:
    """Delete every endpoint that carries `marker`: this trial's, or that of a run that was cut off."""
    for one in client.list_endpoints():
        if (one.get("env") or {}).get(MARKER) == marker:
            try:
                client.delete_endpoint(str(one["id"]))
            except errors.NotFound:
                continue


def last_words(lines: tuple[str, ...]) -> tuple[str, ...]:
    """What a crash says of itself: the last lines without the steps of a traceback."""
    plain = [line.strip() for line in lines if line.strip() and not line.startswith((" ", "\t", "Traceback"))]
    return tuple(plain[-WORDS:])


def broken(trial: Trial, what: str, words: tuple[str, ...]) -> ImageBroken:
    said = "".join(f"\n  | {line}" for line in words)
    return ImageBroken(
        f"{trial.endpoint.image} was tried on a worker of its own: {what}.{said}\n"
        f"Nothing was changed: the endpoint goes on with {trial.serving}.\n"
        "What to do: mend the image and run again, or set photo-splat:image to the reference that serves. "
        "photo-splat:imageTrial false lets an image through untried."
    )


def _why_late(watch: Watch) -> str:
    if watch.throttled:
        return f"no card was free within {LIMIT_S:.0f} s, so it could not be tried"
    return f"it did not finish its self-test within {LIMIT_S:.0f} s"


def _said(job: Mapping[str, Any]) -> tuple[str, ...]:
    """The failure's own message: of our form, as an object or as JSON text, else the platform's text."""
    error: Any = job.get("error") or job.get("output") or ""
    if isinstance(error, str):
        try:
            error = json.loads(error)
        except ValueError:
            return last_words(tuple(error.splitlines()))
    if isinstance(error, Mapping):
        inner = error.get("error", error)
        message = inner.get("message") if isinstance(inner, Mapping) else inner
        return last_words(tuple(str(message or error).splitlines()))
    return (str(error),)


class ImageTrial(Resource, module="runpod", name="ImageTrial"):
    """Let the endpoint depend on it: a changed image then reaches the endpoint only when it passed. `enabled` False
    lets every image through."""

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        owner: pulumi.Input[str],
        image: pulumi.Input[str],
        gpu_names: Sequence[str],
        gpu_count: int,
        min_cuda_version: pulumi.Input[str],
        disk_gb: int,
        enabled: bool,
        data_centers: Sequence[str] = (),
        registry: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props: dict[str, Any] = {
            "name": name,
            "marker": pulumi.Output.concat(owner, ".trial"),
            "image": image,
            "gpuNames": list(gpu_names),
            "gpuCount": gpu_count,
            "minCudaVersion": min_cuda_version,
            "disk": disk_gb,
            "dataCenterIds": list(data_centers),
            "enabled": enabled,
            "proved": None,
        }
        if registry is not None:
            props["registry"] = registry
        super().__init__(ImageTrialProvider(), resource_name, props, opts)
