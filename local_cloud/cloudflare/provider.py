"""The provider double: Pulumi's provider protocol on one side, the runtime's control API on the other.
Replaces pulumi-resource-cloudflare for the unmodified SDK; holds no state of its own."""

from __future__ import annotations

import os
import re
import sys
from concurrent import futures
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from pulumi.runtime import rpc
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

from local_cloud.cloudflare import resources
from local_cloud.cloudflare.control import Control, ControlError
from local_cloud.cloudflare.resources import KINDS, Kind, Props

VERSION = "6.23.1"  # version of the SDK
TOKEN_FORM = re.compile(r"^[0-9A-Za-z_-]{40,80}$")  # the real provider rejects others before any call
ENGINE_POLL_S = 2.0
MESSAGE_BYTES_MAX = 400 * 1024 * 1024


def unknown(value: Any) -> bool:
    """Whether a value is not known yet, at any depth."""
    if isinstance(value, dict):
        return any(unknown(inner) for inner in value.values())
    if isinstance(value, list):
        return any(unknown(inner) for inner in value)
    return bool(value == rpc.UNKNOWN)


def plain(struct: struct_pb2.Struct) -> Props:
    """A message's properties as Python values: whole numbers as int, nulls left out, secrets unwrapped
    (Configure declines secrets, but an older engine can send them)."""
    return {key: _plain(value) for key, value in MessageToDict(struct).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if rpc._special_sig_key in value:
            return _plain(value.get("value"))
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def message(props: Props) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    ParseDict(props, struct)
    return struct


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, text: str) -> NoReturn:
    context.abort(code, text)
    raise AssertionError("abort raises")


