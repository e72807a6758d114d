"""The fused step against torch.optim.Adam."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from splat_worker.train.cpu.kernels.adam import adam


@pytest.mark.parametrize("size", [1, 15, 16, 17, 1000, 32768 + 5])
def test_steps_are_those_of_torch(size):
    rng = np.random.default_rng(size)
    value = rng.normal(size=size).astype(np.float32)
    first, second = np.zeros(size, np.float32), np.zeros(size, np.float32)
    want = torch.tensor(value.copy(), requires_grad=True)
    optimiser = torch.optim.Adam([want], lr=0.01, betas=(0.9, 0.99), eps=1e-15)
    for step in range(1, 6):
        gradient = rng.normal(size=size).astype(np.float32) * 10.0 ** rng.integers(-6, 3, size)
        gradient = gradient.astype(np.float32)
        want.grad = torch.tensor(gradient)
        optimiser.step()
        adam(value, gradient, first, second, 0.01, 0.9, 0.99, 1e-15, step)
    assert np.allclose(value, want.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_a_zero_gradient_from_the_start_moves_nothing():
    value = np.ones(20, np.float32)
    adam(value, *(np.zeros(20, np.float32) for _ in range(3)), 0.1, 0.9, 0.99, 1e-15, 1)
    assert (value == 1).all()
