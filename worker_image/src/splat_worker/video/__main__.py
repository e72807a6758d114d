"""The process that reads one clip: `python -m splat_worker.video`, with its request on stdin as JSON.

A decoder that crashes, hangs or fills the memory takes only this process with it. Answers one JSON object a line:
`{"progress": 0.5}`, then `{"frames": …}` or `{"refused": …}`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

FILE_BYTES_MAX = 64 << 20
"""Largest picture that this process may write."""


def main() -> int:
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    _confine(memory_bytes=request["memory_bytes"], cpu_s=request["cpu_s"])
    from splat_worker.photos.reject import Refused

    try:
        _send(_frames(request))
    except Refused as refused:
        _send({"refused": {"code": refused.code.value, "reason": refused.reason}})
    except MemoryError:
        _send({"refused": {"code": "TOO_LARGE", "reason": "The video needs more memory than the worker has. Film in a"
                           " smaller size, such as 1080p."}})  # fmt: skip
    return 0


def _frames(request: dict[str, Any]) -> dict[str, Any]:
    from splat_worker.video.choice import choose, frames_wanted
    from splat_worker.video.clip import open_clip
    from splat_worker.video.scan import scan

    clip = open_clip(Path(request["clip"]), threads=request["threads"])
    frames_max = min(request["frames_max"], frames_wanted(clip.seconds))
    found = scan(
        clip,
        Path(request["folder"]),
        side_max_px=request["side_max_px"],
        frames_max=frames_max,
        seconds_max=request["seconds_max"],
        on_progress=lambda share: _send({"progress": round(share, 3)}),
    )
    choice = choose(found.places, frames_max)
    for i, file in enumerate(found.files):
        if i not in choice.chosen:
            file.unlink()
    gaps = [*choice.gaps, *([found.unread] if found.unread else [])]
    return {
        "frames": [{"time_s": found.places[i].time_s, "file": found.files[i].name} for i in choice.chosen],
        "gaps": [asdict(gap) for gap in gaps],
        "seconds": found.seconds,
    }


def _confine(*, memory_bytes: int, cpu_s: int) -> None:
    """Limits of this process. macOS does not keep RLIMIT_AS."""
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: FILE_BYTES_MAX, resource.RLIMIT_CPU: cpu_s}
    if sys.platform == "linux":
        limits[resource.RLIMIT_AS] = memory_bytes
    for which, value in limits.items():
        _, hard = resource.getrlimit(which)
        resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _send(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
