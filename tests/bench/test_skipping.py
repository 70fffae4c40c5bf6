"""The benchmark of skipping: both ways are RS@k, measured on the images of a run."""

import pytest
import torch
from torch.nn.functional import normalize

from recallkit import RecallAtKLoss
from recallkit.bench import skipping
from recallkit.bench.reports import REPORTS, BenchOptions
from recallkit.bench.skipping import bench_skipping, blocks_loss, skipping_table
from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.training.loop import train


@pytest.mark.parametrize("skip", [True, False])
def test_what_is_timed_is_the_loss(skip):
    """Also where images have no positive, and the gallery holds more than the queries."""
    embeddings = normalize(torch.randn(30, 8, generator=torch.Generator().manual_seed(0)))
    labels = torch.tensor([7, *range(100, 109), *[3, 4, 3, 4] * 5])
    leaves = [embeddings.clone().requires_grad_() for _ in range(2)]
    values = [
        blocks_loss(leaves[0], labels, skip),
        RecallAtKLoss(engine="blocks")(leaves[1], labels),
    ]
    torch.stack(values).sum().backward()
    torch.testing.assert_close(*values)
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)


def test_skipping_is_measured_on_the_images_of_a_run(toy_splits, tmp_path, monkeypatch):
    config = Config(images=64, batch_size=16, embedding_dim=8, image_size=16, evaluations=1)
    train(config, tmp_path / "run", splits=toy_splits, progress=False)
    monkeypatch.setattr(skipping, "load_data_of_run", lambda *arguments, **options: toy_splits)
    monkeypatch.setattr(skipping, "ROUNDS", 1)
    measured = bench_skipping(tmp_path / "run", [16])
    assert [row["network"] for row in measured["rows"]] == ["untrained", "trained"]
    assert all(0 < row["alive"] <= 1 and row["ratio"] > 0 for row in measured["rows"])
    assert "| trained" in skipping_table(measured["rows"])


def test_without_a_run_the_option_is_named():
    with pytest.raises(RecallkitError, match="give --run"):
        REPORTS["skipping"](BenchOptions())
