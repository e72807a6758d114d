"""The self-test as a job with the input `{"selftest": true}`, so that a deployment can check an image first.
Runs `python -m splat_worker.selftest` beside the warm child. Does not import torch.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from splat_worker.errors import Code, JobError
from splat_worker.job.processes import kill_group

COMMAND = (sys.executable, "-m", "splat_worker.selftest")
LIMIT_S = 540.0
"""Below the deployment's limit for the job, so that our own message reports the timeout."""


def is_requested(job_input: Any) -> bool:
    return isinstance(job_input, Mapping) and dict(job_input) == {"selftest": True}


async def run(command: Sequence[str] = COMMAND, limit_s: float = LIMIT_S) -> dict[str, Any]:
    """The report, `{ok, checks}`. Raises JobError with the failed checks. If the awaiting task is cancelled, the
    self-test and its descendants are dead before CancelledError propagates."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, start_new_session=True)
    try:
        async with asyncio.timeout(limit_s):
            output, _ = await process.communicate()
    except TimeoutError:
        raise JobError(Code.TIME_LIMIT, f"The self-test did not finish within {limit_s:.0f} s.", hint=_HINT) from None
    finally:
        kill_group(process.pid)
        await process.wait()
    try:
        report = dict(json.loads(output.decode().strip().splitlines()[-1]))
        checks = [(str(check["name"]), bool(check["ok"]), str(check["detail"])) for check in report["checks"]]
    except (ValueError, IndexError, KeyError, TypeError):
        raise JobError(
            Code.INTERNAL, f"The self-test exited with status {process.returncode} and no report.", hint=_HINT
        ) from None
    failed = [f"{name}: {detail}" for name, ok, detail in checks if not ok]
    if failed or not report.get("ok"):
        raise JobError(Code.INTERNAL, f"The self-test failed. {'; '.join(failed)}", hint=_HINT)
    return report


_HINT = "Do not use this image. Run `selftest` in a container of it to see every check, then fix what failed."
