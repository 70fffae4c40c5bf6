"""Measure the gradient that queries get over a training, without and with SiMix.

    python data/results/gradients/measure.py

trains the preset ``emoji`` on 100,000 images, without and with SiMix, from three seeds, and
measures ten times on the way how batches of four sizes look to the loss: 2,048 images of each size,
cut into 64 batches of 32, or 16 of 128. It takes about ten minutes of one core, and writes
``gradients.json`` beside this file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from recallkit import ClassBalancedSampler, RecallAtKLoss, SimilarityMixup, load
from recallkit.config import PRESETS
from recallkit.data.image_set import ImageSet
from recallkit.files import write_json
from recallkit.training import Training
from recallkit.training.environment import environment

CONFIG = replace(PRESETS["emoji"], images=100_000)
SEEDS = (0, 1, 2)
BATCH_SIZES = (32, 128, 512, 2048)
EVALUATIONS = 10
NEAR = 5 * CONFIG.rank_temperature  # farther away a sigmoid is within 0.007 of 0 or 1
BATCHES_SEED = 77  # of no training: the batches that are measured
BLOCK = 256  # queries whose negatives are counted at a time


def main() -> None:
    """Train, measure and write the file."""
    images, rows = load(CONFIG.dataset, CONFIG.image_size).train, []
    for seed in SEEDS:
        for simix in (False, True):
            rows += measured(images, replace(CONFIG, simix=simix, seed=seed))
    about = {"config": asdict(CONFIG), "seeds": SEEDS, "rows": rows}
    about["environment"] = environment(torch.device("cpu"))
    write_json(Path(__file__).with_name("gradients.json"), about)


def measured(images: ImageSet, config: Any) -> list[dict[str, Any]]:
    """Train once; return a row for each evaluation, batch size, and kind of query."""
    training = Training(config, images, torch.device("cpu"))
    every = training.steps // EVALUATIONS
    rows, about = [], {"seed": config.seed, "trained with SiMix": config.simix}
    for step in tqdm(range(training.steps + 1), f"SiMix {config.simix}, seed {config.seed}"):
        if step % every == 0:
            seen = about | {"images": training.images_seen}
            rows += [seen | row for row in _all_sizes(training, images)]
        if step < training.steps:
            training.step()
    return rows


def _all_sizes(training: Training, images: ImageSet) -> Iterator[dict[str, Any]]:
    """Measure batches of each size, without virtual examples and with them, and average them."""
    state = torch.get_rng_state()
    torch.manual_seed(BATCHES_SEED)
    for size in BATCH_SIZES:
        sampler = ClassBalancedSampler(images.labels, size, seed=BATCHES_SEED)
        rows = []
        for indices in islice(endless(sampler), max(BATCH_SIZES) // size):
            labels = images.labels[indices]
            embeddings = _embedded(training, images.images[indices])
            rows += [alone(embeddings, labels), *mixed(embeddings, labels)]
        means = pd.DataFrame(rows).groupby("queries", sort=False).mean().reset_index()
        yield from ({"batch size": size} | row for row in means.to_dict("records"))
    torch.set_rng_state(state)


def endless(sampler: Iterable[list[int]]) -> Iterator[list[int]]:
    """Yield the batches of one epoch after the other."""
    while True:
        yield from sampler


@torch.no_grad()
def _embedded(training: Training, images: Tensor) -> Tensor:
    """Embed images as a step does, with the augmentation of the training: (B, D)."""
    transform = training.gradient.transform
    assert transform is not None
    return training.network(transform(images))


def alone(embeddings: Tensor, labels: Tensor) -> dict[str, Any]:
    """Measure the queries of a batch among themselves."""
    return {"queries": "without SiMix", **_of_queries(embeddings, labels, slice(None))}


def mixed(embeddings: Tensor, labels: Tensor) -> list[dict[str, Any]]:
    """Measure the real and the virtual queries of a batch with virtual examples."""
    items, of_items = SimilarityMixup()(embeddings, labels)
    count = len(embeddings)
    parts = {"real, with SiMix": slice(count), "virtual": slice(count, None)}
    return [{"queries": n, **_of_queries(items, of_items, part)} for n, part in parts.items()]


def _of_queries(items: Tensor, labels: Tensor, part: slice) -> dict[str, float]:
    """Measure some queries in a gallery of all items.

    Returns:
        "loss", their mean loss; "gradient", the mean norm of the gradient of a query's own loss by
        its embedding; "near", the mean number of negatives whose similarity is within 5 τ₂ of that
        of a positive.
    """
    places = torch.arange(len(items))[part]
    queries = items[part].clone().requires_grad_()
    loss = RecallAtKLoss()(queries, labels[part], items, labels, itself=places)
    loss.backward()
    assert queries.grad is not None
    norms = len(queries) * queries.grad.norm(dim=1)  # the loss is a mean over the queries
    near = near_negatives(items[part] @ items.T, labels[part], labels, places)
    return {"loss": loss.item(), "gradient": norms.mean().item(), "near": near.mean().item()}


def near_negatives(
    similarities: Tensor, labels: Tensor, gallery_labels: Tensor, places: Tensor
) -> Tensor:
    """Count the negatives of each query within 5 τ₂ of one of its positives: (Q, N) → (Q,)."""
    counts = []
    for some in torch.arange(len(places)).split(BLOCK):
        rows = similarities[some]
        same = labels[some, None] == gallery_labels
        positive = same.scatter(1, places[some, None], False)
        most = int(positive.sum(dim=1).max())
        own = rows.masked_fill(~positive, torch.nan).sort(dim=1).values[:, :most]  # NaN come last
        near = ((rows[:, :, None] - own[:, None]).abs() < NEAR).any(dim=2)  # (q, N)
        counts.append((near & ~same).sum(dim=1))
    return torch.cat(counts).float()


if __name__ == "__main__":
    main()
