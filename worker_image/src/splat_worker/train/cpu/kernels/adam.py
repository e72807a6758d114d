"""Adam for one parameter array, fused: one pass over parameter, gradient and both moments.
Changes its arguments in place; knows nothing of what they mean.
"""

# ruff: noqa: PLR0917  (numba kernels take their arrays by position)
from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

from splat_worker.train.cpu.kernels.simd import LANES, load, root, store

_ONE = np.float32(1)
_BLOCK = 32768  # values per parallel task, a multiple of LANES


@njit(cache=True, parallel=True, nogil=True)
def adam(value, gradient, first, second, rate, beta1, beta2, epsilon, step):
    """One step on flat float32 arrays of one size. step counts from 1."""
    size = np.float32(rate / (1.0 - beta1**step))
    widen = np.float32(1.0 / math.sqrt(1.0 - beta2**step))
    b1, b2, eps = np.float32(beta1), np.float32(beta2), np.float32(epsilon)
    count = len(value)
    for block in prange((count + _BLOCK - 1) // _BLOCK):
        start, end = block * _BLOCK, min((block + 1) * _BLOCK, count)
        whole = start + (end - start) // LANES * LANES
        for i in range(start, whole, LANES):
            g = load(gradient, i)
            m = load(first, i) * b1 + g * (_ONE - b1)
            v = load(second, i) * b2 + g * g * (_ONE - b2)
            store(first, i, m)
            store(second, i, v)
            store(value, i, load(value, i) - m * size / (root(v) * widen + eps))
        for i in range(whole, end):
            g = gradient[i]
            m = first[i] * b1 + g * (_ONE - b1)
            v = second[i] * b2 + g * g * (_ONE - b2)
            first[i], second[i] = m, v
            value[i] -= m * size / (np.float32(math.sqrt(v)) * widen + eps)
