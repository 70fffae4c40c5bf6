"""Skipping in the engine ``blocks``: how often it happens on embeddings of real networks."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from recallkit.bench.ranks import seconds_of_step
from recallkit.evaluation.embedding import embed
from recallkit.losses import RecallAtKLoss, ranking_task
from recallkit.ranks.blocks import blocks_ranks, share_alive
from recallkit.sampling import ClassBalancedSampler
from recallkit.tables import text_table
from recallkit.training.build import make_network
from recallkit.training.environment import environment
from recallkit.training.run_folder import load_data_of_run, load_run

ROUNDS = 5


def bench_skipping(
    run: Path, batch_sizes: Sequence[int] = (512, 1024, 2048, 4096), device: str = "cpu"
) -> dict[str, Any]:
    """Measure on training images, before and after a training.

    Each batch is made as the trainer makes it. Steps with and without skipping take turns.

    Args:
        run: the folder of a run.
        batch_sizes: in images; a size that the training classes cannot fill is lowered.
        device: "cpu" or "cuda".

    Returns:
        The result to store: a row for each network and batch size, the run's config, the
        environment.
    """
    config, trained = load_run(run, device)
    train = load_data_of_run(run, split="train").train
    torch.manual_seed(config.seed)
    untrained = make_network(config).to(device)
    rows = []
    for name, network in (("untrained", untrained), ("trained", trained)):
        embeddings = embed(network, train.images, config.image_size)
        for size in tqdm(batch_sizes, desc=name, unit="batch"):
            sampler = ClassBalancedSampler(train.labels, size, config.per_class, seed=config.seed)
            batch = torch.tensor(next(iter(sampler)))
            rows.append({"network": name, **_measure(embeddings[batch], train.labels[batch])})
    return {"run": asdict(config), "rows": rows, **environment(torch.device(device))}


def _measure(embeddings: Tensor, labels: Tensor) -> dict[str, float]:
    """Measure the share of segments that matter, and the seconds of a step with and without."""
    labels = labels.to(embeddings.device)
    task = ranking_task(embeddings, labels)
    losses = [partial(blocks_loss, skip=skip) for skip in (True, False)]
    seconds_of_step(losses[0], embeddings, labels)
    rounds = [
        [sum(seconds_of_step(loss, embeddings, labels)) for loss in losses] for _ in range(ROUNDS)
    ]
    return {
        "batch_size": len(labels),
        "alive": share_alive(task.queries, task.gallery, task.positives, task.left_out),
        "skipping_s": median(skipping for skipping, _ in rounds),
        "plain_s": median(plain for _, plain in rounds),
        "ratio": median(skipping / plain for skipping, plain in rounds),
    }


def blocks_loss(embeddings: Tensor, labels: Tensor, skip: bool) -> Tensor:
    """Compute RS@k with the paper's settings by the engine ``blocks``.

    Args:
        embeddings: (B, D).
        labels: (B,) integers.
        skip: whether segments that change nothing are skipped where that pays.

    Returns:
        A scalar.
    """
    loss, task = RecallAtKLoss(), ranking_task(embeddings, labels)
    settings = (loss.rank_temperature, loss.precision, skip)
    ranks = blocks_ranks(task.queries, task.gallery, task.positives, task.left_out, *settings)
    return 1 - loss.recall(ranks).mean()


def skipping_table(rows: Sequence[dict[str, Any]]) -> str:
    """Format the measurements as a table."""
    header = ["network", "B", "segments that matter", "s with skipping", "s without", "ratio"]
    return text_table(
        header,
        [
            [row["network"], f"{row['batch_size']:,}", f"{row['alive']:.0%}"]
            + [f"{row[key]:.3g}" for key in ("skipping_s", "plain_s", "ratio")]
            for row in rows
        ],
    )
