"""Images with labels: chosen by class, empty, and of three kinds."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet, Protocol, Splits, are_features
from recallkit.evaluation.embedding import evaluate_embeddings


def of_kind(kind, tmp_path, count=6):
    if kind == "files":
        return ImageFiles([tmp_path / f"{i}.png" for i in range(count)], side=8)
    if kind == "features":
        return torch.randn(count, 2, 5)
    return torch.zeros(count, 4, 8, 8, dtype=torch.uint8)


def image_set(images):
    labels = torch.tensor([7, 7, -3, 2**40, -3, 7])
    names = {7: "seven", -3: "minus three", 2**40: "large"}
    sources = tuple("abcdef")
    return ImageSet(images, labels, names, sources, Protocol((1, 5), {"x": (labels, None)}))


KINDS = ("tensor", "files", "features")


@pytest.mark.parametrize("kind", KINDS)
def test_classes_are_chosen_in_the_old_order(kind, tmp_path):
    chosen = image_set(of_kind(kind, tmp_path)).of_classes(torch.tensor([-3, 2**40, 99]))
    assert len(chosen) == len(chosen.images) == 3
    assert chosen.labels.tolist() == [-3, 2**40, -3]
    assert chosen.class_names == {-3: "minus three", 2**40: "large"}
    assert chosen.sources == ("c", "d", "e")
    assert chosen.name(1) == "large (d)"
    assert chosen.protocol == Protocol((1, 5))  # its searches were of other places


@pytest.mark.parametrize("kind", KINDS)
def test_the_test_images_can_be_left_out(kind, tmp_path):
    images = image_set(of_kind(kind, tmp_path))
    splits = Splits(images, images, images).without_test()
    assert len(splits.test) == len(splits.test.images) == 0
    assert not splits.test
    assert splits.test.images.shape[1:] == images.images.shape[1:]
    assert splits.test.class_names == {}
    assert splits.test.sources == ()
    assert (splits.train, splits.validation) == (images, images)
    assert len(splits.without_test().test) == 0


def test_all_parts_as_test_images_keep_their_sources():
    images = image_set(torch.zeros(6, 4, 8, 8, dtype=torch.uint8))
    unknown = replace(images, sources=())
    whole = Splits(unknown, images, images).all_as_test().test
    assert len(whole) == 18
    assert whole.name(0) == "seven"
    assert [whole.name(i) for i in (6, 7, 17)] == ["seven (a)", "seven (b)", "seven (f)"]
    assert Splits(unknown, unknown, unknown).all_as_test().test.sources == ()


def test_all_parts_as_test_images_have_no_groups():
    """Number 0 of one part and number 0 of another are different groups."""
    images = image_set(torch.zeros(6, 4, 8, 8, dtype=torch.uint8))
    grouped = replace(images, groups=torch.arange(6))
    with pytest.raises(ValueError, match="images with groups, which each part numbers for itself"):
        Splits(images, images, grouped).all_as_test()
    none = grouped.of_classes(torch.tensor([99]))
    assert Splits(images, none, images).all_as_test().test.groups is None


def test_images_and_labels_must_agree(tmp_path):
    with pytest.raises(ValueError, match="same length, not 6 and 5"):
        ImageSet(of_kind("tensor", tmp_path), torch.arange(5), {})


@pytest.mark.parametrize(
    ("labels", "groups", "queries", "possible"),
    [
        ([0, 0, 1], None, None, True),
        ([0, 1, 2], None, None, False),
        ([0, 0, 1, 1], [5, 5, 6, 6], None, False),
        ([0, 0, 1, 1], [5, 5, 6, 7], None, True),
        ([0, 0, 1, 1], None, [0, 1], False),
        ([0, 0, 1, 1], None, [0, 2], True),
        ([0, 0, 1, 1], [5, 5, 6, 6], [0, 2], False),
    ],
)
def test_what_can_be_measured_is_what_the_metrics_take(labels, groups, queries, possible):
    rows = torch.arange(len(labels))
    chosen = torch.tensor(queries or [])
    rest = rows[~torch.isin(rows, chosen)]
    images = ImageSet(
        torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8),
        torch.tensor(labels),
        {label: str(label) for label in labels},
        protocol=Protocol(searches={"x": (chosen, rest)} if queries else {}),
        groups=None if groups is None else torch.tensor(groups),
    )
    assert images.can_be_measured() == possible
    with nullcontext() if possible else pytest.raises(ValueError, match="no query has a positive"):
        evaluate_embeddings(torch.eye(len(labels)), images)


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_told_from_images(kind, tmp_path):
    assert are_features(of_kind(kind, tmp_path)) == (kind == "features")
