"""Cursor pagination of lists: `cursor` and `limit` of a call, `pagination` of its answer (spec: Pagination).
Slices a list that is already in its order; knows no fields of its items."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from starlette.requests import Request

from local_cloud.runpod.api.http import platform_of
from local_cloud.runpod.core import limits
from local_cloud.runpod.core.problems import unprocessable

T = TypeVar("T")


def page(request: Request, items: Sequence[T]) -> tuple[Sequence[T], dict[str, Any]]:
    """The items of the page that `cursor` and `limit` ask for, and the `pagination` block. 422 for a limit outside
    1 to 1000 and for a cursor of another list."""
    largest = platform_of(request).settings.list_page_max
    size, start = min(_limit(request), largest), _start(request)
    end = start + size
    more = end < len(items)
    return items[start:end], {"nextCursor": _cursor(request, end) if more else None, "hasNextPage": more}


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(limits.LIST_PAGE_MAX))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= limits.LIST_PAGE_MAX:
        raise unprocessable([f"limit: must be a whole number from 1 to {limits.LIST_PAGE_MAX}"])
    return int(text)


def _cursor(request: Request, start: int) -> str:
    return base64.urlsafe_b64encode(f"{request.url.path} {start}".encode()).decode()


def _start(request: Request) -> int:
    cursor = request.query_params.get("cursor", "")
    if not cursor:
        return 0
    try:
        path, start = base64.urlsafe_b64decode(cursor).decode().rsplit(" ", 1)
        if path == request.url.path:
            return int(start)
    except (binascii.Error, ValueError):
        pass
    raise unprocessable(["cursor: not a cursor of this list"])
