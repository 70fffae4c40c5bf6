"""The benchmark of precision: errors are those of the rounding that it names."""

import torch

from recallkit.bench.precision import bench_precision, precision_table, round_fraction


def test_rounding_is_that_of_bfloat16_and_keeps_what_fits():
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0)) ** 5
    assert torch.equal(round_fraction(values, 7), values.bfloat16().float())
    assert torch.equal(round_fraction(values, 23), values)


def test_errors_grow_with_the_rounding():
    rows = bench_precision(64)["rows"]
    errors = {row["name"]: row for row in rows if row["rank_temperature"] == 0.01}
    names = ["blocks, float32", "embeddings rounded to TF32", "embeddings rounded to bfloat16"]
    gradient = [errors[name]["gradient"] for name in names]
    assert gradient == sorted(gradient)
    assert gradient[0] < 1e-4 < gradient[-1]
    assert "embeddings rounded to TF32" in precision_table(rows)
