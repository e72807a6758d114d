"""The process that does the work: loads the libraries once, then runs job after job for the handler.
Reads and writes JSON lines on its pipes, never calls RunPod, and dies with its parent.
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
import time
from pathlib import Path
from typing import Any, TextIO

from splat_worker.contract.job_input import EditJobInput, form_of
from splat_worker.contract.job_report import Failure
from splat_worker.errors import JobError, as_job_error
from splat_worker.job.processes import log_to_stderr
from splat_worker.progress import Throttle

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
PARENT_EVERY_S = 1.0
_pipe_lock = threading.Lock()


def main() -> int:
    """Reads requests `{"job": …, "scratch": …}` on stdin; answers `{"ready"}`, `{"event"}`, `{"report"}` or
    `{"failure"}` on the original stdout. stdout itself becomes stderr, because libraries print."""
    pipe = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    _die_with_parent()
    log_to_stderr()
    _warm_up()
    _send(pipe, {"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        _send(pipe, _answer(request, pipe))
        give_memory_back()
    return 0


def _answer(request: dict[str, Any], pipe: TextIO) -> dict[str, Any]:
    from splat_worker.job.edited.run import run_edit
    from splat_worker.job.pipeline import run_input
    from splat_worker.transfer.transfer import Transfer

    on_event = Throttle(lambda event: _send(pipe, {"event": event.wire()}))
    try:
        job = form_of(request["job"]).model_validate(request["job"])  # parsed by the handler; this restores the model
        with Transfer() as transfer, tempfile.TemporaryDirectory(dir=request["scratch"]) as folder:
            if isinstance(job, EditJobInput):
                report = run_edit(job, Path(folder), on_event, transfer)
            else:
                report = run_input(job, Path(folder), on_event, transfer)
        return {"report": report.model_dump(mode="json")}
    except BaseException as error:
        if not isinstance(error, JobError):
            log.exception("job failed outside its stages")
        return {"failure": Failure.of(as_job_error(error, None)).model_dump(mode="json", exclude_none=True)}


def give_memory_back() -> None:
    """Return freed memory to the system between jobs. glibc keeps memory that COLMAP's and numpy's threads freed in one
    arena per thread, so that a worker would seem to leak."""
    gc.collect()  # exceptions with their frames and torch's functions form cycles
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(ctypes.c_size_t(0))


def _warm_up() -> None:
    """Load the libraries, so that the first job does not wait for them."""
    from splat_worker.job import pipeline  # noqa: F401
    from splat_worker.job.edited import run  # noqa: F401


def _send(pipe: TextIO, message: dict[str, Any]) -> None:
    with _pipe_lock:  # previews send events from their own thread
        pipe.write(json.dumps(message, separators=(",", ":")) + "\n")
        pipe.flush()


def _die_with_parent() -> None:
    """This process ends when the handler's does, however that ends: Linux does it, elsewhere a thread looks."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_end_without, args=(parent,), daemon=True).start()
    if os.getppid() != parent:
        sys.exit(1)


def _end_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_EVERY_S)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
