"""Why a step failed, and what a person does next: the machine, the network, or this set-up itself.
Pure; matches the output of pip, uv, npm and Go, and the errno of our own file operations."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from enum import StrEnum

AGAIN = "then run the same command; finished steps are reused"


class Kind(StrEnum):
    """What failed. Only BUG is a fault of the set-up; every other kind is the machine's or the network's."""

    DISK_FULL = "disk full"
    NO_PERMISSION = "no permission"
    REFUSED_HASH = "refused hash"
    CERTIFICATE = "certificate"
    NO_NETWORK = "no network"
    BUSY = "busy"
    KILLED = "killed"
    COMMAND = "command"
    BUG = "bug"


@dataclass(frozen=True)
class Cause:
    """A kind of failure and the next step for it. An empty hint leaves the step's own in place."""

    kind: Kind
    hint: str


HINTS = {
    Kind.DISK_FULL: f"the disk is full: free some space, {AGAIN}",
    Kind.NO_PERMISSION: "this user may not write there (an earlier run as root?): make the folder yours with"
    f" `sudo chown -R $(id -u):$(id -g) .`, {AGAIN}",
    Kind.REFUSED_HASH: "the download is not the file that the lock file names. A proxy may have changed it: run the"
    " same command again, and report it if it repeats",
    Kind.CERTIFICATE: "the certificate of a package registry is not trusted: install ca-certificates, or name your"
    f" proxy's certificate in SSL_CERT_FILE, PIP_CERT and NODE_EXTRA_CA_CERTS, {AGAIN}",
    Kind.NO_NETWORK: "the package registries (PyPI, npm, Go proxy) cannot be reached: check the network or the proxy"
    f" settings (HTTPS_PROXY), {AGAIN}",
    Kind.BUSY: "another set-up is still writing to this folder: wait a minute, then run the same command",
    Kind.KILLED: f"the system stopped the command, most likely because memory ran out: close other programs, {AGAIN}",
    Kind.COMMAND: "",
    Kind.BUG: "this is a bug in the set-up, not in your machine: please report it with the log",
}

# A disk with less room is full for any of the tools.
FULL_BYTES = 16_000_000
# By the words of the tools themselves, most telling first: a full disk or a refused hash is often followed by
# words about a download that failed. tests/unit/scripts/bootstrap/test_causes.py holds what each tool printed.
PATTERNS: tuple[tuple[Kind, str], ...] = (
    (Kind.DISK_FULL, r"No space left on device|ENOSPC|os error 28\b|disk quota exceeded|EDQUOT"),
    (Kind.BUSY, r"ENOTEMPTY|ETXTBSY|Text file busy"),
    (Kind.NO_PERMISSION, r"Permission denied|EACCES|EPERM|Operation not permitted|Read-only file system|EROFS"),
    (Kind.REFUSED_HASH, r"do not match the hashes|Hash mismatch|EINTEGRITY|checksum (failed|mismatch)"),
    (
        Kind.CERTIFICATE,
        r"CERTIFICATE_VERIFY_FAILED|self.signed certificate|unable to get local issuer|x509:|UnknownIssuer"
        r"|invalid peer certificate",
    ),
    (
        Kind.NO_NETWORK,
        r"name resolution|could not resolve|dns error|no such host|ENOTFOUND|EAI_AGAIN|Network is unreachable"
        r"|ENETUNREACH|Connection refused|ECONNREFUSED|ECONNRESET|i/o timeout|timed out|ETIMEDOUT"
        r"|Failed to establish a new connection|error sending request|proxyconnect|ERR_SOCKET_TIMEOUT"
        r"|network connectivity",
    ),
)

ERRNOS = {
    errno.ENOSPC: Kind.DISK_FULL,
    errno.EDQUOT: Kind.DISK_FULL,
    errno.EACCES: Kind.NO_PERMISSION,
    errno.EPERM: Kind.NO_PERMISSION,
    errno.EROFS: Kind.NO_PERMISSION,
    errno.ETXTBSY: Kind.BUSY,
    errno.ENOTEMPTY: Kind.BUSY,
}


def of_command(code: int, output: str, *, free_bytes: int) -> Cause:
    """Why a package client or compiler failed.

    code: as subprocess gives it, negative after a signal. output: what this command printed, nothing of others.
    free_bytes: of the disk that it wrote to, now; venv fails on a full one without a word about it.
    """
    for kind, pattern in PATTERNS:
        if re.search(pattern, output, re.IGNORECASE):
            return Cause(kind, HINTS[kind])
    kind = Kind.COMMAND
    if free_bytes < FULL_BYTES:
        kind = Kind.DISK_FULL
    elif code in (-9, 137):
        kind = Kind.KILLED
    return Cause(kind, HINTS[kind])


def of_exception(error: BaseException) -> Cause:
    """Why our own code raised: a full disk and a missing right by their errno; anything else is a bug of ours."""
    kind = ERRNOS.get(error.errno or 0, Kind.BUG) if isinstance(error, OSError) else Kind.BUG
    return Cause(kind, HINTS[kind])
