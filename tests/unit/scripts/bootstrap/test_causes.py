"""Failures are classified by what the package clients print and exit with, and by the errno of our own calls.
Outputs are those of pip 25, uv 0.13, npm 11 and Go 1.26, shortened to their telling lines."""

from __future__ import annotations

import errno

import pytest
from causes import HINTS, Kind, of_command, of_exception  # type: ignore[import-not-found]

PRINTED = [
    pytest.param(
        1,
        "WARNING: Retrying (Retry(total=0, …)) after connection broken by 'NewConnectionError('<pip…>: Failed to "
        "establish a new connection: [Errno -3] Temporary failure in name resolution')': /simple/uv/\n"
        "ERROR: No matching distribution found for uv==0.13.9",
        Kind.NO_NETWORK,
        id="pip without network",
    ),
    pytest.param(
        1,
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have updated the package …\n"
        "        Expected sha256 0000\n             Got        6bc3",
        Kind.REFUSED_HASH,
        id="pip refuses a hash",
    ),
    pytest.param(
        1,
        "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
        Kind.DISK_FULL,
        id="pip on a full disk",
    ),
    pytest.param(
        1,
        "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '.tools/uv/bin/uv'",
        Kind.NO_PERMISSION,
        id="pip without permission",
    ),
    pytest.param(
        2,
        "error: Request failed after 3 retries in 9.8s\n  cause: error sending request for url (https://…)\n"
        "  cause: client error (Connect)\n  cause: dns error\n"
        "  cause: failed to lookup address information: Temporary failure in name resolution",
        Kind.NO_NETWORK,
        id="uv without network",
    ),
    pytest.param(
        1,
        "error: Failed to download `annotated-doc==0.0.7`\n  cause: Hash mismatch for `annotated-doc==0.0.7`",
        Kind.REFUSED_HASH,
        id="uv refuses a hash",
    ),
    pytest.param(
        2,
        "error: Failed to install: numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl (numpy==2.4.6)\n"
        "  cause: failed to copy file from … to …: No space left on device (os error 28)",
        Kind.DISK_FULL,
        id="uv on a full disk",
    ),
    pytest.param(
        2,
        "error: Failed to fetch: `https://…/httpx/`\n  cause: invalid peer certificate: UnknownIssuer",
        Kind.CERTIFICATE,
        id="uv behind a proxy with its own certificate",
    ),
    pytest.param(
        1,
        "npm error code EAI_AGAIN\nnpm error syscall getaddrinfo\nnpm error request to https://…/ms "
        "failed, reason: getaddrinfo EAI_AGAIN …",
        Kind.NO_NETWORK,
        id="npm without network",
    ),
    pytest.param(
        1,
        "npm error code EINTEGRITY\nnpm error Integrity checksum failed when using sha512: wanted … but got …",
        Kind.REFUSED_HASH,
        id="npm refuses a hash",
    ),
    pytest.param(
        228,
        "npm warn tar TAR_ENTRY_ERROR ENOSPC: no space left on device, write\nnpm error code ENOSPC",
        Kind.DISK_FULL,
        id="npm on a full disk",
    ),
    pytest.param(
        243,
        "npm error code EACCES\nnpm error syscall mkdir\nnpm error errno -13",
        Kind.NO_PERMISSION,
        id="npm, no right",
    ),
    pytest.param(190, "npm error code ENOTEMPTY\nnpm error syscall rmdir", Kind.BUSY, id="npm beside another set-up"),
    pytest.param(
        1,
        'github.com/rhysd/actionlint@v1.7.12: Get "https://…": dial tcp: lookup …: connect: network is unreachable',
        Kind.NO_NETWORK,
        id="Go without network",
    ),
    pytest.param(1, "verifying module: checksum mismatch\nSECURITY ERROR", Kind.REFUSED_HASH, id="Go refuses a hash"),
    pytest.param(1, "go build …: write /…/actionlint: no space left on device", Kind.DISK_FULL, id="Go on a full disk"),
    pytest.param(-9, "", Kind.KILLED, id="a command that the system killed"),
    pytest.param(137, "Killed", Kind.KILLED, id="a child that the system killed"),
    pytest.param(1, "src/index.ts(3,1): error TS2304: Cannot find name 'x'.", Kind.COMMAND, id="a build that fails"),
    pytest.param(1, "", Kind.COMMAND, id="a command that prints nothing"),
]


@pytest.mark.parametrize(("code", "output", "kind"), PRINTED)
def test_a_command_s_failure_is_classified_by_its_output_and_exit_code(code: int, output: str, kind: Kind) -> None:
    cause = of_command(code, output, free_bytes=10**10)
    assert (cause.kind, cause.hint) == (kind, HINTS[kind])


def test_a_command_that_fails_without_a_word_on_a_full_disk_is_classified_by_the_disk() -> None:
    """venv prints only that its ensurepip failed."""
    printed = "Error: Command '['python3', '-m', 'ensurepip']' returned non-zero exit status 1."
    kinds = [of_command(1, printed, free_bytes=free).kind for free in (0, 15_000_000, 17_000_000)]
    assert kinds == [Kind.DISK_FULL, Kind.DISK_FULL, Kind.COMMAND]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), Kind.DISK_FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Kind.DISK_FULL),
        (PermissionError(errno.EACCES, "Permission denied"), Kind.NO_PERMISSION),
        (OSError(errno.EROFS, "Read-only file system"), Kind.NO_PERMISSION),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", ".venv/local/lib/splat-checkout.pth"), Kind.BUG),
        (ValueError("the network timed out"), Kind.BUG),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), Kind.BUG),
    ],
)
def test_an_exception_of_ours_is_a_bug_unless_its_errno_names_the_machine(error: Exception, kind: Kind) -> None:
    """Our own code downloads only the engine, and handles that itself: words about a network prove nothing here."""
    assert of_exception(error).kind is kind


def test_every_kind_but_a_command_of_its_own_has_a_next_step() -> None:
    assert {kind for kind in Kind if not HINTS[kind]} == {Kind.COMMAND}
