"""Physical names: what the consoles of RunPod and Cloudflare show.
Logical names never hold a stack or a setting; physical names always hold project and stack."""

from __future__ import annotations

import hashlib
import re

NAME_MAX = 63  # R2 buckets; Worker names share the limit as a DNS label


def physical(project: str, service: str, stack: str) -> str:
    """`photo-splat-dev`, fit for a bucket and a DNS label. The service `splat` of the project `photo-splat` is not
    named twice. A name that had to be changed or cut gets a short hash, so that two never share one."""
    repeated = project.rpartition("-")[2] == service
    wanted = "-".join((project, stack) if repeated else (project, service, stack))
    name = re.sub(r"[^a-z0-9-]+", "-", wanted.lower()).strip("-")
    if name == wanted and len(name) <= NAME_MAX:
        return name
    mark = hashlib.sha256(wanted.encode()).hexdigest()[:6]
    return f"{name[: NAME_MAX - 7].rstrip('-')}-{mark}"


def account_unique_number(name: str) -> str:
    """A positive 31-bit number from a name, as text: what a rate limit's namespace wants."""
    return str(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) & 0x7FFFFFFF)
