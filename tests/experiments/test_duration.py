"""How long a sweep takes: from stored speeds alone, over epochs too."""

from dataclasses import replace

import pandas as pd
import pytest

from recallkit import data
from recallkit.config import PRESETS
from recallkit.experiments.duration import duration, total_images
from recallkit.training import Training

EMOJI = PRESETS["emoji"]


@pytest.fixture(autouse=True)
def _nothing_is_computed(monkeypatch):
    monkeypatch.setattr(Training, "__init__", lambda *a, **k: pytest.fail("trained"))
    monkeypatch.setattr("recallkit.training.frozen_features.feature_splits", None)


def speeds(*rows):
    """Runs of the given settings, seconds and images."""
    return pd.DataFrame(
        [
            {
                **vars(config),
                "device": device,
                "threads": 2,
                "seconds": seconds,
                "images_seen": seen,
            }
            for config, seconds, seen, device in rows
        ]
    )


def test_the_speed_is_that_of_all_runs_of_the_same_work_on_the_same_device():
    runs = speeds((EMOJI, 10, 1000, "here"), (EMOJI, 30, 1000, "here"), (EMOJI, 1, 1000, "there"))
    configs = [replace(EMOJI, images=4000, seed=seed, learning_rate=0.1) for seed in range(2)]
    found = duration(configs, runs, "here", threads=2)
    assert (found.seconds, found.images, found.similar) == (pytest.approx(160), 0, False)
    assert duration(configs, runs, "there", threads=2).seconds == pytest.approx(8)
    assert duration(configs, runs, "here", threads=1).images == 8000


def test_another_batch_size_or_loss_of_the_same_network_is_similar_work():
    other = replace(EMOJI, batch_size=32, loss="circle", simix=False)
    found = duration([EMOJI], speeds((other, 10, 1000, "here")), "here", threads=2)
    assert (found.seconds, found.similar) == (pytest.approx(2600), True)
    both = speeds((other, 10, 1000, "here"), (EMOJI, 20, 1000, "here"))
    assert duration([EMOJI], both, "here", threads=2).seconds == pytest.approx(5200)


def test_other_work_is_not_known():
    frozen = PRESETS["emoji-frozen"]
    found = duration([EMOJI, frozen], speeds((EMOJI, 10, 1000, "here")), "here", threads=2)
    assert (found.seconds, found.images) == (pytest.approx(2600), frozen.images)


def test_epochs_are_counted_on_the_training_images(monkeypatch, toy_splits):
    monkeypatch.setitem(data.LOADERS, "emoji", lambda: toy_splits)
    by_epochs = replace(EMOJI, epochs=50, image_size=17)  # sizes are kept: of no other test
    assert total_images(by_epochs) == 50 * len(toy_splits.train)
    assert total_images(EMOJI) == 260_000
    runs = speeds((by_epochs, 10, 1000, "here"))
    assert duration([by_epochs], runs, "here", threads=2).seconds == pytest.approx(20)
