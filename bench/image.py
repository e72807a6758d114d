"""Writes bench/image.json: `python -m bench.image REGISTRY/NAME@DIGEST`.
Reads the manifest and the configuration from the registry; pulls no layer and changes no image. Sizes are compressed,
as pushed, because a host downloads them so.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

MANIFEST_TYPES = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
MAX_COMPRESSED_BYTES = 2_500_000_000
"""The limit of the GPU image: a host downloads it before its first job."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer. bytes: compressed; made_by: the Dockerfile's instruction."""

    bytes: int
    made_by: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The row of bench/image.json for one target."""

    compressed_bytes: int
    architectures: tuple[str, ...]
    cuda: str
    revision: str
    layers: tuple[Layer, ...]


class NotMeasured(Exception):
    """The reference or the registry's answer does not fit. The message names what is needed."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """registry: host[:port]; name: repository in it; digest: sha256:..."""

    registry: str
    name: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        repository, at, digest = text.partition("@")
        registry, slash, name = repository.partition("/")
        if not (at and slash and digest.startswith("sha256:")):
            raise NotMeasured(f"{text} is not REGISTRY/NAME@sha256:... Pass the reference that `docker push` prints.")
        return cls(registry=registry, name=name, digest=digest)

    def address(self, kind: str, digest: str) -> str:
        scheme = "http" if self.registry.split(":")[0] in ("127.0.0.1", "localhost") else "https"
        return f"{scheme}://{self.registry}/v2/{self.name}/{kind}/{digest}"


def measured(manifest: dict[str, Any], config: dict[str, Any]) -> Measured:
    """Pure: from an image manifest and its configuration. Raises NotMeasured where they do not fit together."""
    if "layers" not in manifest:
        raise NotMeasured(
            f"The manifest is of type {manifest.get('mediaType')}, not of one image. Pass the digest of one image."
        )
    made = [entry for entry in config["history"] if not entry.get("empty_layer")]
    if len(made) != len(manifest["layers"]):
        raise NotMeasured(f"The image has {len(manifest['layers'])} layers but {len(made)} instructions that made one.")
    labels = config["config"].get("Labels") or {}
    layers = tuple(
        Layer(bytes=int(layer["size"]), made_by=_made_by(entry))
        for layer, entry in zip(manifest["layers"], made, strict=True)
    )
    return Measured(
        compressed_bytes=sum(layer.bytes for layer in layers),
        architectures=tuple(labels.get("splat.architectures", "").split()),
        cuda=labels.get("splat.cuda", ""),
        revision=labels.get("org.opencontainers.image.revision", "unknown"),
        layers=layers,
    )


def _made_by(entry: dict[str, Any]) -> str:
    """The Dockerfile's instruction, or the comment of an imported layer."""
    words = (entry.get("created_by") or entry.get("comment") or "unknown").removesuffix("# buildkit")
    return " ".join(words.split())[:120]


def read(reference: Reference, http: httpx.Client) -> Measured:
    """Measure an image with two requests to its registry."""
    manifest = http.get(reference.address("manifests", reference.digest), headers={"Accept": MANIFEST_TYPES})
    manifest.raise_for_status()
    document = manifest.json()
    if "config" not in document:
        return measured(document, {})
    config = http.get(reference.address("blobs", document["config"]["digest"]), follow_redirects=True)
    config.raise_for_status()
    return measured(document, config.json())


def table(image: Measured) -> str:
    """One line per layer, largest first, and the sum."""
    rows = [
        f"{layer.bytes / 1e6:9.1f} MB  {layer.made_by}" for layer in sorted(image.layers, key=lambda one: -one.bytes)
    ]
    return "\n".join([*rows, f"{image.compressed_bytes / 1e6:9.1f} MB  compressed, as pushed"])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.image", description=__doc__)
    parser.add_argument("reference", help="REGISTRY/NAME@sha256:...")
    parser.add_argument("--target", choices=("cuda", "cpu"), default="cuda", help="the row of the file to write")
    parser.add_argument("--note", default="", help="about this build: its base, where it ran")
    parser.add_argument("--out", type=Path, default=Path("bench/image.json"))
    options = parser.parse_args(arguments)
    try:
        with httpx.Client(timeout=30) as http:
            image = read(Reference.parse(options.reference), http)
    except (NotMeasured, httpx.HTTPError) as error:
        print(error, file=sys.stderr)
        return 1
    known = json.loads(options.out.read_text()) if options.out.is_file() else {}
    known[options.target] = {**asdict(image), "note": options.note}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    print(table(image))
    if options.target == "cuda" and image.compressed_bytes > MAX_COMPRESSED_BYTES:
        size, limit = image.compressed_bytes / 1e9, MAX_COMPRESSED_BYTES / 1e9
        print(f"The image has {size:.2f} GB, the limit is {limit} GB.", file=sys.stderr)
        print("hint: leave more out (worker_image/image/left_out.py)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
