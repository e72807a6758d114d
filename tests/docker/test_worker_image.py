"""The `cpu` image as a platform pulls it: what it contains, what it leaves out, and that it runs jobs."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import httpx
import pytest

from bench.image import MANIFEST_TYPES, Reference
from infra.image.registry import NoSuchImage, inspect

from .conftest import ROOT, BuiltImage
from .engine import BASE

CODE_LAYER_MAX_BYTES = 20_000_000
FIRST_POLL_MAX_S = 5.0


@pytest.fixture(scope="module")
def config(cpu_image: BuiltImage) -> dict:
    (image,) = json.loads(cpu_image.engine.docker("image", "inspect", cpu_image.reference))
    return image


def run(image: BuiltImage, *command: str, limit_s: float = 600) -> str:
    """Run one container with a read-only root and no network."""
    return image.engine.docker(
        "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", image.reference, *command, limit_s=limit_s
    )


def test_the_reference_is_a_digest_and_no_tag(cpu_image: BuiltImage) -> None:
    assert re.fullmatch(r"127\.0\.0\.1:\d+/splat-worker@sha256:[0-9a-f]{64}", cpu_image.reference)


def test_the_labels_name_the_sources_of_the_image(cpu_image: BuiltImage, config: dict) -> None:
    labels = config["Config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == cpu_image.revision
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["org.opencontainers.image.source"] == "test"
    assert labels["org.opencontainers.image.base.name"] == BASE
    assert (labels["splat.cuda"], labels["splat.architectures"]) == ("", "")
    inside = run(cpu_image, "python", "-c", "import pycolmap, torch; print(torch.__version__, pycolmap.__version__)")
    assert inside.split() == [f"{labels['splat.torch']}+cu130", labels["splat.pycolmap"]]


def test_the_image_does_not_run_as_root(cpu_image: BuiltImage, config: dict) -> None:
    assert config["Config"]["User"] == "splat"
    assert run(cpu_image, "id", "-u").strip() == "10001"


def layers_of(reference: str) -> dict[str, int]:
    """Digest to compressed bytes in the registry, which a host without the layer pulls."""
    where = Reference.parse(reference)
    address = where.address("manifests", where.digest)
    manifest = httpx.get(address, headers={"Accept": MANIFEST_TYPES}, timeout=30).raise_for_status().json()
    return {layer["digest"]: layer["size"] for layer in manifest["layers"]}


def test_a_change_of_our_code_pulls_one_small_layer(cpu_image: BuiltImage, tmp_path: Path) -> None:
    """Built and pushed again with another handler; all other layers exist already."""
    changed = tmp_path / "worker_image"
    shutil.copytree(ROOT / "worker_image", changed, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    with (changed / "src" / "splat_worker" / "handler.py").open("a") as handler:
        handler.write("# changed\n")
    tag = f"{cpu_image.engine.registry}/splat-worker:changed"
    cpu_image.engine.build(changed, tag=tag, target="cpu", arguments={"REVISION": "changed", "SOURCE": "test"})
    before, after = layers_of(cpu_image.reference), layers_of(cpu_image.engine.push(tag))
    cpu_image.engine.docker("rmi", tag)
    pulled = [size for digest, size in after.items() if digest not in before]
    assert len(pulled) == 1, (before, after)
    assert pulled[0] < CODE_LAYER_MAX_BYTES


def test_the_image_has_no_compiler_and_no_installer(cpu_image: BuiltImage) -> None:
    """Searches PATH, with one program that must be found, which shows that the search works."""
    programs = "python gcc g++ cc c++ cpp ld as ar ninja nvcc ptxas pip pip3 npm npx corepack"
    found = run(cpu_image, "sh", "-c", f"for one in {programs}; do command -v $one || true; done").split()
    assert found == ["/opt/worker/bin/python"]


def test_the_image_has_no_cache_no_test_and_no_file_of_the_build(cpu_image: BuiltImage) -> None:
    """As root, because no other user sees /root."""
    unwanted = "/build /layers /out /opt/nvcc /root/.cache /root/.npm /root/.npmrc /etc/pip.conf"
    script = f"""
        ls -d /etc/passwd /root/.bashrc {unwanted} 2>/dev/null || true
        find / -xdev \\( -name .npmrc -o -name .git -o -name .pytest_cache \\)
        find /opt -xdev -type d \\( -name tests -o -name __tests__ \\)
    """
    root = ("run", "--rm", "--network", "none", "--user", "0", cpu_image.reference, "sh", "-c", script)
    found = cpu_image.engine.docker(*root).split()
    assert found == ["/etc/passwd", "/root/.bashrc"]  # these two show that the search sees /root


def test_certificates_are_those_of_the_base_and_not_of_the_build(cpu_image: BuiltImage) -> None:
    inside = run(cpu_image, "sh", "-c", "md5sum < /etc/ssl/certs/ca-certificates.crt")
    base = cpu_image.engine.docker(
        "run", "--rm", "--network", "none", BASE, "sh", "-c", "md5sum < /etc/ssl/certs/ca-certificates.crt"
    )
    assert inside == base


def test_the_self_test_passes_on_a_read_only_root_without_network(cpu_image: BuiltImage) -> None:
    report = json.loads(run(cpu_image, "selftest", limit_s=1200).strip().splitlines()[-1])
    assert report["ok"], report
    assert len(report["checks"]) >= 2


def test_cpu_kernels_are_already_compiled(cpu_image: BuiltImage) -> None:
    """The warm-up of a fresh container writes no kernel, because numba finds all of them in the image."""
    script = textwrap.dedent(
        """
        touch /tmp/start
        python -m splat_worker.train.warmup
        cd /tmp/splat-kernels
        echo "$(find . -name '*.nbc' | wc -l) $(find . -newer /tmp/start -type f | wc -l)"
        """
    )
    baked, written = run(cpu_image, "sh", "-euc", script).split()
    assert int(baked) > 0
    assert int(written) == 0


def test_no_layer_holds_a_secret(cpu_image: BuiltImage) -> None:
    """Searches every file of every layer by name and content, including files that a later layer deletes."""
    known = secret_words(Path("/etc/pip.conf"), Path.home() / ".npmrc")
    found, seen = [], 0
    command = [cpu_image.engine.client, "save", cpu_image.reference]
    with subprocess.Popen(command, env=cpu_image.engine.environment, stdout=subprocess.PIPE) as save:
        for name, content in files_of_layers(save.stdout):
            seen += 1
            if is_secret(name, content) or any(word in content for word in known):
                found.append(name)
    assert save.returncode == 0
    assert seen > 10_000  # the packages alone have more files
    assert found == []


def test_the_configuration_holds_no_secret(cpu_image: BuiltImage) -> None:
    """Variables, labels and build instructions, which everybody who pulls the image can read."""
    docker = cpu_image.engine.docker
    text = docker("image", "inspect", cpu_image.reference)
    text += docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", cpu_image.reference)
    assert "SPLAT_KERNEL_SEED" in text
    assert "COPY /opt/splat" in text
    known = secret_words(Path("/etc/pip.conf"), Path.home() / ".npmrc")
    assert TOKENS.search(text.encode()) is None
    assert not any(word in text.encode() for word in known)
    assert re.search(r"(?i)[A-Z_]*(PASSWORD|TOKEN|SECRET|API_KEY)[A-Z_]*=", text) is None


def test_the_search_knows_the_passwords_of_this_machines_package_configuration(tmp_path: Path) -> None:
    """In every form that pip and npm read."""
    pip, npm = tmp_path / "pip.conf", tmp_path / ".npmrc"
    pip.write_text("[global]\nindex-url = https://team:pa55word@packages.example/simple\n")
    npm.write_text("//packages.example/:_authToken=abcdefgh1234\nregistry=https://packages.example/\n")
    assert secret_words(pip, npm, tmp_path / "absent") == [b"pa55word", b"abcdefgh1234"]


TEXT_MAX_BYTES = 1_000_000
SECRET_NAMES = re.compile(r"(^|/)(\.npmrc|\.netrc|\.pypirc|pip\.conf|id_(rsa|ed25519)|\.env|\.docker/config\.json)$")
PRIVATE_KEY = re.compile(rb"\s*-----BEGIN [A-Z ]*PRIVATE KEY-----")
# GitHub, npm, AWS, RunPod, each with its own length. AWS's documented examples, which its packages contain, end in
# EXAMPLE.
TOKENS = re.compile(
    rb"\b(gh[pousr]_[A-Za-z0-9]{36}|npm_[A-Za-z0-9]{36}|AKIA(?![0-9A-Z]*EXAMPLE)[0-9A-Z]{16}|rpa_[A-Z0-9]{30,})\b"
)


def is_secret(name: str, content: bytes) -> bool:
    if SECRET_NAMES.search(name) or PRIVATE_KEY.match(content):
        return True
    return len(content) < TEXT_MAX_BYTES and TOKENS.search(content) is not None


def secret_words(*files: Path) -> list[bytes]:
    """The secrets in this machine's package configuration, as bytes."""
    text = "\n".join(file.read_text() for file in files if file.is_file())
    words = re.findall(r"(?:_authToken|_auth|_password)\s*=\s*(\S{8,})|://[^/\s:@]+:([^/\s@]{4,})@", text)
    return [word.encode() for pair in words for word in pair if word]


