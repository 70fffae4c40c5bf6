"""Checks of session 02: who gets pushed, and how hard?"""

import math

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

from recallkit.course.assignments.answers import Answer, compare, describe
from recallkit.course.assignments.drawing import between, generator_of, hundredths, untied
from recallkit.course.circle import on_circle
from recallkit.course.pair_gradients import pair_gradients
from recallkit.losses import RecallAtKLoss

QUIET = 1e-6  # of a derivative in a similarity that nobody feels


def check_rival_weights(answer: Answer, seed: int) -> list[str]:
    """The weight of each rival in the pull on a positive: autograd through the relaxed rank."""
    draw = generator_of(seed)
    ends = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    cases = [{"ahead": ends, "temperature": 0.1}, {"ahead": ends, "temperature": 0.001}]
    for temperature in (0.01, 0.05, 1.0):
        ahead = temperature * (6 * hundredths(4, draw=draw) - 3)
        cases.append({"ahead": ahead, "temperature": temperature})
    rule = "By how much would the rank of the positive change, for each unit that a rival moves?"
    return compare(answer, _rival_weights, cases, rule)


def _rival_weights(ahead: Tensor, temperature: float) -> Tensor:
    leaf = ahead.clone().requires_grad_()
    rank = 1 + torch.sigmoid(leaf / temperature).sum()
    return torch.autograd.grad(rank, leaf)[0]


def check_slope_in_angle(answer: Answer, seed: int) -> list[str]:
    """The derivative in the angle between two points: autograd through both vectors."""
    draw = generator_of(seed)
    cases = [{"degrees": degrees, "gradient": -2.0} for degrees in (90, 0, 180)]
    for _ in range(5):
        case = {"degrees": between(1, 179, draw)}
        cases.append(case | {"gradient": between(-300, 300, draw) / 100})
    rule = "How fast does the cosine change at this angle, for each radian?"
    return compare(answer, _slope_in_angle, cases, rule)


def _slope_in_angle(degrees: float, gradient: float) -> Tensor:
    angle = torch.tensor(math.radians(degrees), dtype=torch.float64, requires_grad=True)
    similarity = torch.stack([angle.cos(), angle.sin()]) @ on_circle(0)
    return torch.autograd.grad(gradient * similarity, angle)[0]


def check_embedding_gradient(answer: Answer, seed: int) -> list[str]:
    """The gradient of the embeddings from that of all pairs: autograd through the similarities."""
    draw = generator_of(seed)
    cases = []
    for number in (2, 3, 4):
        case = {"pairs": _pairs(number, draw), "embeddings": hundredths(number, 2, draw=draw)}
        cases.append(case)
    rule = "In which pairs is an image the query, and in which does it stand in the gallery?"
    return compare(answer, _embedding_gradient, cases, rule)


def _pairs(number: int, draw: torch.Generator) -> Tensor:
    """Derivatives in the similarity of each pair, (number, number), 0 on the diagonal."""
    return (hundredths(number, number, draw=draw) - 0.5).round(decimals=2).fill_diagonal_(0)


def _embedding_gradient(pairs: Tensor, embeddings: Tensor) -> Tensor:
    leaf = embeddings.clone().requires_grad_()
    return torch.autograd.grad((pairs * (leaf @ leaf.T)).sum(), leaf)[0]


def check_nt_xent_gradient(answer: Answer, seed: int) -> list[str]:
    """The gradient of NT-Xent along a list: autograd through the cross-entropy."""
    draw = generator_of(seed)
    cases = []
    for number, temperature in ((2, 0.5), (5, 0.07), (8, 0.2), (4, 0.001)):
        positive = torch.arange(number) == between(0, number - 1, draw)
        similarity = 1 - untied(number, draw) / 5  # from 0.8 on: e^(s / 0.001) is infinite
        case = {"similarity": similarity, "positive": positive}
        cases.append(case | {"temperature": temperature})
    rule = "Together all entries are 0, and rivals are pushed in proportion to e^(s/T)."
    return compare(answer, _nt_xent_gradient, cases, rule)


