"""The self-test as a job: `{"selftest": true}` as input, so that a deployment can try an image before it is used.
Runs `python -m splat_worker.selftest` beside the warm child; never imports torch, as the handler.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from splat_worker.errors import Code, JobError

COMMAND = (sys.executable, "-m", "splat_worker.selftest")
LIMIT_S = 540.0
"""Below the limit that the deployment gives the job, so that the failure has our words and not the platform's."""


def is_asked_for(job_input: Any) -> bool:
    return isinstance(job_input, Mapping) and dict(job_input) == {"selftest": True}


async def run(command: Sequence[str] = COMMAND, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """Its report, `{ok, checks}`. Raises JobError naming the first check that failed. If the awaiting task is
    cancelled, the test and all it started are dead before CancelledError goes on."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, start_new_session=True)
    try:
        async with asyncio.timeout(limit_s):
            said, _ = await process.communicate()
    except TimeoutError:
        raise JobError(Code.TIME_LIMIT, f"The self-test did not end within {limit_s:.0f} s.", hint=_HINT) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    try:
        report = dict(json.loads(said.decode().strip().splitlines()[-1]))
        checks = [(str(check["name"]), bool(check["ok"]), str(check["detail"])) for check in report["checks"]]
    except (ValueError, IndexError, KeyError, TypeError):
        raise JobError(
            Code.INTERNAL, f"The self-test ended with status {process.returncode} and no report.", hint=_HINT
        ) from None
    wrong = [f"{name}: {detail}" for name, ok, detail in checks if not ok]
    if wrong or not report.get("ok"):
        raise JobError(Code.INTERNAL, f"The self-test failed. {'; '.join(wrong)}", hint=_HINT)
    return report


_HINT = "Do not use this image: run `selftest` in a container of it to see every check, and mend what it names."
