"""How often the engine ``blocks`` skips what does not matter, on embeddings of real networks."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from tqdm import tqdm

from recallkit.bench.ranks import seconds_of_step
from recallkit.data import load
from recallkit.evaluation.embedding import embed
from recallkit.losses import RecallAtKLoss, ranking_task
from recallkit.ranks import blocks
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
        run: folder of a run.
        batch_sizes: in images; what the training classes cannot fill becomes what they can.
        device: "cpu" or "cuda".

    Returns:
        What is stored: a row for each network and batch size, the run's config, the environment.
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
    """The share of pieces that matter, and the seconds of a step with and without skipping."""
    labels = labels.to(embeddings.device)
    *task, left_out = ranking_task(embeddings, labels)
    loss = RecallAtKLoss(engine="blocks")
    seconds_of_step(loss, embeddings, labels)
    skipping, plain = [], []
    for _ in range(ROUNDS):
        skipping.append(sum(seconds_of_step(loss, embeddings, labels)))
        with patch.object(blocks, "WORTH_SKIPPING", -1):  # every strip has more alive than that
            plain.append(sum(seconds_of_step(loss, embeddings, labels)))
    return {
        "batch_size": len(labels),
        "alive": blocks.share_alive(*task, left_out),
        "skipping_s": median(skipping),
        "plain_s": median(plain),
        "ratio": median(s / p for s, p in zip(skipping, plain, strict=True)),
    }


def skipping_table(rows: Sequence[dict[str, Any]]) -> str:
    """The measurements as a table."""
    header = ["network", "B", "pieces that matter", "s with skipping", "s without", "ratio"]
    return text_table(
        header,
        [
            [row["network"], f"{row['batch_size']:,}", f"{row['alive']:.0%}"]
            + [f"{row[key]:.3g}" for key in ("skipping_s", "plain_s", "ratio")]
            for row in rows
        ],
    )
