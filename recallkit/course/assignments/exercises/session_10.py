"""Checks of session 10: what does a loss weight, and by what?"""

from itertools import combinations

import torch
from torch import Tensor

from recallkit.course.assignments.answers import Answer, as_numbers, compare, describe
from recallkit.course.assignments.drawing import between, generator_of, hundredths, untied
from recallkit.course.pair_gradients import list_gradient
from recallkit.losses import RecallAtKLoss
from recallkit.related import CircleLoss

NEARLY_ALL = 0.9  # of the push on negatives


def check_circle_weights(answer: Answer, seed: int) -> list[str]:
    """The weights of a list: similarities of both signs, some beyond the optimum."""
    draw = generator_of(seed)
    cases = []
    for number in (2, 4, 7):
        similarity = 2 * hundredths(number, draw=draw) - 1
        similarity[:2] = torch.tensor([-0.95, 0.95]).double()
        positive = torch.arange(number) % 2 == 1
        for margin in (0.0, between(5, 45, draw) / 100):
            cases.append({"similarity": similarity, "positive": positive, "margin": margin})
    rule = "How far is each from its optimum, and what if it is already beyond?"
    return compare(answer, _circle_weights, cases, rule)


def _circle_weights(similarity: Tensor, positive: Tensor, margin: float) -> Tensor:
    pairs = zip(similarity.tolist(), positive.tolist(), strict=True)
    return torch.tensor([max(0.0, 1 + margin - s if p else s + margin) for s, p in pairs]).double()


def check_balanced_positive(answer: Answer, seed: int) -> list[str]:
    """A positive that balances a negative: both sides of the balance are computed."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for margin in (0.4, 0.25, between(5, 45, draw) / 100):
        for share in (0.0, 1.0, -between(10, 90, draw) / 100, between(10, 140, draw) / 100):
            case = {"negative": share * margin, "margin": margin}
            positive = answer.numbers((), **case).item()
            pushed = (case["negative"] + margin) * (case["negative"] - margin)
            pulled = (1 + margin - positive) * (positive - 1 + margin)
            who = f"for {describe(case)} it returns {positive:.4g}"
            if positive > 1:
                wrong.append(f"{who}, which is above 1")
            elif abs(pushed - pulled) > 1e-6:
                side = "too far from 1" if pulled < pushed else "nearer to 1 than it must be"
                wrong.append(f"{who}: there the loss is not balanced, the positive is {side}")
    return wrong


def check_batch_circle(answer: Answer, seed: int) -> list[str]:
    """One logarithm for all pairs of a batch, as a sum over every positive and negative pair."""
    draw = generator_of(seed)
    cases = []
    for sizes, gamma in (([2, 1], 4.0), ([2, 1, 2], 80.0), ([3, 2, 1], 2000.0)):
        number = sum(sizes)
        names = torch.randperm(19, generator=draw)[: len(sizes)] - 9
        labels = names.repeat_interleave(torch.tensor(sizes))
        labels = labels[torch.randperm(number, generator=draw)]
        similarity = hundredths(number, number, draw=draw).triu(diagonal=1)
        similarity = similarity + similarity.T + torch.eye(number)
        margin = between(20, 45, draw) / 100
        cases.append({"similarity": similarity, "labels": labels, "margin": margin, "gamma": gamma})
    rule = "Is each pair in it once, without images paired with themselves?"
    return compare(answer, _batch_circle, cases, rule)


def _batch_circle(similarity: Tensor, labels: Tensor, margin: float, gamma: float) -> Tensor:
    pairs = [*combinations(range(len(labels)), 2)]
    same = [similarity[i, j] for i, j in pairs if labels[i] == labels[j]]
    other = [similarity[i, j] for i, j in pairs if labels[i] != labels[j]]
    exponents = [
        gamma * max(0, n + margin) * (n - margin) - gamma * (1 + margin - p) * (p - 1 + margin)
        for n in other for p in same
    ]  # fmt: skip
    return torch.stack([torch.zeros(()).double(), *exponents]).logsumexp(dim=0)


def check_circle_slopes(answer: Answer, seed: int) -> list[str]:
    """The slopes of circle loss of one pair, against autograd; a negative beyond its optimum."""
    draw = generator_of(seed)
    cases = [{"s_p": 0.2, "s_n": 0.3, "margin": 0.4, "gamma": 4.0}]
    cases.append({"s_p": 0.3, "s_n": -0.6, "margin": 0.4, "gamma": 1.0})
    for gamma in (1.0, 4.0, 16.0, 80.0):
        s_p, s_n = (2 * hundredths(2, draw=draw) - 1).tolist()
        cases.append({"s_p": s_p, "s_n": s_n, "margin": between(20, 45, draw) / 100})
        cases[-1]["gamma"] = gamma
    rule = "One factor is the slope of the softplus, the same in both; which is the other?"
    return compare(answer, _circle_slopes, cases, rule)


def _circle_slopes(s_p: float, s_n: float, margin: float, gamma: float) -> Tensor:
    similarity = torch.tensor([s_p, s_n], dtype=torch.float64)
    return list_gradient(CircleLoss(margin, gamma), similarity, torch.tensor([True, False]))


def check_slopes_through_weights(answer: Answer, seed: int) -> list[str]:
    """The slopes of z with weights that are not fixed, against autograd; at the goal too."""
    draw = generator_of(seed)
    cases = [{"s_p": 0.2, "s_n": 0.3, "margin": 0.4, "gamma": 4.0}]
    cases.append({"s_p": 1.0, "s_n": 0.0, "margin": 0.4, "gamma": 4.0})
    for _ in range(3):
        s_p, s_n = hundredths(2, draw=draw).tolist()
        cases.append({"s_p": s_p, "s_n": s_n, "margin": between(10, 45, draw) / 100})
        cases[-1]["gamma"] = float(between(1, 80, draw))
    rule = "Both factors of each product depend on the similarity."
    return compare(answer, _slopes_through_weights, cases, rule)


def _slopes_through_weights(s_p: float, s_n: float, margin: float, gamma: float) -> Tensor:
    both = torch.tensor([s_p, s_n], dtype=torch.float64, requires_grad=True)
    optimum = torch.tensor([1 + margin, -margin], dtype=torch.float64)
    boundary = torch.tensor([1 - margin, margin], dtype=torch.float64)
    z = gamma * ((both - optimum) * (both - boundary)).sum()
    return torch.autograd.grad(z, both)[0]


def check_two_opinions(answer: Answer, seed: int) -> list[str]:
    """A list in which circle loss and RS@k push different negatives, nearly alone."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for number in (2, between(3, 6, draw), between(7, 10, draw)):
        case = {"number": number, "temperature": between(5, 50, draw) / 1000}
        who = f"for {describe(case)} it"
        similarity = as_numbers(answer(**case), who, (number + 1,))
        fault = _not_two_opinions(similarity, case["temperature"])
        wrong += [f"{who} returns a list {fault}"] if fault else []
    return wrong


