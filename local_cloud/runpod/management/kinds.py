"""What registries, secrets and volumes have in common: a list, and objects to make, read, change and delete.
Knows no kind's fields or rules; each kind says what is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..http import Handler, platform_of
from ..platform import Platform
from ..problems import not_found, unprocessable
from ..state import Account
from .guard import management_route, read_body
from .wire import Body


class Held(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=Held)
New = TypeVar("New", bound=Body)
Changes = TypeVar("Changes", bound=Body)


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[T, New, Changes]):
    """`make` and `change` get a checked body of the kind beside them and raise Problem; what they return is
    stored. `let_go` runs after an object has been taken out. Without `change` there is no PATCH."""

    path: str
    listed_as: str
    noun: str
    held: Callable[[Account], dict[str, T]]
    to_wire: Callable[[T], dict[str, Any]]
    body_of_post: type[New]
    make: Callable[[Platform, New], T]
    body_of_patch: type[Changes]
    change: Callable[[Platform, T, Changes], T] | None = None
    let_go: Callable[[Platform, T], None] | None = None
    wanted: Callable[[Request, T], bool] = lambda _request, _one: True

    def routes(self) -> list[Route]:
        of_one: dict[str, Handler] = {"GET": self._get, "DELETE": self._delete}
        if self.change is not None:
            of_one["PATCH"] = self._patch
        return [
            management_route(self.path, {"GET": self._list, "POST": self._create}),
            management_route(f"{self.path}/{{id}}", of_one),
        ]

    async def _list(self, request: Request) -> Response:
        found = [one for one in self.held(platform_of(request).account).values() if self.wanted(request, one)]
        return JSONResponse({self.listed_as: [self.to_wire(one) for one in found]})

    async def _create(self, request: Request) -> Response:
        body = await read_body(request, self.body_of_post)
        return self._stored(request, self.make(platform_of(request), body), 201)

    async def _get(self, request: Request) -> Response:
        return JSONResponse(self.to_wire(self._found(request)))

    async def _patch(self, request: Request) -> Response:
        assert self.change is not None
        self._found(request)
        body = await read_body(request, self.body_of_patch)
        if not body.model_fields_set:
            raise unprocessable(["$: minProperties: got 0, want 1"])
        # Looked up again: while the body came in, another call may have changed or deleted it.
        return self._stored(request, self.change(platform_of(request), self._found(request), body), 200)

    async def _delete(self, request: Request) -> Response:
        platform, one = platform_of(request), self._found(request)
        del self.held(platform.account)[one.id]
        if self.let_go is not None:
            self.let_go(platform, one)
        platform.save()
        return Response(status_code=204)

    def _stored(self, request: Request, one: T, status: int) -> Response:
        platform = platform_of(request)
        self.held(platform.account)[one.id] = one
        platform.save()
        return JSONResponse(self.to_wire(one), status_code=status)

    def _found(self, request: Request) -> T:
        one = self.held(platform_of(request).account).get(request.path_params["id"])
        if one is None:
            raise not_found(self.noun)
        return one
