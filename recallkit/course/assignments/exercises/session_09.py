"""Checks of session 09: how do I train on my own images?"""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from recallkit.course.assignments.answers import (
    Answer,
    WrongAnswerError,
    as_numbers,
    compare,
    describe,
    show,
)
from recallkit.course.assignments.drawing import between, generator_of

MANY = 400  # names: their share of the test part is near the share that was asked for
FAR = 0.1  # from the share: four standard errors of so many names
REACH = 2  # pixels that an image may be moved


def check_recall_by_class(answer: Answer, seed: int) -> list[str]:
    """The mean over classes: unequal ones, of one query too, with any labels in any order."""
    draw = generator_of(seed)
    cases = []
    for sizes in ([6, 2], [1, 4], [5, 1, 3], [2, 7, 1, 2]):
        names = torch.randperm(19, generator=draw)[: len(sizes)] - 9
        order = torch.randperm(sum(sizes), generator=draw)
        labels = names.repeat_interleave(torch.tensor(sizes))[order]
        right = torch.randint(0, 2, (len(labels),), generator=draw).bool()
        right[labels == names[0]] = True  # so that the two means differ
        right[labels == names[1]] = False
        cases.append({"right": right, "labels": labels})
    rule = "Does each class have one vote, however many queries it has?"
    return compare(answer, _recall_by_class, cases, rule)


def _recall_by_class(right: Tensor, labels: Tensor) -> float:
    shares = [right[labels == label].double().mean().item() for label in labels.unique()]
    return sum(shares) / len(shares)


def check_leaked_share(answer: Answer, seed: int) -> list[str]:
    """The test images whose twin trains: all splits are listed."""
    draw = generator_of(seed)
    cases = [{"number": 4, "test": test} for test in (2, 1, 3)]
    for number in (6, 8, 10):
        cases.append({"number": number, "test": between(1, number - 1, draw)})
    rule = "Where can the twin of a test image be, if the split knows nothing of twins?"
    return compare(answer, _leaked_share, cases, rule)


def _leaked_share(number: int, test: int) -> float:
    splits = [{*chosen} for chosen in combinations(range(number), test)]
    leaked = sum(image ^ 1 not in chosen for chosen in splits for image in chosen)
    return leaked / (test * len(splits))


def check_near_copies(answer: Answer, seed: int) -> list[str]:
    """All pairs above a threshold, and no other: darker copies, a black image, no copy at all."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for copies, black in (([], 5), ([(0, 3)], 1), ([(0, 2), (2, 4)], 5), ([(1, 4), (2, 5)], 0)):
        images = _photos(copies, draw)
        images[black] = 0
        case = {"images": images, "threshold": between(950, 995, draw) / 1000}
        who = f"for {describe(case)} it"
        fault = _not_the_copies(as_numbers(answer(**case), who), **case)
        wrong += [f"{who} {fault}"] if fault else []
    return wrong


def _photos(copies: list[tuple[int, int]], draw: torch.Generator) -> Tensor:
    """Six clearly different images, copies as bright or darker, and one that is nearly a copy."""
    images = torch.randint(0, 10, (6, 6), generator=draw).double()
    images += torch.diag(torch.randint(15, 60, (6,), generator=draw))
    for one, other in copies:
        images[other] = images[one] * between(1, 4, draw) / 4
    resembles = 3 if (0, 3) not in copies else 4
    images[resembles] = images[0] + 9 * torch.randint(0, 2, (6,), generator=draw)
    return images


def _not_the_copies(given: Tensor, images: Tensor, threshold: float) -> str:
    """Describe what is wrong with the pairs that an answer returns; "" if nothing is."""
    if given.ndim == 0 or (len(given) and given.shape[1:] != (2,)):
        return "returns no list of pairs (i, j)"
    pairs = [tuple(pair) for pair in given.tolist()]
    table = cosine_similarity(images[:, None], images, dim=2) > threshold
    right = {(i, j) for i, j in combinations(range(len(images)), 2) if table[i, j]}
    if len(pairs) > len({*pairs}) or any(i >= j for i, j in pairs):
        return "returns a pair twice, or one whose first index is not the smaller"
    false = [pair for pair in pairs if pair not in right]
    if false:
        pair = show([int(i) for i in false[0]])
        return f"returns the pair {pair}, whose cosine is not above the threshold"
    missing = "misses a pair. Is a darker photo a copy too, and can a photo have several?"
    return missing if len(pairs) < len(right) else ""


class _Name(str):
    """The name of a class as another process sees it: ``hash`` gives another number."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash(self + " in another process")


def check_lasting_split(answer: Answer, seed: int) -> list[str]:
    """A split by names alone: classes come, go and change places, and the share is kept."""
    draw = generator_of(seed)
    words = ("cup", "lamp", "shoe", "vase", "chair", "bag")
    names = [f"{word} {between(1, 999, draw)}" for word in words]
    share = between(3, 7, draw) / 10
    parts, wrong = _parts(answer, names, share), []
    for others, event in (
        (names, "when the split is made again"),
        (["apron", *names], "when a class comes first in the list"),
        (sorted([*names, "axe", "door", "zip"]), "when classes are added and all are sorted"),
        (names[1:], "when the first class is removed"),
        (names[::-1], "when the list is turned round"),
    ):
        changed = _parts(answer, others, share)
        moved = [name for name in names if changed.get(name, parts[name]) != parts[name]]
        case = describe({"names": names, "share": share})
        wrong += [f"for {case}: {moved[0]!r} changes its part {event}"] if moved else []
    return wrong + _of_many_names(answer, draw)


