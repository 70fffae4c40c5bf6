"""Checks of session 12: which pixels should a loss weight?"""

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, as_numbers, compare, describe
from recallkit.course.assignments.drawing import between, generator_of
from recallkit.metrics import boundary

SIDE = 30  # pixels of the masks
LEAST_IOU, MOST_BOUNDARY_IOU = 0.8, 0.3


def check_always_ground(answer: Answer, seed: int) -> list[str]:
    """Pixel accuracy and mean recall of a network that calls every pixel ground."""
    draw = generator_of(seed)
    cases = []
    for classes in (2, 3, 5, 9):
        pixels = [between(1, 5000, draw) for _ in range(classes)]
        cases.append({"pixels": torch.tensor(pixels).double()})
    rule = "Which share of all pixels is right? And which share of each class?"
    return compare(answer, lambda pixels: (pixels[0] / pixels.sum(), 1 / len(pixels)), cases, rule)


def check_iou_of(answer: Answer, seed: int) -> list[str]:
    """IoU from recall and precision."""
    draw = generator_of(seed)
    shares = [[between(5, 100, draw) / 100 for _ in range(2)] for _ in range(8)]
    cases = [{"recall": recall, "precision": precision} for recall, precision in shares]
    rule = "How many pixels are wanted or given, for each that is found?"
    return compare(answer, _iou_of, cases, rule)


def _iou_of(recall: float, precision: float) -> float:
    return 1 / (1 / recall + 1 / precision - 1)


def check_weights_of_confusion(answer: Answer, seed: int) -> list[str]:
    """The weights of the recall loss from a confusion, with perfect and absent classes."""
    draw = generator_of(seed)
    cases = []
    for classes in (2, 3, 4):
        counts = torch.randint(0, 40, (classes, classes), generator=draw)
        perfect = counts * torch.eye(classes, dtype=torch.int64) + torch.eye(classes).long()
        absent = counts.clone()
        absent[between(0, classes - 1, draw)] = 0
        cases += [{"confusion": one.double()} for one in (counts, perfect, absent)]
    rule = "Per class: missed pixels over labelled pixels, each counted as at least one."
    return compare(answer, _weights_of_confusion, cases, rule)


def _weights_of_confusion(confusion: Tensor) -> Tensor:
    wanted = confusion.sum(dim=1)
    return (wanted - confusion.diag()).clamp(min=1) / wanted.clamp(min=1)


def check_recall_of_balance(answer: Answer, seed: int) -> list[str]:
    """The recall of a common class at which it weighs as much as a rare one."""
    draw = generator_of(seed)
    cases = []
    for _ in range(8):
        common, rare = between(100, 900, draw) / 1000, between(1, 99, draw) / 1000
        cases.append({"common": common, "rare": rare, "recall": between(0, 99, draw) / 100})
    rule = "A class has the weight of one of its pixels as often as it has pixels."
    return compare(answer, _recall_of_balance, cases, rule, tolerance=1e-9)


def _recall_of_balance(common: float, rare: float, recall: float) -> float:
    return 1 - rare * (1 - recall) / common


def check_lost_boundary(answer: Answer, seed: int) -> list[str]:
    """A prediction with a good IoU and a bad boundary IoU, for rectangles of several sizes."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for _ in range(3):
        height, width = between(20, 26, draw), between(20, 26, draw)
        top, left = between(2, 28 - height, draw), between(2, 28 - width, draw)
        mask = torch.zeros(SIDE, SIDE, dtype=torch.int64)
        mask[top : top + height, left : left + width] = 1
        who = f"for a mask of {height} rows and {width} columns it"
        predicted = as_numbers(answer(mask=mask), who, (SIDE, SIDE))
        wrong += [f"{who} returns {fault}" for fault in _not_lost(mask == 1, predicted)]
    return wrong


def _not_lost(mask: Tensor, predicted: Tensor) -> list[str]:
    """The faults of a mask that should have a good IoU and a bad boundary IoU."""
    if not ((predicted == 0) | (predicted == 1)).all():
        return ["other numbers than 0 and 1"]
    given = predicted == 1
    edges = [boundary(one[None], 1)[0] for one in (mask, given)]
    iou, of_edges = _overlap(mask, given), _overlap(*edges)
    if iou < LEAST_IOU:
        return ["a mask that differs too much: its IoU is low"]
    return ["a mask whose boundary is still found"] if of_edges > MOST_BOUNDARY_IOU else []


def _overlap(first: Tensor, second: Tensor) -> float:
    return ((first & second).sum() / (first | second).sum().clamp(min=1)).item()


def check_own_weights(answer: Answer, seed: int) -> list[str]:
    """Weights that fall as recall rises, and fall as precision falls; compared as shares."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for classes in (2, 4, 6):
        recall, precision, frequency = (
            (torch.randint(20, 80, (classes,), generator=draw).double() / 100) for _ in range(3)
        )
        case = {"recall": recall, "precision": precision, "frequency": frequency / frequency.sum()}
        one = between(0, classes - 1, draw)
        better = {**case, "recall": _changed(recall, one, 0.15)}
        flooded = {**case, "precision": _changed(precision, one, -0.15)}
        share, found, false = (_share_of(answer, each, one) for each in (case, better, flooded))
        who = f"for {describe(case)}: the share of class {one}"
        wrong += [f"{who} does not fall as its recall rises"] * (found >= share - 1e-9)
        wrong += [f"{who} does not fall as its precision falls"] * (false >= share - 1e-9)
    return wrong


def _changed(values: Tensor, place: int, by: float) -> Tensor:
    return values.index_add(0, torch.tensor([place]), values.new_tensor([by]))


def _share_of(answer: Answer, case: dict[str, Tensor], one: int) -> float:
    weights = answer.numbers(tuple(case["recall"].shape), **case).clamp(min=0)
    return (weights[one] / weights.sum().clamp(min=1e-12)).item()