class CloudflareDouble(provider_pb2_grpc.ResourceProviderServicer):
    """Paths in inputs are relative to `base`, the folder in which the engine starts a provider."""

    def __init__(self, *, base: Path) -> None:
        self._base = base
        self._control: Control | None = None

    def Handshake(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=False, accept_resources=True, accept_outputs=False)

    def Attach(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        # An engine can use a provider that runs already (PULUMI_DEBUG_PROVIDERS), as with real providers.
        return empty_pb2.Empty()

    def GetPluginInfo(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, _context: grpc.ServicerContext) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, _context: grpc.ServicerContext) -> Any:
        # A new token or address takes effect at once; nothing is replaced, because it is the same cloud.
        kinds = provider_pb2.DiffResponse
        return kinds(changes=kinds.DIFF_NONE if plain(request.olds) == plain(request.news) else kinds.DIFF_SOME)

    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        args = plain(request.args)
        token = str(args.get("apiToken") or os.environ.get("CLOUDFLARE_API_TOKEN", ""))
        url = str(args.get("baseUrl") or os.environ.get("CLOUDFLARE_BASE_URL", ""))
        if not TOKEN_FORM.match(token):
            _abort(context, grpc.StatusCode.INVALID_ARGUMENT, "cloudflare:apiToken must be 40 to 80 of 0-9 A-Z a-z _ -")
        if not url:
            _abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                "this is the local double of the Cloudflare provider. It needs cloudflare:baseUrl, the control address "
                "of the local runtime. For a cloud stack, remove local_cloud/cloudflare/bin from PATH",
            )
        self._control = Control(url=url, token=token)
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True, acceptResources=True)

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind, news = self._kind(request.urn, context), plain(request.news)
        failures = list(resources.missing_or_unknown(kind, news))
        if kind.name == "WorkersScript":
            failures += resources.script_failures(news, self._base, unknown)
        return provider_pb2.CheckResponse(
            inputs=message(news),
            failures=[provider_pb2.CheckFailure(property=name, reason=reason) for name, reason in failures],
        )

    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = self._kind(request.urn, context)
        differing = resources.changes(kind, plain(request.olds), plain(request.news), self._base, unknown)
        differing = tuple(key for key in differing if key not in set(request.ignoreChanges))
        replaces = [key for key in differing if key in kind.replaces]
        kinds = provider_pb2.PropertyDiff
        return provider_pb2.DiffResponse(
            changes=provider_pb2.DiffResponse.DIFF_SOME if differing else provider_pb2.DiffResponse.DIFF_NONE,
            diffs=list(differing),
            replaces=replaces,
            deleteBeforeReplace=bool(replaces),
            hasDetailedDiff=bool(differing),
            detailedDiff={
                key: kinds(kind=kinds.UPDATE_REPLACE if key in replaces else kinds.UPDATE, inputDiff=True)
                for key in differing
            },
        )

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind, inputs = self._kind(request.urn, context), plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(id="", properties=message(self._previewed(kind, inputs, {})))
        identity = str(inputs[kind.identity]) if kind.identity else "new"
        answered = self._put(kind, identity, inputs, context)
        outs = resources.outputs(kind, inputs, answered, self._base)
        return provider_pb2.CreateResponse(
            id=identity if kind.identity else str(answered["id"]), properties=message(outs)
        )

    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = self._kind(request.urn, context)
        state, inputs = plain(request.properties), plain(request.inputs)
        parts = resources.import_parts(kind, request.id)
        identity = str(parts[kind.identity]) if parts and kind.identity else request.id
        answered = self._call(context, lambda control: control.get(kind.name, identity))
        if answered is None or resources.is_elsewhere(parts, answered):
            return provider_pb2.ReadResponse(id="")
        state = {**parts, **state}
        outs = resources.read_back(kind, state, answered)
        known = inputs or {key: outs[key] for key in (*kind.required, *kind.optional) if key in outs}
        fresh = {key: outs[key] for key in known if key in outs and key not in {"assets", "bindings"}}
        return provider_pb2.ReadResponse(id=identity, properties=message(outs), inputs=message({**known, **fresh}))

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind, inputs = self._kind(request.urn, context), plain(request.news)
        olds = plain(request.olds)
        if request.preview:
            return provider_pb2.UpdateResponse(properties=message(self._previewed(kind, inputs, olds)))
        answered = self._put(kind, request.id, inputs, context)
        return provider_pb2.UpdateResponse(properties=message(resources.outputs(kind, inputs, answered, self._base)))

    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        kind = self._kind(request.urn, context)
        if not kind.delete_is_no_op:
            self._call(context, lambda control: control.delete(kind.name, request.id))
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: grpc.ServicerContext) -> Any:
        return empty_pb2.Empty()

    def _kind(self, urn: str, context: grpc.ServicerContext) -> Kind:
        token = urn.split("::")[2].rpartition("$")[2]
        kind = KINDS.get(token)
        if kind is None:
            _abort(
                context,
                grpc.StatusCode.UNIMPLEMENTED,
                f"the local Cloudflare double has no {token}; it has {', '.join(k.name for k in KINDS.values())}",
            )
        return kind

    def _previewed(self, kind: Kind, inputs: Props, olds: Props) -> Props:
        """The state that a preview shows: computed outputs are unknown until the update."""
        computed = {key: olds.get(key, rpc.UNKNOWN) for key in kind.computed if inputs.get(key) is None}
        return {**inputs, **computed}

    def _put(self, kind: Kind, identity: str, inputs: Props, context: grpc.ServicerContext) -> Props:
        props = resources.for_control(kind, inputs, self._base)
        answered = self._call(context, lambda control: control.put(kind.name, identity, props))
        assert answered is not None
        return answered

    def _call(self, context: grpc.ServicerContext, call: Any) -> Props | None:
        if self._control is None:
            _abort(context, grpc.StatusCode.FAILED_PRECONDITION, "the provider is not configured")
        try:
            answer: Props | None = call(self._control)
            return answer
        except ControlError as problem:
            _abort(context, grpc.StatusCode.UNKNOWN, str(problem))


def serve(base: Path) -> tuple[grpc.Server, int]:
    """Start on a free port of 127.0.0.1; returns the server and its port."""
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=8),
        options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.max_send_message_length", -1)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(CloudflareDouble(base=base), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> None:
    server, port = serve(Path.cwd())
    sys.stdout.write(f"{port}\n")  # the engine reads the port from the first line
    sys.stdout.flush()
    engine = os.getppid()
    try:
        # A killed engine cannot end its plugins, so they watch it.
        while os.getppid() == engine:
            Event().wait(ENGINE_POLL_S)
    except KeyboardInterrupt:
        pass
    server.stop(None)


if __name__ == "__main__":
    main()
