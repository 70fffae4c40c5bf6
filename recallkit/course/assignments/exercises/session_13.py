"""Checks of session 13: what may be mixed across domains, and what becomes of the label?"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from recallkit.course.assignments.answers import Answer, compare, describe
from recallkit.course.assignments.drawing import between, generator_of
from recallkit.related import domain_loss, mix, mixed_labels


def check_keep_clear(answer: Answer, seed: int) -> list[str]:
    """Shares on both sides of the gap, at its ends and at ½."""
    draw = generator_of(seed)
    cases = []
    for clearance in (0.125, between(1, 30, draw) / 64, 0.25):
        inside = between(1, 63, draw) / 64 * clearance
        shares = (0.5 - inside, 0.5, 0.5 + inside, 0.5 + clearance, 0.5 - clearance)
        outside = between(1, 63, draw) / 64 * (0.5 - clearance)
        shares = (*shares, outside, 1 - outside)
        cases += [{"share": share, "clearance": clearance} for share in shares]
    rule = "How far is it from ½, and on which side did it begin?"
    return compare(answer, _keep_clear, cases, rule)


def _keep_clear(share: float, clearance: float) -> float:
    side = 1 if share >= 0.5 else -1
    return 0.5 + side * max(clearance, abs(share - 0.5))


def check_best_answer(answer: Answer, seed: int) -> list[str]:
    """The constant probability with the least loss, found where the slope of the loss ends."""
    draw = generator_of(seed)
    labels = (0.0, 1.0, *(between(1, 99, draw) / 100 for _ in range(3)))
    weights = (1.0, *(between(1, 40, draw) / 10 for _ in range(4)))
    cases = [{"weight": w, "label": y} for w, y in zip(weights, labels, strict=True)]
    return compare(answer, _best_answer, cases, "Is the slope of the loss 0 at this answer?", 1e-5)


def _best_answer(weight: float, label: float) -> float:
    low, high = -20.0, 20.0  # logits: the slope rises from one end to the other
    for _ in range(60):
        logit = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        total = domain_loss(logit, 1.0) + domain_loss(logit, 0.0)
        total = total + weight * domain_loss(logit, label)
        [slope] = torch.autograd.grad(total, logit)
        low, high = (low, logit.item()) if slope > 0 else (logit.item(), high)
    return torch.tensor(low, dtype=torch.float64).sigmoid().item()


def check_soft_labels(answer: Answer, seed: int) -> list[str]:
    """Soft labels of mixtures, with the slot of the target at the end."""
    draw = generator_of(seed)
    cases = []
    for classes, number in ((2, 1), (3, 4), (5, 3)):
        labels = torch.randint(0, classes, (number,), generator=draw)
        share = between(9, 55, draw) / 64
        cases.append({"labels": labels, "classes": classes, "share": share})
    return compare(answer, mixed_labels, cases, "Which slots get a share, and what is their sum?")


def check_slopes_of_parents(answer: Answer, seed: int) -> list[str]:
    """The slopes that reach both parents of a mixture, by autograd."""
    draw = generator_of(seed)
    cases = []
    for _ in range(3):
        source, target = (between(-40, 40, draw) / 10 for _ in range(2))
        share = between(5, 95, draw) / 100
        case = {"source": source, "target": target, "share": share}
        cases += [{**case, "label": label} for label in (share, 0.0)]
    rule = "How does the loss change with the logit of the mixture, and that with each parent?"
    return compare(answer, _slopes_of_parents, cases, rule)


def _slopes_of_parents(source: float, target: float, share: float, label: float) -> Tensor:
    parents = torch.tensor([source, target], dtype=torch.float64, requires_grad=True)
    loss = domain_loss(mix(parents[0], parents[1], share), label)
    return torch.autograd.grad(loss, parents)[0]


def check_hidden_mistakes(answer: Answer, seed: int) -> list[str]:
    """Two domains with the same numbers, of which the target has mistakes that nobody can see."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for number in (2, between(3, 8, draw), between(9, 12, draw)):
        case = {"number": number, "mistakes": between(1, number, draw)}
        features = answer.numbers((2, 2 * number), **case)
        wrong += [f"for {describe(case)} {fault}" for fault in _not_hidden(features, **case)]
    return wrong


def _not_hidden(features: Tensor, number: int, mistakes: int) -> list[str]:
    """The faults of two domains that should look alike and hide mistakes."""
    source, target = features
    if not torch.equal(source.sort().values, target.sort().values):
        return ["a domain classifier can tell the two rows apart: are they the same numbers?"]
    first, second = source.split(number)
    if not first.max() < second.min():
        return ["no threshold separates the two classes of the source"]
    threshold = (first.max() + second.min()) / 2
    classes = torch.arange(2 * number) >= number
    missed = ((target > threshold) != classes).view(2, number).sum(dim=1).tolist()
    asked = [mistakes, mistakes]
    return [] if missed == asked else [f"the threshold misses {missed} of the two classes"]


def check_information(answer: Answer, seed: int) -> list[str]:
    """The entropy of the mean prediction less the mean entropy of the predictions."""
    draw = generator_of(seed)
    cases = []
    for images, classes, scale in ((4, 2, 1.0), (3, 3, 4.0), (5, 3, 30.0)):
        logits = torch.randint(-9, 10, (images, classes), generator=draw).double() / 10
        cases.append({"logits": scale * logits})
    rule = "Is it 0 where all predictions are alike, and large where they are sure and differ?"
    return compare(answer, _information, cases, rule)


def _information(logits: Tensor) -> Tensor:
    """KL divergence of each prediction from their mean, averaged."""
    logs = log_softmax(logits, dim=1)  # (N, K)
    of_mean = logs.logsumexp(dim=0) - torch.tensor(float(len(logs))).log()  # (K,)
    return (logs.exp() * (logs - of_mean)).sum(dim=1).mean()
