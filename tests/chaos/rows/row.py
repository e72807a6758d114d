"""What a row of the suite says, and short forms to write one. Pure data: drill.py carries it out."""

from __future__ import annotations

from dataclasses import dataclass

from tests.chaos.faults.base import Fault
from tests.chaos.faults.edge import PortFault
from tests.chaos.faults.runpod import RunPodFault

# Moments beside the stages of a job.
UPLOADS = "uploads"
START = "start"

FOREVER = {"times": None}
RUN = "POST /v2/*/run"
STATUS = "GET /v2/*/status/*"
CANCEL = "POST /v2/*/cancel/*"
PROGRESS = "POST /api/hooks/progress/*"
RESULT = "POST /v2/*/job-done/*"
S3 = "/cdn-cgi/local/r2/s3/*"
# The edge asks RunPod every 15 s to 30 s about a job that runs.
POLLED_S = 75
QUICK_S = 45
AGAIN = "[Ss]tart it again|[Tt]ry again|[Ss]tart the job again"


@dataclass(frozen=True, kw_only=True)
class Row:
    """when: `uploads` (half of the photos are uploaded), `start`, or the stage of the job at whose beginning the fault
    strikes (`result`: all files are uploaded). state: how the project ends. within_s: at the latest, after the fault.
    user, operator: patterns of what the person reads and of what the log says; "" for nothing. notice: what the person
    reads while the job waits. before: a second fault, from before the start. nightly: too slow for every run of the
    tests."""

    what: str
    fault: Fault
    when: str
    state: str
    within_s: int
    user: str = ""
    operator: str = ""
    notice: str = ""
    before: Fault | None = None
    nightly: bool = True

    @property
    def is_possible(self) -> bool:
        """Whether this machine can be broken in this way."""
        return all(getattr(fault, "is_possible", True) for fault in _parts(self.fault, self.before))


def _parts(*faults: Fault | None) -> list[Fault]:
    found = []
    for fault in faults:
        if fault is not None:
            inner = getattr(fault, "fault", None)
            found += [fault, *_parts(*getattr(fault, "faults", ()), *getattr(fault, "meanwhile", ()), inner)]
    return found


def sent(kind: str, route: str, **more: object) -> RunPodFault:
    return RunPodFault(kind, route, dict(more))


def port(kind: str, route: str, **more: object) -> PortFault:
    return PortFault(kind, route, dict(more))
