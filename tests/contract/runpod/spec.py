"""Checks single exchanges against the published OpenAPI document.
Talks to no server; returns the rules that an answer breaks."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from scripts.gitops.published import copy

# Documented on newer pages only; see specs/README.md.
NOT_IN_THE_DOCUMENT = re.compile(r"/v2/account/limits")
MANAGEMENT = re.compile(r"/v2/(serverless|registries|network-volumes|catalog|billing|account)(/|$)")


@functools.cache
def document() -> dict[str, Any]:
    """The published document with the patch of specs/README.md."""
    return copy()


@functools.cache
def _templates() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Longest literal prefix first, so that `/registries/delegations` wins over `/registries/{id}`."""
    paths = sorted(document()["paths"], key=lambda path: (path.count("{"), -len(path)))
    return tuple((re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in paths)


def operation(method: str, path: str) -> Mapping[str, Any] | None:
    for pattern, template in _templates():
        if pattern.fullmatch(path):
            found = document()["paths"][template].get(method.lower())
            return found
    return None


def violations(method: str, path: str, status: int, content_type: str, body: bytes) -> list[str]:
    """The rules that an answer on a management path breaks; empty when it is as published."""
    if not MANAGEMENT.match(path) or NOT_IN_THE_DOCUMENT.fullmatch(path):
        return []
    found = operation(method, path)
    if found is None:
        return [] if status in (404, 405) else [f"{method} {path} is no operation but answered {status}"]
    answer = found["responses"].get(str(status)) or found["responses"].get("default")
    answer = _resolved(answer)
    content = answer.get("content")
    if content is None:
        return [f"{status} should have no body"] if body else []
    media = content_type.split(";")[0]
    if media not in content:
        return [f"content type {media!r}, published {sorted(content)}"]
    if media == "text/event-stream":
        return []
    return schema_violations(content[media]["schema"], json.loads(body))


def schema_violations(schema: Mapping[str, Any], value: Any) -> list[str]:
    rooted = {"components": document()["components"], **schema}
    checker = Draft202012Validator(rooted, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in checker.iter_errors(value)]


def _resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = document()
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return target
