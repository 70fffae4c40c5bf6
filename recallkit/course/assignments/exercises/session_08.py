"""Checks of session 08: how do the published numbers come about?"""

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, compare, describe
from recallkit.course.assignments.drawing import between, generator_of, untied

IGNORED = {"Easy": ("hard", "junk"), "Medium": ("junk",), "Hard": ("easy", "junk")}
KINDS = ("easy", "hard", "junk", "other")


def check_share_found(answer: Answer, seed: int) -> list[str]:
    """The share of min(k, P), of ranks in any order; k below, at and beyond the number of ranks."""
    draw = generator_of(seed)
    cases = []
    for number in (1, 3, between(2, 5, draw), between(4, 7, draw)):
        ranks = (torch.randperm(12, generator=draw)[:number] + 1).tolist()
        cases += [{"ranks": ranks, "k": k} for k in (1, number, between(1, 12, draw), 12)]
    rule = "How many positives are among the first k, and how many could be there at most?"
    return compare(answer, _share_found, cases, rule)


def _share_found(ranks: list[int], k: int) -> float:
    return len({*ranks} & {*range(1, k + 1)}) / min(k, len(ranks))


def check_one_intruder(answer: Answer, seed: int) -> list[str]:
    """AP and AP@R of a perfect list with one wrong image in it: the list is made and walked."""
    draw = generator_of(seed)
    cases = [{"number": 3, "place": place} for place in (1, 2, 3, 4)]
    for number in (1, between(2, 9, draw), between(10, 30, draw)):
        cases += [{"number": number, "place": p} for p in (1, between(1, number, draw), number + 1)]
    rule = (
        "Write the list down: which precision has each positive, and which of them count in AP@R?"
    )
    return compare(answer, _one_intruder, cases, rule)


def _one_intruder(number: int, place: int) -> list[float]:
    right = torch.ones(number + 1, dtype=torch.float64)
    right[place - 1] = 0
    precision = right.cumsum(dim=0) / torch.arange(1, number + 2)
    return [((right * precision)[:end].sum() / number).item() for end in (number + 1, number)]


