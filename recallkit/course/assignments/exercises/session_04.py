"""Checks of session 04: how does a batch of 16,000 fit on one GPU?"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import dropout

from recallkit.course.assignments.answers import Answer, compare, describe
from recallkit.course.assignments.drawing import between, generator_of, hundredths


def check_negatives(answer: Answer, seed: int) -> list[str]:
    """The negatives of a query with accumulation and with the three steps: counted by labels."""
    draw = generator_of(seed)
    cases = [{"batch_size": 16, "chunk_size": 16, "per_class": 2}]
    for per_class in (2, 4, 5, 8):
        chunk = per_class * between(2, 20, draw)
        batch = chunk * between(2, 30, draw)
        cases.append({"batch_size": batch, "chunk_size": chunk, "per_class": per_class})
    rule = "Among which images is the query ranked, and which of them are of another class?"
    return compare(answer, _negatives, cases, rule)


def _negatives(batch_size: int, chunk_size: int, per_class: int) -> list[int]:
    labels = torch.arange(batch_size) // per_class
    return [int((labels[:size] != 0).sum()) for size in (chunk_size, batch_size)]


def check_largest_chunk(answer: Answer, seed: int) -> list[str]:
    """The largest chunk whose peak fits: an exact fit, too little room, room for the batch."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for batch_size in (8, 64, 400, 4000):
        case = {"batch_size": batch_size, "once": between(50, 500, draw)}
        case |= {"graph": between(20, 120, draw), "image": between(1, 4, draw)}
        rest = case["once"] + case["image"] * batch_size
        fitting = case["graph"] * between(2, batch_size - 1, draw)
        for room in (rest + fitting, rest + fitting + 19, rest - 1, 2 * rest + 120 * batch_size):
            wrong += _not_largest(answer, case | {"room": room})
    return wrong


def _not_largest(answer: Answer, case: dict[str, int]) -> list[str]:
    """The faults of the chunk size that an answer returns."""
    chunk, who = answer.numbers((), **case).item(), f"for {describe(case)}"
    if chunk != int(chunk) or not 0 <= chunk <= case["batch_size"]:
        return [f"{who}: {chunk:g} is no whole number from 0 to the batch size"]
    left = case["room"] - case["once"] - case["image"] * case["batch_size"]
    if chunk > 0 and case["graph"] * chunk > left:
        return [f"{who}: chunks of {chunk:g} need more memory than there is"]
    if chunk < case["batch_size"] and case["graph"] * (chunk + 1) <= left:
        return [f"{who}: chunks larger than {chunk:g} would fit as well"]
    return []


def check_careful_gradient(answer: Answer, seed: int) -> list[str]:
    """Three steps under dropout, against one backward pass with the same random numbers."""
    draw = generator_of(seed)
    rule = "Do both forward passes of a chunk drop the same numbers?"
    cases = []
    for number, chunk_size in ((9, 9), (9, 3), (10, 4), (8, 5)):
        case = {"images": hundredths(number, 2, draw=draw), "weights": hundredths(2, 3, draw=draw)}
        cases.append(case | {"chunk_size": chunk_size, "seed": between(0, 10**6, draw)})
    with torch.random.fork_rng(devices=[]):
        return compare(answer, _careful_gradient, cases, rule)


def _careful_gradient(images: Tensor, weights: Tensor, chunk_size: int, seed: int) -> Tensor:
    torch.manual_seed(seed)
    leaf = weights.clone().requires_grad_()
    embeddings = torch.cat([dropout(chunk @ leaf, 0.5) for chunk in images.split(chunk_size)])
    loss = (embeddings @ embeddings.T).square().mean()
    return torch.autograd.grad(loss, leaf)[0]


def check_time_ratio(answer: Answer, seed: int) -> list[str]:
    """The time of the three steps in plain steps: the passes of each chunk are added up."""
    draw = generator_of(seed)
    cases = [{"batch_size": 32, "chunk_size": 8, "kept": 0, "backward": 1.5}]
    for last in (0, 0, 1, 3):  # images of the last chunk that are missing
        chunk = between(8, 200, draw)
        chunks = between(3, 30, draw)
        case = {"batch_size": chunk * chunks - last, "chunk_size": chunk}
        kept = between(1, chunks - 1, draw)
        cases.append(case | {"kept": kept, "backward": between(201, 299, draw) / 100})
    cases.append(cases[-1] | {"kept": chunks})
    return compare(answer, _time_ratio, cases, "Which images go forward a second time?")


def _time_ratio(batch_size: int, chunk_size: int, kept: int, backward: float) -> float:
    sizes = [len(chunk) for chunk in torch.arange(batch_size).split(chunk_size)]
    again = sum(sizes[: len(sizes) - kept])
    plain = sum(size + backward * size for size in sizes)
    return (plain + again) / plain


def check_blind_batch(answer: Answer, seed: int) -> list[str]:
    """A batch whose chunks are solved each by itself, and which is not solved as a whole."""
    draw = generator_of(seed)
    wrong: list[str] = []
    for chunks in (2, between(3, 5, draw), between(6, 9, draw)):
        case = {"chunks": chunks, "classes": between(2, 8, draw)}
        angles = answer.numbers((2 * case["chunks"] * case["classes"],), **case)
        wrong += [f"for {describe(case)}: {fault}" for fault in _not_blind(angles, chunks)]
    return wrong


def _not_blind(angles: Tensor, chunks: int) -> list[str]:
    """The first fault of a batch, two images of each class, chunk by chunk."""
    size = len(angles) // chunks
    for chunk in range(chunks):
        inside = torch.arange(size) + size * chunk
        lost = (_lead_of_own_class(angles[inside]) <= 0).nonzero().flatten().tolist()
        if lost:
            return [f"in its own chunk, image {lost[0]} of chunk {chunk} does not find its class"]
    found = (_lead_of_own_class(angles) >= 0).nonzero().flatten().tolist()
    return [f"in the whole batch, image {found[0]} still finds its class first"] if found else []


def _lead_of_own_class(angles: Tensor) -> Tensor:
    """The lead of the one positive of each image over its best negative."""
    similarity = (angles[:, None] - angles).deg2rad().cos()
    labels = torch.arange(len(angles)) // 2
    same = labels[:, None] == labels
    negative = similarity.masked_fill(same, -2).amax(dim=1)
    positive = similarity.masked_fill(~same, -2).fill_diagonal_(-2).amax(dim=1)
    lead = positive - negative
    return lead.where(lead.abs() > 1e-9, torch.zeros_like(lead))


def check_joined_statistics(answer: Answer, seed: int) -> list[str]:
    """Mean and variance of a batch from those of its chunks."""
    draw = generator_of(seed)
    cases = []
    for chunks in (2, 3, 5):
        sizes = (torch.randperm(40, generator=draw)[:chunks] + 2).tolist()
        case = {"sizes": sizes, "means": hundredths(chunks, draw=draw)}
        cases.append(case | {"variances": hundredths(chunks, draw=draw)})
    rule = "Is each image worth the same, and do images of different chunks differ as well?"
    return compare(answer, _joined_statistics, cases, rule)


def _joined_statistics(sizes: Sequence[int], means: Tensor, variances: Tensor) -> Tensor:
    """The statistics of a batch in which half of each chunk lies below its mean, half above."""
    values = torch.cat([means - variances.sqrt(), means + variances.sqrt()])
    weights = torch.tensor([*sizes, *sizes]).double()
    mean = (weights * values).sum() / weights.sum()
    return torch.stack([mean, (weights * (values - mean).square()).sum() / weights.sum()])
