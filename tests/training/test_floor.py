"""The floor of a training: by its settings and its classes."""

import json
import math
from dataclasses import replace

import pytest
import torch

from recallkit.config import Config
from recallkit.loss_floor import perfect_ranking_loss
from recallkit.losses import RecallAtKLoss
from recallkit.training import train
from recallkit.training.floor import class_sizes_of, count_class_sizes, training_floor

CONFIG = Config(image_size=16, embedding_dim=4, batch_size=16, images=64, evaluations=2)
PLAIN = replace(CONFIG, simix=False)


def loss_of(positives, **settings):
    return perfect_ranking_loss(RecallAtKLoss(**settings), [positives]).item()


def test_class_sizes_are_counted():
    labels = torch.tensor([7, 7, 3, 3, 3, 1, 1, 2**40])
    assert count_class_sizes(labels) == {1: 1, 2: 2, 3: 1}


def test_it_follows_the_settings_of_the_loss():
    assert training_floor(PLAIN, {4: 9}).perfect == pytest.approx(0.1021, abs=5e-5)
    assert training_floor(CONFIG, {4: 9}).perfect == pytest.approx(0.0789, abs=5e-5)
    mixed = (4 * loss_of(3) + 2 * loss_of(1)) / 6
    assert training_floor(PLAIN, {6: 5}).perfect == pytest.approx(mixed)
    settings = {"ks": (1, 3), "k_temperature": 0.5, "query_in_database": True}
    config = replace(PLAIN, per_class=3, **settings)
    assert training_floor(config, {3: 2}).perfect == pytest.approx(loss_of(2, **settings))
    variant = training_floor(replace(PLAIN, loss="recall@k-over-positives"), {4: 1}).perfect
    assert variant == pytest.approx(0.2705, abs=5e-5)
    assert training_floor(replace(CONFIG, loss="smooth-ap"), {4: 1}).perfect == 0
    middle = replace(CONFIG, simix_variant="middle")  # other weights, as many positives
    assert training_floor(middle, {4: 1}) == training_floor(CONFIG, {4: 1})


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "contrastive"},
        {"loss": "proxy-anchor"},
        {"query_in_database": True},
        {"simix_variant": "queries"},
    ],
)
def test_some_have_none(settings):
    assert math.isnan(training_floor(replace(CONFIG, **settings), {4: 1}).perfect)
    assert math.isnan(training_floor(CONFIG, {}).perfect)


def test_sizes_come_from_the_result_or_from_embedded_data():
    assert class_sizes_of(CONFIG, {"class_sizes": {"4": 2, "12": 1}}) == {4: 2, 12: 1}
    assert class_sizes_of(CONFIG, {}) == {4: 124, 5: 5, 6: 84, 7: 52, 8: 335}
    assert class_sizes_of(replace(CONFIG, dataset="/a/folder"), {}) == {}


def test_a_run_stores_it_with_each_evaluation(tmp_path, toy_splits):
    result = train(CONFIG, tmp_path / "a", splits=toy_splits, progress=False, device="cpu")
    assert result["class_sizes"] == {"4": 10}
    expected = training_floor(CONFIG, {4: 10}).perfect
    assert [line["floor"] for line in result["validation"]] == [expected] * 2
    stored = json.loads((tmp_path / "a" / "result.json").read_text())
    assert class_sizes_of(CONFIG, stored) == {4: 10}
    other = replace(CONFIG, loss="triplet")
    result = train(other, tmp_path / "b", splits=toy_splits, progress=False, device="cpu")
    assert all("floor" not in line for line in result["validation"])
