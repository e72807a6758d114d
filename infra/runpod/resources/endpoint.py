"""The serverless endpoint as a Pulumi resource, and its dynamic provider: Pulumi's calls in, client and model out.
The key comes from `configure`, never from props."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from infra.dynamic import UNKNOWN, Props, has_unknown, plain_errors, unknown_as_text
from infra.runpod import catalog, errors, model, validation
from infra.runpod.client import RunPodClient, client_from_config

DELETE_WAIT_S = 60.0
DELETE_POLL_S = 0.5
RETRY_LIST_S = (0.5, 2.0)  # a list may lag behind a create whose answer was lost
# Only the service knows these; everything else in props is an input.
_OUTPUTS = ("requestUrls", "createdAt")
# Inputs that are not part of the endpoint object; the state alone holds them.
_ECHOED = (*catalog.ASKED, "price", "card")


@plain_errors(errors.RunPodError, errors.MissingKey, errors.DeletionTimedOut, model.NotInPlace)
class EndpointProvider(ResourceProvider):
    """Create, read, update and delete one serverless endpoint. Stateless after `configure`, since one object serves
    several threads."""

    _client: RunPodClient

    def configure(self, req: ConfigureRequest) -> None:
        self._client = client_from_config(req.config)

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Resolve GPU names through the live catalogue, and refuse what cannot work before anything is touched."""
        inputs = unknown_as_text(news)
        try:
            inputs.update(self._resolved(olds, inputs))
        except catalog.NotOffered as problem:
            return CheckResult(inputs, [CheckFailure("gpuNames", f"photo-splat:gpu: {problem}")])
        return CheckResult(inputs, [CheckFailure(name, reason) for name, reason in self._refusals(olds, inputs)])

    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        unknown = [key for key, value in news.items() if key not in _OUTPUTS and has_unknown(value)]
        news = {**news, **{key: olds.get(key) for key in unknown}}
        changes = model.diff(model.canonical(olds), model.canonical(news))
        echoes = any((olds.get(key) or None) != (news.get(key) or None) for key in _ECHOED)
        adopted = validation.adopts_another(id_, olds, news)
        return DiffResult(
            changes=bool(changes or unknown or echoes or adopted),
            replaces=["adoptId"] if adopted else [],
            # Both would count against the worker quota, and share one marker.
            delete_before_replace=True,
        )

    def create(self, props: Props) -> CreateResult:
        """Adopt the endpoint that `adoptId` names or that carries our marker, else create one."""
        wanted = model.canonical(props)
        adopted = props.get("adoptId")
        found = self._client.get_endpoint(str(adopted)) if adopted else self._find_or_create(wanted)
        body = model.patch(model.align(wanted, _understood(found)), wanted)
        if body:
            found = self._client.update_endpoint(str(found["id"]), body)
        return CreateResult(str(found["id"]), _state(props, found))

    def read(self, id_: str, props: Props) -> ReadResult:
        """What exists now, as inputs and outputs, so that the next plan shows drift. A deleted endpoint has no id."""
        try:
            body = self._client.get_endpoint(id_)
        except errors.NotFound:
            return ReadResult("", {}, {})
        known = model.canonical(props)
        now = model.align(known, _understood(body))
        for sentence in model.explain_drift(model.diff(known, now)):
            print(f"drift: {sentence}")  # the engine shows a provider's stdout as this resource's diagnostics
        emptied = {name: model.FIELDS[name].empty for name in known.keys() - now.keys()}
        state = _state({**props, **emptied, **now}, body)
        return ReadResult(id_, state, _inputs(state))

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        body = model.patch(model.canonical(olds), model.canonical(news))
        found = self._client.update_endpoint(id_, body) if body else self._client.get_endpoint(id_)
        return UpdateResult(_state(news, found))

    def delete(self, id_: str, _props: Props) -> None:
        delete_endpoint(self._client, id_)

    def _resolved(self, olds: Props, news: Props) -> Props:
        if any(has_unknown(news.get(key)) for key in catalog.ASKED):
            return dict.fromkeys(catalog.RESOLVED, UNKNOWN)
        try:
            gpus = catalog.read_catalog(self._client.list_gpus())
        except (errors.Unreachable, errors.OutcomeUnknown, errors.ServerError):
            # Without the catalogue a destroy, or a change that has nothing to do with cards, still works.
            before = catalog.resolved_before(olds, news)
            if before is None:
                raise
            return before
        return catalog.resolve(olds, news, gpus, today=datetime.now(UTC).date())

    def _refusals(self, olds: Props, news: Props) -> Iterator[tuple[str, str]]:
        """(input, reason) of everything that cannot work."""
        if reason := validation.fixed_image(news):
            yield "image", reason
        if news.get("adoptId") and news["adoptId"] != olds.get("adoptId"):
            try:
                found = self._client.get_endpoint(str(news["adoptId"]))
            except errors.NotFound:
                found = None
            if reason := validation.adoptable(news, found):
                yield "adoptId", reason
        if validation.raises_workers(olds, news):
            try:
                limits, endpoints = self._client.account_limits(), self._client.list_endpoints()
            except errors.RunPodError:
                return  # the key may not read it, or the path does not exist: the create reports it
            if reason := validation.within_quota(news, endpoints, limits):
                yield "workers.max", reason

    def _find_or_create(self, wanted: model.Wire) -> Mapping[str, Any]:
        marker = str(validation.marker_of(wanted) or "")
        found = self._marked(marker)
        if found is not None:
            return found
        try:
            return self._client.create_endpoint(wanted)
        except (errors.OutcomeUnknown, errors.ServerError, errors.UnexpectedAnswer):
            for pause_s in RETRY_LIST_S:
                time.sleep(pause_s)
                found = self._marked(marker)
                if found is not None:
                    return found
            raise

    def _marked(self, marker: str) -> Mapping[str, Any] | None:
        """The oldest endpoint with our marker. Newer ones are duplicates of ours, and are deleted."""
        ours = marked_endpoints(self._client, marker) if marker else []
        for duplicate in ours[1:]:
            print(f"deleting endpoint {duplicate['id']}: an interrupted run created it twice")
            delete_endpoint(self._client, str(duplicate["id"]))
        return ours[0] if ours else None


