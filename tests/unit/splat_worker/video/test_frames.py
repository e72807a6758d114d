"""Frames of real clips: which seconds are used, how they look, and what is said about files that are no usable clip.
Silent failures: a sideways frame, grey HDR, a crash of the decoder that ends the worker."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from splat_worker.photos.reject import Reject
from splat_worker.photos.validation import Source
from splat_worker.video import frames as frames_module
from splat_worker.video.colour import HLG
from splat_worker.video.frames import Frames, clock_time, frames_of

Read = Callable[..., Frames]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def run(path: Path, **options: object) -> Frames:
        options = {"digest": "d" * 64, "side_max_px": 1000, **options}
        folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "frames"
        return frames_of(Source(name=path.name, path=path), folder, **options)  # type: ignore[arg-type]

    return run


def pixels(source: Source) -> np.ndarray:
    """(H, W, 3) float."""
    with Image.open(source.path) as picture:
        return np.asarray(picture, float)


def reason(frames: Frames) -> tuple[str, str]:
    assert frames.sources == ()
    assert frames.rejected is not None
    return frames.rejected.code, frames.rejected.reason


def patched(path: Path, box: bytes, offset: int, content: bytes) -> Path:
    """The file with bytes changed at `offset` after the name of a box."""
    data = bytearray(path.read_bytes())
    at = data.index(box) + len(box) + offset
    data[at : at + len(content)] = content
    path.write_bytes(data)
    return path


def test_blurred_and_still_seconds_are_left_out_and_named(drawn_clip, read: Read) -> None:  # type: ignore[no-untyped-def]
    film = drawn_clip.film
    progress: list[float] = []
    frames = read(drawn_clip.path, on_progress=progress.append)
    report = frames.report
    assert report is not None
    assert 15 <= report.frames == len(report.used_s) == len(frames.sources) <= 30
    assert report.seconds == pytest.approx(film.seconds, abs=0.1)
    still = [t for t in report.used_s if film.still_s[0] + 0.1 < t < film.still_s[1]]
    assert len(still) <= 1
    assert not [t for t in report.used_s if film.shaken_s[0] <= t < film.shaken_s[1] - 0.01]
    named = {gap.code: gap for gap in report.dropped}
    assert set(named) == {"STILL", "BLURRED"}
    for code, part in (("STILL", film.still_s), ("BLURRED", film.shaken_s)):
        assert (named[code].from_s, named[code].to_s) == pytest.approx(part, abs=0.4)
    assert progress == sorted(progress)
    assert frames.sources[0].name == f"walk.mp4 {clock_time(report.used_s[0])}"
    assert {source.clip for source in frames.sources} == {"walk.mp4"}
    folder = frames.sources[0].path.parent
    assert sorted(folder.iterdir()) == [source.path for source in frames.sources], "what was not chosen is deleted"


def test_no_more_frames_than_the_limit(drawn_clip, read: Read) -> None:  # type: ignore[no-untyped-def]
    frames = read(drawn_clip.path, frames_max=7)
    assert 5 <= len(frames.sources) <= 7
    assert len(set(frames.digests)) == len(frames.digests)


def test_a_turned_mov_in_hevc_gives_upright_frames(drawn_clip, read: Read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    clip = drawn_clip.encode(
        tmp_path / "turned.mov",
        drawn_clip.film.frames[:20],
        codec="libx265",
        options={"x265-params": "log-level=none:crf=16", "preset": "ultrafast"},
    )
    quarter_clockwise = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 300 << 16, 0, 1 << 30)
    frames = read(patched(clip, b"tkhd", 40, quarter_clockwise))
    picture = pixels(frames.sources[0])
    assert picture.shape == (400, 300, 3)
    at = round(frames.report.used_s[0] * 15)  # type: ignore[union-attr]
    expected = np.rot90(drawn_clip.film.frames[at], -1).astype(float)
    assert np.abs(picture - expected).mean() < 12


def test_hdr_becomes_sdr_with_the_same_mid_tones(drawn_clip, read: Read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Encoded as HLG, in which light below reference white follows the square root and the system gamma."""
    light = (drawn_clip.film.frames[:20] / 255.0) ** 2.2 * 0.5 * 203 / 1000
    scene = np.maximum(light, 1e-6) ** (1 / 1.2)
    signal = np.where(
        scene <= 1 / 12, np.sqrt(3 * scene), 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-6)) + 0.55991073
    )
    clip = drawn_clip.encode(
        tmp_path / "hdr.mp4",
        (65535 * signal).astype(np.uint16),
        codec="libx265",
        pix_fmt="yuv420p10le",
        options={"x265-params": "log-level=none:crf=16", "preset": "ultrafast"},
        tags={"color_trc": HLG, "color_primaries": 9, "colorspace": 9, "color_range": 1},
    )
    frames = read(clip)
    at = round(frames.report.used_s[0] * 15)  # type: ignore[union-attr]
    expected = 255 * (0.5 * (drawn_clip.film.frames[at] / 255.0) ** 2.2) ** (1 / 2.2)
    found = pixels(frames.sources[0])
    assert found.mean() == pytest.approx(expected.mean(), rel=0.06)
    assert found.std() == pytest.approx(expected.std(), rel=0.15)


