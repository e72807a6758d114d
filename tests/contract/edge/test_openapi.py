"""Schemathesis drives the running edge worker from its own OpenAPI document, with valid and invalid requests.
No answer is a 5xx, and every answer has a described status, type and shape."""

from __future__ import annotations

import re
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.schemas import APIOperation, BaseSchema

from .conftest import TOKEN, Edge

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

# Of each operation, of each kind; the same in every run.
EXAMPLES = 8
BOUNDED = settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
NEVER_DONE = {
    "GET /api/oembed",
    "GET /api/projects/{id}/artifacts/{name}",
    "GET /api/projects/{id}/cover",
    "GET /api/projects/{id}/edit/estimate",
    "GET /api/projects/{id}/events",
    "GET /api/projects/{id}/photos/{as}",
    "GET /api/shared/{token}/artifacts/{name}",
    "GET /api/shared/{token}/cover",
    "POST /api/alerts/test",
    "POST /api/hooks/progress/{capability}",
    "POST /api/hooks/runpod/{capability}",
    "POST /api/projects/{id}/covers",
    "POST /api/projects/{id}/edit/apply",
    "POST /api/projects/{id}/edit/undo",
    "POST /api/projects/{id}/jobs",
    "POST /api/projects/{id}/jobs/cancel",
    "POST /api/projects/{id}/jobs/retry",
    "POST /api/projects/{id}/notifications",
    "POST /api/projects/{id}/photos/{as}/parts",
    "POST /api/projects/{id}/thumbnails",
    "PUT /api/projects/{id}/edit",
    "PUT /api/projects/{id}/shown",
}
OEMBED = "GET /api/oembed"
EDIT = "PUT /api/projects/{id}/edit"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def document(edge: Edge) -> BaseSchema:
    """The document as anybody gets it, with path parameters that exist."""
    schema = schemathesis.openapi.from_url(f"{edge.url}/api/openapi.json")

    @schema.hook
    def map_path_parameters(context: Any, path_parameters: Any) -> Any:
        """Replaces valid ids, which no generator can guess, by existing ones. Ids that are invalid on purpose stay."""
        known = {"id": edge.project, "as": edge.photo, "share_id": edge.share, "token": edge.token}
        if (context.operation.method, context.operation.path) == ("delete", "/api/projects/{id}"):
            known["id"] = edge.doomed.pop() if edge.doomed else "p_0000000000000000"
        patterns = {one.name: one.definition["schema"].get("pattern") for one in context.operation.path_parameters}
        return {
            name: known[name] if name in known and re.fullmatch(patterns[name], str(value)) else value
            for name, value in (path_parameters or {}).items()
        }

    return schema


def excluded(case: schemathesis.Case, response: schemathesis.Response) -> list[Any]:
    """A request that fits the schema can still hold another tag than the project's (412), exceed a configured limit
    (413), miss the websocket upgrade (426), ask oEmbed for a format that its specification answers with 501, or turn
    a scene up by a vector without a length, which no schema can tell."""
    no_length = case.operation.label == EDIT and response.status_code == 400 and "must have length 1" in response.text
    if case.operation.label == OEMBED and response.status_code == 501:
        return [checks.positive_data_acceptance, checks.not_a_server_error]
    return [checks.positive_data_acceptance] if no_length or response.status_code in (412, 413, 426) else []


def operations(schema: BaseSchema) -> list[APIOperation[Any, Any, Any]]:
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) > 25
    return found


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.value))
def test_every_exchange_is_as_described(document: BaseSchema, mode: GenerationMode, subtests: pytest.Subtests) -> None:
    succeeded: set[str] = set()
    for operation in operations(document):

        @BOUNDED
        @given(case=operation.as_strategy(generation_mode=mode))
        def exchange(case: schemathesis.Case) -> None:
            response = case.call(headers=HEADERS)
            if response.status_code < 300:
                succeeded.add(case.operation.label)
            case.validate_response(response, headers=HEADERS, excluded_checks=excluded(case, response))

        with subtests.test(f"{operation.label}"):
            exchange()
    if mode is GenerationMode.POSITIVE:
        # The others get valid requests and refuse them: no scene, no clip, no job, no worker's signature, no
        # websocket, no receiver of alerts, no address of a link.
        assert {operation.label for operation in operations(document)} - succeeded == NEVER_DONE