def files_of_layers(saved: IO[bytes] | None) -> Iterator[tuple[str, bytes]]:
    """Name and content of every plain file of every layer of `docker save`, in either of its formats."""
    assert saved is not None
    with tarfile.open(fileobj=saved, mode="r|") as image:
        for entry in image:
            if not entry.isfile() or entry.size < 1024 or entry.name.endswith(".json"):
                continue
            blob = image.extractfile(entry)
            # In the OCI format the manifests beside the layers are no tar files.
            with contextlib.suppress(tarfile.ReadError), tarfile.open(fileobj=blob, mode="r|*") as layer:
                for file in layer:
                    if file.isfile() and (content := layer.extractfile(file)) is not None:
                        yield file.name, content.read()


def test_a_secret_in_a_layer_would_be_found() -> None:
    """Runs the search on a layer with one secret of each kind."""
    planted = {
        "root/.npmrc": b"x",
        "app/key": b"-----BEGIN EC PRIVATE KEY-----\n",
        "app/settings": b"token = ghp_" + b"a" * 36,
        "app/aws": b"id: AKIA" + b"Q" * 16,
        "app/fine": b"nothing but AKIAIOSFODNN7EXAMPLE",
    }
    layer, saved = io.BytesIO(), io.BytesIO()
    for target, entries in ((layer, planted), (saved, None)):
        with tarfile.open(fileobj=target, mode="w") as tar:
            for name, content in (entries or {"blobs/layer.tar": layer.getvalue()}).items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    saved.seek(0)
    caught = {name for name, content in files_of_layers(saved) if is_secret(name, content)}
    assert caught == set(planted) - {"app/fine"}


