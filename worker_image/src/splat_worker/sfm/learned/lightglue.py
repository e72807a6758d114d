"""LightGlue matches of learned features as tensor operations. Imports torch, so import it only where needed.

Lindenberger, Sarlin, Pollefeys, LightGlue: Local Feature Matching at Light Speed (ICCV 2023), with its constants
(github.com/cvg/LightGlue, Apache-2.0). It stops at the layer that is sure, and drops features that surely have no match
on the way, so that easy pairs and pairs of different places take less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from splat_worker.sfm.learned import weights
from splat_worker.sfm.learned.aliked import LearnedFeatures

LAYERS = 9
HEADS = 4
SURE_SHARE = 0.95
"""Share of the features that must be sure of their match, or of having none, to stop before the last layer."""
UNMATCHED_BELOW = 0.01
"""Probability of having a match, below which a feature that is sure is dropped."""
SCORE_MIN = 0.1
FEATURES_MIN = 2


@dataclass(frozen=True, kw_only=True)
class _Side:
    """Features of one photo inside the network. state: (N, 256); turn: cosines and sines (2, N, 64) of their positions;
    index: (N,) numbers of the features that are left."""

    state: Tensor
    turn: Tensor
    index: Tensor

    def only(self, kept: Tensor) -> _Side:
        return _Side(state=self.state[kept], turn=self.turn[:, kept], index=self.index[kept])


class LightGlue:
    """The network on one torch device."""

    def __init__(self, device: str) -> None:
        self._weights = weights.read(weights.LIGHTGLUE, device)
        self._device = device

    @torch.inference_mode()
    def match(self, one: LearnedFeatures, other: LearnedFeatures) -> NDArray[np.uint32]:
        """(M, 2) indices of features that show the same point."""
        sides = self._side(one), self._side(other)
        for layer in range(LAYERS):
            if min(len(side.state) for side in sides) < FEATURES_MIN:
                return np.zeros((0, 2), np.uint32)
            sides = self._layer(layer, *sides)
            if layer == LAYERS - 1:
                break
            sure_from = 0.8 + 0.1 * math.exp(-4.0 * layer / LAYERS)
            sure = [torch.sigmoid(self._linear(f"token_confidence.{layer}.token.0", s.state))[:, 0] for s in sides]
            unsure = sum(int((each < sure_from).sum()) for each in sure)
            if 1.0 - unsure / (len(one.pixels) + len(other.pixels)) > SURE_SHARE:
                break
            sides = tuple(self._pruned(layer, s, each, sure_from) for s, each in zip(sides, sure, strict=True))
        return self._assigned(layer, *sides)

    def _side(self, features: LearnedFeatures) -> _Side:
        size = torch.tensor(features.size, dtype=torch.float32)
        at = (torch.from_numpy(features.pixels) - 0.5 - size / 2) / (size.max() / 2)
        angle = at.to(self._device) @ self._weights["posenc.Wr.weight"].T
        turn = torch.stack([torch.cos(angle), torch.sin(angle)]).repeat_interleave(2, dim=-1)
        state = self._linear("input_proj", features.descriptors)
        return _Side(state=state, turn=turn, index=torch.arange(len(state), device=self._device))

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _layer(self, layer: int, one: _Side, other: _Side) -> tuple[_Side, _Side]:
        one, other = self._self_attention(layer, one), self._self_attention(layer, other)
        name = f"transformers.{layer}.cross_attn"
        keys = [_heads(self._linear(f"{name}.to_qk", side.state)) for side in (one, other)]
        values = [_heads(self._linear(f"{name}.to_v", side.state)) for side in (one, other)]
        news = [_attend(keys[i], keys[1 - i], values[1 - i]) for i in (0, 1)]
        states = [
            self._updated(name, side.state, self._linear(f"{name}.to_out", new))
            for side, new in zip((one, other), news, strict=True)
        ]
        return replace(one, state=states[0]), replace(other, state=states[1])

    def _self_attention(self, layer: int, side: _Side) -> _Side:
        name = f"transformers.{layer}.self_attn"
        mixed = self._linear(f"{name}.Wqkv", side.state).unflatten(-1, (HEADS, -1, 3)).transpose(0, 1)
        query, key, value = (mixed[..., part] for part in range(3))
        new = _attend(_turned(query, side.turn), _turned(key, side.turn), value)
        return replace(side, state=self._updated(name, side.state, self._linear(f"{name}.out_proj", new)))

    def _updated(self, name: str, state: Tensor, message: Tensor) -> Tensor:
        hidden = self._linear(f"{name}.ffn.0", torch.cat([state, message], -1))
        norm, bias = self._weights[f"{name}.ffn.1.weight"], self._weights[f"{name}.ffn.1.bias"]
        hidden = functional.gelu(functional.layer_norm(hidden, norm.shape, norm, bias))
        return state + self._linear(f"{name}.ffn.3", hidden)

    def _pruned(self, layer: int, side: _Side, sure: Tensor, sure_from: float) -> _Side:
        has_match = torch.sigmoid(self._linear(f"log_assignment.{layer}.matchability", side.state))[:, 0]
        return side.only((has_match > UNMATCHED_BELOW) | (sure <= sure_from))

    def _assigned(self, layer: int, one: _Side, other: _Side) -> NDArray[np.uint32]:
        """Mutual best pairs whose probability reaches SCORE_MIN."""
        name = f"log_assignment.{layer}"
        states = [self._linear(f"{name}.final_proj", side.state) for side in (one, other)]
        alike = (states[0] @ states[1].T) / math.sqrt(states[0].shape[1])
        has = [functional.logsigmoid(self._linear(f"{name}.matchability", side.state))[:, 0] for side in (one, other)]
        score = functional.log_softmax(alike, 1) + functional.log_softmax(alike, 0) + has[0][:, None] + has[1][None]
        best, there = score.max(1)
        back = score.argmax(0)
        rows = torch.arange(len(there), device=self._device)
        good = (back[there] == rows) & (best.exp() > SCORE_MIN)
        return torch.stack([one.index[good], other.index[there[good]]], 1).cpu().numpy().astype(np.uint32)


def _heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(0, 1)


def _turned(x: Tensor, turn: Tensor) -> Tensor:
    """Rotary embedding: pairs of channels, turned by the angles of the position. x: (heads, N, 64)."""
    even, odd = x.unflatten(-1, (-1, 2)).unbind(dim=-1)
    quarter = torch.stack([-odd, even], -1).flatten(start_dim=-2)
    return x * turn[0] + quarter * turn[1]


def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """(N, 256) from (heads, N, 64), (heads, M, 64), (heads, M, 64)."""
    out = functional.scaled_dot_product_attention(query[None], key[None].contiguous(), value[None].contiguous())[0]
    return out.transpose(0, 1).flatten(start_dim=1)
