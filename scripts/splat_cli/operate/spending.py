"""Reads what costs.py reconciles: RunPod's bill of the endpoint, and the jobs that ended meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta

from infra.runpod.errors import RunPodError
from scripts.splat_cli.edge_client import Job
from scripts.splat_cli.errors import ServiceError
from scripts.splat_cli.operate.costs import Cost, read_bills, reconcile
from scripts.splat_cli.operate.job_list import Filter, select
from scripts.splat_cli.stack_access import StackAccess

# A job may have been submitted so long before the period in which it ended.
LONGEST_JOB = timedelta(days=8)


def read_cost(access: StackAccess, *, start: datetime, now: datetime, monthly: bool) -> Cost:
    """Raises ServiceError where RunPod does not return the bill, CommandError without its key."""
    runpod = access.runpod()
    try:
        records = runpod.endpoint_bills(access.endpoint_id, start=start)
    except RunPodError as problem:
        raise ServiceError(
            f"RunPod did not return the bill of endpoint {access.endpoint_id}: {problem}",
            hint="check that runpod:apiKey may read billing, then run the same command again",
        ) from None
    finally:
        runpod.close()
    with access.edge() as edge:
        jobs: list[Job] = [
            one
            for one in select(edge.jobs(), Filter(since=start - LONGEST_JOB))
            if one.ended_at is not None and one.ended_at >= start
        ]
        rate = edge.rate()
    return reconcile(read_bills(records), jobs, usd_per_s=rate.usd_per_s, monthly=monthly, now=now)
