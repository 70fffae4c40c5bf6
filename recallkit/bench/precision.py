"""Errors of each engine and precision against float64: in ranks, loss and gradient."""

import math
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from recallkit.bench.ranks import Case, available, class_batch
from recallkit.losses import RecallAtKLoss, ranking_task
from recallkit.tables import text_table
from recallkit.training.environment import environment

TF32_BITS, BFLOAT16_BITS = 10, 7  # of the fraction; float32 has 23
TEMPERATURES = (0.01, 0.001)


def round_fraction(values: Tensor, bits: int) -> Tensor:
    """Round values (float32) to a shorter fraction, as a tensor core does with its factors."""
    fraction, exponent = torch.frexp(values)
    scale = 2 ** (bits + 1)  # frexp's fractions begin at ½
    return torch.ldexp((fraction * scale).round() / scale, exponent)


def bench_precision(batch_size: int = 2000, device: str = "cpu") -> dict[str, Any]:
    """Measure the errors of every engine that runs here.

    Products in TF32 and bfloat16 are also emulated on any device, by float32 products of rounded
    embeddings, which is what such a product computes.

    Args:
        batch_size: B, of 512 dimensions, 4 images a class.
        device: "cpu" or "cuda".

    Returns:
        The result to store: rows with the relative errors against float64, and the environment.
    """
    embeddings, labels = class_batch(Case("blocks", batch_size, device=device))
    rows = []
    for temperature in tqdm(TEMPERATURES, desc="precision", unit="temperature"):
        exact = _values(embeddings.double(), labels, temperature, "blocks", "float32")
        for name, inputs, engine, precision in _variants(embeddings, device):
            values = _values(inputs, labels, temperature, engine, precision)
            errors = {key: _distance(values[key], exact[key]) for key in exact}
            rows.append({"name": name, "rank_temperature": temperature, **errors})
    return {"batch_size": batch_size, "rows": rows, **environment(torch.device(device))}


def _variants(embeddings: Tensor, device: str) -> list[tuple[str, Tensor, str, str]]:
    """Name, embeddings, engine and precision of each variant compared with float64."""
    engines = [name for name in ("dense", "blocks", "fused") if available(name, device)]
    variants = [(f"{name}, float32", embeddings, name, "float32") for name in engines]
    if device == "cuda":
        variants += [(f"{name}, TF32", embeddings, name, "tf32") for name in engines]
    for name, bits in (("TF32", TF32_BITS), ("bfloat16", BFLOAT16_BITS)):
        rounded = round_fraction(embeddings, bits)
        variants.append((f"embeddings rounded to {name}", rounded, "blocks", "float32"))
    return variants


def _values(
    embeddings: Tensor, labels: Tensor, temperature: float, engine: str, precision: str
) -> dict[str, Tensor]:
    leaf = embeddings.clone().requires_grad_()
    loss = RecallAtKLoss(rank_temperature=temperature, engine=engine, precision=precision)
    value = loss(leaf, labels)
    value.backward()
    ranks = ranking_task(embeddings, labels).ranks(temperature, engine, precision)
    assert leaf.grad is not None
    return {"ranks": ranks, "loss": value.detach(), "gradient": leaf.grad}


def _distance(values: Tensor, exact: Tensor) -> float:
    """|values − exact| / |exact|, in Euclidean norms."""
    return float((values.double() - exact).norm() / exact.norm())


def precision_table(rows: list[dict[str, Any]]) -> str:
    """Format the errors as a table."""
    header = ["relative error against float64", "τ₂", "ranks", "loss", "gradient"]
    return text_table(
        header,
        [
            [row["name"], f"{row['rank_temperature']:g}"]
            + [_rounded(row[key]) for key in ("ranks", "loss", "gradient")]
            for row in rows
        ],
    )


def _rounded(error: float) -> str:
    return f"{error:.0e}" if math.isfinite(error) else str(error)
