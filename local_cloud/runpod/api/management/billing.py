"""Routes of /v2/billing: serverless, and the sum of all products. Buckets without cost are left out.
Reads the query and packs the answer; account/billing.py has the arithmetic."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.account import billing
from local_cloud.runpod.account.billing import Amounts, Bucket
from local_cloud.runpod.account.state import Usage
from local_cloud.runpod.api.http import platform_of
from local_cloud.runpod.api.management.guard import management_route
from local_cloud.runpod.core.clock import parse_rfc3339, rfc3339
from local_cloud.runpod.core.problems import bad_request, unprocessable
from local_cloud.runpod.platform import Platform

SIZES = ("hour", "day", "week", "month", "year")
DEFAULT_SPAN_S = 30 * 86_400
# More buckets than this would only be a mistake (a century of hours), and would hold up every worker.
BUCKETS_MAX = 20_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Query:
    """The window, widened to bucket boundaries, and its buckets."""

    window: Bucket
    size: str
    buckets: Sequence[Bucket]

    def to_wire(self) -> dict[str, Any]:
        return {**_range(self.window), "bucketSize": self.size}


async def serverless(request: Request) -> Response:
    platform = platform_of(request)
    query = _query(request)
    wanted = request.query_params.get("serverlessId")
    usages = [one for one in _usage(platform) if wanted is None or one.endpoint_id == wanted]
    records = []
    for bucket in query.buckets:
        for endpoint_id in dict.fromkeys(one.endpoint_id for one in usages):
            amounts = billing.total((one for one in usages if one.endpoint_id == endpoint_id), bucket)
            if amounts.total:
                records.append({**_range(bucket), **_serverless(amounts), "serverlessId": endpoint_id})
    metadata = {
        "query": {**query.to_wire(), "serverlessId": wanted},
        "recordCount": len(records),
        "uniqueServerlessCount": len({one["serverlessId"] for one in records}),
        "totals": _serverless(billing.total(usages, query.window)),
    }
    return JSONResponse({"records": records, "metadata": metadata})


async def everything(request: Request) -> Response:
    platform = platform_of(request)
    query = _query(request)
    usages = _usage(platform)
    rows = [(bucket, billing.total(usages, bucket)) for bucket in query.buckets]
    records = [{**_range(bucket), **_all(amounts)} for bucket, amounts in rows if amounts.total]
    totals = _all(billing.total(usages, query.window))
    metadata = {"query": query.to_wire(), "recordCount": len(records), "totals": totals}
    return JSONResponse({"records": records, "metadata": metadata})


def _usage(platform: Platform) -> list[Usage]:
    """Stretches that have ended, and running workers as if they ended now."""
    running = (platform.meter.so_far(worker) for worker in platform.fleet.all())
    return [*platform.account.usage, *(one for one in running if one is not None)]


def _serverless(amounts: Amounts) -> dict[str, float]:
    return {
        "totalAmount": amounts.total,
        "gpuAmount": amounts.gpu,
        "cpuAmount": 0.0,
        "diskAmount": amounts.disk,
        "feeAmount": 0.0,
    }


def _all(amounts: Amounts) -> dict[str, float]:
    absent = (
        *("podGpuAmount", "podCpuAmount", "podDiskAmount", "endpointAmount"),
        *("clusterGpuAmount", "clusterDiskAmount", "clusterNetworkingAmount"),
        *("serverlessCpuAmount", "serverlessFeeAmount", "storageStandardAmount", "storageHighPerformanceAmount"),
    )
    return {
        "totalAmount": amounts.total,
        "serverlessGpuAmount": amounts.gpu,
        "serverlessDiskAmount": amounts.disk,
        **dict.fromkeys(absent, 0.0),  # products that the stand-in does not model
    }


def _range(window: Bucket) -> dict[str, str]:
    return {"startTime": rfc3339(window.start_s), "endTime": rfc3339(window.end_s)}


def _query(request: Request) -> Query:
    """startTime/endTime or lastN, widened to whole buckets; raises Problem 400 or 422."""
    params = request.query_params
    size = params.get("bucketSize", "day")
    if size not in SIZES:
        raise unprocessable([f"bucketSize: {size!r} is not one of {', '.join(SIZES)}"])
    now_s = platform_of(request).clock.now()
    if "lastN" in params:
        if "startTime" in params or "endTime" in params:
            raise bad_request("lastN and startTime/endTime are mutually exclusive")
        buckets = _last(params["lastN"], size, now_s)
    else:
        end_s = _moment(params.get("endTime"), "endTime", now_s)
        start_s = _moment(params.get("startTime"), "startTime", end_s - DEFAULT_SPAN_S)
        if start_s >= end_s:
            raise bad_request("startTime must be before endTime")
        buckets = _bounded(billing.buckets(start_s, end_s, size))
    return Query(window=Bucket(start_s=buckets[0].start_s, end_s=buckets[-1].end_s), size=size, buckets=buckets)


def _bounded(found: Iterable[Bucket]) -> list[Bucket]:
    buckets: list[Bucket] = []
    for bucket in found:
        buckets.append(bucket)
        if len(buckets) > BUCKETS_MAX:
            raise bad_request(f"the window holds more than {BUCKETS_MAX} buckets; take a larger bucketSize")
    return buckets


def _last(text: str, size: str, now_s: float) -> list[Bucket]:
    if not re.fullmatch(r"0*[1-9][0-9]*", text):
        raise unprocessable([f"lastN: {text!r} is not a positive integer"])
    digits = text.lstrip("0")
    if len(digits) > len(str(BUCKETS_MAX)) or int(digits) > BUCKETS_MAX:
        raise bad_request(f"lastN is above {BUCKETS_MAX}")
    start_s = billing.bucket_start(now_s, size)
    for _ in range(int(digits) - 1):
        try:
            start_s = billing.bucket_start(start_s - 1, size)
        except (ValueError, OverflowError) as error:
            raise bad_request(f"lastN {text} reaches before the calendar begins") from error
    return list(billing.buckets(start_s, now_s, size)) or [
        Bucket(start_s=start_s, end_s=billing.next_start(start_s, size))
    ]


def _moment(text: str | None, name: str, default_s: float) -> float:
    if text is None:
        return default_s
    try:
        moment_s = parse_rfc3339(text)
        billing.next_start(billing.bucket_start(moment_s, "year"), "year")
    except (ValueError, OverflowError) as error:
        raise unprocessable([f"{name}: {text!r} is not an RFC 3339 time"]) from error
    return moment_s


ROUTES: list[Route] = [
    management_route("/v2/billing", {"GET": everything}),
    management_route("/v2/billing/serverless", {"GET": serverless}),
]
