"""Checks of session 03: is the query in its own database?"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, compare, describe
from recallkit.course.assignments.drawing import between, generator_of, hundredths
from recallkit.course.circle import on_circle
from recallkit.course.class_collapse import arc_classes
from recallkit.ranks import relaxed_ranks
from recallkit.soft_recall import soft_recall_at_k

TEMPERATURE = 0.01  # τ₂ of the paper
KS = (1, 2, 4, 8, 16)  # of the paper
SIZES = range(2, 9)  # of a class on an arc
KS_TO_TRY = ((1,), (2,), (1, 2), (1, 2, 4), KS)


def check_collapsed_rank(answer: Answer, seed: int) -> list[str]:
    """The relaxed rank of each positive of a collapsed class, counted tie by tie."""
    draw = generator_of(seed)
    sizes = [2, 3, between(5, 30, draw), between(31, 60, draw), between(61, 99, draw)]
    cases = [{"n": n, "inside": inside} for n in sizes for inside in (False, True)]
    rule = "With how many others does a positive tie, and what does each of them count?"
    return compare(answer, _collapsed_rank, cases, rule)


def _collapsed_rank(n: int, inside: bool) -> Tensor:
    return _ranks_of_query([0.0] * (n - 1), inside)[0]


def _ranks_of_query(behind: Iterable[float], inside: bool) -> Tensor:
    """The relaxed ranks (P,) of positives that lie this far behind the query, in similarity."""
    items = 1 - torch.tensor([0.0, *behind], dtype=torch.float64)
    places = torch.arange(1, len(items))
    left_out = None if inside else torch.tensor([0])
    gallery = torch.eye(len(items), dtype=torch.float64)  # the product is the similarities
    return relaxed_ranks(
        items[None], gallery, places[None], temperature=TEMPERATURE, left_out=left_out
    )[0]


def check_floor_at_k(answer: Answer, seed: int) -> list[str]:
    """The loss of a perfect ranking at one k, on a list whose similarities are far apart."""
    draw = generator_of(seed)
    cases = [{"positives": 3, "k": 1, "inside": inside} for inside in (False, True)]
    for positives, k in ((1, 1), (between(4, 12, draw), 2), (2, between(3, 16, draw))):
        cases += [{"positives": positives, "k": k, "inside": inside} for inside in (False, True)]
    cases.append({"positives": between(3, 12, draw), "k": between(2, 16, draw), "inside": True})
    rule = "Which rank has each positive, what does it count at k, and how many could be found?"
    return compare(answer, _floor_at_k, cases, rule)


def _floor_at_k(positives: int, k: int, inside: bool) -> Tensor:
    ranks = _ranks_of_query(range(1, positives + 1), inside)
    return 1 - soft_recall_at_k(ranks[None], (k,))[0, 0]


def check_ported_recall(answer: Answer, seed: int) -> list[str]:
    """The recall of one query, on lists that tell each mistake of a port from the others."""
    draw = generator_of(seed)
    lists = [_list_of(number, positives, draw) for number, positives in ((6, 3), (7, 4), (5, 2))]
    cases = [{**one, "k": int(one["positive"].sum())} for one in lists]
    wrong = compare(answer, _recall, cases, "Do positives compete with each other?")
    cases = [{**one, "k": k} for one in lists for k in (1, 9)]
    wrong += compare(answer, _recall, cases, "How many positives could be among the first k?")
    tied = torch.tensor([0.9] * between(9, 11, draw) + [0.1], dtype=torch.float64)
    cases = [{"s": tied, "positive": tied > 0.5, "k": between(7, 8, draw)}]
    wrong += compare(answer, _recall, cases, "Can more than k be among the first k?")
    case = {**_list_of(4, 1, draw), "k": between(1, 3, draw)}
    rule = "An item does not compete with itself; all others do."
    return wrong + compare(answer, _recall, [case], rule)


def _list_of(number: int, positives: int, draw: torch.Generator) -> dict[str, Any]:
    """Similarities within a few temperatures, and which of them are of positives."""
    chosen = torch.randperm(number, generator=draw)[:positives]
    positive = torch.zeros(number, dtype=torch.bool).index_fill(0, chosen, True)
    return {"s": 0.5 + hundredths(number, draw=draw).div(20), "positive": positive}


def _recall(s: Tensor, positive: Tensor, k: int) -> Tensor:
    places = positive.nonzero().T
    ranks = relaxed_ranks(s[None], torch.eye(len(s)).to(s), places, temperature=TEMPERATURE)
    return soft_recall_at_k(ranks, (k,))[0, 0]


def check_mean_rank(answer: Answer, seed: int) -> list[str]:
    """The mean relaxed rank where some positives lie at the place of the query."""
    draw = generator_of(seed)
    cases = []
    for positives in (1, 3, between(4, 9, draw), between(10, 40, draw)):
        for close in (0, between(0, positives, draw), positives):
            for inside in (False, True):
                cases.append({"positives": positives, "close": close, "inside": inside})
    rule = "What do two positives count together? And what does the query count for each of them?"
    return compare(answer, _mean_rank, cases, rule)


def _mean_rank(positives: int, close: int, inside: bool) -> Tensor:
    apart = range(1, positives - close + 1)
    return _ranks_of_query([0.0] * close + [*apart], inside).mean()


def check_spreading_size(answer: Answer, seed: int) -> list[str]:
    """The smallest class that the released loss prefers wide; 0 if none of 2 to 8 is."""
    draw = generator_of(seed)
    cases = [{"width": 60, "ks": (1,)}, {"width": 40, "ks": (4,)}, {"width": 60, "ks": (8,)}]
    for _ in range(3):
        ks = KS_TO_TRY[between(0, len(KS_TO_TRY) - 1, draw)]
        cases.append({"width": between(5, 60, draw), "ks": ks})
    wrong: list[str] = []
    for case in cases:
        gains = {size: _gain_of_width(size, **case) for size in SIZES}
        if min(map(abs, gains.values())) > 1e-4:  # no rounding decides
            size = answer.numbers((), **case).item()
            fault = _not_smallest(size, gains)
            wrong += [f"for {describe(case)} it returns {size:g}: {fault}"] if fault else []
    return wrong


def _not_smallest(size: float, gains: dict[int, float]) -> str:
    """The fault of the size of a class; "" if it is the smallest with a gain, or none has one."""
    if size and size not in gains:
        return "a size is from 2 to 8, or 0 if none will do"
    if size and gains[int(size)] <= 0:
        return "a class of this size has the lower loss when it is collapsed"
    better = [other for other, gain in gains.items() if gain > 0 and (other < size or not size)]
    smaller = "a smaller class will do" if size else "a class of 2 to 8 will do"
    return smaller if better else ""


def _gain_of_width(per_class: int, width: float, ks: Sequence[int]) -> float:
    """By how much the released loss is lower for wide classes than for collapsed ones."""
    collapsed, wide = (_released_loss(*arc_classes(one, per_class), ks) for one in (0, width))
    return collapsed - wide


def _released_loss(points: Tensor, labels: Tensor, ks: Sequence[int] = KS) -> float:
    """The loss with the query in its database, from all comparisons at once."""
    similarity = points @ points.T
    ahead = similarity[:, None] - similarity[:, :, None]  # (B, B, B): query, item, rival
    ranks = 0.5 + torch.sigmoid(ahead / TEMPERATURE).sum(dim=2)  # an item counts ½ for itself
    positive = (labels == labels[:, None]).fill_diagonal_(False)
    ranks = ranks.masked_fill(~positive, torch.inf)
    return 1 - soft_recall_at_k(ranks, ks).mean().item()


def check_preferred_batch(answer: Answer, seed: int) -> list[str]:
    """A batch with wrong rankings that the released loss prefers to a perfect one."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for classes in (4, between(5, 8, draw), between(9, 12, draw)):
        case = {"classes": classes, "wrong": between((classes + 2) // 3, classes // 2, draw)}
        angles = answer.numbers((4 * classes,), **case)
        fault = _not_preferred(angles, case["wrong"])
        wrong += [f"for {describe(case)}: {fault}"] if fault else []
    return wrong


def _not_preferred(angles: Tensor, wrong: int) -> str:
    """The first fault of a batch, four images of each class; "" if it has none."""
    points = torch.stack([on_circle(angle) for angle in angles.tolist()])
    labels = torch.arange(len(angles)) // 4
    same, similarity = labels == labels[:, None], points @ points.T
    negative = similarity.masked_fill(same, -2).amax(dim=1)
    positive = similarity.masked_fill(~same, -2).fill_diagonal_(-2).amax(dim=1)
    count = int((negative > positive + 1e-9).sum())
    if count < wrong:
        return f"images that find another class first: {count}"
    loss, perfect = _released_loss(points, labels), _loss_of([2.0, 3.0, 4.0])
    below = f"the released loss is {loss:.4f}, and that of a perfect ranking {perfect:.4f}"
    return below if loss >= perfect else ""


def _loss_of(ranks: Sequence[float], ks: Sequence[int] = KS, k_temperature: float = 1.0) -> float:
    """The loss of one query with these ranks of its positives."""
    row = torch.tensor([ranks], dtype=torch.float64)
    return 1 - soft_recall_at_k(row, ks, k_temperature).mean().item()


def check_fair_weight(answer: Answer, seed: int) -> list[str]:
    """The weight of a query in its own database at which collapse and clear order are equal."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for case in [_with_a_fair_weight(draw) for _ in range(4)]:
        weight = answer.numbers((), **case).item()
        who = f"for {describe(case)} it returns {weight:.4g}"
        if not 0 <= weight <= 1:
            wrong.append(f"{who}: a weight is from 0 to 1")
        elif abs(loss := _lead_of_collapse(weight, **case)) > 1e-6:
            better = "collapsed class" if loss < 0 else "clear order"
            wrong.append(f"{who}: with this weight the {better} has the lower loss")
    return wrong


def _with_a_fair_weight(draw: torch.Generator) -> dict[str, Any]:
    """A class for which the two definitions of the notebook prefer opposite batches."""
    while True:
        case: dict[str, Any] = {"positives": between(2, 5, draw)}
        case |= {"ks": KS_TO_TRY[between(0, len(KS_TO_TRY) - 1, draw)]}
        case |= {"k_temperature": between(50, 120, draw) / 100}
        if _lead_of_collapse(0, **case) > 2e-3 and _lead_of_collapse(1, **case) < -2e-3:
            return case


def _lead_of_collapse(
    weight: float, positives: int, ks: Sequence[int], k_temperature: float
) -> float:
    """The loss of a collapsed class minus that of positives in a clear order."""
    collapsed = [1 + (positives - 1) / 2 + weight / 2] * positives
    ordered = [place + weight for place in range(1, positives + 1)]
    first, second = (_loss_of(ranks, ks, k_temperature) for ranks in (collapsed, ordered))
    return first - second
