"""The palette and the codebook."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from splat_worker.export.palette import ENTRIES_MAX_CPU, find_codebook, find_palette, nearest_codes


def test_a_palette_finds_the_existing_rows() -> None:
    kinds = np.random.default_rng(1).normal(size=(64, 9)).astype(np.float32)
    rows = kinds[np.random.default_rng(2).integers(0, 64, 4000)]
    palette = find_palette(rows, entries_max=1024)
    assert np.allclose(palette.entries[palette.labels], rows, atol=1e-4)


@pytest.mark.parametrize(("rows", "entries"), [(1, 1), (63, 63), (300, 256), (4096, 4096), (50_000, ENTRIES_MAX_CPU)])
def test_a_palette_is_no_larger_than_the_number_of_rows(rows: int, entries: int) -> None:
    palette = find_palette(np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32))
    assert palette.entries.shape == (entries, 3)
    assert palette.labels.max() < entries
    with pytest.raises(ValueError, match="at least one row"):
        find_palette(np.zeros((0, 3), np.float32))


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, st.integers(1, 400), elements=st.floats(-50, 50, width=32)))
def test_codes_name_the_nearest_number_and_keep_the_extremes(values: np.ndarray) -> None:
    book = find_codebook(values)
    assert len(book) == 256
    assert np.all(np.diff(book) >= 0)
    codes = nearest_codes(values, book)
    best = np.abs(values[:, None].astype(np.float64) - book[None]).min(1)
    assert np.allclose(np.abs(values - book[codes]), best, atol=1e-5)
    assert best.max() <= (values.max() - values.min()) / 120 + 1e-4
