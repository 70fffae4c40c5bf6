"""Images with labels: chosen by class, empty, and of three kinds."""

import pytest
import torch

from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet, Protocol, Splits, are_features


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


def test_images_and_labels_must_agree(tmp_path):
    with pytest.raises(ValueError, match="same length, not 6 and 5"):
        ImageSet(of_kind("tensor", tmp_path), torch.arange(5), {})


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_told_from_images(kind, tmp_path):
    assert are_features(of_kind(kind, tmp_path)) == (kind == "features")
