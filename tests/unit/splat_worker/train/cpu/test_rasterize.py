"""The CPU kernels against a dense float64 reference: values, all gradients, edge cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference import arrays, camera, dense

from splat_worker.train.core.backend import Shapes
from splat_worker.train.cpu.rasterize import rasterize
from splat_worker.train.cpu.trace import Trace

NAMES = ("means", "quats", "scales", "opacities", "sh")
# float32 against float64: worst seen 8e-7 (picture) and 2.4e-6 (relative gradient) over 9 random scenes
PICTURE_ATOL = 5e-6
GRADIENT_RTOL = 2e-5
EDGE_RTOL = 2e-4  # a needle loses digits where its covariance is inverted: worst seen 3e-5
BACKGROUND = np.array([0.2, 0.5, 0.7])


def both(parts, view, slope_seed=0):
    """Pictures and gradients of the kernels (float32) and of the reference (float64)."""
    wide = [torch.tensor(p, requires_grad=True) for p in parts]
    narrow = [torch.tensor(p, dtype=torch.float32, requires_grad=True) for p in parts]
    want = dense(*wide, view, torch.tensor(BACKGROUND))
    trace = Trace()
    got = rasterize(Shapes(*narrow), view, torch.tensor(BACKGROUND, dtype=torch.float32), trace)
    slopes = torch.tensor(np.random.default_rng(slope_seed).normal(size=want.shape))
    trace.errors = torch.ones(view.height, view.width)
    if want.requires_grad:  # not where nothing was drawn
        (want * slopes).sum().backward()
    (got * slopes.float()).sum().backward()
    return want, got, [w.grad for w in wide], [g.grad for g in narrow], trace


def assert_agree(parts, view, rtol=GRADIENT_RTOL):
    want, got, wide, narrow, trace = both(parts, view)
    assert (want - got).abs().max().item() < PICTURE_ATOL
    for name, w, g in zip(NAMES, wide, narrow, strict=True):
        assert torch.isfinite(g).all(), name
        assert (w - g).norm().item() <= rtol * w.norm().item() + 1e-6, name
    return trace


@pytest.mark.parametrize("sh_degree", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pictures_and_gradients_agree_with_the_float64_reference(sh_degree, seed):
    assert_agree(arrays(40, sh_degree, seed), camera())


@pytest.mark.parametrize(("width", "height"), [(1, 1), (16, 8), (17, 9), (31, 7), (64, 40)])
def test_picture_sizes_around_lane_groups_and_bands_agree(width, height):
    assert_agree(arrays(25, 1, 5), camera(width, height))


EDGE_CASES = {
    "behind the camera": {"means": [0.0, 0.0, -6.0]},
    "between the near plane and the camera": {"means": [0.0, 0.0, -2.495]},
    "far off the screen": {"means": [40.0, 0.0, 0.5]},
    "just past the edge": {"means": [-1.6, 0.2, 0.0]},
    "as large as the scene": {"scales": [3.0, 2.5, 2.0]},
    "a needle": {"scales": [0.9, 1e-4, 1e-4]},
    "a flat disc": {"scales": [0.5, 0.5, 1e-5]},
    "smaller than a pixel": {"scales": [1e-5, 1e-5, 1e-5]},
    "transparent": {"opacities": 1e-3},
    "opaque": {"opacities": 0.9995},
    "a quaternion of length 1000": {"quats": [600.0, 0.0, 800.0, 0.0]},
    "darker than black": {"sh": np.full((4, 3), -3.0)},
}


@pytest.mark.parametrize("case", EDGE_CASES)
def test_edge_cases_agree(case):
    parts = arrays(12, 1, 3)
    parts[0][4] = [0.0, 0.0, 0.0]
    for name, value in EDGE_CASES[case].items():
        parts[NAMES.index(name)][4] = value
    assert_agree(parts, camera(), EDGE_RTOL)


def test_gradients_are_the_finite_differences_of_the_reference():
    """The reference's own gradients come from autograd; this ties both to the definition."""
    parts = arrays(6, 1, 11)
    view = camera(20, 14)
    _, _, _, narrow, _ = both(parts, view)
    slopes = torch.tensor(np.random.default_rng(0).normal(size=(3, 14, 20)))
    step = 1e-6
    for which, name in enumerate(NAMES):
        for row, place in [(1, 0), (4, -1)]:
            values = []
            for sign in (1, -1):
                moved = [p.copy() for p in parts]
                moved[which][row].reshape(-1)[place] += sign * step if moved[which].ndim > 1 else 0.0
                if moved[which].ndim == 1:
                    moved[which][row] += sign * step
                picture = dense(*(torch.tensor(p) for p in moved), view, torch.tensor(BACKGROUND))
                values.append((picture * slopes).sum().item())
            want = (values[0] - values[1]) / (2 * step)
            got = narrow[which][row].reshape(-1)[place].item()
            assert got == pytest.approx(want, rel=1e-4, abs=1e-5), (name, row)


def test_nothing_to_draw_is_the_background_with_zero_gradients():
    parts = arrays(3, 0, 0)
    parts[0][:] = [0.0, 0.0, -9.0]
    _, got, _, narrow, trace = both(parts, camera())
    assert torch.allclose(got[:, 3, 7], torch.tensor(BACKGROUND, dtype=torch.float32))
    assert all((g == 0).all() for g in narrow)
    assert (trace.radii_px == 0).all()


def test_the_share_of_all_gaussians_is_what_the_background_does_not_get():
    parts = arrays(30, 0, 8)
    *_, trace = both(parts, camera())
    lit = [*parts[:4], np.full_like(parts[4], 0.5 / 0.28209479177387814)]  # every Gaussian white
    white = rasterize(Shapes(*(torch.tensor(p, dtype=torch.float32) for p in lit)), camera(), torch.zeros(3))
    assert trace.share.sum().item() == pytest.approx(white[0].sum().item(), rel=1e-4)


def test_the_trace_has_the_gradient_of_the_projected_mean():
    """Moving the principal point moves every projected mean alike (and, on the screen, changes nothing else)."""
    parts = arrays(20, 0, 2)
    parts[0] *= 0.3
    view = camera()
    *_, trace = both(parts, view)
    slopes = torch.tensor(np.random.default_rng(0).normal(size=(3, view.height, view.width)))
    sums = []
    for shift in (1e-6, -1e-6):
        k = view.k.copy()
        k[0, 2] += shift
        moved = type(view)(world_to_camera=view.world_to_camera, k=k, width=view.width, height=view.height)
        picture = dense(*(torch.tensor(p) for p in parts), moved, torch.tensor(BACKGROUND))
        sums.append((picture * slopes).sum().item())
    assert trace.grad_px[:, 0].sum().item() == pytest.approx((sums[0] - sums[1]) / 2e-6, rel=1e-4)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    import splat_worker.train.cpu.rasterize as module

    outcomes = []
    for threads in (1, 2):
        monkeypatch.setattr(module, "settle_threads", lambda n=threads: n)
        parts = [torch.tensor(p, dtype=torch.float32, requires_grad=True) for p in arrays(600, 1, 4)]
        picture = rasterize(Shapes(*parts), camera(90, 70), torch.zeros(3))
        (picture**2).sum().backward()
        outcomes.append([picture.detach(), *(p.grad for p in parts)])
    assert all(torch.equal(a, b) for a, b in zip(*outcomes, strict=True))
