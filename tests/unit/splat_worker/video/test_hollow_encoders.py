"""The image's copy of PyAV, whose encoders are hollow, decodes what phones write. Needs gcc, and skips without it."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import av
import pytest

IMAGE = Path(__file__).parents[4] / "worker_image/image"
HOLLOW = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import left_out
from hollow import hollow_out
print(sum(hollow_out(Path(sys.argv[2]) / path, why, asked=True) for path, why in left_out.HOLLOW_ENCODERS.items()))
"""
DECODE = """
import sys
sys.path.insert(0, sys.argv[1])
import av
assert av.__file__.startswith(sys.argv[1])
with av.open(sys.argv[2], format="mov") as clip:
    print(sum(1 for _ in clip.decode(video=0)))
"""


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64") or shutil.which("gcc") is None,
    reason="the image is for Linux on x86-64, and gcc makes the hollow libraries",
)
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_clips_are_decoded_without_the_encoders(drawn_clip, tmp_path: Path, codec: str) -> None:  # type: ignore[no-untyped-def]
    options = {"preset": "ultrafast"} | ({"x265-params": "log-level=none"} if codec == "libx265" else {})
    clip = drawn_clip.encode(tmp_path / "clip.mov", drawn_clip.film.frames[:6], codec=codec, options=options)
    site = Path(av.__file__).parents[1]
    for name in ("av", "av.libs"):
        shutil.copytree(site / name, tmp_path / "site" / name)

    def run(code: str, *arguments: Path) -> int:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    assert run(HOLLOW, IMAGE, tmp_path / "site") > 25_000_000
    assert run(DECODE, tmp_path / "site", clip) == 6
