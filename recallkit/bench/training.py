"""Seconds of a training step beside those of its matrix products: ``recallkit bench training``.

The products are those that torch counts in a step: of convolutions, linear layers and the loss,
forward and backward. The floor is the time of one large product with as many operations, in the
precision of the network. Steps and large products take turns in one process.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from recallkit.bench.cases import seconds
from recallkit.config import PRESETS
from recallkit.data import load
from recallkit.data.image_set import ImageSet
from recallkit.tables import text_table
from recallkit.training.environment import keep_freed_memory
from recallkit.training.trainer import AUTOCAST, Training

CASES = (
    {"preset": "emoji", "precision": "float32"},
    {"preset": "emoji", "precision": "bfloat16"},
    {"preset": "glyphs-short", "precision": "float32"},
    {"preset": "glyphs-short", "precision": "bfloat16"},
)
SIDE = 2048  # of the large product


def bench_training(
    images: ImageSet, preset: str, precision: str, device: str, repeats: int = 9, steps: int = 10
) -> dict[str, Any]:
    """Time steps of a preset, and a large product in turn with them.

    Args:
        images: the training images.
        preset: its name.
        precision: of the network's products.
        device: "cpu" or "cuda".
        repeats: rounds; the median of each counts.
        steps: in a round.

    Returns:
        "batch_size"; "step", milliseconds; "gflop", operations of its products in 10⁹; "floor",
        their milliseconds at the speed of a large product; "ratio", the first over the last.
    """
    keep_freed_memory()  # as a training does
    config = replace(PRESETS[preset], precision=precision)
    training = Training(config, images, torch.device(device))
    with FlopCounterMode(display=False) as counted:
        training.step()
    factor = torch.randn(SIDE, SIDE, device=device, dtype=AUTOCAST[precision])
    work = {
        "step": lambda: [training.step() for _ in range(steps)],
        "product": lambda: factor @ factor,
    }
    rounds = [{name: seconds(call, device) for name, call in work.items()} for _ in range(repeats)]
    step, product = (median(times[name] for times in rounds) for name in work)
    floor = product * counted.get_total_flops() / (2 * SIDE**3)
    return {
        "batch_size": training.batch_size,
        "step": 1000 * step / steps,
        "gflop": counted.get_total_flops() / 1e9,
        "floor": 1000 * floor,
        "ratio": step / steps / floor,
    }


def measured_cases(device: str, cases: Sequence[Mapping[str, str]] = CASES) -> Iterator[dict]:
    """Yield each case with its measurements; each data set is loaded once."""
    loaded: dict[str, ImageSet] = {}
    for case in cases:
        config = PRESETS[case["preset"]]
        if config.dataset not in loaded:
            loaded[config.dataset] = load(config.dataset, config.image_size).train
        images = loaded[config.dataset]
        yield {**case, **bench_training(images, case["preset"], case["precision"], device)}


def training_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format the measurements as a table, a row for each preset and precision."""
    titles = ["preset", "products in", "batch", "ms a step", "images/s", "GFLOP a step"]
    cells = [
        [
            row["preset"],
            row["precision"],
            f"{row['batch_size']}",
            f"{row['step']:.1f}",
            f"{1000 * row['batch_size'] / row['step']:,.0f}",
            f"{row['gflop']:.2f}",
            f"{row['floor']:.1f}",
            f"{row['ratio']:.2f}",
        ]
        for row in rows
    ]
    return text_table([*titles, "floor, ms", "× floor"], cells)
