"""One project on the chaos cloud: five photos, a job, its end, and what must hold after any fault."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.cloud import USD, Cloud, sha256, until
from tests.chaos.pace import PACE

PHOTOS = 5
FINAL = {"done", "failed", "cancelled"}
# The worker's stages, then `result`: everything is uploaded, the answer to RunPod is not yet sent.
STAGES = ("download", "photos", "sfm", "train", "export", "upload", "result")
# Seconds of GPU work that a unit of the suite's training stands for, and how many may be done twice.
UNIT_S = 5.0
REPEATED_S_MAX = 30.0
# Of a job that is not done: the time that its worker ran.
COST_MAX_USD = 0.05


@dataclasses.dataclass(kw_only=True)
class Scene:
    """`before` holds the account's figures from before the job. refusal: the answer to a start that was refused.
    started: the fault has started the job. notices: why the job waited, as the person read it. side: what a fault does
    beside the row. advised: what the person does by the advice, before the project starts again."""

    cloud: Cloud
    id: str = ""
    photos: dict[str, bytes] = dataclasses.field(default_factory=dict)
    before: dict[str, Any] = dataclasses.field(default_factory=dict)
    log_begins: int = 0
    refusal: dict[str, Any] = dataclasses.field(default_factory=dict)
    started: bool = False
    notices: list[str] = dataclasses.field(default_factory=list)
    side: list[Future[None]] = dataclasses.field(default_factory=list)
    advised: list[Callable[[], None]] = dataclasses.field(default_factory=list)
    _ends: list[Callable[[], None]] = dataclasses.field(default_factory=list)

    @classmethod
    def uploaded(cls, cloud: Cloud, name: str, meanwhile: Callable[[Scene], None] | None = None) -> Scene:
        """A project whose photos are in the bucket. meanwhile: happens after some of the uploads."""
        scene = cls(cloud=cloud, log_begins=len(cloud.log("cloudflare")))
        # The row before may be booked a moment after its end.
        until(lambda: _figures(cloud)["reserved_usd"] == 0, "the account is settled")
        scene.before = _figures(cloud)
        scene.id = str(_ok(cloud.edge("POST", "/api/projects", json={"name": name[:100]}))["id"])
        contents = [b"\xff\xd8\xff\xe0" + bytes([n]) * (1000 + n) for n in range(PHOTOS)]
        declared = scene.declare(contents)
        for number, (upload, content) in enumerate(zip(declared, contents, strict=True)):
            if number == PHOTOS // 2 and meanwhile is not None:
                meanwhile(scene)
            put = scene.put(upload, content)
            assert put.status_code == 200, put.text
            scene.photos[upload["as"]] = content
        return scene

    def declare(self, contents: list[bytes]) -> list[dict[str, Any]]:
        """The edge's addresses for photos of these contents."""
        wanted = [
            {"name": f"{len(one)}.jpg", "type": "image/jpeg", "bytes": len(one), "sha256": sha256(one)}
            for one in contents
        ]
        path = f"/api/projects/{self.id}/photos"
        return list(_ok(self.cloud.edge("POST", path, json={"photos": wanted}))["uploads"])

    def put(self, upload: dict[str, Any], content: bytes) -> httpx.Response:
        return httpx.put(upload["url"], headers=upload["headers"], content=content, timeout=30, trust_env=False)

    def start(self) -> None:
        """Ask for a job. A refusal is kept, not raised; a broken connection leaves open whether it started."""
        if self.started:
            return
        with contextlib.suppress(httpx.TransportError):
            answer = self.ask_to_start()
            if not answer.is_success:
                self.refusal = dict(answer.json()["error"])

    def ask_to_start(self) -> httpx.Response:
        return self.cloud.edge("POST", f"/api/projects/{self.id}/jobs", json={"preset": "preview"})

    def cancel(self) -> None:
        """Ask to cancel. A broken connection leaves open whether that took effect."""
        with contextlib.suppress(httpx.TransportError):
            _ok(self.ask_to_cancel())

    def ask_to_cancel(self) -> httpx.Response:
        return self.cloud.edge("POST", f"/api/projects/{self.id}/jobs/cancel")

    def at_end(self, act: Callable[[], None]) -> None:
        """Do this when the row is over, whatever its result."""
        self._ends.append(act)

    def close(self) -> None:
        while self._ends:
            self._ends.pop()()

    def project(self) -> dict[str, Any]:
        found = _ok(self.cloud.edge("GET", f"/api/projects/{self.id}"))
        if found["notice"]:
            self.notices.append(f"{found['notice']['message']} {found['notice']['hint'] or ''}")
        return found

    def jobs(self) -> list[dict[str, Any]]:
        """The project's attempts in the account's books."""
        listed = _ok(self.cloud.edge("GET", "/api/jobs", params={"limit": 200}))["jobs"]
        return [one for one in listed if one["project_id"] == self.id]

    def wait(self, state: str, limit_s: float) -> float:
        """Wait for the state; returns the seconds of the suite's time. Another final state fails at once."""
        begin = PACE.now()

        def reached() -> bool:
            try:
                found = self.project()
            except httpx.HTTPError:
                return False  # the edge is part of what a row breaks
            ended = found["state"] in FINAL and state in FINAL and found["state"] != state
            assert not ended, f"the project is {found['state']}, not {state}: {found['error']}"
            return bool(found["state"] == state)

        until(reached, f"project {state}", limit_s)
        return PACE.now() - begin

    def ended(self) -> str:
        """The final state, or `ready` after a refused start; "" while the job goes on or the edge does not answer."""
        with contextlib.suppress(httpx.HTTPError, AssertionError):
            state = str(self.project()["state"])
            return state if state in FINAL or self.refusal else ""
        return ""

    def gate(self, stage: str, *, closed: bool) -> None:
        """Close the gate before a stage of this project's job, or open it."""
        gate = self.cloud.gates / f"{self.id}.{stage}"
        if closed:
            gate.touch()
        else:
            gate.unlink(missing_ok=True)

    def at(self, stage: str) -> None:
        """Wait until the job stands at the closed gate of a stage."""
        until((self.cloud.gates / f"{self.id}.{stage}.reached").exists, f"the job reaches {stage}")

    def again(self, stage: str) -> None:
        """Wait until another run of the job stands at the gate."""
        (self.cloud.gates / f"{self.id}.{stage}.reached").unlink()
        self.at(stage)

    def worker(self) -> dict[str, Any]:
        """The process that runs the job now."""
        [found] = [one for one in self.cloud.workers() if one["jobs"]]
        return found

    def operator_log(self) -> str:
        """What the edge logged since this project began."""
        return self.cloud.log("cloudflare")[self.log_begins :]

    def check_whole(self, state: str) -> None:
        """Everything that holds after any fault, with the project in this final state."""
        self.check_nothing_runs()
        self.check_work()
        self.check_cost(state)
        self.check_photos()
        if state == "done":
            self.check_artifacts()

    def work(self) -> str:
        """What the job's processes have done, a line each (worker/signs.py)."""
        file = self.cloud.gates / f"{self.id}.work"
        return file.read_text() if file.exists() else ""

    def check_work(self) -> None:
        """At most 30 s of GPU work are done twice where checkpoints can be saved, and no child process works on."""
        done = saved = 0
        is_refused = False
        for _, word, *number in self._work():
            if word == "unit" and not is_refused:
                done = max(done, int(number[0]) + 1)
            elif word in ("saved", "refused"):
                is_refused = word == "refused"
                saved = saved if is_refused else max(saved, int(number[0]))
            elif word == "resumes" and saved > 0:
                again = (done - int(number[0])) * UNIT_S
                assert again <= REPEATED_S_MAX, f"{again:.0f} s of GPU work are done again"
        until(lambda: not _at_work(self._work()), "no child process works on")

    def _work(self) -> list[list[str]]:
        """The lines of the work's log: process id, word, number."""
        return [line.split() for line in self.work().splitlines()]

    def check_photos(self) -> None:
        """No photo is lost or changed."""
        self.cloud.set_clock_right()  # the bucket refuses requests of another time
        s3, bucket = self.cloud.bucket(), self.cloud.texts["S3_BUCKET"]
        for name, content in self.photos.items():
            key = f"projects/{self.id}/photos/{name}"
            url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
            with httpx.stream("GET", url, timeout=30, trust_env=False) as answer:
                stored = answer.read()  # workerd compresses what is marked as compressed, httpx unpacks it
            assert stored == content, f"photo {name} changed"

    def check_artifacts(self) -> None:
        """Every file of the report can be downloaded whole."""
        report = self.project()["report"]
        assert set(report["artifacts"]) >= {"scene.ply", "scene.sog", "poster.webp"}
        for name, facts in report["artifacts"].items():
            answer = self.cloud.edge("GET", f"/api/projects/{self.id}/artifacts/{name}", follow_redirects=True)
            assert (answer.status_code, sha256(answer.content)) == (200, facts["sha256"]), name

    def check_cost(self, state: str) -> None:
        """The job is booked once: its report's price when it is done, at most the time that its worker ran when it
        failed, and nothing stays reserved."""

        def booked() -> bool:
            now = _figures(self.cloud)
            return bool(now["reserved_usd"] <= self.before["reserved_usd"] + 1e-9)

        until(booked, "nothing stays reserved")
        now = _figures(self.cloud)
        # Not the month's sum: a row may move the clock into the next month.
        booked_usd = [one["usd"] for one in self.jobs()]
        if state == "done":
            assert booked_usd == [USD], f"{booked_usd} US dollars were booked, not {USD}"
        else:
            most = COST_MAX_USD + json.loads(self.cloud.texts["PRICE"])["usd_per_s"] * self.cloud.edge_clock_skew_s
            assert [one for one in booked_usd if not 0 <= one < most] == []
        ended = sum(now["outcomes"].values()) - sum(self.before["outcomes"].values())
        assert ended == (0 if self.refusal else 1), f"{ended} jobs were counted"

    def check_nothing_runs(self) -> None:
        """No job of this project waits or runs at RunPod, and no worker works on one."""

        def quiet() -> bool:
            waiting = 0
            for endpoint in self.cloud.endpoints():
                health = self.cloud.runpod("GET", f"/v2/{endpoint['id']}/health").json()["jobs"]
                waiting += health["inQueue"] + health["inProgress"]
            return waiting == 0 and not [one for one in self.cloud.workers() if one["jobs"]]

        until(quiet, "no job is left at RunPod")

    def check_advice(self, state: str) -> None:
        """After a failure or a refusal the person reads what to do next."""
        error = self.refusal or self.project()["error"]
        if state in ("failed", "ready"):
            assert error, f"no reason for {state}"
            assert error.get("hint"), f"no advice: {error}"
            self.check_words(".", "")

    def check_words(self, user: str, operator: str) -> None:
        """The person reads `user`, and the log of the edge holds `operator`; both are patterns, "" for nothing."""
        error = self.refusal or self.project()["error"]
        said = f"{error['message']} {error.get('hint') or ''}" if error else ""
        assert bool(said) == bool(user), f"the person reads {said!r}"
        assert re.search(user, said), f"the person reads {said!r}, not {user!r}"
        assert not re.search(r"\{|Traceback|wrangler|pulumi|API key|https?://", said), f"not for a person: {said!r}"
        if operator:
            until(lambda: re.search(operator, self.operator_log()), f"the log says {operator}", 10)


def _at_work(lines: list[list[str]]) -> list[str]:
    """Processes that began a run, did not end it, and are alive."""
    last = {pid: word for pid, word, *_ in lines if word in ("begins", "ends")}
    return [pid for pid, word in last.items() if word == "begins" and _is_child(pid)]


def _is_child(pid: str) -> bool:
    try:  # empty for a zombie; another program where the id is in use again
        return b"tests.chaos.worker.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _figures(cloud: Cloud) -> dict[str, Any]:
    found = _ok(cloud.edge("GET", "/api/metrics"))
    return {**found["spend"], "outcomes": found["jobs_by_outcome"]}


def _ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
    return dict(json.loads(answer.text or "{}"))
