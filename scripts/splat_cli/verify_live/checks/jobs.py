"""Stage 5, jobs: the worker's image on one worker. Most checks read what its self-test and its scene showed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from scripts.splat_cli.verify_live.check import NotObserved, Stage
from scripts.splat_cli.verify_live.checks.job_subject import IDLE_TIMEOUT_S, JSON, SELF_TEST, Jobs

GONE_LIMIT_S = 60.0
HOOK_LIMIT_S = 30.0

STAGE: Stage[Jobs] = Stage(name="jobs", title="RunPod jobs and worker")
check = STAGE.check


@check(
    "run-answer",
    how="POST run: fields, state, and form of the id",
    expects={
        "fields": ["id", "status"],
        "status": "IN_QUEUE",
        "id": True,
    },
)
def _(on: Jobs) -> Any:
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-\w+"
    return {
        "fields": sorted(on.accepted),
        "status": on.accepted["status"],
        "id": re.fullmatch(uuid, on.accepted["id"]) is not None,
    }


@check(
    "selftest",
    how='the job {"selftest": true} on the image: its state and `ok`',
    expects={
        "status": "COMPLETED",
        "ok": True,
    },
)
def _(on: Jobs) -> Any:
    output = on.done.get("output")
    return {"status": on.done.get("status"), "ok": output.get("ok") if isinstance(output, Mapping) else output}


@check(
    "job-states",
    how="states of the job in their order, without IN_QUEUE and IN_PROGRESS where they were missed",
    expects=True,
)
def _(on: Jobs) -> Any:
    order = ["IN_QUEUE", "IN_PROGRESS", "COMPLETED"]
    return on.states == [one for one in order if one in on.states] and on.states[-1:] == ["COMPLETED"]


@check(
    "job-fields",
    how="fields of the finished job object",
    expects=[
        "delayTime",
        "executionTime",
        "id",
        "output",
        "status",
        "workerId",
    ],
)
def _(on: Jobs) -> Any:
    return sorted(on.done)


@check(
    "worker-fields",
    how="fields of a worker in the list",
    expects=[
        "dataCenterId",
        "gpuCount",
        "gpuTypeId",
        "id",
        "image",
        "isStale",
        "startedAt",
        "status",
        "uptimeSeconds",
        "version",
    ],
)
def _(on: Jobs) -> Any:
    return sorted(_some(on.workers, "no worker was seen"))


@check("worker-states", how="states of workers: whether all are known", expects=True)
def _(on: Jobs) -> Any:
    known = {"RUNNING", "IDLE", "INITIALIZING", "THROTTLED", "UNHEALTHY"}
    _some(on.workers, "no worker was seen")
    return {str(one["status"]) for one in on.workers} <= known


@check("one-worker", how="different workers seen at the same time, at most", expects=1)
def _(on: Jobs) -> Any:
    _some(on.workers, "no worker was seen")
    return len({str(one["id"]) for one in on.workers})


@check(
    "log-stream",
    how="content type of the log, and the fields of an entry",
    expects={
        "type": "text/event-stream",
        "fields": ["line", "source", "ts"],
    },
)
def _(on: Jobs) -> Any:
    data = json.loads(_some([one for one in on.log if one.startswith("data:")], "no log line came")[5:])
    return {"type": on.log_type, "fields": sorted(data)}


@check("log-ids", how="ids of the log's entries: <time>/<number>", expects=True)
def _(on: Jobs) -> Any:
    line = _some([one for one in on.log if one.startswith("id:")], "no log id came")
    return re.fullmatch(r"id: ?\d{4}-\d\d-\d\dT[\d:.]+Z/\d+", line) is not None


def _some(found: Sequence[Any], reason: str) -> Any:
    if not found:
        raise NotObserved(reason)
    return found[0]


@check(
    "webhook",
    how="the webhook of the self-test: method, type, and fields of its body",
    expects={
        "method": "POST",
        "type": "application/json",
        "fields": ["delayTime", "executionTime", "id", "input", "output", "status", "webhook", "workerId"],
    },
)
def _(on: Jobs) -> Any:
    call = _webhook(on)
    return {
        "method": call["method"],
        "type": call["headers"].get("content-type", "").split(";")[0],
        "fields": sorted(json.loads(call["body"])),
    }


@check("webhook-unsigned", how="headers of the webhook that could hold a signature", expects=[])
def _(on: Jobs) -> Any:
    return sorted(name for name in _webhook(on)["headers"] if re.search("signature|authorization|hmac", name))


@check("webhook-agent", how="user-agent of the webhook", expects="Go-http-client/2.0")
def _(on: Jobs) -> Any:
    return _webhook(on)["headers"].get("user-agent")


@check("webhook-count", how="webhook calls for one job that was answered with 200", expects=1)
def _(on: Jobs) -> Any:
    _webhook(on)
    return len(_webhooks(on))


def _webhooks(on: Jobs) -> list[JSON]:
    if on.receiver is None:
        raise NotObserved("no Worker receives webhooks: the worker stage did not run")
    return [one for one in on.receiver.calls() if one["body"].startswith("{")]


def _webhook(on: Jobs) -> JSON:
    until = time.monotonic() + HOOK_LIMIT_S
    while not (found := _webhooks(on)):
        if time.monotonic() > until:
            raise ValueError(f"no webhook came within {HOOK_LIMIT_S:.0f} s")
        on.runpod.sleep(1.0)
    return found[0]


@check(
    "health",
    how="fields of GET health",
    expects={
        "jobs": ["completed", "failed", "inProgress", "inQueue", "retried"],
        "workers": ["idle", "initializing", "ready", "running", "throttled", "unhealthy"],
    },
)
def _(on: Jobs) -> Any:
    body = on.runpod.job("GET", f"/{on.endpoint}/health").json()
    return {name: sorted(fields) for name, fields in body.items() if isinstance(fields, dict)}


REFUSED: Mapping[str, str] = {
    "not JSON": "not json",
    "no input": "{}",
    "input is text": '{"input": "text"}',
    "ttl below 10 s": '{"input": {"selftest": true}, "policy": {"ttl": 9999}}',
}


@check("run-refusals", how="POST run with wrong bodies: status of each", expects=dict.fromkeys(REFUSED, 400))
def _(on: Jobs) -> Any:
    found = {}
    for name, body in REFUSED.items():
        answer = on.post("/run", content=body, headers={"Content-Type": "application/json"})
        if answer.is_success:
            on.post(f"/cancel/{answer.json()['id']}")
        found[name] = answer.status_code
    return found


@check("run-refusal-form", how="whether such an answer is an object with `error`", expects=True)
def _(on: Jobs) -> Any:
    return "error" in on.post("/run", content="{}", headers={"Content-Type": "application/json"}).json()


@check("unknown-job", how="GET status of an unknown job", expects=404)
def _(on: Jobs) -> Any:
    return on.runpod.job("GET", f"/{on.endpoint}/status/00000000-0000-4000-8000-000000000000-u1").status_code


@check("get-run", how="GET of /run", expects=405)
def _(on: Jobs) -> Any:
    return on.runpod.job("GET", f"/{on.endpoint}/run").status_code


@check("bare-key", how="GET health with the key but without Bearer", expects=200)
def _(on: Jobs) -> Any:
    headers = {"Authorization": on.runpod.key}
    return on.runpod.job("GET", f"/{on.endpoint}/health", headers=headers).status_code


@check("retry-of-completed", how="POST retry of a completed job", expects=400)
def _(on: Jobs) -> Any:
    return on.post(f"/retry/{on.accepted['id']}").status_code


@check("cancel", how="POST cancel of a job right after run: state in the answer", expects="CANCELLED")
def _(on: Jobs) -> Any:
    job = on.submit({"input": SELF_TEST, "policy": {"lowPriority": True}})
    return on.post(f"/cancel/{job['id']}").json()["status"]


@check(
    "purge",
    how="fields of POST purge-queue, and status of the third within 10 s",
    expects={
        "fields": ["removed", "status"],
        "third": 429,
    },
)
def _(on: Jobs) -> Any:
    first, _, third = (on.post("/purge-queue") for _ in range(3))
    return {"fields": sorted(first.json()), "third": third.status_code}


@check(
    "tiny-scene",
    how="eight sample photos through the plain form: state, and whether scene.ply is a scene",
    expects={
        "status": "COMPLETED",
        "scene": True,
    },
)
def _(on: Jobs) -> Any:
    if not on.scene:
        raise NotObserved("there is no bucket or no photo for a scene: the buckets stage did not run")
    return {"status": on.scene.get("status"), "scene": on.scene_bytes > 0}


@check("idle-worker-ends", how=f"workers, {GONE_LIMIT_S:.0f} s after an idleTimeout of {IDLE_TIMEOUT_S} s", expects=0)
def _(on: Jobs) -> Any:
    until = min(time.monotonic() + GONE_LIMIT_S, on.deadline_s)
    while True:
        total = on.runpod.call("GET", f"/serverless/{on.endpoint}/workers").json()["summary"]["total"]
        if total == 0 or time.monotonic() > until:
            return total
        on.runpod.sleep(1.0)