def _not_two_opinions(similarity: Tensor, temperature: float) -> str:
    """Describe what is wrong with a list, its positive first; "" if nothing is."""
    if similarity.abs().max() > 1:
        return "with a similarity outside −1 to 1"
    if len(similarity.unique()) < len(similarity):
        return "with a tie: all similarities must differ"
    positive, chosen = torch.arange(len(similarity)) == 0, []
    rank_loss = RecallAtKLoss(rank_temperature=temperature, engine="dense")
    for name, loss in (("circle loss", CircleLoss()), ("RS@k", rank_loss)):
        push = list_gradient(loss, similarity, positive)[1:].abs()
        share = (push.max() / push.sum()).nan_to_num().item()
        if share < NEARLY_ALL:
            return f"in which no negative gets nearly all of the push of {name}, but {share:.0%}"
        chosen.append(int(push.argmax()))
    return "in which both losses push the same negative" if chosen[0] == chosen[1] else ""


def check_matching_gamma(answer: Answer, seed: int) -> list[str]:
    """The γ at which a log-sum-exp pushes as many negatives as asked: the number is counted."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for size in (3, 5, between(6, 12, draw), between(20, 40, draw)):
        case = {"similarity": untied(size, draw), "number": between(15, 10 * size - 5, draw) / 10}
        gamma = answer.numbers((), **case)
        shares = (gamma * case["similarity"]).softmax(dim=0)
        number = 1 / shares.square().sum().item()
        if gamma < 0 or abs(number - case["number"]) > 1e-3 * size:
            wrong.append(
                f"for {describe(case)} it returns {gamma.item():.4g}: "
                f"with this γ the push falls on {number:.3g} negatives"
            )
    return wrong
