"""Trainings of the study on segmentation: what they draw, what a seed decides, what is measured."""

import math

import pytest
import torch

from recallkit.data import load_scenes
from recallkit.metrics import segmentation_metrics
from recallkit.studies import find_study
from recallkit.studies import segmentation as module
from recallkit.studies.segmentation import (
    measure_segmenter,
    pixel_losses,
    predict_pixels,
    train_segmenter,
)


@pytest.fixture(scope="module")
def scenes():
    return load_scenes(train=40, validation=6, test=6, rare_things=1)


def train(scenes, loss="cross-entropy", **settings):
    chosen = pixel_losses(scenes.train.labels)[loss]
    given = {"learning_rate": 0.01, "steps": 4, "checkpoints": 2, **settings}
    return train_segmenter(chosen, scenes.train, scenes.validation, **given)


def test_a_seed_decides_weights_and_history(scenes):
    first, again, other = train(scenes), train(scenes), train(scenes, seed=1)
    for one, two in zip(first.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, two)
    assert first.history[-1]["loss"] == again.history[-1]["loss"] != other.history[-1]["loss"]


def test_the_history_has_each_class_at_each_checkpoint(scenes):
    trained = train(scenes)
    assert [row["step"] for row in trained.history] == [2, 4]
    last = measure_segmenter(trained.network, scenes.validation)
    for name, recall, precision in zip(
        scenes.train.class_names, last.recall.tolist(), last.precision.tolist(), strict=True
    ):
        row = trained.history[-1]
        assert row[f"recall {name}"] == pytest.approx(recall, nan_ok=True)
        assert row[f"precision {name}"] == pytest.approx(precision, nan_ok=True)


@pytest.mark.parametrize(
    "loss", ["cross-entropy", "inverse frequency", "focal", "recall", "structure"]
)
def test_each_loss_makes_its_scenes_more_likely(scenes, loss):
    few = scenes.train.images[:4], scenes.train.labels[:4]
    chosen = pixel_losses(few[1])[loss]
    part = type(scenes.train)(*few)
    trained = train_segmenter(chosen, part, part, 0.01, steps=25, checkpoints=5)
    values = [row["loss"] for row in trained.history]
    assert values[-1] < 0.7 * values[0]


def test_inverse_frequencies_are_those_of_the_scenes(scenes):
    frequencies = pixel_losses(scenes.train.labels)["inverse frequency"].frequencies
    shares = [(scenes.train.labels == c).double().mean().item() for c in range(9)]
    assert frequencies[0].item() == pytest.approx(shares[0])
    assert frequencies.min() > 0


def test_images_and_labels_are_mirrored_together(scenes, monkeypatch):
    """A scene whose label is its image: each drawn pair must still agree."""
    labels = scenes.train.labels
    images = labels[:, None].expand(-1, 3, -1, -1) * 20
    twins = type(scenes.train)(images, labels)
    given = []

    class Watching(torch.nn.Module):
        def forward(self, logits, labels):
            given.append(labels)
            return logits.square().mean()

    seen = []
    scale = module.scene_inputs
    monkeypatch.setattr(module, "scene_inputs", lambda images: seen.append(images) or scale(images))
    train_segmenter(Watching(), twins, scenes.validation, 0.01, steps=3, checkpoints=1)
    for images, labels in zip(seen, given, strict=False):
        assert torch.equal(images[:, 0], labels.byte() * 20)
    originals = {bytes(map_.numpy()) for map_ in labels.byte()}
    assert not originals <= {bytes(map_.numpy()) for map_ in scenes.train.labels}


def test_predicting_leaves_the_mode_of_the_network(scenes):
    network = train(scenes).network.train()
    first = predict_pixels(network, scenes.test.images)
    assert network.training
    assert torch.equal(first, predict_pixels(network.eval(), scenes.test.images))
    assert not network.training
    metrics = measure_segmenter(network, scenes.test)
    assert metrics.means() == segmentation_metrics(first, scenes.test.labels, 9).means()


def test_the_study_chooses_on_validation_scenes_and_reports_test_scenes(scenes, monkeypatch):
    study = find_study("segmentation-losses")
    monkeypatch.setattr(
        "recallkit.studies.declared.segmentation_losses.study_scenes", lambda: scenes
    )
    short = train_segmenter
    monkeypatch.setattr(
        "recallkit.studies.declared.segmentation_losses.train_segmenter",
        lambda *given, seed: short(*given, steps=4, seed=seed),
    )
    outcome = study.run("recall", 0.01, 0)
    assert set(study.shown) < set(outcome.metrics)
    assert {"rare recall", "rare precision"} < set(outcome.metrics)
    assert 0 < outcome.choice < 1
    network = train(scenes, "recall").network
    assert (
        outcome.metrics["mean IoU"] == measure_segmenter(network, scenes.test).means()["mean IoU"]
    )
    assert outcome.choice == measure_segmenter(network, scenes.validation).means()["mean IoU"]
    assert len(outcome.history) <= 20
    assert math.isfinite(outcome.history[-1]["loss"])


def test_every_method_of_the_study_is_a_loss(scenes):
    assert [*find_study("segmentation-losses").candidates] == [*pixel_losses(scenes.train.labels)]
