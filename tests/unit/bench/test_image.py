"""Sizes of an image from what a registry answers; a plain function stands in for the registry."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from bench import image as bench_image

DIGEST = "sha256:" + "a" * 64
MANIFEST = {
    "config": {"digest": "sha256:" + "c" * 64},
    "layers": [{"size": 30_000_000}, {"size": 900_000_000}, {"size": 5_000_000}],
}
CONFIG = {
    "config": {
        "Labels": {
            "splat.architectures": "80 90",
            "splat.cuda": "13.0",
            "org.opencontainers.image.revision": "abc",
        }
    },
    "history": [
        {"created_by": "ADD base"},
        {"created_by": "ENV X=1", "empty_layer": True},
        {"created_by": "COPY   /layers/cuda / # buildkit"},
        {"created_by": "COPY /opt/splat /opt/splat"},
    ],
}


def registry(request: httpx.Request) -> httpx.Response:
    kinds = {
        f"/v2/splat-worker/manifests/{DIGEST}": MANIFEST,
        f"/v2/splat-worker/blobs/{MANIFEST['config']['digest']}": CONFIG,  # type: ignore[index]
    }
    found = kinds.get(request.url.path)
    return httpx.Response(404) if found is None else httpx.Response(200, json=found)


def test_layers_are_named_by_the_instruction_that_made_them_and_empty_ones_do_not_count() -> None:
    image = bench_image.measured(MANIFEST, CONFIG)
    assert [layer.made_by for layer in image.layers] == [
        "ADD base",
        "COPY /layers/cuda /",
        "COPY /opt/splat /opt/splat",
    ]
    assert image.compressed_bytes == 935_000_000
    assert image.architectures == ("80", "90")


def test_an_imported_base_is_named_by_its_comment() -> None:
    imported = {**CONFIG, "history": [{"comment": "Imported from -"}, *CONFIG["history"][1:]]}  # type: ignore[misc]
    assert bench_image.measured(MANIFEST, imported).layers[0].made_by == "Imported from -"


def test_only_manifest_and_configuration_are_requested() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return registry(request)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        image = bench_image.read(bench_image.Reference.parse(f"127.0.0.1:5000/splat-worker@{DIGEST}"), http)
    assert image.revision == "abc"
    assert len(asked) == 2


def test_an_index_of_several_platforms_is_rejected_with_what_to_do() -> None:
    with pytest.raises(bench_image.NotMeasured, match="Pass the digest"):
        bench_image.measured({"mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}, {})


def test_layers_and_history_that_do_not_fit_are_rejected() -> None:
    with pytest.raises(bench_image.NotMeasured, match="3 layers but 1"):
        bench_image.measured(MANIFEST, {**CONFIG, "history": CONFIG["history"][:1]})  # type: ignore[index]


@pytest.mark.parametrize("text", ["splat-worker", "127.0.0.1:5000/splat-worker:cpu", f"splat-worker@{DIGEST}"])
def test_only_a_reference_by_digest_in_a_registry_is_measured(text: str) -> None:
    with pytest.raises(bench_image.NotMeasured, match="docker push"):
        bench_image.Reference.parse(text)


def test_a_too_large_image_fails_the_command_but_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_image, "MAX_COMPRESSED_BYTES", 900_000_000)
    real = httpx.Client
    monkeypatch.setattr(
        bench_image.httpx, "Client", lambda **options: real(transport=httpx.MockTransport(registry), **options)
    )
    out = tmp_path / "image.json"
    out.write_text(json.dumps({"cpu": {"compressed_bytes": 1}}))
    assert bench_image.main([f"127.0.0.1:5000/splat-worker@{DIGEST}", "--out", str(out), "--note", "a test"]) == 1
    known = json.loads(out.read_text())
    assert known["cuda"]["compressed_bytes"] == 935_000_000
    assert known["cuda"]["note"] == "a test"
    assert known["cpu"] == {"compressed_bytes": 1}
    assert "900.0 MB" in capsys.readouterr().out
