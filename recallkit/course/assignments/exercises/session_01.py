"""Checks of session 01: how can a rank have a gradient?"""

import math

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, as_numbers, compare, describe
from recallkit.course.assignments.drawing import between, generator_of, hundredths, untied
from recallkit.course.other_ranks import sigmoid_ranks, true_ranks

HEARD = 5  # temperatures: a rival farther away is decided


def check_both_recalls(answer: Answer, seed: int) -> list[str]:
    """Recall by both definitions, on true ranks without ties in a row."""
    draw = generator_of(seed)
    cases = []
    for queries, positives in ((3, 2), (1, 4), (5, 1), (4, 3)):
        rows = [torch.randperm(12, generator=draw)[:positives] + 1 for _ in range(queries)]
        ranks = torch.stack(rows).double()
        cases += [{"ranks": ranks, "k": k} for k in (1, between(1, 12, draw), 12)]
    rule = "Which queries have a positive of rank k or less, and which share of all positives?"
    return compare(answer, _both_recalls, cases, rule)


def _both_recalls(ranks: Tensor, k: int) -> tuple[Tensor, Tensor]:
    hits = (ranks <= k).double()
    return (hits.sum(dim=1) > 0).double().mean(), hits.sum() / hits.numel()


def check_lead(answer: Answer, seed: int) -> list[str]:
    """The lead of a rival that counts a given part: the sigmoid solved for its argument."""
    draw = generator_of(seed)
    cases = [{"counts": 0.5, "temperature": 0.01}]
    for temperature in (0.01, 0.1, 1.0):
        for _ in range(4):
            counts = between(1, 99, draw) / 100
            cases.append({"counts": counts, "temperature": temperature})
    wrong: list[str] = []
    for case in cases:
        lead = answer.numbers((), **case)
        if abs(torch.sigmoid(lead / case["temperature"]).item() - case["counts"]) > 1e-6:
            wrong.append(
                f"for {describe(case)}: a rival that is {lead.item():.4g} ahead "
                "does not count that much"
            )
    return wrong


def check_ranks_from_distances(answer: Answer, seed: int) -> list[str]:
    """Relaxed ranks where smaller is nearer."""
    draw = generator_of(seed)
    cases = []
    for queries, items, temperature in ((1, 4, 0.01), (2, 6, 0.1), (3, 9, 0.05)):
        places = torch.stack([torch.randperm(items, generator=draw)[:2] for _ in range(queries)])
        distances = hundredths(queries, items, draw=draw)
        case = {"distances": distances, "positives": places, "temperature": temperature}
        cases.append(case)
    rule = "The nearest image, that of the smallest distance, has the rank next to 1."
    return compare(answer, _ranks_from_distances, cases, rule)


def _ranks_from_distances(distances: Tensor, positives: Tensor, temperature: float) -> Tensor:
    return sigmoid_ranks(-distances, temperature).gather(1, positives)


def check_sum_of_ranks(answer: Answer, seed: int) -> list[str]:
    """The sum of all relaxed ranks of a list: added up from a list that is drawn."""
    draw = generator_of(seed)
    sizes = [2, *(between(3, 40, draw) for _ in range(4))]
    cases = [{"number": n, "temperature": t} for n in sizes for t in (0.01, 10.0)]

    def added_up(number: int, temperature: float) -> Tensor:
        items = torch.rand(1, number, generator=draw, dtype=torch.float64)
        return sigmoid_ranks(items, temperature).sum()

    return compare(answer, added_up, cases, "What do the two items of a pair count together?")


def check_blackbox_slope(answer: Answer, seed: int) -> list[str]:
    """The slope from two sorts, for each item of lists without ties."""
    draw = generator_of(seed)
    cases = []
    for number in (2, 5, 8):
        similarity = untied(number, draw)
        for item in range(number):
            reach = (2 * between(1, 300, draw) + 1) / 2000  # between two thousandths: no ties
            cases.append({"similarity": similarity, "item": item, "reach": reach})
    rule = "Count who is ahead before and after the move; how far was the move?"
    return compare(answer, _blackbox_slope, cases, rule)


def _blackbox_slope(similarity: Tensor, item: int, reach: float) -> Tensor:
    moved = similarity.index_add(0, torch.tensor([item]), similarity.new_tensor([reach]))
    both = true_ranks(torch.stack([similarity, moved]))[:, item]
    return both.double().diff()[0] / reach


def check_fooled_list(answer: Answer, seed: int) -> list[str]:
    """A list in which the relaxed rank of the first item is far from its true rank."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for temperature in (0.001, 0.01, 0.1):
        case = {"number": between(3, 40, draw), "temperature": temperature}
        who = f"for {describe(case)} it"
        similarity = as_numbers(answer(**case), who, (case["number"],))
        wrong += [f"{who} returns a list {fault}" for fault in _not_fooled(similarity, temperature)]
    return wrong


def _not_fooled(similarity: Tensor, temperature: float) -> list[str]:
    """Describe the fault of a list that should mislead the relaxed rank of its first item."""
    if similarity.abs().max() > 1:
        return ["with a similarity outside −1 to 1"]
    if len(similarity.unique()) < len(similarity):
        return ["with a tie: all similarities must differ"]
    relaxed = sigmoid_ranks(similarity[None], temperature)[0, 0]
    error = (relaxed - true_ranks(similarity[None])[0, 0]).abs().item()
    wanted = 0.4 * (len(similarity) - 1)
    return [f"whose first item is only {error:.3g} places off"] if error < wanted else []


def check_temperature_that_hears(answer: Answer, seed: int) -> list[str]:
    """The temperature at which a given number of rivals is closer than five temperatures."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for number in (5, 20, 100):
        similarity = untied(number, draw)
        item = between(0, number - 1, draw)
        others = similarity[torch.arange(number) != item]
        gaps = (others - similarity[item]).abs().sort().values
        heard = _unambiguous(gaps, draw)
        case = {"similarity": similarity, "item": item, "heard": heard}
        temperature = answer.numbers((), **case).item()
        count = int((gaps < HEARD * temperature).sum())
        if count != heard or not math.isfinite(temperature):
            wrong.append(
                f"for {describe(case)} it returns {temperature:.4g}: "
                f"rivals closer than five such temperatures: {count}"
            )
    return wrong


def _unambiguous(gaps: Tensor, draw: torch.Generator) -> int:
    """A number of nearest rivals that two equally far ones do not blur."""
    clear = [n for n in range(1, len(gaps)) if gaps[n] - gaps[n - 1] > 5e-4]
    return clear[between(0, len(clear) - 1, draw)]
