"""The image as it would be pulled by a platform: what is in it, what is not, and that it does a job.
Only the `cpu` target is built here; docs/worker-image.md says how the one for GPUs is built and measured."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT, BuiltImage
from .engine import BASE

CODE_LAYER_MAX_BYTES = 20_000_000


@pytest.fixture(scope="module")
def config(cpu_image: BuiltImage) -> dict:
    (image,) = json.loads(cpu_image.engine.docker("image", "inspect", cpu_image.reference))
    return image


def run(image: BuiltImage, *command: str, limit_s: float = 600) -> str:
    """One container with a read-only root and no network at all."""
    return image.engine.docker(
        "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", image.reference, *command, limit_s=limit_s
    )


def test_the_reference_is_a_digest_and_no_tag(cpu_image: BuiltImage) -> None:
    assert re.fullmatch(r"127\.0\.0\.1:\d+/splat-worker@sha256:[0-9a-f]{64}", cpu_image.reference)


def test_the_labels_say_what_it_was_built_from(config: dict) -> None:
    labels = config["Config"]["Labels"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert labels["org.opencontainers.image.revision"] == head.stdout.strip()
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert labels["splat.architectures"] == ""


def test_it_does_not_run_as_root(cpu_image: BuiltImage, config: dict) -> None:
    assert config["Config"]["User"] == "splat"
    assert run(cpu_image, "id", "-u").strip() == "10001"


def test_a_change_of_our_code_is_a_small_layer_on_top_of_the_others(cpu_image: BuiltImage) -> None:
    history = cpu_image.engine.docker(
        "history", "--no-trunc", "--format", "{{.Size}}\t{{.CreatedBy}}", cpu_image.reference
    )
    lines = history.splitlines()
    code = next(index for index, line in enumerate(lines) if "COPY /opt/splat" in line)
    heavy = [index for index, line in enumerate(lines) if "/layers/" in line]
    assert heavy, history
    assert code < min(heavy)
    size = cpu_image.engine.docker("run", "--rm", "--network", "none", cpu_image.reference, "du", "-sb", "/opt/splat")
    assert int(size.split()[0]) < CODE_LAYER_MAX_BYTES


@pytest.mark.parametrize("program", ["gcc", "g++", "cc", "ld", "ninja", "nvcc", "pip", "npm"])
def test_no_compiler_and_no_installer_is_left_in_it(cpu_image: BuiltImage, program: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        run(cpu_image, "sh", "-c", f"command -v {program}")


def test_no_build_secret_cache_or_test_is_left_in_it(cpu_image: BuiltImage) -> None:
    """The CA bundle that the build mounted must not have taken the place of the image's own."""
    unwanted = "/build /root/.cache /root/.npm /root/.npmrc /etc/pip.conf /opt/splat/tests /opt/splat/src/tests"
    script = f"ls -d {unwanted} 2>/dev/null || true; find / -xdev -name .npmrc -o -xdev -name .git | head"
    assert run(cpu_image, "sh", "-c", script).strip() == ""
    inside = run(cpu_image, "sh", "-c", "md5sum < /etc/ssl/certs/ca-certificates.crt")
    base = cpu_image.engine.docker(
        "run", "--rm", "--network", "none", BASE, "sh", "-c", "md5sum < /etc/ssl/certs/ca-certificates.crt"
    )
    assert inside == base


def test_its_self_test_passes_on_a_read_only_root_without_network(cpu_image: BuiltImage) -> None:
    report = json.loads(run(cpu_image, "selftest", limit_s=1200).strip().splitlines()[-1])
    assert report["ok"], report
    assert len(report["checks"]) >= 2


def test_cpu_kernels_come_compiled(cpu_image: BuiltImage) -> None:
    """The warm-up of a fresh container writes no kernel: numba found every one of the image's."""
    script = textwrap.dedent(
        """
        touch /tmp/began
        python -m splat_worker.train.warmup
        cd /tmp/splat-kernels
        echo "$(find . -name '*.nbc' | wc -l) $(find . -newer /tmp/began -type f | wc -l)"
        """
    )
    baked, written = run(cpu_image, "sh", "-euc", script).split()
    assert int(baked) > 0
    assert int(written) == 0


@pytest.fixture
def loopback_namespace(cpu_image: BuiltImage) -> Iterator[str]:
    """A container that only waits, with no network but loopback; gives its name."""
    name = "splat-test-loopback"
    docker = cpu_image.engine.docker
    docker("run", "--detach", "--rm", "--name", name, "--network", "none", cpu_image.reference, "sleep", "3600")
    yield name
    docker("rm", "--force", name)


def test_a_container_is_a_worker_of_the_stand_in_and_completes_a_job_from_the_samples(
    cpu_image: BuiltImage, loopback_namespace: str, small_photos: Path, tmp_path: Path
) -> None:
    engine = cpu_image.engine
    worker = tmp_path / "worker"
    worker.write_text(
        textwrap.dedent(
            f"""\
            #!/bin/sh
            # The platform's container runtime: the platform's variables go in, nothing of this machine does.
            set -eu
            set -- $(env | sed -n 's/^\\(RUNPOD_[A-Z0-9_]*\\)=.*/-e \\1/p')
            exec /usr/bin/docker run --rm --read-only --tmpfs /tmp:exec --network container:{loopback_namespace} \\
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
    assert job["output"]["photos"]["registered"] == len(list(small_photos.iterdir()))
    assert {"/out/scene.ply", "/out/scene.sog", "/out/report.json"} <= set(job["uploaded"])
    assert min(job["uploaded"].values()) > 0
