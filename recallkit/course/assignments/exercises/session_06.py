"""Checks of session 06: does a larger batch retrieve better?"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, compare, describe
from recallkit.course.assignments.drawing import between, generator_of, untied
from recallkit.course.toy_descent import expected_error, three_views
from recallkit.experiments import interval

SIZES = (4, 8, 16, 32, 64, 128, 256, 512)  # of the toy
NEAR = 5  # temperatures: a negative farther away is decided
FOREVER = 10**6  # updates


def check_updates_of(answer: Answer, seed: int) -> list[str]:
    """Updates at equal images: whole batches are taken until no more is left."""
    draw = generator_of(seed)
    cases = [{"images": 64, "batch_sizes": [64, 32, 65]}]
    for count in (1, 3, 4):
        sizes = [between(5, 400, draw) for _ in range(count)]
        cases.append({"images": between(300, 2000, draw), "batch_sizes": sizes})
    rule = "How many whole batches can be made of these images?"
    return compare(answer, _updates_of, cases, rule)


def _updates_of(images: int, batch_sizes: Sequence[int]) -> list[int]:
    return [len(range(size, images + 1, size)) for size in batch_sizes]


def check_half_interval(answer: Answer, seed: int) -> list[str]:
    """Half of the 95 % interval of a mean; Student's t of tables has four digits."""
    draw = generator_of(seed)
    cases = []
    for number in (3, 2, 4, 5, 6):
        start = between(300, 600, draw)
        cases.append({"values": [(start + between(0, 40, draw)) / 10 for _ in range(number)]})
    cases.append({"values": [50.0, 50.0, 50.0]})
    rule = "Which deviation, how many values, and which t for so many?"
    return compare(answer, _half_interval, cases, rule, tolerance=1e-3)


def _half_interval(values: Sequence[float]) -> float:
    return interval(values).margin


def check_choose_learning_rate(answer: Answer, seed: int) -> list[str]:
    """The learning rate of the best mean on validation classes, where other rules fail."""
    draw = generator_of(seed)
    cases = [{"runs": _misleading_runs(draw)} for _ in range(3)]
    rule = "Which classes may choose? And may a single lucky seed choose?"
    return compare(answer, _choose_learning_rate, cases, rule)


def _misleading_runs(draw: torch.Generator) -> list[dict[str, float]]:
    """Runs of which neither the test classes nor the best single seed choose the right one."""
    while True:
        rates = (untied(3, draw) / 10 + 1e-4).tolist()
        rows = zip(2 * rates, untied(6, draw).tolist(), untied(6, draw).tolist(), strict=True)
        names: list[str] = ["learning_rate", "validation", "test"]
        runs = [dict(zip(names, row, strict=True)) for row in rows]
        right = _choose_learning_rate(runs)
        lucky, peeked = (max(runs, key=lambda run: run[by]) for by in ("validation", "test"))
        if right not in {lucky["learning_rate"], peeked["learning_rate"]} and not _is_tied(runs):
            return runs


def _choose_learning_rate(runs: Sequence[dict[str, Any]]) -> float:
    means = _means_of(runs)
    return max(means, key=means.__getitem__)


def _means_of(runs: Sequence[dict[str, Any]]) -> dict[float, float]:
    """Learning rate → the mean on validation classes."""

    def rate(run: dict[str, Any]) -> float:
        return run["learning_rate"]

    groups = {key: list(group) for key, group in groupby(sorted(runs, key=rate), rate)}
    return {key: sum(r["validation"] for r in group) / len(group) for key, group in groups.items()}


def _is_tied(runs: Sequence[dict[str, Any]]) -> bool:
    *_, second, first = sorted(_means_of(runs).values())
    return first - second < 1e-4


def check_same_noise(answer: Answer, seed: int) -> list[str]:
    """The learning rate at which another batch size keeps the error that stays for ever."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for batch_size, other in ((32, 64), (4, 512), (256, 8), (64, between(65, 500, draw))):
        case: dict[str, Any] = {"learning_rate": between(1, 50, draw) / 100}
        case |= {"batch_size": batch_size, "other_size": other}
        rate = answer.numbers((), **case).item()
        wrong += [f"for {describe(case)}: {fault}" for fault in _other_noise(rate, **case)]
    return wrong


def _other_noise(rate: float, learning_rate: float, batch_size: int, other_size: int) -> list[str]:
    if not 0 < rate < 2:
        return [f"with {rate:.4g} the descent never settles: a learning rate is from 0 to 2"]
    before = expected_error(batch_size, FOREVER, learning_rate)
    ratio = (expected_error(other_size, FOREVER, rate) / before).item()
    fault = f"the error that stays is {ratio:.3g} times that of before"
    return [f"with {rate:.4g} {fault}"] if abs(ratio - 1) > 1e-6 else []


def check_rigged_learning_rate(answer: Answer, seed: int) -> list[str]:
    """A common learning rate at which a given batch size wins."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for winner in (4, 512, SIZES[between(1, 3, draw)], SIZES[between(4, 6, draw)]):
        case = {"winner": winner, "images": between(1024, 16384, draw)}
        rate = answer.numbers((), **case).item()
        if not 0 < rate <= 1:
            wrong.append(f"for {describe(case)}: {rate:.4g} is no learning rate from 0 to 1")
            continue
        errors = three_views(SIZES, rate, case["images"])["equal images, one learning rate"]
        best = SIZES[int(errors.argmin())]
        if best != winner:
            wrong.append(f"for {describe(case)}: with {rate:.4g} the size {best} wins")
    return wrong


def check_batch_for_rivals(answer: Answer, seed: int) -> list[str]:
    """The smallest batch that offers enough near negatives: sizes are tried one after another."""
    draw = generator_of(seed)
    cases: list[dict[str, Any]] = []
    while len(cases) < 4:
        case: dict[str, Any] = {"negatives": untied(20, draw)}
        case |= {"positive": between(0, 1000, draw) / 1000}
        case |= {"temperature": between(5, 40, draw) / 1000 + 1e-4}
        case |= {"wanted": between(2, 60, draw)}
        needed = case["wanted"] * 20 / max(1, _near(**case))
        if 0 < _near(**case) < 20 and needed % 4:  # no rounding at the edge
            cases.append(case)
    rule = "Which negatives are near, and how many of them are in a batch on average?"
    return compare(answer, _batch_for_rivals, cases, rule)


def _near(negatives: Tensor, positive: float, temperature: float, wanted: int) -> int:
    return int(((negatives - positive).abs() < NEAR * temperature).sum())


def _batch_for_rivals(negatives: Tensor, positive: float, temperature: float, wanted: int) -> int:
    near = _near(negatives, positive, temperature, wanted)
    batch_size = 4
    while (batch_size - 4) * near < wanted * len(negatives):
        batch_size += 4
    return batch_size