def _parts(answer: Answer, names: Sequence[str], share: float) -> dict[str, bool]:
    """The part of each name: True for test."""
    given = answer.numbers((len(names),), names=[*names], share=share)
    if not ((given == 0) | (given == 1)).all():
        raise WrongAnswerError(f"it returns {show(given)}, and not True or False for each name")
    return {str(name): part for name, part in zip(names, given.bool().tolist(), strict=True)}


def _of_many_names(answer: Answer, draw: torch.Generator) -> list[str]:
    """Describe a share that is far from what was asked for, and a split of one process alone."""
    wrong: list[str] = []
    for share in (0.2, 0.5, 0.7):
        first = between(0, 9000, draw)
        names = [f"photo {first + i}" for i in range(MANY)]
        who = f"of {MANY} names, {names[0]!r} and so on, with share = {share},"
        parts = _parts(answer, names, share)
        got = sum(parts.values()) / MANY
        if abs(got - share) > FAR:
            wrong.append(f"{who} it puts {got:.0%} into the test part")
        if parts != _parts(answer, [_Name(name) for name in names], share):
            wrong.append(f"{who} some change in another Python process: is hash() the same there?")
    return wrong


def check_recall_in_smaller(answer: Answer, seed: int) -> list[str]:
    """The expected R@1 in a part of a gallery: all parts of that size are listed."""
    draw = generator_of(seed)
    cases = []
    for negatives in (1, 4, between(5, 7, draw), 8):
        for kept in (0, between(1, negatives, draw), negatives):
            queries = between(1, 4, draw)
            ahead = torch.randint(0, negatives + 1, (queries,), generator=draw)
            cases.append({"ahead": ahead.tolist(), "negatives": negatives, "kept": kept})
    rule = "In which share of all choices is none of the negatives kept that are ahead?"
    return compare(answer, _recall_in_smaller, cases, rule)


def _recall_in_smaller(ahead: list[int], negatives: int, kept: int) -> float:
    galleries = [*combinations(range(negatives), kept)]  # the smallest numbers are the nearest
    found = sum(all(item >= count for item in one) for one in galleries for count in ahead)
    return found / (len(galleries) * len(ahead))


def check_hiding_move(answer: Answer, seed: int) -> list[str]:
    """The move of a striped image that makes it least similar to itself: all moves are tried."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, 2)):
        period = between(2, 4, draw)
        place = down * torch.arange(6)[:, None] + right * torch.arange(6)
        image = 6 * (place % period < period / 2) + torch.randint(0, 4, (6, 6), generator=draw)
        case = {"image": image.double()}
        move = answer.numbers((2,), **case).tolist()
        wrong += [f"for {describe(case)} {fault}" for fault in _does_not_hide(move, **case)]
    return wrong


def _does_not_hide(move: list[float], image: Tensor) -> list[str]:
    if any(part != int(part) or abs(part) > REACH for part in move):
        return [f"it returns {show(move)}: whole numbers from −{REACH} to {REACH} were asked for"]

    def similarity(down: int, right: int) -> float:
        moved = image.roll((down, right), (0, 1))
        return cosine_similarity(image.flatten(), moved.flatten(), dim=0).item()

    reach = range(-REACH, REACH + 1)
    least = min(similarity(down, right) for down in reach for right in reach)
    down, right = (int(part) for part in move)
    better = similarity(down, right) > least + 1e-9
    return [f"it returns {show([down, right])}: another move hides the image better"] * better


def check_true_recall(answer: Answer, seed: int) -> list[str]:
    """The true R@1 behind a measured one: what it would measure is added up, label by label."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for classes in (2, 3, between(4, 20, draw), between(50, 500, draw)):
        for share in (0.0, 0.05, between(10, 35, draw) / 100):
            true = between(20, 100, draw) / 100
            case = {"measured": _measured(true, share, classes), "wrong": share, "classes": classes}
            given = answer.numbers((), **case).item()
            if abs(_measured(given, share, classes) - case["measured"]) > 1e-6:
                wrong.append(
                    f"for {describe(case)} it returns {given:.4g}: with such labels, a search "
                    f"that good would not measure this number"
                )
    return wrong


def _measured(true: float, wrong: float, classes: int) -> float:
    """The share of queries whose label is that of their nearest image, if labels are wrong."""
    labels = torch.full((classes, classes), wrong / (classes - 1), dtype=torch.float64)
    labels.fill_diagonal_(1 - wrong)  # row: what an image shows; column: its label
    agree = labels @ labels.T  # of two images, by what they show
    return true * agree[0, 0].item() + (1 - true) * agree[0, 1].item()
