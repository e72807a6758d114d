"""Deliberate differences between the platform and the stand-in, made by a proxy. Each must be found under the name of
its check, and no other check may differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from scripts.splat_cli.verify_live.run import differences
from tests.live.conftest import Change, Platforms

pytestmark = pytest.mark.local_cloud
JSON = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """method and path: of the requests whose answers change, the path's end without its query."""

    found_by: tuple[str, ...]
    method: str
    path: Callable[[str], bool]
    change: Callable[[httpx.Request, int, JSON], tuple[int, Any] | None]

    def __call__(self, request: httpx.Request, answer: httpx.Response, body: bytes) -> httpx.Response | None:
        if request.method != self.method or not self.path(request.url.path):
            return None
        try:
            found = json.loads(body) if body else {}
        except ValueError:
            return None
        changed = self.change(request, answer.status_code, found)
        if changed is None:
            return None
        status, content = changed
        headers = {key: value for key, value in answer.headers.items() if key != "content-length"}
        return httpx.Response(status, headers=headers, content=json.dumps(content).encode(), request=request)


def at_end(text: str) -> Callable[[str], bool]:
    return lambda path: path.endswith(text)


def sent(request: httpx.Request) -> JSON:
    try:
        found = json.loads(request.content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def on_success(edit: Callable[[httpx.Request, JSON], None]) -> Callable[[httpx.Request, int, JSON], Any]:
    """The body of a success after an edit in place."""

    def change(request: httpx.Request, status: int, body: JSON) -> tuple[int, JSON] | None:
        if status >= 300:
            return None
        edit(request, body)
        return status, body

    return change


def only(field: str, status: int) -> Callable[[httpx.Request, int, JSON], Any]:
    """Another status for a rejected request that has a field."""
    return lambda request, was, body: (status, body) if was >= 400 and field in sent(request) else None


CREATE = {"method": "POST", "path": at_end("/v2/serverless")}
MANAGEMENT: Mapping[str, Difference] = {
    "a disk of 50 GB by default": Difference(
        found_by=("default-disk",),
        **CREATE,
        change=on_success(lambda request, body: body.update({} if "disk" in sent(request) else {"disk": 50})),
    ),
    "no timeout by default": Difference(
        found_by=("default-timeout",),
        **CREATE,
        change=on_success(lambda request, body: body.update({} if "timeout" in sent(request) else {"timeout": 0})),
    ),
    "bare braces in the addresses": Difference(
        found_by=("request-urls",),
        **CREATE,
        change=on_success(
            lambda _, body: body["requestUrls"].update(
                {name: url.replace("%7B", "{").replace("%7D", "}") for name, url in body["requestUrls"].items()}
            )
        ),
    ),
    "422 for an image that cannot be resolved": Difference(
        found_by=("unresolvable-image-status",),
        **CREATE,
        change=lambda request, was, body: (422, body) if was >= 400 and "nobody" in sent(request)["image"] else None,
    ),
    "other words for an unknown field": Difference(
        found_by=("words-of-unknown-field",),
        **CREATE,
        change=lambda request, was, body: (was, body | {"errors": ["/bogus: unknown"]}) if was >= 400 else None,
    ),
    "404 for an unknown credential": Difference(found_by=("unknown-registry",), **CREATE, change=only("registry", 404)),
    "another key that opens the account": Difference(
        found_by=("wrong-key",),
        method="GET",
        path=at_end("/v2/serverless"),
        change=lambda _, was, body: (200, {"endpoints": []}) if was == 401 else None,
    ),
}
CHANGES: Mapping[str, Difference] = {
    "args that stay": Difference(
        found_by=("unset-args",),
        method="PATCH",
        path=lambda path: "/v2/serverless/" in path,
        change=on_success(lambda request, body: body.update({"args": "--verify"} if "args" in sent(request) else {})),
    ),
    "a deleted endpoint that still answers": Difference(
        found_by=("delete-at-once",),
        method="GET",
        path=at_end("/health"),
        change=lambda _, was, body: (200, {"jobs": {}, "workers": {}}) if was == 404 else None,
    ),
    "pages without a cursor": Difference(
        found_by=("pages",),
        method="GET",
        path=at_end("/v2/serverless"),
        change=on_success(lambda _, body: body["pagination"].update({"hasNextPage": False, "nextCursor": None})),
    ),
    "no number of the newest release": Difference(
        found_by=("no-releases", "releases"),
        method="GET",
        path=at_end("/releases"),
        change=on_success(lambda _, body: body.pop("endpointVersion")),
    ),
    "another name in the releases": Difference(
        found_by=("other-release-names",),
        method="GET",
        path=at_end("/releases"),
        change=on_success(
            lambda _, body: body.update(
                json.loads(json.dumps(body).replace("template.containerDiskInGb", "template.disk"))
            )
        ),
    ),
}
ACCOUNT: Mapping[str, Difference] = {
    "a dearer card": Difference(
        found_by=("catalogue-price",),
        method="GET",
        path=at_end("/catalog/gpus"),
        change=on_success(
            lambda _, body: [one["price"].update(serverless=9.99) for one in body["gpus"] if "4090" in one["id"]]
        ),
    ),
    "limits at another path": Difference(
        found_by=("limits-path", "limits-fields", "quota"),
        method="GET",
        path=at_end("/account/limits"),
        change=lambda _, was, body: (404, {"title": "Not Found", "status": 404, "detail": ""}),
    ),
    "a credential that stays on the endpoint": Difference(
        found_by=("deleted-credential",),
        method="GET",
        path=lambda path: "/v2/serverless/" in path,
        change=on_success(lambda _, body: body.update(registry="kept")),
    ),
}


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (stage, name)
        for stage, rows in (("management", MANAGEMENT), ("changes", CHANGES), ("account", ACCOUNT))
        for name in rows
    ],
)
def test_a_difference_of_the_management_api_is_found_and_named(platforms: Platforms, stage: str, name: str) -> None:
    difference = {"management": MANAGEMENT, "changes": CHANGES, "account": ACCOUNT}[stage][name]
    platforms.proxy.change = difference
    results = platforms.verification(stage, cloudflare=None).run()
    platforms.proxy.change = None
    assert {one.check for one in differences(results)} == set(difference.found_by)


