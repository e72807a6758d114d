"""Dynamic provider of the RunPod endpoint: Pulumi's calls in, client and model out.
Thin: every rule lives in model and catalog; the key comes from `configure`, never from props."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from infra.plain_errors import speaks_plainly
from infra.runpod import catalog, errors, model, plan
from infra.runpod.account import MissingKey, StillThere, client_from_config
from infra.runpod.client import RunPodClient
from infra.unknown import as_text

# Deterministic per resource and known before the first call: how a re-run finds what a lost answer hid.
MARKER = "SPLAT_DEPLOYMENT"
DELETE_WAIT_S = 60.0
DELETE_POLL_S = 0.5
LOOK_AGAIN_S = (0.5, 2.0)  # a list may lag behind a create whose answer was lost

Props = dict[str, Any]


@speaks_plainly(errors.RunPodError, model.NotInPlace, MissingKey, StillThere)
class EndpointProvider(ResourceProvider):
    """create, read, update, delete of one serverless endpoint. Stateless after `configure`, since one
    object serves several threads."""

    _client: RunPodClient

    def configure(self, req: ConfigureRequest) -> None:
        self._client = client_from_config(req)

    def check(self, olds: Props, news: Props) -> CheckResult:
        """Resolve GPU names through the live catalogue, and refuse what the API would refuse."""
        news = as_text(news)
        failures = [CheckFailure(f.property, f.reason) for f in plan.refusals(news)]
        if failures:
            return CheckResult(news, failures)
        inputs = dict(news)
        today = datetime.now(UTC).date()
        try:
            if plan.compute_is_unknown(news):
                inputs.update(gpu=plan.UNKNOWN, price=plan.UNKNOWN)
            elif news.get("cpu"):
                flavours = catalog.read_cpus(self._client.list_cpus())
                inputs.update(plan.with_cpu(olds, news, flavours, today=today))
            else:
                gpus = catalog.read_catalog(self._client.list_gpus())
                inputs.update(plan.with_gpu(olds, news, gpus, today=today))
        except catalog.NotOffered as problem:
            failures.append(CheckFailure("cpu" if news.get("cpu") else "gpuNames", str(problem)))
        except (errors.Unreachable, errors.OutcomeUnknown, errors.Broken):
            # The catalogue being down must not stop a destroy or a change that has nothing to do with cards.
            kept = plan.kept_compute(olds, news)
            if kept is None:
                raise
            inputs.update(kept)
        if not failures:
            refused = (*self._nothing_to_adopt(olds, inputs), *self._over_quota(olds, inputs))
            failures += [CheckFailure(f.property, f.reason) for f in refused]
        return CheckResult(inputs, failures)

    def diff(self, id_: str, olds: Props, news: Props) -> DiffResult:
        news, unknown = plan.without_unknown(olds, news)
        changes = model.diff(model.from_wire(olds), model.from_wire(news))
        replaces = [c.path.partition(".")[0] for c in changes if c.effect is model.Effect.REPLACE]
        adopted = plan.adopts_another(id_, olds, news)
        return DiffResult(
            changes=bool(changes) or unknown or plan.echoes_differ(olds, news) or adopted,
            replaces=sorted({*replaces, *(["adoptId"] if adopted else [])}),
            # Both would count against the worker quota, and share one marker.
            delete_before_replace=True,
        )

    def create(self, props: Props) -> CreateResult:
        """Adopt what `adoptId` names or what carries our marker, else make one."""
        wanted = model.from_wire(props)
        adopted = props.get("adoptId")
        found = self._client.get_endpoint(str(adopted)) if adopted else self._find_or_make(wanted)
        settled = self._settle(found, wanted)
        return CreateResult(str(settled["id"]), plan.outputs(props, settled))

    def read(self, id_: str, props: Props) -> ReadResult:
        """What is there now, as inputs and outputs, so that drift shows in the next plan. Gone is gone."""
        try:
            body = self._client.get_endpoint(id_)
        except errors.NotFound:
            return ReadResult("", {}, {})
        known = model.from_wire(props)
        now = model.align(known, _understood(body))
        for sentence in model.explain_drift(model.diff(known, now)):
            print(f"drift: {sentence}")  # the engine shows a provider's stdout as this resource's diagnostics
        outs = plan.outputs({**props, **plan.cleared(known, now), **model.to_wire(now)}, body)
        return ReadResult(id_, outs, plan.inputs_of(outs))

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        body = model.patch(model.from_wire(olds), model.from_wire(news))
        found = self._client.update_endpoint(id_, body) if body else self._client.get_endpoint(id_)
        return UpdateResult(plan.outputs(news, found))

    def delete(self, id_: str, _props: Props) -> None:
        """Delete and wait until it is gone; already gone is done. RunPod cancels what still runs."""
        self._tell_of_running_jobs(id_)
        try:
            self._client.delete_endpoint(id_)
        except errors.NotFound:
            return
        except errors.Rejected:
            # Not documented for v2, but the older API wanted the workers at zero first (facts 1.3).
            self._client.update_endpoint(id_, {"workers": {"min": 0, "max": 0}})
            self._client.delete_endpoint(id_)
        self._wait_until_gone(id_)

    # ------------------------------------------------------------------------------------------

    def _find_or_make(self, wanted: model.Endpoint) -> Mapping[str, Any]:
        marker = wanted.env.get(MARKER, "")
        found = self._marked(marker)
        if found is not None:
            return found
        try:
            return self._client.create_endpoint(model.to_wire(wanted))
        except (errors.OutcomeUnknown, errors.Broken, errors.Misunderstood):
            for pause_s in LOOK_AGAIN_S:
                time.sleep(pause_s)
                found = self._marked(marker)
                if found is not None:
                    return found
            raise

    def _marked(self, marker: str) -> Mapping[str, Any] | None:
        """The endpoint that carries our marker; of several the oldest, the others being ours too, deleted."""
        if not marker:
            return None
        ours = [e for e in self._client.list_endpoints() if (e.get("env") or {}).get(MARKER) == marker]
        ours.sort(key=lambda endpoint: (str(endpoint.get("createdAt")), str(endpoint["id"])))
        for twin in ours[1:]:
            print(f"deleting endpoint {twin['id']}: made twice by an interrupted run")
            self.delete(str(twin["id"]), {})
        return ours[0] if ours else None

    def _settle(self, found: Mapping[str, Any], wanted: model.Endpoint) -> Mapping[str, Any]:
        """Bring an adopted endpoint to what is declared; a fresh one already is."""
        now = model.align(wanted, _understood(found))
        body = model.patch(now, wanted)
        return self._client.update_endpoint(str(found["id"]), body) if body else found

    def _nothing_to_adopt(self, olds: Props, news: Props) -> tuple[plan.Refusal, ...]:
        """A refusal when `adoptId` newly names an endpoint that is not there, or that another stack's `destroy` would
        delete: in the plan, not amid an `up`."""
        named = news.get("adoptId")
        if not named or named == olds.get("adoptId"):
            return ()
        try:
            found = self._client.get_endpoint(str(named))
        except errors.NotFound:
            reason = (
                f"photo-splat:adoptEndpointId is {named}, but the account of runpod:apiKey has no such endpoint: "
                "correct it, or remove it where the stack has its endpoint already"
            )
            return (plan.Refusal(property="adoptId", reason=reason),)
        mark = (found.get("env") or {}).get(MARKER)
        # An unknown mark is one that is not made yet, so nothing can carry it.
        if mark and mark != (news.get("env") or {}).get(MARKER):
            reason = (
                f"photo-splat:adoptEndpointId is {named}, which another stack of this project has: destroy that stack, "
                f"or take the endpoint out of its state (pulumi state delete) and remove its variable {MARKER}"
            )
            return (plan.Refusal(property="adoptId", reason=reason),)
        return ()

    def _over_quota(self, olds: Props, news: Props) -> tuple[plan.Refusal, ...]:
        if not plan.raises_workers(olds, news):
            return ()
        try:
            limits = self._client.account_limits()
            others = self._client.list_endpoints()
        except errors.RunPodError:
            return ()  # the key may not read it, or the path is not there: the API will say it at create
        return plan.over_quota(news, others, limits, marker_key=MARKER)

    def _tell_of_running_jobs(self, id_: str) -> None:
        try:
            running = int((self._client.list_workers(id_).get("summary") or {}).get("running", 0))
        except errors.RunPodError:
            return  # only a courtesy; the deletion says what is wrong
        if running:
            print(f"endpoint {id_} has {running} worker(s) with a job: deleting it cancels their jobs")

    def _wait_until_gone(self, id_: str) -> None:
        deadline = time.monotonic() + DELETE_WAIT_S
        while time.monotonic() < deadline:
            try:
                self._client.get_endpoint(id_)
            except errors.NotFound:
                return
            time.sleep(DELETE_POLL_S)
        raise StillThere(
            f"endpoint {id_} still answers {DELETE_WAIT_S:.0f} s after RunPod accepted its deletion: "
            "look at it in the RunPod console, then run `pulumi destroy` again"
        )


def _understood(body: Mapping[str, Any]) -> model.Endpoint:
    """An endpoint as the API returned it. Raises Misunderstood where it is not what this version knows."""
    try:
        return model.from_wire(body)
    except ValueError as problem:
        raise errors.Misunderstood(
            f"the answer holds what this version does not know: {problem}",
            call=f"GET /serverless/{body.get('id')}",
            advice="set the field to a known value in the RunPod console, or update this program.",
        ) from None
