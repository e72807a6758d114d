"""A subject in front of nothing: training leaves nothing around it, on the CPU and with the GPU's kernels.
Silent failures: a shell in the colour that was painted behind the subject, an edge that is too thin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scenes import blobs, photos_of

from splat_worker.scene import Gaussians, PosedPhotos, View
from splat_worker.train.backends import choose
from splat_worker.train.core.backend import Kind, Setup
from splat_worker.train.core.context import Device, TrainContext, Trained
from splat_worker.train.core.exposure import affines_of
from splat_worker.train.core.photos import resized
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.core.schedule import Moment, behind_nothing
from splat_worker.train.cuda.backend import CudaBackend
from splat_worker.train.cuda.engine import DeviceView
from splat_worker.train.loop import Training
from splat_worker.train.render import render

REACH = 1.35
"""No blob of the subject reaches farther from the origin: a ball of radius 1, standard deviations of about 0.1."""


def cut_out(gaussians: Gaussians, count: int) -> PosedPhotos:
    """Photos of the blobs over black with the share of each pixel that they cover."""
    posed = photos_of(gaussians, count=count)
    return replace(posed, views=tuple(_with_cover(view, gaussians) for view in posed.views))


def _with_cover(view: View, gaussians: Gaussians) -> View:
    open_share = (render(gaussians, view.camera, grey=1.0) - render(gaussians, view.camera)).mean(axis=2)
    cover = np.rint(255 * (1 - open_share)).astype(np.uint8)
    return replace(view, image=np.minimum(view.image, cover[..., None]), cover=cover)


def painted_white(posed: PosedPhotos) -> PosedPhotos:
    """The same photos as without their alpha channels: white around the subject."""
    views = []
    for view in posed.views:
        assert view.cover is not None
        views.append(replace(view, image=view.image + (255 - view.cover)[..., None], cover=None))
    return replace(posed, views=tuple(views))


def trained(posed: PosedPhotos, kind: Kind, *, steps: int) -> Trained:
    numbers = {"steps": steps, "size_px": 96, "gaussians_max": 400, "densify_every": 20}
    preset = resolve_preset(PresetName.PREVIEW, Device.CPU, len(posed.views), numbers)
    return Training(posed, preset, TrainContext(), [], kind).finish()


def around(gaussians: Gaussians) -> float:
    """Share of the Gaussians that can be seen and lie outside the subject."""
    seen = gaussians.opacity_logits > np.log(0.05 / 0.95)
    outside = np.linalg.norm(gaussians.means, axis=1) > REACH
    return float((seen & outside).sum() / max(seen.sum(), 1))


def left_open(gaussians: Gaussians, view: View) -> float:
    """How much of what is behind the scene shows where the photo shows nothing, 0 to 1."""
    assert view.cover is not None
    through = (render(gaussians, view.camera, grey=1.0) - render(gaussians, view.camera)).mean(axis=2)
    return float(through[view.cover < 10].mean())


@pytest.fixture(scope="module")
def posed() -> PosedPhotos:
    return cut_out(blobs(150), 10)


def test_nothing_is_around_a_subject_that_was_cut_out(posed) -> None:
    alone = trained(posed, choose(Device.CPU), steps=300)
    assert around(alone.gaussians) < 0.01
    assert left_open(alone.gaussians, posed.views[0]) > 0.97
    assert alone.metrics.psnr_db > 18
    shell = trained(painted_white(posed), choose(Device.CPU), steps=300)
    assert around(shell.gaussians) > 0.2, "the photos without their alpha channels make a shell"
    assert left_open(shell.gaussians, posed.views[0]) < 0.5


def test_the_gpu_compares_with_the_photo_over_the_colour_that_is_behind_the_scene(posed) -> None:
    """At the photo's exposure. The kernels themselves take any photo and any colour (test_kernels.py)."""
    view, gain = posed.views[0], 1.3
    assert view.cover is not None
    preset = resolve_preset(PresetName.PREVIEW, Device.CPU, 9, {"size_px": 96})
    setup = Setup(
        posed=posed, views=(view,), preset=preset, unit=3.0, affines=affines_of(np.array([gain])), seed=0,
        rng=np.random.default_rng(0), device="cpu",
    )  # fmt: skip
    engine = Recorder()
    backend = CudaBackend(setup, lambda *_: engine)
    colour = np.array([0.7, 0.1, 0.4], np.float32)
    backend.step(0, Moment(step=3000, steps=6000, background=colour))
    (photo, behind), whole = engine.seen, 1.0 - view.cover[..., None] / 255.0
    assert behind == pytest.approx(colour)
    assert np.abs(photo - (view.image + whole * gain * 255 * colour)).max() <= 0.51


class Recorder:
    """Stands for an engine: keeps the photo and the colour of the last step."""

    crowding, count = 0.0, 0

    def forget_rooms(self) -> None: ...

    def step(self, view: DeviceView, rates: object, *, degree: int, seed: int, background: tuple[float, ...]) -> None:
        self.seen = view.rgb.numpy().astype(float), background


def test_figures_count_only_the_subject(posed) -> None:
    view = posed.views[0]
    assert view.counts is not None
    assert np.array_equal(view.counts, view.cover > 127)
    hidden = replace(view, cover=None, mask=view.cover > 127)
    assert np.array_equal(hidden.counts, view.counts)


def test_a_smaller_photo_over_any_colour_is_the_smaller_picture_over_it(posed) -> None:
    view, colour = posed.views[0], np.array([200.0, 30.0, 90.0])

    def over(one: View) -> np.ndarray:
        assert one.cover is not None
        return one.image + (1 - one.cover[..., None] / 255.0) * colour

    small = resized(view, 48)
    large = over(view).reshape(32, 2, 48, 2, 3).mean(axis=(1, 3))
    assert np.abs(over(small) - large).max() < 1.5


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.5])
def test_no_colour_behind_a_subject_is_brighter_than_white_in_the_photo(gain) -> None:
    rng = np.random.default_rng(0)
    colours = np.stack([behind_nothing(rng, gain) for _ in range(200)])
    assert (colours * gain).max() <= 1.0
    assert colours.std(axis=0).min() > 0.1
