"""The benchmark of a training step counts the products of the step, and says how far it is."""

import pytest
import torch

from recallkit.bench import training
from recallkit.bench.training import bench_training, measured_cases, training_table
from recallkit.config import PRESETS, Config
from recallkit.data.image_set import ImageSet


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (128, 3, 32, 32), dtype=torch.uint8, generator=generator)
    return ImageSet(pixels, torch.arange(128) // 4, [f"{n}" for n in range(32)])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_operations_are_those_of_convolutions_linear_layer_and_loss(images, precision):
    row = bench_training(images, "emoji", precision, "cpu", repeats=1, steps=1)
    batch, dim = 128, PRESETS["emoji"].embedding_dim
    widths, places = (3, 32, 64, 128), (16**2, 8**2, 4**2)
    forward = [
        2 * batch * 9 * a * b * p for a, b, p in zip(widths, widths[1:], places, strict=False)
    ]
    linear = 2 * batch * 16 * 128 * dim
    # Forward, gradient of the weights, gradient of the input: the images themselves need none.
    network = 3 * sum(forward) - forward[0] + 3 * linear
    assert row["gflop"] * 1e9 == pytest.approx(network, rel=0.15)  # the rest is the loss
    assert row["gflop"] * 1e9 > network
    assert row["batch_size"] == batch


def test_each_data_set_is_loaded_once(images, monkeypatch):
    loaded = []

    def load(name, size):
        loaded.append((name, size))
        return type("Splits", (), {"train": images})

    monkeypatch.setattr(training, "load", load)
    monkeypatch.setattr(training, "bench_training", lambda *arguments: {"ratio": len(arguments)})
    rows = list(measured_cases("cpu"))
    assert loaded == [("emoji", 32), ("glyphs", Config().image_size)]
    assert [row["precision"] for row in rows] == ["float32", "bfloat16"] * 2


def test_the_table_has_images_a_second():
    row = {"preset": "emoji", "precision": "float32", "batch_size": 128}
    measured = {"step": 25.6, "gflop": 2.4, "floor": 12.8, "ratio": 2.0}
    assert "| 5,000 |" in " ".join(training_table([row | measured]).split())
