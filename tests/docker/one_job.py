"""Runs one job through the RunPod stand-in with containers of an image as workers, and prints the job as JSON.
Runs in the network namespace of a container with only loopback, so that both reach nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
KEY = "rpa_key_of_the_docker_test"
OUTPUTS = (
    "scene.ply",
    "scene.sog",
    "scene.spz",
    "preview.sog",
    "poster.webp",
    "thumbnail.webp",
    "cameras.json",
    "report.json",
)
JOB_LIMIT_S = 1500


class Bucket(ThreadingHTTPServer):
    """Objects by path for GET and PUT, like presigned URLs."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Objects)
        self.objects: dict[str, bytes] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Objects(BaseHTTPRequestHandler):
    server: Bucket

    def do_GET(self) -> None:
        found = self.server.objects.get(self.path)
        self.send_response(200 if found is not None else 404)
        self.send_header("content-length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def do_PUT(self) -> None:
        self.server.objects[self.path] = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print nothing: stdout has only the result."""


def main() -> int:
    repository, digest, photos, worker = sys.argv[1:]
    with tempfile.TemporaryDirectory() as scratch:
        images = Path(scratch) / "images.json"
        images.write_text(json.dumps({repository: {"command": [worker], "env": dict(os.environ)}}))
        stand_in = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "local_cloud.runpod",
                "--port",
                "0",
                "--state",
                f"{scratch}/state",
                "--images",
                str(images),
            ],
            cwd=ROOT,
            env={**os.environ, "RUNPOD_API_KEY": KEY},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert stand_in.stdout is not None
            url = stand_in.stdout.readline().strip()
            job = run_job(url, f"{repository}@{digest}", sorted(Path(photos).glob("*.jpg")))
        finally:
            stand_in.terminate()
            stand_in.wait(timeout=60)
        logs = "\n".join(log.read_text()[-6000:] for log in Path(scratch).glob("state/logs/*/*.log"))
    print(json.dumps(job))
    if job["status"] != "COMPLETED":
        print(logs, file=sys.stderr)
    return 0


def run_job(url: str, image: str, photos: list[Path]) -> dict[str, Any]:
    """Create an endpoint with the image, run the self-test and one small job, and wait for both."""
    bucket = Bucket()
    for photo in photos:
        bucket.objects[f"/{photo.name}"] = photo.read_bytes()
    body = {
        "version": 1,
        "project_id": "p_docker",
        "attempt": 1,
        "photos": [{"name": p.name, "url": f"{bucket.url}/{p.name}", "bytes": p.stat().st_size} for p in photos],
        "preset": "preview",
        "train": {"steps": 150, "size_px": 160},
        "outputs": {name: f"{bucket.url}/out/{name}" for name in OUTPUTS},
        "limits": {"max_seconds": JOB_LIMIT_S},
    }
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as api:
        endpoint = api.post(
            "/v2/serverless",
            json={
                "name": "docker-test",
                "type": "QUEUE",
                "image": image,
                "gpu": {"pools": ["ADA_24"]},
                "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
                "workers": {"min": 0, "max": 1, "idleTimeout": 60},
                "timeout": JOB_LIMIT_S * 1000,
            },
        )
        endpoint.raise_for_status()
        endpoint_id = endpoint.json()["id"]
        selftest = finished(api, endpoint_id, {"selftest": True})
        job = finished(api, endpoint_id, body)
    return {
        **job,
        "selftest": selftest,
        "uploaded": {path: len(data) for path, data in bucket.objects.items() if path.startswith("/out/")},
    }


def finished(api: httpx.Client, endpoint_id: str, job_input: dict[str, Any]) -> dict[str, Any]:
    """The finished job, or its state at the time limit."""
    job_id = api.post(f"/v2/{endpoint_id}/run", json={"input": job_input}).raise_for_status().json()["id"]
    deadline = time.monotonic() + JOB_LIMIT_S
    while True:
        job: dict[str, Any] = api.get(f"/v2/{endpoint_id}/status/{job_id}").raise_for_status().json()
        if job["status"] in ("COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT") or time.monotonic() > deadline:
            return job
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
