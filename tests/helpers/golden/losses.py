"""Cases of pairs.js, rank_losses.js, pair_losses.js, losses.js and pushes.js."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from helpers.golden.lists import TEMPERATURES, some_lists
from helpers.golden.tables import queries_of, some_batches
from pytorch_metric_learning import losses as baselines
from pytorch_metric_learning.distances import DotProductSimilarity
from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_pairs_indices
from torch import Tensor

from recallkit import RecallAtKLoss, SmoothAPLoss, find_positives, relaxed_ranks
from recallkit.course.pair_gradients import list_gradient, losses_to_compare, pair_gradients

DOT = DotProductSimilarity(normalize_embeddings=False)


def label_lists(seed: int) -> Iterator[list[int]]:
    rng = np.random.default_rng(seed)
    for size in range(1, 61):
        yield rng.choice([0, -7, 3, 12345678901], size).tolist()


def batch_queries():
    for number, labels in enumerate(label_lists(1)):
        tensor = torch.tensor(labels)
        pairs = torch.stack(get_all_pairs_indices(tensor)[2:])  # anchors, negatives
        inside = number % 2 == 1
        yield (
            [labels, True] if inside else [labels],
            [
                {
                    "positives": [p for p in row if p >= 0],
                    "negatives": sorted(pairs[1][pairs[0] == q].tolist() + [q] * inside),
                }
                for q, row in enumerate(find_positives(tensor).tolist())
            ],
        )


def list_queries():
    for one in some_lists(2):
        size = len(one.similarity)
        rest = set(range(size)) - set(one.positives)
        yield [one.positives, size], [{"positives": one.positives, "negatives": sorted(rest)}]


def zeros():
    for size in range(1, 61):
        yield [[[0.5] * size, [1] * (size // 2)]], [[0] * size, [0] * (size // 2)]


def table_ranks():
    rng = np.random.default_rng(3)
    for number, batch in enumerate(some_batches(3, 50)):
        positives, size = find_positives(batch.labels), len(batch.labels)
        inside, temperature = number % 2 == 1, float(rng.choice(TEMPERATURES[1:]))
        table = relaxed_ranks(
            batch.similarity,
            torch.eye(size, dtype=torch.float64),
            positives,
            temperature=temperature,
            left_out=None if inside else torch.arange(size),
            engine="dense",
        )
        queries = queries_of(batch.labels.tolist(), inside)
        expected = [[r for r in row if r != float("inf")] for row in table.tolist()]
        yield [batch.similarity.tolist(), queries, temperature], expected


Cases = Iterator[tuple[list, Any]]
Maker = Callable[..., Any]


def _value(loss: Maker, similarity: Tensor, labels: Tensor) -> float:
    """The loss of a batch whose similarities are ``similarity``: against unit vectors."""
    gallery = torch.eye(len(labels), dtype=similarity.dtype)
    if isinstance(loss, RecallAtKLoss | SmoothAPLoss):
        return loss(similarity, labels, gallery, labels, torch.arange(len(labels))).item()
    return loss(similarity, labels, ref_emb=gallery, ref_labels=labels).item()


def _list_value(loss: Maker, similarity: Tensor, positive: Tensor) -> float:
    gallery = torch.eye(len(similarity), dtype=similarity.dtype)
    label, labels = torch.ones(1, dtype=torch.int64), positive.long()
    return loss(similarity[None], label, ref_emb=gallery, ref_labels=labels).item()


def of_batch(loss: Maker, batch: Any) -> dict:
    """Loss and gradient of a batch."""
    return {
        "loss": _value(loss, batch.similarity, batch.labels),
        "gradient": pair_gradients(loss, batch.similarity, batch.labels).tolist(),
    }


def of_list(loss: Maker, one: Any) -> dict:
    """Loss and gradient of one query's list."""
    row = torch.tensor(one.similarity, dtype=torch.float64)
    positive = torch.zeros(len(row), dtype=torch.bool)
    positive[one.positives] = True
    gradient = list_gradient(loss, row, positive)
    return {"loss": _list_value(loss, row, positive), "gradient": [gradient.tolist()]}


