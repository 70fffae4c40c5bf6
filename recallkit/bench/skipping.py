"""Skipping in the engine ``blocks``: how often it happens on embeddings of real networks."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from recallkit.bench.cases import seconds
from recallkit.data import load
from recallkit.evaluation.embedding import embed
from recallkit.losses import RankingTask, RecallAtKLoss, ranking_task
from recallkit.ranks.blocks import blocks_ranks, share_alive
from recallkit.sampling import ClassBalancedSampler
from recallkit.tables import text_table
from recallkit.training.build import make_network
from recallkit.training.environment import environment
from recallkit.training.run_folder import load_run

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
    train = load(config.dataset, config.image_size, root=config.root).train
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
    """The share of segments that matter, and the seconds of a step with and without skipping."""
    task = ranking_task(embeddings, labels.to(embeddings.device))
    with_skipping, without = (_step(task, skip) for skip in (True, False))
    device = embeddings.device.type
    with_skipping()
    skipping, plain = [], []
    for _ in range(ROUNDS):
        skipping.append(seconds(with_skipping, device))
        plain.append(seconds(without, device))
    return {
        "batch_size": len(labels),
        "alive": share_alive(task.queries, task.gallery, task.positives, task.left_out),
        "skipping_s": median(skipping),
        "plain_s": median(plain),
        "ratio": median(s / p for s, p in zip(skipping, plain, strict=True)),
    }


def _step(task: RankingTask, skip: bool) -> Callable[[], None]:
    """A forward and backward pass of RS@k with the paper's settings, as a function to time."""
    loss = RecallAtKLoss()
    settings = {"temperature": loss.rank_temperature, "precision": loss.precision, "skip": skip}

    def step() -> None:
        leaf = task.queries.detach().requires_grad_()
        ranks = blocks_ranks(leaf, leaf, task.positives, task.left_out, **settings)
        (1 - loss.recall(ranks).mean()).backward()

    return step


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
