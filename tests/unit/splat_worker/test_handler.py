"""The handler under the unmodified RunPod SDK, against a server with the worker protocol.
Silent failures: a cancel that leaves processes, a traceback or a presigned URL in an answer."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import math
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from splat_worker.contract.job_input import JobInput, parse_input
from splat_worker.contract.job_report import Report
from splat_worker.errors import Code, JobError
from splat_worker.handler import Handler, sanitised
from splat_worker.job.child_host import ChildHost, ReportedFailure
from splat_worker.transfer.outbox import sign

WORKER_IMAGE = Path(__file__).parents[3] / "worker_image"
NEXT_SDK = WORKER_IMAGE.parent / ".tools/runpod-next"
SECRET = "whsec_c2VjcmV0LW9mLXRoaXMtYXR0ZW1wdA=="
START_LIMIT_S = 90
JOB_LIMIT_S = 240
SIGNATURE = "X-Amz-Signature=never-show-this"


def group_members(group: int) -> list[int]:
    """Running processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[2]) == group and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def children_of(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(fields[1]) == pid and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


@pytest.fixture
def worker(runpod_server, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:  # type: ignore[no-untyped-def]
    with started_worker(runpod_server, tmp_path) as process:
        yield process


@contextlib.contextmanager
def started_worker(runpod_server: Any, tmp_path: Path, *first: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The shipped handler; packages in the folders `first` come before those of the worker."""
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("RUNPOD_", "SPLAT_", "PYTEST"))
    } | runpod_server.environment()
    search = os.pathsep.join(str(folder) for folder in (*first, WORKER_IMAGE / "src"))
    environment |= {"PYTHONPATH": search, "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "splat_worker.handler"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield process
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the SDK's ping process outlives the handler
    process.wait()


def log_of(tmp_path: Path) -> str:
    return (tmp_path / "worker.log").read_text(errors="replace")


def submit(server, still_life, job_id: str, *, project: str, **changes: Any) -> None:  # type: ignore[no-untyped-def]
    for name in still_life.names:
        server.objects[f"/in/{name}"] = (still_life.folder / name).read_bytes()
    job = {
        "version": 1,
        "project_id": project,
        "attempt": 1,
        "photos": [
            {"name": name, "url": f"{server.url}/in/{name}?{SIGNATURE}", "bytes": len(server.objects[f"/in/{name}"])}
            for name in still_life.names
        ],
        "preset": "preview",
        "train": {"steps": 60, "size_px": 160},
        "outputs": {
            name: f"{server.url}/out/{project}/{name}?{SIGNATURE}"
            for name in (
                *("scene.ply", "scene.sog", "scene.spz", "preview.sog"),
                *("poster.webp", "thumbnail.webp", "cameras.json", "report.json"),
            )
        },
        "checkpoint": {
            "get": f"{server.url}/checkpoint/{project}?{SIGNATURE}",
            "put": f"{server.url}/checkpoint/{project}?{SIGNATURE}",
        },
        "progress": {"url": f"{server.url}/hook?{SIGNATURE}", "secret": SECRET},
        "price": {"gpu": "RTX 4090", "usd_per_s": 0.00031, "as_of": "2026-11-23"},
        **changes,
    }
    server.jobs.put({"id": job_id, "input": job})


def edit_of(project: str, url: str) -> dict[str, Any]:
    """A job that halves a scene. Its recipe has nulls, which must reach the child."""
    job = json.loads((Path(__file__).parents[3] / "docs/contracts/job-input-edit.json").read_text())
    files = {"scene_url": "scene.ply", "cameras_url": "cameras.json", "report_url": "report.json"}
    crop = {"shape": "box", "centre": [1, 0, 0], "half": [1, 9, 9], "quat": [1, 0, 0, 0], "keep": "inside", "soft": 0}
    recipe = {"version": 2, "up": None, "start": None, "cover": None, "crops": [crop], "floaters": None}
    job["edit"] = {"base": 1, "recipe": recipe, **{key: f"{url}/in/{project}/{name}" for key, name in files.items()}}
    outputs = {name: f"{url}/out/{project}/{name}" for name in ("scene.ply", "scene.sog", "report.json")}
    return {**job, "project_id": project, "outputs": outputs, "progress": {"url": f"{url}/hook", "secret": SECRET}}


def until(what: str, check: Any, timeout_s: float) -> Any:
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {timeout_s} s")


@pytest.mark.slow
def test_a_job_runs_end_to_end_and_a_second_job_starts_warm(
    runpod_server, worker: subprocess.Popen[bytes], still_life, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    submit(runpod_server, still_life, "job-1", project="first")
    answer = runpod_server.result("job-1", START_LIMIT_S + JOB_LIMIT_S)
    assert set(answer) == {"output"}, answer
    report = Report.model_validate(answer["output"])
    assert (report.photos.given, report.photos.registered, report.photos.rejected) == (12, 12, ())
    for name, artifact in report.artifacts.items():
        content = runpod_server.objects[f"/out/first/{name}"]
        assert (artifact.bytes, artifact.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert set(report.artifacts) == {
        "scene.ply",
        "scene.sog",
        "scene.spz",
        "poster.webp",
        "thumbnail.webp",
        "cameras.json",
    }
    assert json.loads(runpod_server.objects["/out/first/report.json"])["metrics"]["gaussians"] > 100
    assert runpod_server.puts["/out/first/poster.webp"] == "image/webp"
    assert report.price is not None
    assert report.price.estimate
    assert report.metrics.export_fidelity_db["scene.sog"] > 30
    _check_progress(runpod_server, "job-1")

    child = children_of(worker.pid)
    submit(runpod_server, still_life, "job-2", project="second", photos=[])
    bad = runpod_server.result("job-2", 20)
    assert bad["error"]["code"] == "BAD_INPUT"
    submit(runpod_server, still_life, "job-3", project="third")
    again = Report.model_validate(runpod_server.result("job-3", JOB_LIMIT_S)["output"])
    assert again.photos.registered == 12
    edit = edit_of("third", runpod_server.url)
    runpod_server.objects |= {name.replace("/out/", "/in/"): body for name, body in runpod_server.objects.items()}
    runpod_server.jobs.put({"id": "job-4", "input": edit})
    edited = Report.model_validate(runpod_server.result("job-4", JOB_LIMIT_S)["output"])
    assert edited.edited is not None
    assert edited.metrics.gaussians < edited.edited.gaussians_before == again.metrics.gaussians
    assert edited.artifacts["scene.sog"].bytes < again.artifacts["scene.sog"].bytes
    stages = dict.fromkeys(message["stage"] for message in runpod_server.progress("job-4"))
    assert list(stages) == ["download", "export", "upload"]
    assert set(child) <= set(children_of(worker.pid)), "the second job should run in the same warm child"
    assert "never-show-this" not in log_of(tmp_path)
    assert "never-show-this" not in json.dumps([body for _, body in runpod_server.done])


@pytest.mark.slow
def test_the_handler_runs_on_the_next_sdk(runpod_server, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    if not (NEXT_SDK / "runpod").exists():
        assert not os.environ.get("CI"), "run scripts/bootstrap --test"
        pytest.skip("the next SDK is not installed: run scripts/bootstrap --test")
    with started_worker(runpod_server, tmp_path, NEXT_SDK):
        runpod_server.jobs.put({"id": "job-1", "input": {"project_id": "first", "image_urls": []}})
        answer = runpod_server.result("job-1", START_LIMIT_S)
    assert answer["error"]["code"] == "BAD_INPUT"
    assert "Traceback" not in json.dumps(answer)


def _check_progress(server: Any, job_id: str) -> None:
    messages = server.progress(job_id)
    stages = list(dict.fromkeys(message["stage"] for message in messages))
    assert stages == ["download", "photos", "sfm", "train", "export", "upload"]
    assert server.hooks
    for headers, body in server.hooks:
        signature = sign(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == signature
    sequence = [json.loads(body)["seq"] for _, body in server.hooks]
    assert sequence == sorted(set(sequence))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["download", "sfm", "train"])
def test_a_cancel_takes_less_than_two_seconds_and_leaves_no_process(
    stage: str, runpod_server, worker: subprocess.Popen[bytes], still_life, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    if stage == "download":
        runpod_server.hold_get.clear()
    submit(runpod_server, still_life, "job-c", project="cancelled", train={"steps": 100_000, "size_px": 160})
    until(
        f"stage {stage}",
        lambda: any(message["stage"] == stage for message in runpod_server.progress("job-c")),
        START_LIMIT_S + JOB_LIMIT_S,
    )
    child = next(pid for pid in children_of(worker.pid) if os.getpgid(pid) == pid)
    assert group_members(child)
    began = time.monotonic()
    runpod_server.stops.put("job-c")
    until("the child's group is gone", lambda: not group_members(child), 2.0)
    assert time.monotonic() - began < 2.0
    runpod_server.hold_get.set()
    until("the scratch folder is gone", lambda: not list(tmp_path.glob("splat-job-*")), 5)
    time.sleep(1.0)
    assert all(body.get("status") == "IN_PROGRESS" for _, body in runpod_server.done), "a cancelled job posts no result"
    submit(runpod_server, still_life, "job-d", project="after", photos=[])
    assert runpod_server.result("job-d", 30)["error"]["code"] == "BAD_INPUT"


def holds_training(checkpoint: bytes | None) -> bool:
    return checkpoint is not None and "train.bin" in zipfile.ZipFile(io.BytesIO(checkpoint)).namelist()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_next_worker_resumes_the_training_of_a_lost_worker(
    runpod_server, worker: subprocess.Popen[bytes], still_life, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    long = {"train": {"steps": 100_000, "size_px": 160}}
    limit_s = 75.0  # of a worker that starts, restores and exports beside other work
    submit(runpod_server, still_life, "job-lost", project="lost", **long)
    until(
        "a checkpoint with training in it",
        lambda: holds_training(runpod_server.objects.get("/checkpoint/lost")),
        START_LIMIT_S + JOB_LIMIT_S,
    )
    previews = until(
        "a preview is reported",
        lambda: [m["preview"] for m in runpod_server.progress("job-lost") if m["preview"]],
        60,
    )
    assert previews[0] == {"artifact": "preview.sog", "seq": 1}
    assert zipfile.is_zipfile(io.BytesIO(runpod_server.objects["/out/lost/preview.sog"]))
    child = next(pid for pid in children_of(worker.pid) if os.getpgid(pid) == pid)
    os.killpg(child, signal.SIGKILL)
    assert runpod_server.result("job-lost", 20)["error"]["code"] == "OUT_OF_MEMORY"

    submit(runpod_server, still_life, "job-again", project="lost", attempt=1, limits={"max_seconds": limit_s}, **long)
    answer = runpod_server.result("job-again", START_LIMIT_S + JOB_LIMIT_S)
    assert "output" in answer, answer
    report = Report.model_validate(answer["output"])
    seconds = {stage.stage.value: stage.seconds for stage in report.stages}
    assert report.resumed_from == "train"
    assert report.photos.registered == 12
    assert seconds["sfm"] < 2
    assert sum(seconds.values()) < limit_s + 20.0


CHILD_THAT_COUNTS = """
import os, sys, time
from splat_worker.job import child, extras
from splat_worker.sfm.matching import match as matching_module
import pycolmap
extras.MATCHES_EVERY_S, matching_module.MATCH_CHUNK = 0.1, 10
extract, match = pycolmap.extract_features, pycolmap.match_image_pairs
def extracting(*args, image_names, **options):
    extract(*args, image_names=image_names, **options)
    print("counted features of", len(image_names), "photos", file=sys.stderr)
done = 0
def matching(*args, pairing_options, **options):
    global done
    match(*args, pairing_options=pairing_options, **options)
    count = len(open(pairing_options.match_list_path).readlines())
    done += count
    print("counted", count, "pairs", file=sys.stderr)
    while done >= 40 and os.path.exists(os.environ["HELD_WHILE_THERE"]):
        time.sleep(0.02)
pycolmap.extract_features, pycolmap.match_image_pairs = extracting, matching
sys.exit(child.main())
"""


def counted(log: str) -> tuple[int, int]:
    """Photos and pairs that the counting child processed, by its log."""
    photos = re.findall(r"counted features of (\d+) photos", log)
    pairs = re.findall(r"counted (\d+) pairs", log)
    return sum(map(int, photos)), sum(map(int, pairs))


def pairs_in(checkpoint: bytes | None) -> int:
    """Compared pairs in a checkpoint of the search for cameras."""
    if checkpoint is None or "matches.db" not in (archive := zipfile.ZipFile(io.BytesIO(checkpoint))).namelist():
        return 0
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        content = bytearray(archive.read("matches.db"))
        content[18:20] = b"\x01\x01"  # no write-ahead log: there is none beside what lies in memory
        db.deserialize(bytes(content))
        return int(db.execute("SELECT count(*) FROM two_view_geometries").fetchone()[0])


@pytest.mark.slow
def test_the_next_worker_resumes_the_matching_of_a_lost_worker(
    runpod_server, still_life, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    held = tmp_path / "held"  # makes the child wait while it compares, however slow this process is
    held.touch()
    monkeypatch.setenv("HELD_WHILE_THERE", str(held))
    monkeypatch.setenv("PYTHONPATH", str(WORKER_IMAGE / "src"))
    monkeypatch.setenv("SPLAT_ALLOW_PRIVATE_ADDRESSES", "true")
    less = {
        "train": {"steps": 20, "size_px": 100},
        "outputs": {"cameras.json": f"{runpod_server.url}/out/cameras.json?{SIGNATURE}"},
        "progress": None,
    }

    def job(project: str) -> JobInput:
        submit(runpod_server, still_life, "job", project=project, **less)
        return parse_input(runpod_server.jobs.get()["input"])

    def run(project: str) -> Report:
        found = asyncio.run(host.run(job(project), seconds_max=None, on_event=lambda event: None))
        return Report.model_validate(found)

    async def lost() -> None:
        task = asyncio.create_task(host.run(job("lost"), seconds_max=None, on_event=lambda event: None))
        while not task.done() and not pairs_in(runpod_server.objects.get("/checkpoint/lost")):
            await asyncio.sleep(0.02)
        assert host.pid is not None
        os.killpg(host.pid, signal.SIGKILL)
        await task

    host = ChildHost((sys.executable, "-c", CHILD_THAT_COUNTS))
    try:
        with pytest.raises(JobError):
            asyncio.run(lost())
        compared = pairs_in(runpod_server.objects["/checkpoint/lost"])
        first = counted(capfd.readouterr().err)
        assert first[0] == 12
        assert 0 < compared <= first[1] < 66, "the worker was lost while comparing"

        held.unlink()
        resumed = run("lost")
        log = capfd.readouterr().err
        assert counted(log) == (0, 66 - compared)
        assert f"resuming with the features of 12 photos and {compared} compared pairs" in log
        assert resumed.resumed_from == "photos"

        whole = run("never-lost")
        assert counted(capfd.readouterr().err) == (12, 66)
        assert whole.resumed_from is None
    finally:
        host.kill()
    assert resumed.photos == whole.photos
    assert resumed.photos.registered == 12
    assert resumed.sfm is not None
    assert whole.sfm is not None
    assert resumed.sfm.rung == whole.sfm.rung
    errors_px = resumed.metrics.reprojection_error_px, whole.metrics.reprojection_error_px
    assert errors_px[0] == pytest.approx(errors_px[1], abs=0.02)


@pytest.mark.slow
def test_when_the_handler_is_killed_its_child_dies_too(runpod_server, worker: subprocess.Popen[bytes]) -> None:  # type: ignore[no-untyped-def]
    child = until("a child", lambda: [p for p in children_of(worker.pid) if os.getpgid(p) == p], 30)[0]
    until("a first take", lambda: runpod_server.first_take_at, START_LIMIT_S)
    worker.kill()
    worker.wait()
    until("the child is gone", lambda: not group_members(child), 3)


FAKE_CHILD = """
import json, os, subprocess, sys, time
print(json.dumps({"ready": True}), flush=True)
for line in sys.stdin:
    job = json.loads(line)["job"]
    do = job["do"]
    if do == "report":
        print(json.dumps({"event": {"stage": "sfm"}}), flush=True)
        print(json.dumps({"report": {"pid": os.getpid()}}), flush=True)
    elif do == "fail":
        print(json.dumps({"failure": {"code": "SFM_FAILED", "message": "m", "hint": "h", "stage": "sfm"}}), flush=True)
    elif do == "die":
        os._exit(3)
    elif do == "oom":
        os.kill(os.getpid(), 9)
    elif do == "hang":
        subprocess.Popen(["sleep", "600"])
        time.sleep(600)
"""


class FakeJob(BaseModel):
    do: str


def fake_host() -> ChildHost:
    return ChildHost((sys.executable, "-c", FAKE_CHILD))


def run_in(host: ChildHost, do: str, seconds_max: float | None = None) -> dict[str, Any]:
    events: list[Any] = []
    return asyncio.run(host.run(FakeJob(do=do), seconds_max=seconds_max, on_event=events.append))


def test_jobs_run_in_one_child() -> None:
    host = fake_host()
    try:
        first = run_in(host, "report")
        assert run_in(host, "report") == first
        with pytest.raises(ReportedFailure):
            run_in(host, "fail")
    finally:
        host.kill()


@pytest.mark.parametrize(
    ("do", "code", "words"),
    [("die", Code.INTERNAL, "status 3"), ("oom", Code.OUT_OF_MEMORY, "memory")],
)
def test_a_child_that_dies_fails_with_a_code_and_the_next_job_gets_a_new_child(do: str, code: Code, words: str) -> None:
    host = fake_host()
    try:
        with pytest.raises(JobError) as caught:
            run_in(host, do)
        assert caught.value.code is code
        assert words in caught.value.message
        assert run_in(host, "report")["pid"] == host.pid
    finally:
        host.kill()


def test_a_job_past_its_time_limit_is_killed_with_its_descendants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("splat_worker.job.child_host.KILL_GRACE_S", 0.5)
    host = fake_host()
    host.start()
    group = host.pid
    assert group is not None
    try:
        with pytest.raises(JobError) as caught:
            run_in(host, "hang", seconds_max=0.5)
        assert caught.value.code is Code.TIME_LIMIT
        assert not group_members(group)
    finally:
        host.kill()


def test_a_cancelled_task_leaves_no_grandchild() -> None:
    async def cancel(host: ChildHost) -> float:
        task = asyncio.create_task(host.run(FakeJob(do="hang"), seconds_max=None, on_event=lambda event: None))
        await asyncio.sleep(0.5)
        began = time.monotonic()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return time.monotonic() - began

    host = fake_host()
    host.start()
    group = host.pid
    assert group is not None
    try:
        assert asyncio.run(cancel(host)) < 2.0
        assert not group_members(group)
    finally:
        host.kill()


class Edge:
    """Receives progress; answers 410 from the message `gone_from` on."""

    def __init__(self, gone_from: int) -> None:
        self.messages: list[dict[str, Any]] = []
        edge = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                edge.messages.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(410 if len(edge.messages) >= gone_from else 204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/progress"


FAKE_STAGE = """
import json, subprocess, sys, time
for line in sys.stdin:
    print(json.dumps({"event": {"stage": "train", "fraction": 0.1, "message": "m", "preview": None}}), flush=True)
    subprocess.Popen(["sleep", "600"])
    time.sleep(600)
"""


@pytest.mark.parametrize("gone_from", [1, 3])
def test_a_worker_stops_when_the_edge_answers_that_its_attempt_has_ended(
    gone_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edge never had RunPod's id of this job, so nothing else can stop it. In a quiet stage the last message is
    repeated until the edge answers."""
    monkeypatch.setenv("SPLAT_ALLOW_PRIVATE_ADDRESSES", "true")
    monkeypatch.setattr("splat_worker.handler.REPEAT_AFTER_S", 0.1)
    edge, host = Edge(gone_from), ChildHost((sys.executable, "-c", FAKE_STAGE))
    host.start()
    group = host.pid
    assert group is not None
    value = {
        "version": 1,
        "project_id": "p",
        "attempt": 2,
        "photos": [{"name": "a", "url": "http://127.0.0.1/a"}],
        "outputs": {"scene.ply": "http://127.0.0.1/b"},
        "progress": {"url": edge.url, "secret": SECRET},
    }
    try:
        answer = asyncio.run(Handler(host, lambda job, message: None)({"id": "job-7", "input": value}))
        assert answer["error"]["code"] == "CANCELLED"
        assert not group_members(group)
        assert [message["seq"] for message in edge.messages][:gone_from] == list(range(1, gone_from + 1))
        assert all((m["runpod_id"], m["attempt"], m["stage"]) == ("job-7", 2, "train") for m in edge.messages)
    finally:
        host.kill()
        edge.server.shutdown()
        edge.server.server_close()


def test_nan_and_infinities_never_reach_the_wire() -> None:
    value = {"a": math.nan, "b": [math.inf, 1.5, {"c": -math.inf}], "d": (1, "x", None)}
    assert sanitised(value) == {"a": None, "b": [None, 1.5, {"c": None}], "d": [1, "x", None]}
    json.dumps(sanitised(value), allow_nan=False)


class SpoiltHost(ChildHost):
    async def run(self, job: BaseModel, **given: Any) -> dict[str, Any]:
        return {"report": object()}


def test_an_answer_that_json_cannot_hold_fails_the_job_at_once() -> None:
    value = {
        "version": 1,
        "project_id": "p",
        "photos": [{"name": "a", "url": "http://127.0.0.1/a"}],
        "outputs": {"scene.ply": "http://127.0.0.1/b"},
    }
    answer = asyncio.run(Handler(SpoiltHost(), lambda job, message: None)({"id": "job-7", "input": value}))
    assert (answer["error"]["code"], answer["error"]["message"]) == (
        "INTERNAL",
        "The worker could not send its result.",
    )


def test_the_handler_starts_without_the_libraries_of_the_child() -> None:
    code = (
        "import sys, splat_worker.handler; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'numba', 'pycolmap', 'PIL', 'numpy'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(WORKER_IMAGE / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


STARTED_FROM_A_LONG_FOLDER = """
import multiprocessing, os, sys, types
multiprocessing.set_start_method("forkserver")  # the default of Python 3.14

def start(_config):
    ping = multiprocessing.Process(target=print, args=("pinged",))
    ping.start()
    ping.join()

serverless = types.SimpleNamespace(start=start, progress_update=None)
sys.modules["runpod"] = types.SimpleNamespace(serverless=serverless)
from splat_worker import handler
handler.ChildHost = lambda: types.SimpleNamespace(start=lambda: None)
handler.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere multiprocessing needs no socket")
def test_the_sdk_can_start_its_ping_however_long_the_path_of_tmpdir_is(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", STARTED_FROM_A_LONG_FOLDER],
        env={**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(WORKER_IMAGE / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "pinged\n"), done.stderr
