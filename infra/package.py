"""The service as a Pulumi package, for programs in other languages: `photo-splat:index:SplatService` as a remote
component (docs/decisions/0035). Its arguments are the keys of docs/configuration.md, generated from the settings.

Without `from __future__ import annotations`: Pulumi derives the schema from annotations, and needs types there."""

import inspect
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, TypedDict, Union, get_args, get_origin

import pulumi
from pulumi.errors import InputPropertiesError
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError
from pydantic.alias_generators import to_camel

from infra import service
from infra.refusals import REFUSALS
from infra.settings.load import load
from infra.settings.model import NAMESPACE, Setting, all_settings

VERSION = "0.1.0"
CHECKOUT = Path(__file__).resolve().parents[1]
KEYS: Mapping[str, Setting] = {
    one.key.partition(":")[2]: one for one in all_settings() if one.key.startswith(f"{NAMESPACE}:")
}


def _type(setting: Setting) -> Any:
    """What the schema has for a setting: integer, number, boolean, a list of strings, or a string."""
    kind = setting.info.annotation
    if get_origin(kind) in (Union, UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    if setting.is_list:
        return list[str]
    return kind if kind in (int, float, bool) else str


_typed_dict: Any = TypedDict  # made from data, which a type checker does not follow
SplatServiceArgs: Any = _typed_dict("SplatServiceArgs", {key: _type(one) for key, one in KEYS.items()}, total=False)


class SplatService(pulumi.ComponentResource):
    """Photos in, 3D Gaussian-splat scenes out: endpoint, bucket, edge worker with its app. Keys that are no argument
    are taken from the stack's configuration, as are all secrets (photo-splat:…, runpod:apiKey, cloudflare:apiToken)."""

    app_url: pulumi.Output[str]
    endpoint_id: pulumi.Output[str]
    image_reference: pulumi.Output[str]
    bucket: pulumi.Output[str]
    gpu: pulumi.Output[str]
    price_usd_per_s: pulumi.Output[float]
    operator_token: pulumi.Output[str]
    recorded_migration: pulumi.Output[str]

    def __init__(self, name: str, args: SplatServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{NAMESPACE}:index:SplatService", name, {}, opts)
        # Relative to the program, so that state and plan are the same on every machine.
        checkout = Path(os.path.relpath(CHECKOUT))
        made = service.SplatService(
            name, load(**as_texts(args)), pulumi.ResourceOptions(parent=self), checkout=checkout
        )
        found = {**made.outputs, "recordedMigration": made.recorded_migration}
        for output in inspect.get_annotations(SplatService):
            setattr(self, output, pulumi.Output.from_input(found[to_camel(output)]))
        self.register_outputs(found)


def as_texts(args: Mapping[str, Any]) -> dict[str, str]:
    """Arguments as Pulumi's configuration has them, so that one reader checks both."""
    return {key: _text(value) for key, value in args.items() if value is not None}


def _text(value: Any) -> str:
    if isinstance(value, bool | list):
        return json.dumps(value)
    # Every number is a float on the wire.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


class PackageProvider(ComponentProvider):
    """The component with its schema: each argument has the sentence of its setting."""

    def __init__(self) -> None:
        super().__init__([SplatService], NAMESPACE, version=VERSION)
        schema = json.loads(self.schema or "{}")
        inputs = schema["resources"][f"{NAMESPACE}:index:SplatService"]["inputProperties"]
        for key, given in inputs.items():
            given["description"] = KEYS[key].info.description
        self.schema = json.dumps(schema)

    def construct(
        self, name: str, resource_type: str, inputs: Any, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as problem:
            if isinstance(problem.inner, REFUSALS):
                raise InputPropertiesError(str(problem.inner), []) from None
            raise


def serve(arguments: Sequence[str]) -> None:
    """Serves the package to the engine until it disconnects. arguments: as the engine gives them."""
    main(PackageProvider(), list(arguments))
