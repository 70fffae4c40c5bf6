"""Cases of solved_batch.js."""

import numpy as np
import torch
from helpers.golden.tables import some_batches

from recallkit.course.solved_batch import (
    loss_and_push,
    partly_solved,
    perfect_rankings,
    random_alphas,
    random_start,
)
from recallkit.losses import RecallAtKLoss
from recallkit.simix import same_class_pairs

SHARES = (0.0, 0.3, 0.5, 0.65, 0.8, 0.95, 1.0)


def between():
    for number in range(56):
        start = (1 + number % 3) * random_start(number)
        share = SHARES[number % 7]
        points, labels = partly_solved(start, share)
        expected = {"points": points.tolist(), "labels": labels.tolist()}
        yield [start.tolist(), share], expected


def pushes():
    """Batches without and with SiMix: of any shape, and those of the figure."""
    rng = np.random.default_rng(11)
    for number, batch in enumerate(some_batches(12, 40)):
        pairs = len(same_class_pairs(batch.labels)[0])
        yield _push(batch.points, batch.labels, torch.from_numpy(rng.uniform(size=pairs)), number)
    for number, share in enumerate(SHARES * 4):
        points, labels = partly_solved(random_start(number), share)
        yield _push(points, labels, random_alphas(number), number)


def _push(points, labels, alphas, number):
    mixed = alphas if number % 3 else None
    ks, temperature = ([1, 2, 4, 8, 16], [2], [1, 4])[number % 3], (0.01, 0.1)[number % 2]
    loss = RecallAtKLoss(ks, rank_temperature=temperature)
    value, push = loss_and_push(points, labels, mixed, loss)
    settings = {"ks": ks, "kTemperature": 1, "rankTemperature": temperature}
    given = None if mixed is None else mixed.tolist()
    return [points.tolist(), labels.tolist(), given, settings], {"loss": value, "push": push}


def perfect():
    for batch in some_batches(13, 40):
        expected = perfect_rankings(batch.points, batch.labels)
        yield [batch.points.tolist(), batch.labels.tolist()], expected
    for number, share in enumerate(SHARES * 3):
        points, labels = partly_solved(random_start(number), share)
        yield [points.tolist(), labels.tolist()], perfect_rankings(points, labels)
