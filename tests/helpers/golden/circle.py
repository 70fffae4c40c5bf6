"""Cases of circle_pair.js."""

import numpy as np
import torch

from recallkit.course.pair_gradients import list_gradient
from recallkit.course.pair_plane import circle_boundary
from recallkit.related import CircleLoss


def one_pair():
    """All corners of the plane, and places in it; beyond O_p and O_n a weight is 0."""
    rng = np.random.default_rng(11)
    for number in range(80):
        margin, gamma = float(rng.choice([0, 0.1, 0.25, 0.4])), float(rng.choice([1, 80, 256]))
        s_p, s_n = (float(s) for s in rng.uniform(-1, 1.5, 2).round(number % 3 + 1))
        loss, labels = CircleLoss(margin, gamma), torch.tensor([1, 0])
        row = torch.tensor([s_p, s_n], dtype=torch.float64)
        unit = torch.eye(2, dtype=torch.float64)
        expected = {
            "loss": loss(row[None], torch.ones(1, dtype=torch.int64), unit, labels).item(),
            "weights": [max(0.0, 1 + margin - s_p), max(0.0, s_n + margin)],
            "gradient": list_gradient(loss, row, labels == 1).tolist(),
        }
        yield [s_p, s_n, {"margin": margin, "gamma": gamma}], expected


def boundary():
    rng = np.random.default_rng(12)
    for number in range(60):
        margin, counts = float(rng.uniform(0, 1)), [int(rng.integers(2, 90))][: number % 2]
        yield [margin, *counts], circle_boundary(margin, *counts).tolist()
