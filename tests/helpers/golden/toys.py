"""Cases of step_memory.js, toy_descent.js and loss_surface.js."""

import numpy as np
import torch
from helpers.golden.lists import some_lists

from recallkit.bench.memory import StepMemory
from recallkit.course.loss_surface import loss_and_pull, pull, query_losses
from recallkit.course.toy_descent import LEARNING_RATES, expected_error, three_views


def peak():
    rng = np.random.default_rng(1)
    for _ in range(60):
        parts = dict(zip(("fixed", "graph", "image"), rng.uniform(0, 1e9, 3).tolist(), strict=True))
        sizes = [int(2 ** rng.integers(0, 15)) for _ in range(rng.integers(1, 3))]
        yield [parts, *sizes], StepMemory(**parts).peak(*sizes)


def error():
    rng = np.random.default_rng(2)
    for number in range(60):
        batch, updates = int(2 ** rng.integers(0, 15)), int(rng.choice([0, 1, 2, 64, 16384]))
        rate = (1e-3, 0.05, 1.0, float(rng.uniform(1e-6, 1)))[number % 4]
        more = [float(rng.uniform(0, 9)), float(rng.uniform(-3, 3))][: number % 3]
        yield [batch, updates, rate, *more], expected_error(batch, updates, rate, *more).item()


def views():
    rng = np.random.default_rng(3)
    for number in range(54):
        batches = sorted(int(b) for b in rng.choice(range(1, 512), 1 + number % 6, replace=False))
        images = int(2 ** rng.integers(9, 15))
        more = [int(rng.integers(1, 500))] if number % 2 else []
        rate = float(10 ** rng.uniform(-2, 0))
        values = [value.tolist() for value in three_views(batches, rate, images, *more).values()]
        names = ("equalUpdates", "equalImages", "tuned")
        yield [batches, rate, images, *more], dict(zip(names, values, strict=True))


def best_rate():
    rng = np.random.default_rng(6)
    rates = torch.tensor(LEARNING_RATES, dtype=torch.float64)
    for _ in range(54):
        batch, images = int(rng.integers(1, 513)), int(2 ** rng.integers(9, 15))
        errors = expected_error(batch, images // batch, rates)
        yield [batch, images], rates[errors.argmin()].item()


def _settings(rng, temperature):
    ks = sorted(int(k) for k in rng.choice([1, 2, 4, 16, 100], rng.integers(1, 4), replace=False))
    k_temperature = float(rng.choice([0.05, 1, 10, 100]))
    python = {"ks": ks, "k_temperature": k_temperature, "rank_temperature": temperature}
    return python, {"ks": ks, "kTemperature": k_temperature, "rankTemperature": temperature}


def one_cell():
    rng = np.random.default_rng(4)
    for one in some_lists(4):
        python, settings = _settings(rng, one.temperature)
        row = torch.tensor([one.similarity], dtype=torch.float64)
        count = len(one.positives)
        expected = {
            "loss": query_losses(row, count, **python).item(),
            "pull": pull(row, count, **python)[0].tolist(),
        }
        yield [one.similarity, count, settings], expected


def surface():
    rng = np.random.default_rng(5)
    for number in range(50):
        python, settings = _settings(rng, float(rng.choice([1e-5, 1e-3, 0.01, 0.1, 1, 100])))
        sizes = (37, 30) if number == 0 else (number % 7 + 1, number % 31)
        grid, negatives = (
            torch.linspace(-0.2, end, n, dtype=torch.float64)
            for end, n in zip((1, 0.6), sizes, strict=True)
        )
        losses, pulls = loss_and_pull(grid, negatives, **python)
        arguments = [grid.tolist(), negatives.tolist(), settings]
        yield arguments, {"loss": losses.tolist(), "pull": pulls.tolist()}
