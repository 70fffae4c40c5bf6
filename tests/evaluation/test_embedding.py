from dataclasses import replace

import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate, normalize

from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import Protocol
from recallkit.data.transforms import TestTransform
from recallkit.errors import RecallkitError
from recallkit.evaluation import (
    describe,
    embed,
    embed_pixels,
    evaluate,
    evaluate_among,
    evaluate_embeddings,
    multi_scale,
)
from recallkit.metrics import retrieval_metrics
from recallkit.networks import SmallConvNet


def test_a_network_is_evaluated_by_its_embeddings(toy_splits):
    network, images = SmallConvNet(8), toy_splits.validation
    embeddings = embed(network, images.images, 16)
    assert embeddings.shape == (16, 8)
    assert network.training
    assert evaluate(network, images, 16) == evaluate_embeddings(embeddings, images)
    assert torch.equal(embed(network, images.images, 16, batch_size=16), embeddings)


@pytest.mark.parametrize("grouped", [False, True])
def test_distractors_are_found_and_do_not_search(toy_splits, grouped):
    torch.manual_seed(0)
    network, images, others = SmallConvNet(8).eval(), toy_splits.validation, toy_splits.train
    groups = torch.arange(16) // 2 if grouped else torch.arange(16)
    found = evaluate_among(network, replace(images, groups=groups if grouped else None), others, 16)
    queries, distractors = (embed(network, part.images, 16).double() for part in (images, others))
    similarities = queries @ torch.cat([queries, distractors]).T
    similarities[:, :16][groups[:, None] == groups] = -torch.inf  # the query and its group
    labels = torch.cat([images.labels, others.labels])
    order = similarities.argsort(dim=1, descending=True)
    hits = labels[order] == images.labels[:, None]
    assert found["R@1"] == pytest.approx(hits[:, 0].double().mean().item())
    assert found["R@8"] == pytest.approx(hits[:, :8].any(1).double().mean().item())
    assert found["R@1"] < evaluate(network, images, 16)["R@1"]


def test_the_mode_of_a_network_is_restored_after_an_error(toy_splits):
    network = SmallConvNet(8)
    with pytest.raises(RuntimeError):
        embed(network, toy_splits.validation.images[:, :2], 16)
    assert network.training


def test_the_mode_of_each_module_is_restored(toy_splits):
    network = SmallConvNet(8)
    first, *_ = parts = [*network.modules()]
    for part in parts[1::2]:
        part.training = False
    modes = [part.training for part in parts]
    embed(network, toy_splits.validation.images, 16)
    assert [part.training for part in parts] == modes
    assert first.training


def test_a_network_without_parameters_embeds_on_the_cpu(toy_splits):
    images = toy_splits.validation.images
    embeddings = embed(torch.nn.Flatten(), images, 16)
    assert torch.equal(embeddings, TestTransform(16)(images).flatten(1))


def test_each_search_of_a_protocol_has_its_metrics(toy_splits):
    queries, gallery = torch.arange(0, 16, 2), torch.arange(1, 16, 2)
    searches = {"": (queries, gallery), "all": (torch.arange(16), None)}
    images = replace(toy_splits.validation, protocol=Protocol((1,), searches))
    embeddings = embed_pixels(images.images, 16)
    metrics = evaluate_embeddings(embeddings, images)
    assert list(metrics)[:2] == ["R@1", "P@1"]
    labels = images.labels
    with_gallery = retrieval_metrics(
        embeddings[queries], labels[queries], embeddings[gallery], labels[gallery], (1,)
    )
    everything = retrieval_metrics(embeddings, labels, ks=(1,))
    assert metrics == with_gallery | {f"all {name}": v for name, v in everything.items()}


def test_is_the_mean_over_sizes_on_the_unit_sphere():
    network, images = SmallConvNet(8).eval(), torch.randn(2, 3, 32, 48)
    half = interpolate(images, size=(16, 24), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = normalize(network(images) + network(half), dim=1)
        assert torch.allclose(multi_scale(network, images, (1, 0.5)), expected, atol=1e-6)
        assert torch.allclose(multi_scale(network, images, (1,)), network(images), atol=1e-6)


@pytest.mark.parametrize("scales", [(), (1, 0), (-1,)])
def test_wrong_scales_are_refused(scales):
    with pytest.raises(ValueError, match="scales must be numbers above 0"):
        multi_scale(SmallConvNet(8), torch.zeros(1, 3, 32, 32), scales)


class Failing(torch.nn.Linear):
    """A network that raises ``error``."""

    def __init__(self, error):
        super().__init__(1, 1)
        self.error = error

    def forward(self, images):
        raise self.error


def test_a_network_of_one_size_is_told_from_memory_that_runs_out(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    photographs = ImageFiles([tmp_path / "a.png"], 16)
    with pytest.raises(RecallkitError, match=r"one size only \(shape\): add --longest 0"):
        describe(Failing(RuntimeError("shape")), photographs, 24)
    with pytest.raises(torch.OutOfMemoryError, match="CUDA out of memory"):
        describe(Failing(torch.OutOfMemoryError("CUDA out of memory.")), photographs, 24)