def _of_list_and_batch(
    seed: int, make: Maker, settings: Callable[[np.random.Generator], dict], learned: bool = False
) -> Cases:
    """Cases of one loss: ``make`` takes the settings that JavaScript gets."""
    rng = np.random.default_rng(seed)
    for one in some_lists(seed, 30):
        chosen, size = settings(rng), len(one.similarity)
        rest = [z for z in range(size) if z not in one.positives]
        queries = [{"positives": one.positives, "negatives": rest}]
        yield [[one.similarity], queries, chosen], of_list(make(**chosen), one)
    for batch in some_batches(seed, 24, positives=not learned):
        chosen = settings(rng)
        arguments = [batch.similarity.tolist(), batch.queries, chosen]
        yield arguments, of_batch(make(**chosen), batch)


def _recall_loss(ks, kTemperature, rankTemperature, inside=False):
    return RecallAtKLoss(ks, kTemperature, rankTemperature, inside, engine="dense")


def _recall_settings(rng):
    ks = sorted(int(k) for k in rng.choice([1, 2, 4, 8, 16, 100], 3, replace=False))
    k_temperature = float(rng.choice([1e-6, 0.05, 1, 10, 100]))
    return {"ks": ks, "kTemperature": k_temperature, "rankTemperature": _temperature(rng)}


def _temperature(rng):
    return float(rng.choice(TEMPERATURES))


def recall_at_k():
    yield from _of_list_and_batch(4, _recall_loss, _recall_settings)
    rng = np.random.default_rng(4)
    for batch in some_batches(5, 10):  # queries in the database
        chosen, queries = _recall_settings(rng), queries_of(batch.labels.tolist(), True)
        expected = of_batch(_recall_loss(**chosen, inside=True), batch)
        yield [batch.similarity.tolist(), queries, chosen], expected


def smooth_ap():
    yield from _of_list_and_batch(
        6,
        lambda rankTemperature: SmoothAPLoss(rankTemperature, engine="dense"),
        lambda rng: {"rankTemperature": _temperature(rng)},
    )


def triplet():
    yield from _of_list_and_batch(
        7,
        lambda margin: baselines.TripletMarginLoss(margin, distance=DOT),
        lambda rng: {"margin": float(rng.choice([0, 0.1, 0.5, 1e-6, 100]))},
        learned=True,
    )


def contrastive():
    yield from _of_list_and_batch(
        8,
        lambda positiveMargin, negativeMargin: baselines.ContrastiveLoss(
            positiveMargin, negativeMargin, distance=DOT
        ),
        lambda rng: {
            "positiveMargin": float(rng.choice([1, 0.9, 0.5, 100])),
            "negativeMargin": float(rng.choice([0.5, 0, -1, 0.7])),
        },
        learned=True,
    )


def nt_xent():
    yield from _of_list_and_batch(
        9,
        lambda temperature: baselines.NTXentLoss(temperature, distance=DOT),
        lambda rng: {"temperature": _temperature(rng)},
        learned=True,
    )


def loss_of():
    both = zip(some_lists(10, 12), some_batches(10, 12), strict=True)
    for number, (one, batch) in enumerate(both):
        temperature = (0.01, 0.1)[number % 2]
        settings = [{"rankTemperature": temperature}] if number % 2 else []
        for name, loss in losses_to_compare(temperature).items():
            rest = [z for z in range(len(one.similarity)) if z not in one.positives]
            queries = [{"positives": one.positives, "negatives": rest}]
            yield [name, [one.similarity], queries, *settings], of_list(loss, one)
            table = batch.similarity.tolist()
            yield [name, table, batch.queries, *settings], of_batch(loss, batch)


def _gradients(seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    for size in range(1, 61):
        gradient = rng.normal(size=size) * 10.0 ** rng.integers(-6, 6)
        yield gradient * (rng.uniform(size=size) < rng.choice([0, 0.3, 1]))


def number_heard():
    for gradient in _gradients(8):
        size = np.abs(gradient)
        heard = size.sum() ** 2 / np.square(size).sum() if size.any() else 0.0
        yield [gradient.tolist()], float(heard)


def shares():
    for gradient in _gradients(9):
        total = np.abs(gradient).sum()
        yield [gradient.tolist()], (-gradient / (total or 1)).tolist()