def test_the_handler_requests_its_first_job_within_five_seconds(cpu_image: BuiltImage) -> None:
    """On the CPU with a warm disk, by the time of a quiet machine: what other programs take from a start is no fault of
    the image. The best of three, because other load also empties caches."""
    probe = Path(__file__).parents[2] / "bench" / "handler_start.py"
    output = cpu_image.engine.docker(
        "run", "--rm", "--read-only", "--tmpfs", "/tmp:exec", "--network", "none", "-v", f"{probe}:/probe.py:ro",
        cpu_image.reference, "python", "/probe.py", "/opt/splat/image/start", "handler",
    )  # fmt: skip
    assert json.loads(output)["warm_on_a_quiet_machine_s"][0] < FIRST_POLL_MAX_S, output


def test_its_registry_gives_digest_and_labels_to_the_program(cpu_image: BuiltImage) -> None:
    """infra/image/registry.py, which a stack queries for a pinned image, on a real registry."""
    repository, _, digest = cpu_image.reference.partition("@")
    by_tag = inspect(f"{repository}:cpu")
    assert by_tag == inspect(cpu_image.reference)
    assert by_tag.digest == digest
    assert by_tag.labels["org.opencontainers.image.revision"] == cpu_image.revision
    with pytest.raises(NoSuchImage):
        inspect(f"{repository}:never-pushed")


