"""Checks of session 11: can any metric be interpolated?"""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from recallkit.course.assignments.answers import Answer, as_numbers, compare, describe
from recallkit.course.assignments.drawing import between, generator_of
from recallkit.related import interpolate

AGAINST = 0.0  # a cosine below it: the one gradient climbs where the other descends


def check_comparisons_of_batch(answer: Answer, seed: int) -> list[str]:
    """The number of comparisons of a positive with a negative, counted in a batch."""
    draw = generator_of(seed)
    cases = []
    for _ in range(5):
        per_class, classes = between(2, 6, draw), between(2, 9, draw)
        cases.append({"batch_size": classes * per_class, "per_class": per_class})

    def counted(batch_size: int, per_class: int) -> int:
        labels = torch.arange(batch_size) // per_class
        same = labels[:, None] == labels
        return int(((same.sum(dim=1) - 1) * (~same).sum(dim=1)).sum())

    rule = "Each image is a query. How many positives has it, and with how many negatives is each?"
    return compare(answer, counted, cases, rule)


def check_between_two(answer: Answer, seed: int) -> list[str]:
    """A metric between two anchors."""
    draw = generator_of(seed)
    cases = []
    for _ in range(6):
        numbers = [between(1, 99, draw) / 100 for _ in range(4)]
        names = ("first", "second", "to_first", "to_second")
        cases.append(dict(zip(names, numbers, strict=True)))

    def placed(first: float, second: float, to_first: float, to_second: float) -> Tensor:
        here = torch.zeros(1, dtype=torch.float64)
        anchors = torch.tensor([[-to_first], [to_second]], dtype=torch.float64)
        return interpolate(torch.tensor([first, second]).double(), here, anchors)

    return compare(answer, placed, cases, "Which of the two anchors should count more, and why?")


def check_anchor_shares(answer: Answer, seed: int) -> list[str]:
    """The share that each anchor has in the interpolated metric."""
    cases = [dict(list(case.items())[1:]) for case in _problems(seed)]
    rule = "A share is an inverse distance, over the sum of all inverse distances."
    return compare(answer, _anchor_shares, cases, rule)


def _anchor_shares(comparisons: Tensor, anchors: Tensor) -> Tensor:
    inverse = 1 / (comparisons - anchors).norm(dim=1)
    return inverse / inverse.sum()


def check_right_gradient(answer: Answer, seed: int) -> list[str]:
    """The gradient of the interpolation, against autograd."""
    rule = (
        "It is not the slope of the interpolated metric. What if the metric is the same anywhere?"
    )
    return compare(answer, _right_gradient, _problems(seed), rule)


def _right_gradient(values: Tensor, comparisons: Tensor, anchors: Tensor) -> Tensor:
    leaf = comparisons.clone().requires_grad_()
    return torch.autograd.grad(interpolate(values, leaf, anchors), leaf)[0]


def check_opposite_values(answer: Answer, seed: int) -> list[str]:
    """Values of a metric for which the right gradient and the released one disagree."""
    wrong: list[str] = []
    for case in _problems(seed):
        places = {"comparisons": case["comparisons"], "anchors": case["anchors"]}
        who = f"for {describe(places)} it"
        values = as_numbers(answer(**places), who, (len(case["anchors"]),))
        if values.min() < 0 or values.max() > 1:
            wrong.append(f"{who} returns a value outside 0 to 1")
            continue
        right = _right_gradient(values, **places)
        released = right + 2 * interpolate(values, **places) * _attraction(**places)
        cosine = cosine_similarity(right, released, dim=0).item()
        if cosine > AGAINST or right.norm() < 1e-6:
            wrong.append(f"{who} returns values for which the two gradients do not disagree")
    return wrong


def _attraction(comparisons: Tensor, anchors: Tensor) -> Tensor:
    """The pull to all anchors, whatever their values."""
    offsets = comparisons - anchors
    distances = offsets.norm(dim=1)
    return -(distances**-3) @ offsets / (1 / distances).sum()


def check_temperature_of_half(answer: Answer, seed: int) -> list[str]:
    """The temperature at which the median comparison is half decided."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for scale in (0.03, 0.3, 3.0):
        number = 2 * between(2, 6, draw) + 1
        case = {"differences": scale * torch.randn(number, generator=draw).double()}
        temperature = answer.numbers((), **case)
        size = torch.tanh(case["differences"] / (2 * temperature)).abs().median().item()
        if not temperature > 0 or abs(size - 0.5) > 1e-4:
            wrong.append(
                f"for {describe(case)} it returns {temperature.item():.4g}: "
                f"the median comparison has the size {size:.3g}"
            )
    return wrong


def _problems(seed: int) -> list[dict[str, Tensor]]:
    """Values, comparisons with two decimals, and different anchors."""
    draw = generator_of(seed)
    problems = []
    for count, number in ((2, 3), (3, 5), (4, 7)):
        corners = torch.randperm(2**count, generator=draw)[:number, None] >> torch.arange(count)
        b = (2 * torch.randint(5, 96, (count,), generator=draw) - 100).double() / 100
        values = torch.randint(0, 101, (number,), generator=draw).double() / 100
        anchors = (2 * (corners % 2) - 1).double()
        problems.append({"values": values, "comparisons": b, "anchors": anchors})
    return problems