def failure(status: int, number: int) -> tuple[int, JSON]:
    return status, {"success": False, "errors": [{"code": number, "message": "other"}], "messages": [], "result": None}


def renumbered(old: int, number: int) -> Callable[[httpx.Request, int, JSON], Any]:
    """Another number for one kind of failure."""
    return lambda _, was, body: failure(was, number) if (body.get("errors") or [{}])[0].get("code") == old else None


BUCKETS: Mapping[str, Difference] = {
    "an own number for a bucket with objects": Difference(
        found_by=("bucket-not-empty",), method="DELETE", path=lambda _: True, change=renumbered(10008, 10013)
    ),
    "rules without an answer where none are set": Difference(
        found_by=("cors-absent",),
        method="GET",
        path=at_end("-other/cors"),
        change=lambda *_: (200, {"success": True, "result": {"rules": []}}),
    ),
    "a field that nobody set in a lifecycle rule": Difference(
        found_by=("lifecycle-back",),
        method="GET",
        path=lambda path: path.endswith("/lifecycle") and "-other/" not in path,
        change=on_success(lambda _, body: [one.update(storageClassTransitions=[]) for one in body["result"]["rules"]]),
    ),
    "a jurisdiction in the CORS rules": Difference(
        found_by=("cors-back", "cors-has-no-jurisdiction"),
        method="GET",
        path=lambda path: path.endswith("/cors") and "-other/" not in path,
        change=on_success(lambda _, body: [one.update(jurisdiction="default") for one in body["result"]["rules"]]),
    ),
    "the value of a token in the list": Difference(
        found_by=("token-value-once",),
        method="GET",
        path=at_end("/tokens"),
        change=on_success(lambda _, body: [one.update(value="shown") for one in body["result"]]),
    ),
}
WORKER: Mapping[str, Difference] = {
    "no migration tag in the list": Difference(
        found_by=("script-listed",),
        method="GET",
        path=at_end("/workers/scripts"),
        change=on_success(lambda _, body: [one.pop("migration_tag") for one in body["result"]]),
    ),
    "another number for a repeated migration": Difference(
        found_by=("migration-repeated",), method="PUT", path=lambda _: True, change=renumbered(10079, 10074)
    ),
    "bindings in another order": Difference(
        found_by=("bindings-order",),
        method="GET",
        path=at_end("/settings"),
        change=on_success(lambda _, body: (body["result"] or {}).get("bindings", []).reverse()),
    ),
    "a cron expression that is written anew": Difference(
        found_by=("schedule-back",),
        method="GET",
        path=at_end("/schedules"),
        change=on_success(lambda _, body: [one.update(cron="17 04 * * *") for one in body["result"]["schedules"]]),
    ),
}
JOBS: Mapping[str, Difference] = {
    "a retry of completed jobs": Difference(
        found_by=("retry-of-completed",),
        method="POST",
        path=lambda path: "/retry/" in path,
        change=lambda _, was, body: (200, {"status": "IN_QUEUE"}),
    ),
    "a field of the worker list that is missing": Difference(
        found_by=("worker-fields",),
        method="GET",
        path=at_end("/workers"),
        change=on_success(lambda _, body: [one.pop("isStale") for one in body.get("workers", [])]),
    ),
    "422 for a wrong job": Difference(
        found_by=("run-refusals",),
        method="POST",
        path=at_end("/run"),
        change=lambda _, was, body: (422, body) if was == 400 else None,
    ),
    "another field of the job object": Difference(
        found_by=("job-fields",),
        method="GET",
        path=lambda path: "/status/" in path,
        change=on_success(lambda _, body: body.update(retries=0)),
    ),
}


@pytest.mark.parametrize(
    ("stages", "rows"),
    [(("buckets",), BUCKETS), (("worker",), WORKER), (("jobs",), JOBS)],
    ids=["buckets", "worker", "jobs"],
)
def test_differences_of_a_slower_stage_are_found_together(
    platforms: Platforms, stages: tuple[str, ...], rows: Mapping[str, Difference]
) -> None:
    """All in one run, which takes seconds: each answer is changed by one of them only."""
    platforms.proxy.change = first_that_changes(rows)
    results = platforms.verification(*stages).run()
    platforms.proxy.change = None
    assert {one.check for one in differences(results)} == {name for row in rows.values() for name in row.found_by}


def first_that_changes(rows: Mapping[str, Difference]) -> Change:
    def change(request: httpx.Request, answer: httpx.Response, body: bytes) -> httpx.Response | None:
        for row in rows.values():
            changed = row(request, answer, body)
            if changed is not None:
                return changed
        return None

    return change


def test_there_are_more_than_ten_differences() -> None:
    assert sum(map(len, (MANAGEMENT, CHANGES, ACCOUNT, BUCKETS, WORKER, JOBS))) >= 20
