"""Checks of session 00: what is image retrieval, and what does training change?"""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, compare, describe, show
from recallkit.course.assignments.drawing import between, generator_of
from recallkit.course.circle import on_circle

FOUNDRIES = ("apple", "noto", "twemoji")


def check_recall_of_lists(answer: Answer, seed: int) -> list[str]:
    """R@k of lists that say which places are right, also for k beyond the end of the lists."""
    draw = generator_of(seed)
    cases = []
    for queries, places in ((2, 4), (5, 3), (4, 6), (5, 6)):
        right = torch.rand(queries, places, generator=draw) < 0.3
        right[0, :2] = torch.tensor([True, False])  # one right image among two
        cases += [{"right": right, "k": k} for k in (2, between(1, places, draw), places + 3)]
    rule = "How many queries have at least one right image among the first k?"
    return compare(answer, _recall_of_lists, cases, rule)


def _recall_of_lists(right: Tensor, k: int) -> float:
    return sum(any(row[:k]) for row in right.tolist()) / len(right)


def check_chance(answer: Answer, seed: int) -> list[str]:
    """The expected R@1 of a random neighbour: all pairs of a query and another image counted."""
    draw = generator_of(seed)
    cases = [{"sizes": [2, 3, 5]}, {"sizes": [between(2, 6, draw)] * between(3, 9, draw)}]
    cases += [{"sizes": [between(2, 9, draw) for _ in range(number)]} for number in (2, 4)]
    alone = {"sizes": [1, between(2, 9, draw), 1, between(2, 9, draw)]}
    rule = "How many of the other images are right for a query, and how many queries have so many?"
    wrong = compare(answer, _chance, cases, rule)
    rule = "An image that is alone in its class is no query, but others may find it."
    return wrong + compare(answer, _chance, [alone], rule)


def _chance(sizes: Sequence[int]) -> float:
    labels = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    pairs = (labels == labels[:, None]).fill_diagonal_(False)
    right = pairs.sum(dim=1).double() / (len(labels) - 1)
    return right[pairs.any(dim=1)].mean().item()


def check_recall_at_k(answer: Answer, seed: int) -> list[str]:
    """R@k of a few points: k within and beyond the gallery, an image alone, an exact copy."""
    draw = generator_of(seed)
    cases = [{**_points([3, 2], draw), "k": k} for k in (1, 2, 3)]
    rule = "A query counts if at least one of its k nearest others has its label."
    wrong = compare(answer, _recall_at_k, cases, rule)
    cases = [{**_points([2, 3], draw), "k": 5}, {**_points([3, 2], draw), "k": between(6, 9, draw)}]
    rule = "With so large a k all other images are among the nearest."
    wrong += compare(answer, _recall_at_k, cases, rule)
    cases = [{**_points([3, 1, 2], draw), "k": k} for k in (1, 2, 9)]
    rule = "An image that is alone in its class has nothing to find: it is no query."
    wrong += compare(answer, _recall_at_k, cases, rule)
    cases = [{**_far_points(draw), "k": 1}]
    rule = "A query is not in its own list, even if all others are more than 90° away."
    wrong += compare(answer, _recall_at_k, cases, rule)
    cases = [{**case, "k": 1} for case in _orders(_copied_points(draw))]
    rule = "Two images are the same, under two labels. Is each query left out by its place?"
    return wrong + compare(answer, _recall_at_k, cases, rule)


def _points(sizes: Sequence[int], draw: torch.Generator, copied: bool = False) -> dict[str, Tensor]:
    """Points on the circle with labels, in any order, and no rank that a tie could change.

    With ``copied`` the one image that is alone in its class is the copy of another image.
    """
    names = torch.randperm(60, generator=draw)[: len(sizes)] - 20
    while True:
        degrees = torch.randperm(360, generator=draw)[: sum(sizes)]
        labels = names.repeat_interleave(torch.tensor(sizes))
        if copied:
            degrees[sizes.index(1) + sizes[0] - 1] = degrees[0]
        order = torch.randperm(len(labels), generator=draw)
        points = torch.stack([on_circle(angle) for angle in degrees[order].tolist()])
        if not _is_blurred(points, labels[order]):
            return {"embeddings": points, "labels": labels[order]}


def _far_points(draw: torch.Generator) -> dict[str, Tensor]:
    """Points of which one has only dissimilar others, and one of another class first."""
    while True:
        case = _points([3, 2], draw)
        if any(best < others.max() < 0 for best, others in _lists(**case)):
            return case


def _copied_points(draw: torch.Generator) -> dict[str, Tensor]:
    """Points with the copy of one under a label of its own, which keeps this one from its class."""
    while True:
        case = _points([3, 1, 2], draw, copied=True)
        points, labels = case["embeddings"], case["labels"]
        kept = (labels == labels[:, None]).sum(dim=1) > 1
        if _recall_at_k(points, labels, 1) < _recall_at_k(points[kept], labels[kept], 1):
            return case


def _orders(case: dict[str, Tensor]) -> list[dict[str, Tensor]]:
    """The same images in several orders: a copy comes before its original, and after it."""
    both = [case, {name: one.flip(0) for name, one in case.items()}]
    steps = range(len(case["labels"]))
    return [{name: one.roll(by, 0) for name, one in way.items()} for by in steps for way in both]


def _is_blurred(embeddings: Tensor, labels: Tensor) -> bool:
    """Tell whether the best positive of a query ties with an image of another class."""
    return any((best - others).abs().min() < 1e-6 for best, others in _lists(embeddings, labels))