def check_recall_at(answer: Answer, seed: int) -> list[str]:
    """The counts of R@k, all against all: single images, copies, any lengths, any labels."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for sizes in ([2, 2], [3, 1, 1], [2, 1, 3]):
        number = sum(sizes)
        names = torch.randperm(19, generator=draw)[: len(sizes)] - 9  # negative labels too
        labels = names.repeat_interleave(torch.tensor(sizes))
        labels = labels[torch.randperm(number, generator=draw)]
        cases = [
            {"similarity": _table(number, own, draw), "labels": labels, "k": k}
            for own in ("one", "any") for k in (1, between(1, number - 1, draw))
        ]  # fmt: skip
        rule = "Who is no query, and who must not be found: is it always the first of the list?"
        wrong += compare(answer, _recall_at, cases, rule)
    return wrong


def _table(number: int, own: str, draw: torch.Generator) -> Tensor:
    """Symmetric similarities, all different in a row but for a copy; on the diagonal 1, or any."""
    upper = torch.zeros(number, number).double()
    rows, columns = torch.triu_indices(number, number, offset=1)
    upper[rows, columns] = untied(len(rows), draw).clamp(max=0.9995)
    table = upper + upper.T
    if own == "any":
        return table + torch.diag(untied(number, draw))
    copy = between(0, len(rows) - 1, draw)
    table[rows[copy], columns[copy]] = table[columns[copy], rows[copy]] = 1
    return table + torch.eye(number).double()


def _recall_at(similarity: Tensor, labels: Tensor, k: int) -> list[int]:
    found = []
    for query, label in enumerate(labels.tolist()):
        others = [item for item in range(len(labels)) if item != query]
        others.sort(key=lambda item, query=query: -similarity[query, item].item())
        right = [labels[item].item() == label for item in others]
        if any(right):
            found.append(any(right[:k]))
    return [sum(found), len(found)]


def check_revisited_precision(answer: Answer, seed: int) -> list[str]:
    """Precision where some images do not count: junk in front, k beyond the last positive."""
    draw = generator_of(seed)
    lists = [["junk", "easy", "other", "hard"]]
    for number in (5, 7, 9):
        order = torch.randint(0, 4, (number,), generator=draw).tolist()
        lists.append([KINDS[kind] for kind in (*order, 0, 1)])
        lists.append([KINDS[kind] for kind in (2, 3, 0, 1, *order)])
    cases = [
        {"kinds": kinds, "setting": setting, "k": k}
        for kinds in lists for setting in IGNORED for k in (1, between(2, 4, draw), 10)
    ]  # fmt: skip
    rule = "Which images are left, and does k reach beyond the last positive among them?"
    return compare(answer, _revisited_precision, cases, rule)


def _revisited_precision(kinds: list[str], setting: str, k: int) -> float:
    right = [kind != "other" for kind in kinds if kind not in IGNORED[setting]]
    last = max(place for place, is_right in enumerate(right, 1) if is_right)
    reach = min(k, last)
    return sum(right[:reach]) / reach


def check_overstatement(answer: Answer, seed: int) -> list[str]:
    """The expected best of n evaluations with uniform noise, as an integral."""
    draw = generator_of(seed)
    numbers = (1, 2, 3, between(4, 20, draw), between(21, 60, draw))
    cases = [{"number": n, "width": between(1, 300, draw) / 100} for n in numbers]
    rule = "With which probability do all of the evaluations lie below a given noise?"
    return compare(answer, _overstatement, cases, rule, tolerance=1e-5)


def _overstatement(number: int, width: float) -> float:
    below = torch.linspace(0, 1, 100_001, dtype=torch.float64)  # the share of the noise below x
    return width - 2 * width * torch.trapezoid(below**number, below).item()


def check_honest_report(answer: Answer, seed: int) -> list[str]:
    """A number of the test table, of the best training on validation, whatever the test says."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for trainings, evaluations in ((2, 3), (3, 4), (4, 3), (2, 6)):
        validation = 60 + 3 * torch.rand(trainings, evaluations, generator=draw).double()
        best = between(0, trainings - 1, draw)
        validation[best] += 10
        test = (50 + 30 * untied(validation.numel(), draw)).reshape(validation.shape)
        case = {"validation": (100 * validation).round() / 100, "test": test}
        fault = _not_honest(answer, case, best)
        wrong += [f"for {describe(case)}: {fault}"] if fault else []
    return wrong


def _not_honest(answer: Answer, case: dict[str, Tensor], best: int) -> str:
    """Describe the first fault of a report; "" if there is none."""
    places = []
    for shift in range(2):
        test = case["test"].roll((shift, shift), dims=(0, 1))
        number = answer.numbers((), validation=case["validation"], test=test)
        where = ((test - number).abs() < 1e-6).nonzero().tolist()
        if not where:
            return f"{number.item():.6g} was not measured on the test classes"
        places += where
    if places[0] != places[1]:
        return "other test numbers, with the same validation, lead to another choice"
    ahead = f"on validation, training {best} is ahead at each evaluation"
    return "" if places[0][0] == best else f"{ahead}, and the number is of training {places[0][0]}"


def check_error_of_lead(answer: Answer, seed: int) -> list[str]:
    """The error of a lead where classes are drawn, not queries: added up class by class."""
    draw = generator_of(seed)
    cases = []
    for sizes in ([2, 3], [1, 1, 1, 1, 1], [4, 1, 2], [3, 5, 1, 2]):
        names = torch.randperm(19, generator=draw)[: len(sizes)] - 9
        labels = names.repeat_interleave(torch.tensor(sizes))
        labels = labels[torch.randperm(len(labels), generator=draw)]
        first, second = torch.randint(0, 2, (2, len(labels)), generator=draw).bool()
        cases.append({"first": first, "second": second, "labels": labels})
    cases.append({"first": first, "second": first.clone(), "labels": labels})
    rule = "By how much do the queries of one class, taken together, deviate from the mean lead?"
    return compare(answer, _error_of_lead, cases, rule)


def _error_of_lead(first: Tensor, second: Tensor, labels: Tensor) -> float:
    leads = (first.double() - second.double()).tolist()
    mean, of_classes = sum(leads) / len(leads), dict.fromkeys(labels.tolist(), 0.0)
    for lead, label in zip(leads, labels.tolist(), strict=True):
        of_classes[label] += lead - mean
    return sum(total**2 for total in of_classes.values()) ** 0.5 / len(leads)
