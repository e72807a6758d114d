"""The worker image in its registry: build it, scan and sign it, tag it for deployment, find it.
Standard library only: the image workflow runs before any package is installed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.content_hash import hash_folder
from scripts.gitops.tools import Failed, ToolFailed, output

ROOT = Path(__file__).resolve().parents[2]
WAIT_TRIES = 100
WAIT_PAUSE_S = 60.0
# `go install` builds them from their modules, whose content Go's checksum database fixes.
SCANNERS = (
    "github.com/anchore/syft/cmd/syft@v1.57.0",
    "github.com/anchore/grype/cmd/grype@v0.121.2",
    "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3",
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image by digest: a tag could move between the scan and the signature."""

    repository: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises ValueError unless the text is REPOSITORY@sha256:DIGEST."""
        repository, _, digest = text.partition("@")
        if not (repository and digest.startswith("sha256:")):
            raise ValueError(text)
        return cls(repository=_spelled(repository), digest=digest)

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True, kw_only=True)
class Built:
    """An image in the registry. checked: it was scanned and signed before, and has its final tag."""

    image: Reference
    checked: bool


def build(repository: str) -> Built:
    """Build worker_image and push it as `unchecked-HASH`, unless the registry has it.

    HASH covers the sources. No deployment looks for the unchecked tag; `tag` adds the final one after the checks.
    """
    repository, final = _spelled(repository), _content_tag()
    _log_in(repository)
    digest = _digest(repository, final)
    if digest:
        return Built(image=Reference(repository=repository, digest=digest), checked=True)
    unchecked = f"unchecked-{final}"
    if not _digest(repository, unchecked):
        source = f"{os.environ.get('GITHUB_SERVER_URL', 'unknown')}/{os.environ.get('GITHUB_REPOSITORY', 'unknown')}"
        cache = f"type=registry,ref={repository}:cache"
        output("docker", "buildx", "create", "--use", "--driver", "docker-container")
        output(
            *("docker", "buildx", "build", str(ROOT / "worker_image"), "--platform", "linux/amd64"),
            # Without provenance the digest is of a plain manifest, which RunPod pulls; the attestation is made apart.
            *("--provenance=false", "--push", "--tag", f"{repository}:{unchecked}"),
            *("--build-arg", f"REVISION={os.environ.get('GITHUB_SHA', 'unknown')}", "--build-arg", f"SOURCE={source}"),
            *("--cache-from", cache, "--cache-to", f"{cache},mode=max"),
        )
    digest = _digest(repository, unchecked)
    if not digest:
        raise Failed(f"{repository}:{unchecked} was pushed, but the registry does not list it.")
    return Built(image=Reference(repository=repository, digest=digest), checked=False)


def install_scanners() -> None:
    """Install syft, grype and cosign with Go."""
    for module in SCANNERS:
        output("go", "install", module)


def scan_and_sign(image: Reference, reports: Path) -> None:
    """Write the bill of materials, scan it, sign the digest, and attest the bill of materials.

    Raises Failed for a high vulnerability that has a fix; the image then stays unsigned. Needs a registry login, and
    the workflow's identity for keyless signing.
    """
    reports.mkdir(parents=True, exist_ok=True)
    materials, vulnerabilities = str(reports / "sbom.spdx.json"), reports / "vulnerabilities.txt"
    output("syft", "scan", f"registry:{image}", "--output", f"spdx-json={materials}")
    rules = ("--only-fixed", "--fail-on", "high", "--output", "table")
    try:
        output("grype", f"sbom:{materials}", *rules, "--file", str(vulnerabilities))
    except ToolFailed as failure:
        if vulnerabilities.exists():
            sys.stderr.write(vulnerabilities.read_text("utf-8"))
        raise Failed(
            f"{failure} The image was not signed.\n"
            "hint: update the packages in the table (worker_image/requirements.in, BASE_IMAGE)"
        ) from None
    output("cosign", "sign", "--yes", str(image))
    output("cosign", "attest", "--yes", "--type", "spdxjson", "--predicate", materials, str(image))


def tag(image: Reference) -> None:
    """Tag a checked image with the hash of its sources, where a deployment looks for it. The digest stays."""
    name = _content_tag()
    # An index around the manifest would have another digest than the signed one.
    create = ("docker", "buildx", "imagetools", "create", "--prefer-index=false")
    output(*create, "--tag", f"{image.repository}:{name}", str(image))
    found = _digest(image.repository, name)
    if found != image.digest:
        raise Failed(
            f"{image.repository}:{name} is {found or 'missing'}, not the checked {image.digest}.\n"
            "hint: delete that tag, then run again"
        )


def find(repository: str, *, tries: int = WAIT_TRIES, sleep: Callable[[float], None] = time.sleep) -> Reference:
    """The checked image of this checkout's sources. Waits while another workflow builds it. Raises Failed."""
    repository, name = _spelled(repository), _content_tag()
    _log_in(repository)
    for attempt in range(tries):
        if attempt:
            sleep(WAIT_PAUSE_S)
        digest = _digest(repository, name)
        if digest:
            return Reference(repository=repository, digest=digest)
    raise Failed(f"{repository}:{name} does not exist.\nhint: check whether the image workflow failed")


def _spelled(repository: str) -> str:
    """Registries take lower case only; a GitHub owner may have capitals."""
    return repository.lower()


def _content_tag() -> str:
    return hash_folder(ROOT / "worker_image")[:16]


def _log_in(repository: str) -> None:
    """The password goes through standard input: a command line is visible to other processes."""
    user, password = os.environ["REGISTRY_USERNAME"], os.environ["REGISTRY_PASSWORD"]
    registry = repository.partition("/")[0]
    output("docker", "login", registry, "--username", user, "--password-stdin", stdin=password)


def _digest(repository: str, name: str) -> str:
    """The digest of a tag; "" when the registry does not have it."""
    inspect = ("docker", "buildx", "imagetools", "inspect", f"{repository}:{name}")
    try:
        return output(*inspect, "--format", "{{.Manifest.Digest}}").strip()
    except ToolFailed:
        return ""