def test_a_variable_frame_rate_keeps_the_times(drawn_clip, read: Read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    times = np.cumsum([0.0, *[0.05 if i % 3 else 0.3 for i in range(29)]])
    clip = drawn_clip.encode(tmp_path / "uneven.mp4", drawn_clip.film.frames[:18], times_s=list(times[:18]))
    report = read(clip).report
    assert report is not None
    assert all(np.abs(times - t).min() < 0.011 for t in report.used_s)
    assert report.used_s[-1] > 1.5


def test_a_smaller_side_is_kept(drawn_clip, read: Read) -> None:  # type: ignore[no-untyped-def]
    frames = read(drawn_clip.path, side_max_px=320, frames_max=5)
    assert pixels(frames.sources[0]).shape == (240, 320, 3)


def test_a_clip_that_ends_early_gives_what_it_holds_and_says_so(drawn_clip, read: Read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    whole = tmp_path / "streamed.mp4"
    with av.open(str(drawn_clip.path)) as source, av.open(str(whole), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    data = whole.read_bytes()
    whole.write_bytes(data[: len(data) * 6 // 10])
    report = read(whole).report
    assert report is not None
    assert report.dropped[-1].code == "NOT_READ"
    assert report.dropped[-1].to_s == pytest.approx(drawn_clip.film.seconds, abs=0.3)
    assert report.used_s


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("half.mp4", lambda data: data[: len(data) // 2]),
        ("head.mp4", lambda data: data[:24]),
        ("zeros.mp4", lambda data: data[:24] + bytes(5000)),
        ("noise.mp4", lambda data: data[:4] + b"ftypisom" + np.random.default_rng(0).bytes(4000)),
    ],
)
def test_damaged_clips_are_named_with_the_next_step(  # type: ignore[no-untyped-def]
    drawn_clip, read: Read, tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / name
    path.write_bytes(change(drawn_clip.path.read_bytes()))
    assert reason(read(path)) == (
        Reject.UNREADABLE,
        "The video is damaged or incomplete. Copy it again from the camera.",
    )


def test_another_codec_is_named(drawn_clip, read: Read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    clip = drawn_clip.encode(tmp_path / "old.mp4", drawn_clip.film.frames[:3], codec="libvpx-vp9", options={})
    assert reason(read(clip)) == (
        Reject.UNREADABLE,
        "The video is coded as vp9. Use H.264 or HEVC, which phones write.",
    )


def test_sound_alone_is_refused(read: Read, tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "no picture" in reason(read(path))[1]


def test_a_clip_that_is_too_small_too_large_or_too_long_is_refused(drawn_clip, read: Read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    small = drawn_clip.encode(tmp_path / "small.mp4", drawn_clip.film.frames[:3, :150, :150])
    assert reason(read(small))[0] == Reject.TOO_SMALL
    long = drawn_clip.encode(tmp_path / "long.mp4", drawn_clip.film.frames[:3], times_s=[0.0, 1.0, 1400.0])
    assert reason(read(long)) == (Reject.TOO_LARGE, "The video lasts 23.3 min; the limit is 10 min. Cut it into parts.")


def test_the_decoder_gets_no_frame_above_the_limit(drawn_clip, read: Read, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The container declares a small picture, the coded stream another."""
    clip = drawn_clip.encode(tmp_path / "huge.mp4", [np.zeros((6144, 6144, 3), np.uint8)])
    found = read(patched(clip, b"avc1\0\0\0\0\0\0", 18, struct.pack(">HH", 640, 480)))
    assert reason(found)[0] in (Reject.TOO_LARGE, Reject.UNREADABLE)


def test_a_decoder_that_crashes_or_hangs_ends_only_its_own_process(  # type: ignore[no-untyped-def]
    drawn_clip, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames_module, "COMMAND", ("/bin/sh", "-c", "kill -SEGV $$"))
    assert reason(read(drawn_clip.path))[1] == frames_module.CRASHED
    monkeypatch.setattr(frames_module, "COMMAND", ("/bin/sh", "-c", "exec sleep 60"))
    monkeypatch.setattr(frames_module, "PASS_S_MAX", 0.1)
    monkeypatch.setattr(frames_module, "KILL_AFTER_S", 0.2)
    assert reason(read(drawn_clip.path))[1] == frames_module.TOO_SLOW


def test_a_pass_that_has_no_time_left_uses_what_it_read(drawn_clip, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from splat_worker.video.clip import open_clip
    from splat_worker.video.scan import scan

    ticks = iter(np.arange(0, 1000, 0.1))
    clip = open_clip(drawn_clip.path, threads=1)
    found = scan(
        clip, tmp_path, side_max_px=400, frames_max=20, seconds_max=4.0, on_progress=lambda _: None,
        clock=lambda: float(next(ticks)),
    )  # fmt: skip
    assert found.unread is not None
    assert found.unread.end_s == pytest.approx(drawn_clip.film.seconds, abs=0.1)
    assert len(found.places) > 0
    assert clip.stream.codec_context.skip_frame != "DEFAULT", "it had fallen behind"


def test_times_are_written_as_players_show_them() -> None:
    assert [clock_time(t) for t in (0, 3.25, 63.999, 600.5)] == ["0:00.00", "0:03.25", "1:04.00", "10:00.50"]
