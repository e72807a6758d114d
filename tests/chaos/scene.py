"""One project on the chaos cloud: five photos, a job, its end, and what must hold after any fault."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from typing import Any

import httpx

from tests.chaos.cloud import USD, Cloud, sha256, until

PHOTOS = 5
FINAL = {"done", "failed", "cancelled"}
# The worker's stages, then `result`: everything is uploaded, the answer to RunPod is not yet sent.
STAGES = ("download", "photos", "sfm", "train", "export", "upload", "result")


@dataclasses.dataclass(kw_only=True)
class Scene:
    """`before` holds the account's figures from before the job. refusal: the answer to a start that was refused."""

    cloud: Cloud
    id: str = ""
    photos: dict[str, bytes] = dataclasses.field(default_factory=dict)
    before: dict[str, Any] = dataclasses.field(default_factory=dict)
    log_begins: int = 0
    refusal: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def uploaded(cls, cloud: Cloud, name: str) -> Scene:
        """A project whose photos are in the bucket."""
        scene = cls(cloud=cloud, log_begins=len(cloud.log("cloudflare")))
        # The row before may be booked a moment after its end.
        until(lambda: _figures(cloud)["reserved_usd"] == 0, "the account is settled")
        scene.before = _figures(cloud)
        scene.id = str(_ok(cloud.edge("POST", "/api/projects", json={"name": name[:100]}))["id"])
        contents = [b"\xff\xd8\xff\xe0" + bytes([n]) * (1000 + n) for n in range(PHOTOS)]
        wanted = [{"name": f"{n}.jpg", "type": "image/jpeg", "bytes": len(one)} for n, one in enumerate(contents)]
        declared = _ok(cloud.edge("POST", f"/api/projects/{scene.id}/photos", json={"photos": wanted}))["uploads"]
        for upload, content in zip(declared, contents, strict=True):
            put = httpx.put(upload["url"], headers=upload["headers"], content=content, timeout=30, trust_env=False)
            assert put.status_code == 200, put.text
            scene.photos[upload["as"]] = content
        return scene

    def start(self) -> None:
        """Ask for a job. A refusal is kept, not raised."""
        answer = self.cloud.edge("POST", f"/api/projects/{self.id}/jobs", json={"preset": "preview"})
        if not answer.is_success:
            self.refusal = dict(answer.json()["error"])

    def cancel(self) -> None:
        _ok(self.cloud.edge("POST", f"/api/projects/{self.id}/jobs/cancel"))

    def project(self) -> dict[str, Any]:
        return _ok(self.cloud.edge("GET", f"/api/projects/{self.id}"))

    def wait(self, state: str, limit_s: float) -> float:
        """Wait for the state; returns the seconds. Another final state fails at once."""
        begin = time.monotonic()

        def reached() -> bool:
            try:
                found = self.project()
            except httpx.HTTPError:
                return False  # the edge is part of what a row breaks
            ended = found["state"] in FINAL and state in FINAL and found["state"] != state
            assert not ended, f"the project is {found['state']}, not {state}: {found['error']}"
            return bool(found["state"] == state)

        until(reached, f"project {state}", limit_s)
        return time.monotonic() - begin

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

    def check_photos(self) -> None:
        """No photo is lost or changed."""
        s3, bucket = self.cloud.bucket(), self.cloud.texts["S3_BUCKET"]
        for name, content in self.photos.items():
            stored = s3.get_object(Bucket=bucket, Key=f"projects/{self.id}/photos/{name}")["Body"].read()
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
        spent = now["month_usd"] - self.before["month_usd"]
        if state == "done":
            assert abs(spent - USD) < 1e-6, f"{spent} US dollars were booked, not {USD}"
        else:
            assert 0 <= spent < 0.05
        ended = sum(now["outcomes"].values()) - sum(self.before["outcomes"].values())
        assert ended == (0 if self.refusal else 1), f"{ended} jobs were counted"

    def check_nothing_runs(self) -> None:
        """No job of this project waits or runs at RunPod, and no worker works on one."""

        def quiet() -> bool:
            waiting = 0
            if self.cloud.endpoint in {one["id"] for one in self.cloud.endpoints()}:
                health = self.cloud.runpod("GET", f"/v2/{self.cloud.endpoint}/health").json()["jobs"]
                waiting = health["inQueue"] + health["inProgress"]
            return waiting == 0 and not [one for one in self.cloud.workers() if one["jobs"]]

        until(quiet, "no job is left at RunPod")

    def check_words(self, user: str, operator: str) -> None:
        """The person reads `user`, and the log of the edge holds `operator`; both are patterns, "" for nothing."""
        error = self.refusal or self.project()["error"]
        said = f"{error['message']} {error.get('hint') or ''}" if error else ""
        assert bool(said) == bool(user), f"the person reads {said!r}"
        assert re.search(user, said), f"the person reads {said!r}, not {user!r}"
        assert not re.search(r"\{|Traceback|wrangler|pulumi|API key|https?://", said), f"not for a person: {said!r}"
        if operator:
            until(lambda: re.search(operator, self.operator_log()), f"the log says {operator}", 10)


def _figures(cloud: Cloud) -> dict[str, Any]:
    found = _ok(cloud.edge("GET", "/api/metrics"))
    return {**found["spend"], "outcomes": found["jobs_by_outcome"]}


def _ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, f"{answer.request.method} {answer.request.url.path}: {answer.text}"
    return dict(json.loads(answer.text or "{}"))