SCENE = ("--steps", "120", "--size", "160")
OTHER_USER = "12345:12345"


def scene(image: BuiltImage, photos: Path, out: Path) -> str:
    """Run with a user that the image does not know, and that user's folders."""
    return image.engine.docker(
        "run", "--rm", "--read-only", "--tmpfs", "/tmp:exec", "--network", "none", "--user", OTHER_USER,
        "-v", f"{photos}:/photos:ro", "-v", f"{out}:/out", image.reference, "scene", "/photos", "/out", *SCENE,
        limit_s=1500,
    )  # fmt: skip


def test_a_scene_is_made_from_a_folder_without_a_cloud(
    cpu_image: BuiltImage, small_photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scene"
    out.mkdir()
    os.chown(out, *map(int, OTHER_USER.split(":")))
    small_photos.chmod(0o755)
    output = scene(cpu_image, small_photos, out)
    assert f"{len(list(small_photos.iterdir()))} of" in output
    assert {"scene.ply", "scene.sog", "report.json"} <= {file.name for file in out.iterdir()}


def test_an_unwritable_folder_fails_at_once_with_a_hint(
    cpu_image: BuiltImage, small_photos: Path, tmp_path: Path
) -> None:
    tmp_path.chmod(0o700)
    small_photos.chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError) as failed:
        scene(cpu_image, small_photos, tmp_path)
    assert failed.value.returncode == 1
    assert "Cannot write to /out: Permission denied." in failed.value.stderr
    assert "--user" in failed.value.stderr


@pytest.fixture
def loopback_namespace(cpu_image: BuiltImage) -> Iterator[str]:
    """The name of a waiting container that has only a loopback network."""
    name = "splat-test-loopback"
    docker = cpu_image.engine.docker
    docker("run", "--detach", "--rm", "--name", name, "--network", "none", cpu_image.reference, "sleep", "3600")
    yield name
    docker("rm", "--force", name)


def test_a_container_completes_a_job_from_the_samples_as_a_worker_of_the_stand_in(
    cpu_image: BuiltImage, loopback_namespace: str, small_photos: Path, tmp_path: Path
) -> None:
    engine = cpu_image.engine
    worker = tmp_path / "worker"
    worker.write_text(
        textwrap.dedent(
            f"""\
            #!/bin/sh
            # The platform's container runtime passes on only the platform's variables.
            set -eu
            set -- $(env | sed -n 's/^\\(RUNPOD_[A-Z0-9_]*\\)=.*/-e \\1/p')
            exec {engine.client} run --rm --read-only --tmpfs /tmp:exec --network container:{loopback_namespace} \\
              -e RUNPOD_SKIP_AUTO_SYSTEM_CHECKS=true -e RUNPOD_SKIP_GPU_CHECK=true \\
              -e SPLAT_ALLOW_PRIVATE_ADDRESSES=true "$@" {cpu_image.reference} handler
            """
        )
    )
    worker.chmod(worker.stat().st_mode | stat.S_IXUSR)
    pid = engine.docker("inspect", "--format", "{{.State.Pid}}", loopback_namespace).strip()
    repository, _, digest = cpu_image.reference.partition("@")
    done = subprocess.run(
        [
            "nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, str(Path(__file__).parent / "one_job.py"),
            repository, digest, str(small_photos), str(worker),
        ],
        env={**engine.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=2400,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    job = json.loads(done.stdout.strip().splitlines()[-1])
    assert job["status"] == "COMPLETED", (job, done.stderr[-4000:])
    assert job["selftest"]["status"] == "COMPLETED", job["selftest"]
    assert job["selftest"]["output"]["ok"] is True
    assert job["output"]["photos"]["registered"] == len(list(small_photos.iterdir()))
    assert {"/out/scene.ply", "/out/scene.sog", "/out/report.json"} <= set(job["uploaded"])
    assert min(job["uploaded"].values()) > 0
