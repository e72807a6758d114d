"""Adam for one parameter array, fused: one pass over parameter, gradient and both moments.
Changes its arguments in place; knows nothing of what they mean.
"""

# ruff: noqa: PLR0917  (numba kernels take their arrays by position)
from __future__ import annotations

import math

import numpy as np
from numba import njit, prange

_ONE = np.float32(1)
_BLOCK = 16384


@njit(cache=True, parallel=True, nogil=True, fastmath={"contract", "arcp", "reassoc", "nsz"})
def adam(value, gradient, first, second, rate, beta1, beta2, epsilon, step):
    """One step on flat float32 arrays of one size. step counts from 1."""
    correct1 = np.float32(rate / (1.0 - beta1**step))
    correct2 = np.float32(1.0 / math.sqrt(1.0 - beta2**step))
    b1, b2, eps = np.float32(beta1), np.float32(beta2), np.float32(epsilon)
    for block in prange((len(value) + _BLOCK - 1) // _BLOCK):
        for i in range(block * _BLOCK, min((block + 1) * _BLOCK, len(value))):
            g = gradient[i]
            m = b1 * first[i] + (_ONE - b1) * g
            v = b2 * second[i] + (_ONE - b2) * g * g
            first[i], second[i] = m, v
            value[i] -= correct1 * m / (np.sqrt(v) * correct2 + eps)
