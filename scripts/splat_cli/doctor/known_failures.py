"""Known failures by the lines that they leave in a log of a worker or of an image build. Pure.
A row per failure: the words that every seen version of the message has, and the fix."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from scripts.splat_cli.doctor.finding import Finding

LINE_MAX = 240  # characters of a line shown


@dataclass(frozen=True, kw_only=True)
class Known:
    """pattern: searched in each line without regard to case."""

    id: str
    pattern: str
    what: str
    fix: str


# The first row that matches a line counts, so a special case is above a general one.
KNOWN: tuple[Known, ...] = (
    Known(
        id="out-of-memory-in-the-build",
        pattern=r"killed signal terminated program|ninja.*\bkilled\b|signal: killed|(did not complete|exited).*"
        r"(exit code:? 137|code 137)|nvcc error.*(killed|died due to signal 9)",
        what="The image build ran out of memory.",
        fix="build for one card (docker build --build-arg CUDA_ARCHITECTURES=89), on a machine with more memory, or in "
        "CI (docs/worker-image.md)",
    ),
    Known(
        id="no-kernel-for-the-gpu",
        pattern=r"no kernel image is available for execution|unsupported gpu architecture|sm_\d+ is not compatible",
        what="The image has no kernels for the GPU that it runs on.",
        fix="build the image with CUDA_ARCHITECTURES for this card, or set photo-splat:gpu to another card",
    ),
    Known(
        id="cuda-out-of-memory",
        pattern=r"cuda out of memory|cuda error:? out of memory|cudaerrormemoryallocation|cublas_status_alloc_failed"
        r"|the gpu is out of memory|torch\.(cuda\.)?outofmemoryerror|training needs more memory than the worker has",
        what="A job needs more GPU memory than the card has.",
        fix='set photo-splat:gpu to a card with more memory (splat pulumi config set gpu "L40S"), or use a smaller '
        "preset",
    ),
    Known(
        id="cuda-not-found",
        pattern=r"no cuda-capable device|cuda (driver|runtime)? ?(is )?(not found|not available|unavailable)"
        r"|torch not compiled with cuda|found no nvidia driver|libcuda\.so[.\d]*: cannot open"
        r"|nvcc: (command )?not found"
        r"|cuda driver version is insufficient|could not select device driver|no gpus? detected|requires? cuda ?>="
        r"|cuda initialization (check )?failed|forward compatibility was attempted",
        what="A worker does not find CUDA, or its host's CUDA is older than the image needs.",
        fix="remove photo-splat:minCudaVersion, or raise it to the image's version (splat doctor shows it under "
        "`image fits the GPUs`), then splat up",
    ),
    Known(
        id="image-not-pulled",
        pattern=r"pull access denied|manifest (unknown|for .* not found)|unauthorized: authentication required"
        r"|toomanyrequests|failed to (pull|resolve) (image|reference|source)|errimagepull",
        what="RunPod cannot pull the image.",
        fix="push the image again, or set photo-splat:registryUsername and registryPassword to a login that may pull",
    ),
    Known(
        id="worker-out-of-memory",
        pattern=r"oom-?kill|out of memory: killed process|memoryerror|the worker ran out of memory"
        r"|insufficient (system )?memory|exited with status (-9|137)\b|defaultcpuallocator: (can't|not enough)",
        what="A worker ran out of main memory.",
        fix="lower photo-splat:photosMax or use a smaller preset; a larger card's host also has more memory",
    ),
    Known(
        id="worker-disk-full",
        pattern=r"no space left on device|\benospc\b|insufficient disk|the worker's disk is full",
        what="A worker's disk is full.",
        fix="raise photo-splat:diskGb (splat pulumi config set diskGb 50), then splat up",
    ),
    Known(
        id="start-timeout",
        pattern=r"(did not|never) (start|become ready|poll(ed)?)( for a job)? (within|in|for) |start-?up timed? ?out"
        r"|timed? ?out (while|during|waiting for)[^.]*(start|container|initiali[sz]|ready)|readiness probe failed",
        what="A worker did not start in time.",
        fix="check the image's size and its first log lines (splat logs --worker ID); a smaller image starts sooner",
    ),
    Known(
        id="container-failed-to-start",
        pattern=r"oci runtime create failed|exec format error|failed to create (containerd task|shim task|container)"
        r"|fitness check.*failed|worker is unhealthy, exiting"
        r"|exec: \"[^\"]*\": (no such file|executable file not found)"
        r"|cannot be started|modulenotfounderror|its process exited with status [1-9-]",
        what="A worker's container failed to start.",
        fix="deploy the last image that worked: splat pulumi config set image REPOSITORY@sha256:DIGEST, then splat up",
    ),
    Known(
        id="job-timeout",
        pattern=r"job timed out|execution ?timeout (exceeded|reached)|exceeded its time limit"
        r"|\btimed_out\b|self-test did not finish within",
        what="A job reached its time limit.",
        fix="raise photo-splat:jobSecondsMax and executionTimeoutS (splat pulumi config set jobSecondsMax 7200), or "
        "use a smaller preset",
    ),
    Known(
        id="webhook-not-received",
        pattern=r"could not reach the webhook|webhook (delivery )?failed|failed to (send|deliver|call) (the )?webhook"
        r"|lost a progress message",
        what="The app does not receive what workers or RunPod send it.",
        fix="check that the app's address answers from outside (splat doctor: `webhook address`), then splat up",
    ),
    Known(
        id="slow-colmap",
        pattern=r"finding features on the cpu|sift ?gpu (is )?not (supported|available)|cannot use gpu for feature"
        r"|creating sift cpu feature extractor|falling back to (the )?cpu (sift|feature)",
        what="Camera poses are computed on the CPU, which is slow.",
        fix="set photo-splat:gpu to a card with more free memory, and use an image that was built for GPUs",
    ),
    Known(
        id="slow-training",
        pattern=r"(training|train) on (the )?cpu|falling back to (the )?cpu( trainer)?|no kernels? .*using (the )?cpu",
        what="Training runs on the CPU, which is slow.",
        fix="use an image that was built without `--target cpu`, and set photo-splat:gpu to a card that it fits",
    ),
)
_COMPILED = tuple((known, re.compile(known.pattern, re.IGNORECASE)) for known in KNOWN)


def known_failure(line: str) -> Known | None:
    """The failure that a line shows; None for any other line."""
    return next((known for known, pattern in _COMPILED if pattern.search(line)), None)


def scan(lines: Iterable[str], *, source: str) -> tuple[Finding, ...]:
    """A finding per kind of failure, with the last line that shows it. source: whose log, shown as evidence."""
    seen: dict[str, tuple[Known, str, int]] = {}
    for line in lines:
        known = known_failure(line)
        if known is not None:
            count = seen[known.id][2] + 1 if known.id in seen else 1
            seen[known.id] = (known, line.strip()[:LINE_MAX], count)
    return tuple(
        Finding(
            id=known.id,
            what=known.what,
            evidence=f"{source}: {line}" + (f" ({count} times)" if count > 1 else ""),
            fix=known.fix,
        )
        for known, line, count in seen.values()
    )
