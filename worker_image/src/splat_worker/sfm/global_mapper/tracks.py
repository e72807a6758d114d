"""Tracks: keypoints that matches join into one point of the scene.
Pure. The same matches give the same tracks, in the same order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from splat_worker.sfm.global_mapper.schur import Structure, structure_of

PHOTOS_MIN = 3
"""Photos of a track. Two photos alone cannot contradict a wrong match."""
PHOTOS_MAX = 100


def joined(matches: Tensor, keypoints: int) -> Tensor:
    """(K,) smallest keypoint of each one's connected group. matches: (M, 2). Labels fall to the smaller of both ends of
    a match until none changes."""
    label = torch.arange(keypoints, device=matches.device)
    a, b = matches.unbind(1)
    while True:
        low = torch.minimum(label[a], label[b])
        before = label
        label = label.scatter_reduce(0, label[a], low, "amin").scatter_reduce(0, label[b], low, "amin")
        label = label.scatter_reduce(0, a, low, "amin").scatter_reduce(0, b, low, "amin")
        while not torch.equal(shorter := label[label], label):
            label = shorter
        if torch.equal(label, before):
            return label


def tracks_of(matches: Tensor, photo_of_keypoint: Tensor, photos: int) -> tuple[Structure, Tensor]:
    """Tracks with a point in PHOTOS_MIN photos or more, at most one in each, and the (O,) keypoints of its
    observations. Tracks with two points in one photo are dropped."""
    label = joined(matches, len(photo_of_keypoint))
    size = torch.bincount(label, minlength=len(label))
    keypoint = (size[label] >= PHOTOS_MIN).nonzero()[:, 0]
    group, photo = label[keypoint], photo_of_keypoint[keypoint]
    order = torch.sort(group * photos + photo, stable=True).indices
    key = (group * photos + photo)[order]
    twice = torch.zeros_like(size, dtype=torch.bool)
    twice[group[order][1:][key[1:] == key[:-1]]] = True
    good = ~twice[group] & (size[group] <= PHOTOS_MAX)
    structure, order, _ = structure_of(photo[good], group[good], photos)
    return structure, keypoint[good][order]


def longest(structure: Structure, per_photo: int) -> Tensor:
    """(P,) bool: points that are among the `per_photo` with the most photos in some photo. Of the same length the first
    count."""
    length = structure.per_point[structure.point]
    longest_first = torch.sort(-length, stable=True).indices
    order = longest_first[torch.sort(structure.photo[longest_first], stable=True).indices]
    begin = structure.per_photo.cumsum(0) - structure.per_photo
    rank = torch.arange(len(order), device=order.device) - begin[structure.photo[order]]
    chosen = torch.zeros(structure.points, dtype=torch.bool, device=order.device)
    chosen[structure.point[order[rank < per_photo]]] = True
    return chosen
