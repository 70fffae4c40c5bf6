"""Cases of interpolation.js."""

import numpy as np
import torch

from recallkit.course.corners import corner_counts, corners_of
from recallkit.related import average_precision, interpolate, recall_at_k


def _comparisons(rng, number):
    """A place in the cube; sometimes a tie, sometimes all right."""
    b = torch.from_numpy(rng.uniform(-1, 1, 1 + number % 4))
    if number % 5 == 0:
        b[0] = 0
    return b.abs() if number % 7 == 3 else b


def comparisons():
    rng = np.random.default_rng(21)
    for number in range(60):
        positive, *negatives = rng.uniform(-1, 1, 2 + number % 4)
        temperature = float(10.0 ** rng.uniform(-2, 0.5))
        gaps = (positive - torch.tensor(negatives)) / temperature
        expected = 2 * torch.sigmoid(gaps) - 1
        yield [float(positive), [float(n) for n in negatives], temperature], expected.tolist()


def all_corners():
    for number in range(50):
        yield [1 + number % 6], corners_of(1 + number % 6).tolist()


def counts():
    rng = np.random.default_rng(22)
    for number in range(80):
        b, numbers = _comparisons(rng, number), [int(rng.integers(1, 20))][: number % 2]
        yield [b.tolist(), *numbers], corner_counts(b, *numbers).tolist()


def values():
    for number in range(60):
        corners = corners_of(1 + number % 5).roll(number, dims=0)
        tables, metric = corners[:, None, None], ("recall", "precision")[number % 2]
        right = average_precision(tables) if number % 2 else recall_at_k(tables, ks=(1,))
        yield [corners.tolist(), metric], right.tolist()


def interpolated():
    """With whole numbers of anchors at the corners; some have none."""
    rng = np.random.default_rng(23)
    for number in range(90):
        b = _comparisons(rng, number).requires_grad_()
        corners = corners_of(len(b))
        many = torch.from_numpy(rng.integers(number % 3, 9, len(corners)))
        many[0] = 1
        if number % 9 == 8:
            b = corners[0].clone().requires_grad_()  # at an anchor
        g = torch.from_numpy(rng.uniform(0, 1, len(corners)))
        anchors, repeated = (x.repeat_interleave(many, dim=0) for x in (corners, g))
        value = interpolate(repeated, b, anchors)
        [right] = torch.autograd.grad(value, b)
        distances = (b.detach() - corners).norm(dim=1)
        weights = torch.where(distances == 0, 1.0, many / distances)
        if (distances == 0).any():
            weights = (distances == 0).double()
        shares = weights / weights.sum()
        # (g + ĝ) is (g − ĝ) + 2 ĝ, and a metric of 1 at each anchor leaves only the last
        pull = [
            2 * value.item() * s * (c - b.detach()) / d**2
            for s, c, d in zip(shares, corners, distances, strict=True)
            if d > 0
        ]
        released = right + torch.stack(pull).sum(dim=0) if not (distances == 0).any() else right
        expected = {
            "value": value.item(),
            "shares": shares.tolist(),
            "gradient": right.tolist(),
            "released": released.tolist(),
        }
        yield [g.tolist(), many.tolist(), b.tolist(), corners.tolist()], expected
