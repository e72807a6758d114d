"""The process that does the work: loads the libraries once, then runs one job after another for the handler.
Speaks JSON lines over the pipe it was started with; never talks to RunPod, dies with its parent.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, TextIO

from splat_worker.contract.job_input import parse_input
from splat_worker.contract.job_report import Failure
from splat_worker.errors import JobError, as_job_error
from splat_worker.progress import Event, Throttle

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
_one_line_at_a_time = threading.Lock()


def main() -> int:
    """Requests `{"input": …, "scratch": …}` on stdin; answers `{"ready"}`, `{"event"}`, `{"report"}` or
    `{"failure"}` on what was stdout. stdout itself is turned to stderr first: libraries print."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    _die_with_parent()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)  # they log addresses, and ours are credentials
    _warm_up()
    _send(pipe, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        _send(pipe, _answer(request, pipe))
        give_memory_back()
    return 0


def _answer(request: dict[str, Any], pipe: TextIO) -> dict[str, Any]:
    from splat_worker.job.pipeline import run_input
    from splat_worker.transfer.transfer import Transfer

    on_event = Throttle(lambda event: _send(pipe, {"event": event_to_wire(event)}))

    try:
        job = parse_input(request["input"])
        with Transfer() as transfer, tempfile.TemporaryDirectory(dir=request["scratch"]) as folder:
            report = run_input(job, Path(folder), on_event, transfer)
        return {"report": report.model_dump(mode="json")}
    except BaseException as error:
        if not isinstance(error, JobError):
            log.exception("a job failed outside its stages")
        return {"failure": Failure.of(as_job_error(error, None)).model_dump(mode="json")}


def give_memory_back() -> None:
    """Hand freed memory to the system between jobs. glibc keeps what threads of COLMAP and numpy freed in an arena of
    each thread, and a worker that has had many jobs would look, and be counted, as if it leaked."""
    gc.collect()  # a job's graph has cycles (exceptions with their frames, torch's functions)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(ctypes.c_size_t(0))


def event_to_wire(event: Event) -> dict[str, Any]:
    """Without project and number: the parent adds them."""
    message = event.wire(project_id="", attempt=0, seq=0)
    return {key: message[key] for key in ("stage", "fraction", "message", "eta_s", "preview")}


def _warm_up() -> None:
    """Load what every job needs, so that the first job does not wait for it."""
    from splat_worker.job import pipeline  # noqa: F401


def _send(pipe: TextIO, message: dict[str, Any]) -> None:
    with _one_line_at_a_time:  # previews tell from a thread of their own
        pipe.write(json.dumps(message, separators=(",", ":")) + "\n")
        pipe.flush()


def _die_with_parent() -> None:
    """Linux kills us when the handler's process ends, however it ends."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
