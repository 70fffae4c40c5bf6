"""Checks of session 07: which temperatures, which ks?"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, compare, describe
from recallkit.course.assignments.drawing import between, generator_of
from recallkit.course.loss_surface import rank_pull

LEAST_PULL = 1e-3  # of a positive that is heard


def check_pull_of(answer: Answer, seed: int) -> list[str]:
    """The pull of a single cut-off: autograd through the loss."""
    draw = generator_of(seed)
    cases = [{"k": 1, "rank": 1.0, "k_temperature": 1.0}]
    for k in (1, 4, 8, 16):
        rank = between(10, 20 * k, draw) / 10
        cases.append({"k": k, "rank": rank, "k_temperature": between(3, 30, draw) / 10})
    return compare(answer, _pull_of, cases, "What is the slope of σ, and whose unit divides it?")


def _pull_of(k: int, rank: float, k_temperature: float) -> Tensor:
    return rank_pull(torch.tensor([rank], dtype=torch.float64), (k,), k_temperature)[0]


def check_margin(answer: Answer, seed: int) -> list[str]:
    """The margin from which on a negative counts less than a given part of a place."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for temperature in (0.01, 0.1, between(2, 90, draw) / 1000, between(2, 90, draw) / 1000):
        case = {"counted": between(1, 49, draw) / 100, "rank_temperature": temperature}
        margin = answer.numbers((), **case).item()
        counts = 1 / (1 + math.exp(min(margin / temperature, 50)))
        if abs(counts - case["counted"]) > 1e-6:
            wrong.append(
                f"for {describe(case)}: a negative that lies {margin:.4g} below the positive "
                f"counts too {'much' if counts > case['counted'] else 'little'}"
            )
    return wrong


def check_deaf_ranks(answer: Answer, seed: int) -> list[str]:
    """The ranks at which a set of cut-offs does not pull, one answer for each rank."""
    draw = generator_of(seed)
    cases = []
    for count in (1, 2, 3, 4):
        ks = sorted(between(1, 25, draw) for _ in range(count))
        case = {"ks": ks, "k_temperature": between(3, 15, draw) / 10}
        cases.append(case | {"least": between(1, 9, draw) / 1000, "last": between(26, 40, draw)})
    rule = "At each rank the pulls of all cut-offs count, as a mean. Which ranks get too little?"
    return compare(answer, _deaf_ranks, cases, rule)


def _deaf_ranks(ks: Sequence[int], k_temperature: float, least: float, last: int) -> Tensor:
    return rank_pull(torch.arange(1.0, last + 1).double(), ks, k_temperature) < least


def check_warm_enough(answer: Answer, seed: int) -> list[str]:
    """The rank temperature at which a comparison is still felt half way between two negatives."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for share in (0.5, 0.1, between(2, 98, draw) / 100, between(2, 98, draw) / 100):
        case = {"gap": between(1, 400, draw) / 1000, "share": share}
        temperature = answer.numbers((), **case).item()
        if temperature <= 0:
            wrong.append(f"for {describe(case)}: a temperature is above 0")
        elif abs(_slope_between(case["gap"], temperature) - share) > 1e-6:
            lower = _slope_between(case["gap"], temperature) < share
            cold = "colder than needed" if lower else "warmer than needed"
            wrong.append(f"for {describe(case)}: {temperature:.4g} is {cold}")
    return wrong


def _slope_between(gap: float, temperature: float) -> float:
    """The slope of a comparison half a gap from a tie, as a share of its slope at the tie."""
    count = torch.sigmoid(torch.tensor(gap / 2 / temperature, dtype=torch.float64))
    return (4 * count * (1 - count)).item()


def check_cut_offs(answer: Answer, seed: int) -> list[str]:
    """A few cut-offs with which each early rank is pulled at τ₁ = 1."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for number in (2, between(3, 4, draw), between(5, 7, draw)):
        case = {"last": number * between(6, 9, draw) - between(0, number - 1, draw)}
        case |= {"number": number}
        ks = answer.numbers(None, **case).flatten().tolist()
        fault = _not_heard(ks, **case)
        wrong += [f"for {describe(case)}: {fault}"] if fault else []
    return wrong


def _not_heard(ks: list[float], last: int, number: int) -> str:
    """The first fault of a set of cut-offs; "" if it has none."""
    if not 1 <= len(ks) <= number:
        return f"these are {len(ks)} cut-offs"
    if any(k != int(k) or k < 1 for k in ks):
        return "a cut-off is a whole number from 1 on"
    pulls = rank_pull(torch.arange(1.0, last + 1).double(), [int(k) for k in ks], 1.0)
    quiet = (pulls < LEAST_PULL).nonzero().flatten().tolist()
    return f"at rank {quiet[0] + 1} the pull is {pulls[quiet[0]]:.1g}" if quiet else ""


def check_matching_factor(answer: Answer, seed: int) -> list[str]:
    """The factor of the learning rate that gives a new τ₁ the mean pull of an old one."""
    draw = generator_of(seed)
    cases = []
    for old, new in ((1.0, 1.0), (1.0, 10.0), (1.0, 0.5), (between(5, 30, draw) / 10, 2.2)):
        ranks = torch.randint(10, 200, (5,), generator=draw).double() / 10
        ks = sorted(between(1, 20, draw) for _ in range(3))
        cases.append({"ranks": ranks, "ks": ks, "old": old, "new": new})
    rule = "With it, do the positives move as far in a step as before, on average?"
    return compare(answer, _matching_factor, cases, rule)


def _matching_factor(ranks: Tensor, ks: Sequence[int], old: float, new: float) -> Tensor:
    return rank_pull(ranks, ks, old).sum() / rank_pull(ranks, ks, new).sum()