def _lists(embeddings: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """For each query: the similarity of its best positive, and those of the other classes."""
    lists = []
    for query, label in enumerate(labels.tolist()):
        similarity = (embeddings * embeddings[query]).sum(dim=1)
        own = labels == label
        others = similarity[~own]
        own[query] = False
        if own.any():
            lists.append((similarity[own].max(), others))
    return lists


def _recall_at_k(embeddings: Tensor, labels: Tensor, k: int) -> float:
    ranks = [1 + int((others > best).sum()) for best, others in _lists(embeddings, labels)]
    return sum(rank <= k for rank in ranks) / len(ranks)


def check_chance_at_k(answer: Answer, seed: int) -> list[str]:
    """The expected R@k of a random order: all places that the positives may have are counted."""
    draw = generator_of(seed)
    cases = [{"positives": 2, "others": 3, "k": 2}, {"positives": 3, "others": 2, "k": 4}]
    for k in (1, 2, 3, 5):
        case = {"positives": between(1, 4, draw), "others": between(2, 9, draw)}
        cases.append(case | {"k": k})
    rule = "In which share of all orders is at least one positive among the first k?"
    return compare(answer, _chance_at_k, cases, rule)


def _chance_at_k(positives: int, others: int, k: int) -> float:
    places = list(combinations(range(1, positives + others + 1), positives))
    return sum(min(chosen) <= k for chosen in places) / len(places)


def check_flattering_classes(answer: Answer, seed: int) -> list[str]:
    """The classes among which R@1 is highest; any choice that is as good is right."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for classes, count in ((4, 2), (4, 3), (5, 3)):
        case = _unflattered(classes, count, draw)
        chosen = answer.numbers((count,), **case).tolist()
        fault = _not_flattering(chosen, **case)
        wrong += [f"for {describe(case)} it returns {show(chosen)}: {fault}"] if fault else []
    return wrong


def _unflattered(classes: int, count: int, draw: torch.Generator) -> dict[str, Any]:
    """Points in pairs, of which neither the first, the last nor the best classes are enough."""
    while True:
        case = {**_points([2] * classes, draw), "count": count}
        names = case["labels"].unique()
        best = names[_hits(case).argsort(descending=True, stable=True)].tolist()
        lists = [names.tolist(), names.tolist()[::-1], best]
        lists.append([*dict.fromkeys(case["labels"].tolist())])
        if all(_not_flattering(some[:count], **case) for some in lists):
            return case


def _hits(case: dict[str, Any]) -> Tensor:
    """The right searches of each class in the whole gallery, the smallest label first."""
    right = _are_right(case["embeddings"], case["labels"])
    places = case["labels"].unique(return_inverse=True)[1]
    return torch.bincount(places, weights=right.double())


def _are_right(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Tell of each query whether its nearest other has its label."""
    similarity = (embeddings @ embeddings.T).fill_diagonal_(-2)
    return labels[similarity.argmax(dim=1)] == labels


def _not_flattering(chosen: list[float], embeddings: Tensor, labels: Tensor, count: int) -> str:
    """The fault of a choice of classes; "" if there is none."""
    if len({*chosen}) < count or not {*chosen} <= {*labels.tolist()}:
        return f"these are not {count} different labels of images"
    choices = combinations(labels.unique().tolist(), count)
    best = max(_recall_among(choice, embeddings, labels) for choice in choices)
    worse = _recall_among(chosen, embeddings, labels) < best
    return f"among {count} other classes R@1 is higher" if worse else ""


def _recall_among(chosen: Sequence[float], embeddings: Tensor, labels: Tensor) -> float:
    kept = torch.isin(labels, torch.tensor([int(one) for one in chosen]))
    return _are_right(embeddings[kept], labels[kept]).double().mean().item()


def check_recall_across(answer: Answer, seed: int) -> list[str]:
    """R@1 where a query searches among images of other sources only."""
    draw = generator_of(seed)
    cases = [_drawings([3, 2], draw) for _ in range(3)]
    rule = "For each query: is its gallery without the images of the query's own source?"
    wrong = compare(answer, _recall_across, cases, rule)
    alone = _drawings([2, 3], draw, alike=True)
    rule = "A query whose positives all have its own source has nothing to find: leave it out."
    return wrong + compare(answer, _recall_across, [alone], rule)


def _drawings(sizes: Sequence[int], draw: torch.Generator, alike: bool = False) -> dict[str, Any]:
    """Points with sources, of which a plain R@1 and the R@1 across sources differ.

    Without ``alike`` each has a positive of another source; with it some have none, and some of
    the others find one.
    """
    while True:
        case: dict[str, Any] = {**_points(sizes, draw)}
        points, labels = case["embeddings"], case["labels"]
        source = torch.randint(0, len(FOUNDRIES), labels.shape, generator=draw)
        case["sources"] = [FOUNDRIES[number] for number in source.tolist()]
        queries = ((labels == labels[:, None]) & (source != source[:, None])).any(dim=1)
        if queries.any() and bool(queries.all()) != alike and not _has_ties(points):
            plain, across = _recall_at_k(points, labels, 1), _recall_across(**case)
            if plain != across > 0:
                return case


def _has_ties(points: Tensor) -> bool:
    return bool((torch.pdist(points).sort().values.diff() < 1e-6).any())


def _recall_across(embeddings: Tensor, labels: Tensor, sources: Sequence[str]) -> float:
    found = []
    for query, source in enumerate(sources):
        there = [item for item, other in enumerate(sources) if other != source]
        if any(labels[item] == labels[query] for item in there):
            nearest = there[int((embeddings[there] @ embeddings[query]).argmax())]
            found.append(bool(labels[nearest] == labels[query]))
    return sum(found) / len(found)
