"""Checks of session 05: how can pairs be mixed for free?"""

import math

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, compare, describe
from recallkit.course.assignments.drawing import between, generator_of, hundredths
from recallkit.course.circle import on_circle
from recallkit.simix import same_class_pairs


def check_similarities_to_virtual(answer: Answer, seed: int) -> list[str]:
    """Similarities to virtual examples: mixed one by one, the ends of the chord first."""
    draw = generator_of(seed)
    cases = [
        {
            "s": hundredths(4, draw=draw),
            "first": torch.tensor([0, 1]),
            "second": torch.tensor([2, 3]),
            "alphas": torch.tensor([0.0, 1.0], dtype=torch.float64),
        }
    ]
    for sizes in ([2, 2], [3, 1, 2], [4, 2]):
        labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        first, second = same_class_pairs(labels)
        case = {"s": hundredths(len(labels), draw=draw), "first": first, "second": second}
        cases.append(case | {"alphas": hundredths(len(first), draw=draw)})
    rule = "Which parent has the weight α, and what is left for the other?"
    return compare(answer, _similarities_to_virtual, cases, rule)


def _similarities_to_virtual(s: Tensor, first: Tensor, second: Tensor, alphas: Tensor) -> Tensor:
    mixing = torch.zeros(len(alphas), len(s)).double()
    for row, (i, j, alpha) in enumerate(zip(first, second, alphas, strict=True)):
        mixing[row, i], mixing[row, j] = alpha, 1 - alpha
    return mixing @ s


def check_expected_weight(answer: Answer, seed: int) -> list[str]:
    """The expected weight of an image: its children are counted."""
    draw = generator_of(seed)
    sizes = [1, 2, 4, between(5, 50, draw), between(51, 100, draw), between(101, 300, draw)]
    rule = "How many children has an image, and which share of each on average?"
    return compare(answer, _expected_weight, [{"n": n} for n in sizes], rule)


def _expected_weight(n: int) -> float:
    first, second = same_class_pairs(torch.zeros(n, dtype=torch.int64))
    return 1 + int(((first == 0) | (second == 0)).sum()) / 2


def check_parents_gradient(answer: Answer, seed: int) -> list[str]:
    """The gradient that reaches the images: autograd through the mixture."""
    draw = generator_of(seed)
    cases = []
    for sizes in ([4], [1, 4], [5]):
        labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        first, second = same_class_pairs(labels)
        case = {"own": hundredths(len(labels), 2, draw=draw)}
        case |= {"pulls": hundredths(len(first), 2, draw=draw), "first": first, "second": second}
        cases.append(case | {"alphas": hundredths(len(first), draw=draw)})
    rule = "Does an image get something from each of its children, as first and as second parent?"
    return compare(answer, _parents_gradient, cases, rule)


def _parents_gradient(
    own: Tensor, pulls: Tensor, first: Tensor, second: Tensor, alphas: Tensor
) -> Tensor:
    images = torch.zeros_like(own, requires_grad=True)
    virtual = torch.lerp(images[second], images[first], alphas[:, None])
    return torch.autograd.grad((own * images).sum() + (pulls * virtual).sum(), images)[0]


def check_similarity_on_sphere(answer: Answer, seed: int) -> list[str]:
    """Similarity to a virtual example of unit length: with vectors of these similarities."""
    draw = generator_of(seed)
    cases = []
    for alpha in (0.5, 0.0, *(between(5, 95, draw) / 100 for _ in range(3))):
        s_wx, s_wz, s_xz = _three_similarities(draw)
        cases.append({"s_wx": s_wx, "s_wz": s_wz, "s_xz": s_xz, "alpha": alpha})
    return compare(answer, _similarity_on_sphere, cases, "How long is the virtual example?")


def _three_similarities(draw: torch.Generator) -> list[float]:
    """Similarities with two decimals that three points of a sphere can have."""
    while True:
        drawn = [between(-90, 90, draw) / 100 for _ in range(3)]
        if torch.linalg.eigvalsh(_table(*drawn)).min() > 0.05:
            return drawn


def _table(s_wx: float, s_wz: float, s_xz: float) -> Tensor:
    rows = [[1.0, s_wx, s_wz], [s_wx, 1.0, s_xz], [s_wz, s_xz, 1.0]]
    return torch.tensor(rows, dtype=torch.float64)


def _similarity_on_sphere(s_wx: float, s_wz: float, s_xz: float, alpha: float) -> Tensor:
    w, x, z = torch.linalg.cholesky(_table(s_wx, s_wz, s_xz))
    return torch.cosine_similarity(torch.lerp(z, x, alpha), w, dim=0)


def check_blocking_pair(answer: Answer, seed: int) -> list[str]:
    """Two images of another class that only a virtual query finds first."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for alpha in (0.5, between(75, 82, draw) / 100, between(18, 25, draw) / 100):
        start, apart = between(0, 179, draw), between(70, 120, draw)
        angles = [start, start + 2, start + apart, start + apart + 2]
        case = {"class_0": torch.tensor(angles).double(), "alpha": alpha}
        blocking = answer.numbers((2,), **case)
        fault = _not_blocking(torch.cat([case["class_0"], blocking]), alpha)
        wrong += [f"for {describe(case)}: {fault}"] if fault else []
    return wrong


def _not_blocking(angles: Tensor, alpha: float) -> str:
    """The first fault of the six images: four of class 0, then two of class 1."""
    points = torch.stack([on_circle(angle) for angle in angles.tolist()])
    nearest = (points @ points.T).fill_diagonal_(-2).argmax(dim=1)
    lost = ((nearest < 4) != (torch.arange(6) < 4)).nonzero().flatten().tolist()
    if lost:
        return f"image {lost[0]} of the six does not find its own class first"
    found = int((points @ torch.lerp(points[3], points[0], alpha)).argmax())
    return f"the virtual query still finds image {found} of its own class first" * (found < 4)


def check_alpha_range(answer: Answer, seed: int) -> list[str]:
    """The two places on a chord at which a virtual example has a given length."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for s_xz in (0.0, -0.5, between(-90, -10, draw) / 100, between(10, 80, draw) / 100):
        least = math.sqrt((1 + s_xz) / 2)
        length = round(least + (1 - least) * between(20, 90, draw) / 100, 3)
        case = {"s_xz": s_xz, "length": length}
        wrong += [f"for {describe(case)}: {fault}" for fault in _not_a_range(answer, case)]
    return wrong


def _not_a_range(answer: Answer, case: dict[str, float]) -> list[str]:
    """The faults of the two α: their order, or the lengths there."""
    low, high = answer.numbers((2,), **case).tolist()
    if not 0 <= low < high <= 1:
        return ["the two α must lie from 0 to 1, the smaller one first"]
    x, z = on_circle(math.degrees(math.acos(case["s_xz"]))), on_circle(0)
    for alpha in (low, high):
        length = torch.lerp(z, x, alpha).norm().item()
        if abs(length - case["length"]) > 1e-6:
            return [f"at α = {alpha:.4g} the virtual example has the length {length:.6g}"]
    return []
