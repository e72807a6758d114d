"""The plan of a card's memory on paper, and that the arrays are what it counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from infra.runpod import job_memory
from splat_worker.contract.job_input import Preset
from splat_worker.job.pipeline import SIDE_PX
from splat_worker.limits import PHOTOS_MAX
from splat_worker.scene import View
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.arena import Arena
from splat_worker.train.cuda.densification import smallest
from splat_worker.train.cuda.memory import (
    INSTANCE_BYTES,
    INSTANCES_LIMIT,
    PER_GAUSSIAN_MIN,
    fixed_bytes,
    instances_max,
)
from splat_worker.train.cuda.photos import RESIDENT_BYTES_MAX, Photos
from splat_worker.train.cuda.rooms import RoomPlan

GIB = 1 << 30
PHOTOS = 300  # the default of a stack's photosMax
PER_GAUSSIAN_USUAL = 40  # instances: 600 Gaussians in each tile of 1600x1200 px, of 450,000


class NoSort:
    """Kernels that need no memory of their own."""

    def temporary_bytes(self, *_: int) -> int:
        return 0


def held(arena: Arena) -> int:
    return sum(array.numel() * array.element_size() for array in arena._arrays.values())


def test_the_arrays_of_a_run_are_those_that_the_plan_counts():
    numbers = {"capacity": 1000, "pixels": 6400, "tiles": 100}
    small, large = (
        Arena(kernels=NoSort(), device="cpu", instances=n, training=True, **numbers) for n in (32 * 100, 32 * 1100)
    )
    per_instance = (held(large) - held(small)) / (32 * 1000)
    assert per_instance <= INSTANCE_BYTES - 8 < per_instance + 1  # 8: what a sort by 32 bits of 32 bits takes
    planned = fixed_bytes(gaussians=1000, pixels=6400, tiles=100) - 1000 * 4 * 2 * 3 * layout.ROWS
    fixed = held(small) - 32 * 100 * per_instance
    assert planned == pytest.approx(fixed, abs=100)


def room_on(card_gib, preset, side_px, count):
    """Instances per Gaussian that a card leaves room for, with photos of 4 to 3."""
    numbers = resolve_preset(preset, Device.CUDA, count)
    width, height = side_px, side_px * 3 // 4
    photos = count * 3 * width * height
    room = instances_max(
        round(0.95 * card_gib * GIB) - photos,  # the context of CUDA takes some
        gaussians=numbers.gaussians_max,
        pixels=width * height,
        tiles=layout.tiles_of(width, height),
        photo_bytes=count * 4 * width * height,
    )
    assert room <= INSTANCES_LIMIT
    return room / numbers.gaussians_max


def trainer_holds(card_gib, preset, count):
    """Whether a run has room for a usual picture; of more photos than may lie on the card all stay on the host."""
    side_px = SIDE_PX["cuda", Preset(preset)]
    trained_px = min(side_px, resolve_preset(PresetName(preset), Device.CUDA, count).size_px)
    stored = count * 3 * (side_px * side_px * 3 // 4)
    pixels = trained_px * trained_px * 3 // 4
    on_card = stored <= RESIDENT_BYTES_MAX
    try:
        instances_max(
            round(0.95 * card_gib * GIB) - (stored if on_card else 0),
            gaussians=resolve_preset(PresetName(preset), Device.CUDA, count).gaussians_max,
            pixels=pixels,
            tiles=layout.tiles_of(trained_px, trained_px * 3 // 4),
            photo_bytes=4 * pixels * (count if on_card else 1),
        )
    except MemoryError:
        return False
    return True


@pytest.mark.parametrize("preset", job_memory.SHAPES)
@pytest.mark.parametrize("card_gb", [8, 12, 16, 20, 24])
def test_an_estimate_says_what_the_trainer_will_find(preset, card_gb):
    """The plan of a deployment and the app refuse by a formula of their own, since neither has the worker's code."""
    assert job_memory.PHOTOS_MAX == PHOTOS_MAX
    most = job_memory.photos_that_fit(preset, card_gb)
    assert trainer_holds(card_gb, preset, most - 2)
    assert most == PHOTOS_MAX or not trainer_holds(card_gb, preset, most + 2)


@pytest.mark.parametrize("preset", list(PresetName))
def test_300_photos_fit_on_the_smallest_card_of_a_pool(preset):
    """So that neither an estimate nor a job has to refuse a set of the usual limit for its card."""
    assert room_on(16, preset, SIDE_PX["cuda", Preset(preset.value)], PHOTOS) > PER_GAUSSIAN_MIN


@pytest.mark.parametrize("preset", [PresetName.PREVIEW, PresetName.STANDARD])
@pytest.mark.parametrize("card_gib", [24, 80, 141])
def test_300_photos_have_usual_room_on_a_card_of_24_gb(preset, card_gib):
    assert room_on(card_gib, preset, SIDE_PX["cuda", Preset(preset.value)], PHOTOS) > PER_GAUSSIAN_USUAL


def test_a_cards_ceiling_leaves_what_the_rest_needs():
    numbers = {"gaussians": 450_000, "pixels": 1600 * 1200, "tiles": 30_000}
    room = instances_max(24 * GIB, photo_bytes=2 * GIB, **numbers)
    assert room * INSTANCE_BYTES + fixed_bytes(**numbers) + 2 * GIB < 23 * GIB
    assert instances_max(None, **numbers) == INSTANCES_LIMIT
    with pytest.raises(MemoryError):
        instances_max(2 * GIB, **numbers)
    least = fixed_bytes(**numbers) + PER_GAUSSIAN_MIN * 450_000 * INSTANCE_BYTES
    assert instances_max(round((least + 1.01 * GIB) / 0.9), **numbers) >= PER_GAUSSIAN_MIN * 450_000


def test_no_room_is_above_the_ceiling():
    plan = RoomPlan(first_guess=1 << 20, most=100_000)
    assert plan.room(0, gaussians=10) == 100_000
    plan.note(0, counted=250_000, gaussians=10, room=100_000)
    assert plan.room(0, gaussians=10) == 100_000


@pytest.mark.parametrize(
    ("share", "stay"), [(0.25, [0, 2, 4, 5]), (0.5, [0, 2, 3, 4, 5]), (0.01, [0, 2, 5]), (1.0, [0, 1, 2, 3, 4, 5])]
)
def test_the_largest_go_until_the_others_fit_and_half_stays_in_any_case(share, stay):
    stats = torch.zeros(layout.STATS, 6)
    stats[3] = torch.tensor([1.0, 3.0, 1.0, 2.0, 1.0, 0.0]) / 3  # areas 1, 9, 1, 4, 1, 0 ninths: 16 in all
    assert smallest(stats, share=share).tolist() == stay


def test_a_gaussian_larger_than_the_picture_covers_no_more_than_the_picture():
    stats = torch.zeros(layout.STATS, 10)
    stats[3] = torch.linspace(1.0, 9.0, 10)
    assert smallest(stats, share=0.7).tolist() == list(range(7))


def test_photos_on_the_host_come_one_at_a_time():
    image = np.zeros((60, 80, 3), np.uint8)
    views = tuple(View(name=f"{i}", image=image, world_to_camera=np.eye(4), k=np.eye(3)) for i in range(5))
    photos = Photos(views, "cpu")
    assert photos.bytes_to_come(40) == 5 * 4 * 40 * 30
    photos.resident = False
    assert photos.bytes_to_come(40) == 4 * 40 * 30