def marked_endpoints(client: RunPodClient, marker: str) -> list[Mapping[str, Any]]:
    """Endpoints with exactly this marker, oldest first."""
    found = [one for one in client.list_endpoints() if validation.marker_of(one) == marker]
    return sorted(found, key=lambda one: (str(one.get("createdAt")), str(one["id"])))


def delete_endpoint(client: RunPodClient, id_: str) -> None:
    """Delete and wait until it is gone; already gone is done. RunPod cancels the jobs that still run."""
    try:
        running = int((client.list_workers(id_).get("summary") or {}).get("running", 0))
        if running:
            print(f"endpoint {id_} has {running} worker(s) with a job: deleting it cancels their jobs")
    except errors.RunPodError:
        pass  # only a courtesy; the deletion reports what is wrong
    try:
        client.delete_endpoint(id_)
    except errors.NotFound:
        return
    except errors.Rejected:
        # Not documented for v2, but the older API wanted the workers at zero first (facts 1.3).
        client.update_endpoint(id_, {"workers": {"min": 0, "max": 0}})
        client.delete_endpoint(id_)
    deadline = time.monotonic() + DELETE_WAIT_S
    while time.monotonic() < deadline:
        try:
            client.get_endpoint(id_)
        except errors.NotFound:
            return
        time.sleep(DELETE_POLL_S)
    raise errors.DeletionTimedOut(
        f"Endpoint {id_} still exists {DELETE_WAIT_S:.0f} s after RunPod accepted its deletion. Check it in the RunPod "
        "console, then run `pulumi destroy` again."
    )


def _inputs(state: Mapping[str, Any]) -> Props:
    return {key: value for key, value in state.items() if key not in (*_OUTPUTS, "__provider")}


def _state(inputs: Mapping[str, Any], body: Mapping[str, Any]) -> Props:
    """Inputs as given, and what only the service knows."""
    return {
        **_inputs(inputs),
        "requestUrls": dict(body.get("requestUrls") or {}),
        "createdAt": str(body.get("createdAt")),
    }


def _understood(body: Mapping[str, Any]) -> model.Wire:
    """An endpoint as the API returned it. Raises UnexpectedAnswer when it has another shape than published."""
    try:
        return model.canonical(body)
    except ValueError as problem:
        raise errors.UnexpectedAnswer(
            str(problem),
            call=f"GET /serverless/{body.get('id')}",
            advice="correct the field in the RunPod console, or update this program.",
        ) from None


class Endpoint(Resource, module="runpod", name="Endpoint"):
    """One serverless endpoint. `inputs` are those of `infra.components.endpoint.endpoint_inputs`. `gpu`, `price` and
    `card` come back resolved from the live catalogue."""

    gpu: pulumi.Output[Mapping[str, Any]]
    price: pulumi.Output[Mapping[str, Any]]
    card: pulumi.Output[Mapping[str, Any] | None]

    def __init__(
        self, resource_name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        computed = dict.fromkeys((*catalog.RESOLVED, *_OUTPUTS))
        super().__init__(EndpointProvider(), resource_name, {**inputs, **computed}, opts)