def _nt_xent_gradient(similarity: Tensor, positive: Tensor, temperature: float) -> Tensor:
    leaf = similarity.clone().requires_grad_()
    loss = cross_entropy(leaf[None] / temperature, positive.nonzero()[0])
    return torch.autograd.grad(loss, leaf)[0]


def check_hearing_temperature(answer: Answer, seed: int) -> list[str]:
    """The temperature at which a number of rivals is heard, on a list at even distances."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for _ in range(4):
        case = {"heard": between(8, 60, draw), "density": between(20, 900, draw)}
        temperature = answer.numbers((), **case).item()
        who = f"for {describe(case)} it returns {temperature:.4g}"
        if temperature <= 0:
            wrong.append(f"{who}: a temperature is above 0")
            continue
        count = _number_heard(temperature, **case)
        if abs(count / case["heard"] - 1) > 1e-4:
            wrong.append(f"{who}: that is as if {count:.3g} rivals were heard alike")
    return wrong


def _number_heard(temperature: float, heard: int, density: int) -> float:
    """As if how many rivals were heard alike; the positive is midway between two of them."""
    ahead = (torch.arange(-20 * heard, 20 * heard).double() + 0.5) / density
    weights = _rival_weights(ahead, temperature)
    return (weights.sum().square() / weights.square().sum().clamp(min=1e-300)).item()


def check_deaf_batch(answer: Answer, seed: int) -> list[str]:
    """A batch in which every ranking is wrong, and RS@k feels no pair."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for classes in (2, 3, 4):
        case = {"classes": classes, "temperature": between(3, 10, draw) / 1000}
        angles = answer.numbers((2 * classes,), **case)
        fault = _not_deaf(angles, case["temperature"])
        wrong += [f"for {describe(case)}: {fault}"] if fault else []
    return wrong


def _not_deaf(angles: Tensor, temperature: float) -> str:
    """The first fault of a batch, two images of each class; "" if it has none."""
    points = torch.stack([on_circle(angle) for angle in angles.tolist()])
    similarity, labels = points @ points.T, torch.arange(len(angles)) // 2
    own = labels == labels[:, None]
    positive = similarity[own.fill_diagonal_(False)]
    negative = similarity.masked_fill(labels == labels[:, None], -2).amax(dim=1)
    found = (negative <= positive + 1e-9).nonzero().flatten().tolist()
    if found:
        return f"no other class comes before the positive of image {found[0]}"
    loss = RecallAtKLoss(rank_temperature=temperature, engine="dense")
    heard = pair_gradients(loss, similarity, labels).abs()
    query, item = divmod(int(heard.argmax()), len(angles))
    felt = f"image {query} as a query still feels image {item}: the derivative is"
    return f"{felt} ±{heard.max():.2g}" if heard.max() > QUIET else ""


def check_role_agreement(answer: Answer, seed: int) -> list[str]:
    """The cosine between both roles of an image: each role by autograd."""
    draw = generator_of(seed)
    cases = []
    for number in (2, 3, 4):
        case = {"pairs": _pairs(number, draw), "embeddings": _on_sphere(number, draw)}
        cases.append(case)
    pairs = _pairs(3, draw)
    rule = "Keep only the part of each role along the sphere. Do the two point the same way?"
    wrong = compare(answer, _role_agreement, cases, rule)
    pairs[between(0, 2, draw)] = 0
    rule = "An image without a positive has one role only: there is nothing to compare, return 0."
    alone = {"pairs": pairs, "embeddings": _on_sphere(3, draw)}
    return wrong + compare(answer, _role_agreement, [alone], rule)


def _on_sphere(number: int, draw: torch.Generator) -> Tensor:
    return normalize(torch.randn(number, 3, generator=draw, dtype=torch.float64), dim=1)


def _role_agreement(pairs: Tensor, embeddings: Tensor) -> Tensor:
    """Autograd through points that are scaled to unit length has no part along their length."""
    roles = []
    for of_roles in (pairs, pairs.T):
        leaf = embeddings.clone().requires_grad_()
        value = (of_roles * (normalize(leaf, dim=1) @ embeddings.T)).sum()
        roles.append(torch.autograd.grad(value, leaf)[0])
    return cosine_similarity(*roles, dim=1)
