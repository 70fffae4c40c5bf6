"""Cases of descent.js. Long paths are compared for losses that do not double an error."""

import numpy as np
import torch
from helpers.golden.tables import some_batches, some_points

from recallkit import RecallAtKLoss
from recallkit.course.pair_gradients import (
    descend,
    losses_to_compare,
    pair_gradients,
    sphere_gradient,
)

RACERS = {
    "RS@k": (0.01, 0.1),
    "SmoothAP": (0.1,),
    "triplet": (0.01,),
    "contrastive": (0.01,),
    "NT-Xent": (0.01,),
}


def _problems(seed, count=9):
    """Name, loss, points, labels, settings: each loss on some batches without equal points."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        size = 4 + number % 7
        points = some_points(rng, size, 2 + 6 * (number % 2), number % 2)
        labels = torch.arange(size) % 2 * 5 - 3
        for name, temperatures in RACERS.items():
            for temperature in temperatures:
                settings = {} if temperature == 0.01 else {"rankTemperature": temperature}
                yield name, losses_to_compare(temperature)[name], points, labels, settings


def along():
    for number, batch in enumerate(some_batches(1, 50)):
        loss = losses_to_compare(0.1)[list(RACERS)[number % 5]]
        pairs = pair_gradients(loss, batch.points @ batch.points.T, batch.labels)
        expected = sphere_gradient(loss, batch.points, batch.labels)
        yield [batch.points.tolist(), pairs.tolist()], expected.tolist()


def _of_points(loss, points, labels):
    gradient = sphere_gradient(loss, points, labels)
    return {"loss": loss(points, labels).item(), "gradient": gradient.tolist()}


def on_sphere():
    for name, loss, points, labels, settings in _problems(2):
        arguments = [name, points.tolist(), labels.tolist()]
        yield [*arguments, settings] if settings else arguments, _of_points(loss, points, labels)
    inside = RecallAtKLoss(query_in_database=True, engine="dense")
    for _, _, points, labels, _ in _problems(3, 1):
        arguments = ["RS@k", points.tolist(), labels.tolist(), {"queryInDatabase": True}]
        yield arguments, _of_points(inside, points, labels)


def learning_rate():
    for _, loss, points, labels, _ in _problems(4):
        gradient = sphere_gradient(loss, points, labels)
        first = (descend(loss, points, labels, 1, 0.1)[1] - points).norm(dim=1).max()
        rate = torch.tan(2 * torch.asin(first / 2)) / gradient.norm(dim=1).max()
        yield [gradient.tolist(), 0.1], rate.item()  # a step along the tangent, then back


def further():
    """One step from the start, or two more after one."""
    for number, (name, loss, points, labels, settings) in enumerate(_problems(5)):
        rate = 0.1 / sphere_gradient(loss, points, labels).norm(dim=1).max().item()
        before, steps = (1, 2) if number % 2 else (0, 1)
        path = descend(loss, points, labels, before + steps, 0.1).tolist()
        arguments = [name, path[: before + 1], labels.tolist(), rate, steps]
        yield [*arguments, settings] if settings else arguments, path
    inside = RecallAtKLoss(query_in_database=True, engine="dense")
    for _, _, points, labels, _ in _problems(3, 1):
        rate = 0.1 / sphere_gradient(inside, points, labels).norm(dim=1).max().item()
        arguments = ["RS@k", [points.tolist()], labels.tolist(), rate, 1]
        path = descend(inside, points, labels, 1, 0.1).tolist()
        yield [*arguments, {"queryInDatabase": True}], path


def paths():
    for name, loss, points, labels, settings in _problems(6):
        arguments = [name, points.tolist(), labels.tolist(), 2]
        first_step = 0.1 if settings else 0.05
        expected = descend(loss, points, labels, 2, first_step).tolist()
        yield [*arguments, first_step, settings] if settings else arguments, expected
    points, labels = some_points(np.random.default_rng(7), 4, 2, 0), torch.arange(4) % 2
    for name, temperature in (("RS@k", 0.1), ("NT-Xent", 0.1)):
        loss = losses_to_compare(temperature)[name]
        arguments = [name, points.tolist(), labels.tolist(), 300, 0.1]
        expected = descend(loss, points, labels, 300, 0.1).tolist()
        yield [*arguments, {"rankTemperature": temperature}], expected


def together():
    rng = np.random.default_rng(8)
    for number in range(60):
        angles = rng.uniform(0, (1, 0.2, 6)[number % 3], 9)
        points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        labels = rng.integers(0, 1 + number % 4, 9)
        apart = np.abs((angles[:, None] - angles + np.pi) % (2 * np.pi) - np.pi)
        groups = [np.flatnonzero(labels == label) for label in set(labels.tolist())]
        near = [len(one) > 1 and apart[np.ix_(one, one)].max() <= np.pi / 18 for one in groups]
        yield [points.tolist(), labels.tolist(), 10], sum(near)


def fastest():
    rng = np.random.default_rng(9)
    for size in range(1, 61):
        before, after = rng.normal(size=(2, size, 1 + size % 5))
        expected = np.linalg.norm(after - before, axis=1).max()
        yield [before.tolist(), after.tolist()], float(expected)
