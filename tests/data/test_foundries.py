"""Emoji of two foundries: each drawing by the right one, no emoji in two of the splits."""

import csv

import pytest
import torch

from recallkit.data import load_between_foundries, load_emoji
from recallkit.files import embedded

PARTS = ("source", "source_validation", "target_validation", "test")


@pytest.fixture(scope="module")
def pair():
    return load_between_foundries("noto", "twemoji")


@pytest.fixture(scope="module")
def table():
    with (embedded("emoji") / "classes.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def drawn(table, split, foundry):
    return [row for row in table if row["split"] == split and foundry in row["foundries"].split()]


def test_each_part_has_the_drawings_of_its_foundry_and_their_categories(pair, table):
    of = {
        "source": ("train", "noto"),
        "source_validation": ("validation", "noto"),
        "target_validation": ("validation", "twemoji"),
        "test": ("test", "twemoji"),
    }
    for part, (split, foundry) in of.items():
        images, rows = getattr(pair, part), drawn(table, split, foundry)
        names = [images.class_names[label] for label in images.labels.tolist()]
        assert names == [row["category"] for row in rows]
        assert set(images.sources) == {foundry}
        assert images.images.shape == (len(rows), 3, 32, 32)
        assert images.images.dtype == torch.uint8
    assert len(pair.target) == len(drawn(table, "train", "twemoji"))


def test_an_image_is_the_drawing_over_white_in_blocks_of_four_pixels(pair):
    emoji = load_emoji().test
    places = [row for row, source in enumerate(emoji.sources) if source == "twemoji"]
    for place in (0, 300):
        rgba = emoji.images[places[place]].double() / 255
        white = rgba[:3] * rgba[3] + 1 - rgba[3]
        small = white.unfold(1, 2, 2).unfold(2, 2, 2).mean(dim=(3, 4)) * 255
        assert (pair.test.images[place] - small).abs().max() <= 0.5 + 1e-3


def test_training_images_of_the_target_have_no_labels(pair):
    assert type(pair.target) is torch.Tensor


def test_no_category_is_most_of_the_test_images(pair):
    shares = pair.test.labels.bincount(minlength=8) / len(pair.test)
    assert len(shares) == len(pair.test.class_names) == 8
    assert shares.min() > 0.03
    assert shares.max() < 0.25


@pytest.mark.parametrize(
    ("foundries", "message"),
    [
        (("notto", "twemoji"), r"source must be one of emojione, .*twemoji, not 'notto'"),
        (("noto", "tweemoji"), "target must be one of"),
        (("noto", "noto"), "target must be another foundry than source, not 'noto'"),
    ],
)
def test_a_wrong_foundry_is_named(foundries, message):
    with pytest.raises(ValueError, match=message):
        load_between_foundries(*foundries)
