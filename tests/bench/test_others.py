"""Precision and skipping: what is measured is what it says."""

import torch

from recallkit.bench.precision import bench_precision, precision_table, round_fraction
from recallkit.bench.search import bench_search, search_table
from recallkit.bench.skipping import bench_skipping, skipping_table
from recallkit.config import Config
from recallkit.ranks import blocks
from recallkit.training.loop import train


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


def test_pieces_that_matter_are_counted():
    near, far = torch.eye(2)[[0] * 64], torch.eye(2)[[1] * 192]
    gallery, positives = torch.cat([near, far]), torch.tensor([[1], [70]])
    queries = gallery[[0, 65]]
    # The first query has its positive among the near ones alone, the second among the far ones.
    assert blocks.share_alive(queries, gallery, positives) == (1 + 3) / 8


def test_skipping_is_measured_on_the_images_of_a_run(toy_splits, tmp_path, monkeypatch):
    from recallkit.bench import skipping

    config = Config(images=64, batch_size=16, embedding_dim=8, image_size=16, evaluations=1)
    train(config, tmp_path / "run", splits=toy_splits, progress=False)
    monkeypatch.setattr(skipping, "load", lambda *arguments, **options: toy_splits)
    monkeypatch.setattr(skipping, "ROUNDS", 1)
    measured = bench_skipping(tmp_path / "run", [16])
    assert [row["network"] for row in measured["rows"]] == ["untrained", "trained"]
    assert all(0 < row["alive"] <= 1 and row["ratio"] > 0 for row in measured["rows"])
    assert "| trained" in skipping_table(measured["rows"])


def test_search_has_a_row_for_each_k():
    row = {"k": 5, **bench_search(size=500, dim=8, k=5, queries=20, repeats=1)}
    assert "k = 5" in search_table([row])
