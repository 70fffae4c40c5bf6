"""Digits of two domains: balance, determinism, nothing shared, textures as in MNIST-M."""

import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from recallkit.data import digits as module
from recallkit.data import load_printed_to_handwritten, load_textured_digits
from recallkit.errors import MissingExtraError

PARTS = ("source", "source_validation", "target_validation", "test")


@pytest.fixture(scope="module")
def printed():
    return load_printed_to_handwritten(copies=2)


@pytest.fixture(scope="module")
def textured():
    return load_textured_digits()


def test_sizes(printed, textured):
    sizes = [[len(getattr(pair, part)) for part in PARTS] for pair in (printed, textured)]
    assert sizes == [[320, 60, 297, 500], [850, 150, 97, 300]]
    assert printed.target.shape == (1000, 3, 32, 32)
    assert textured.target.shape == (1200, 3, 32, 32)
    for pair in (printed, textured):
        for part in PARTS:
            images = getattr(pair, part).images
            assert images.shape[1:] == (3, 32, 32)
            assert images.dtype == torch.uint8


def test_training_images_of_the_target_have_no_labels(printed, textured):
    assert type(printed.target) is type(textured.target) is torch.Tensor


def test_classes_are_balanced(printed, textured):
    assert printed.source.labels.bincount().tolist() == [32] * 10
    assert printed.source_validation.labels.bincount().tolist() == [6] * 10
    for pair in (printed, textured):
        for part in PARTS:
            counts = getattr(pair, part).labels.bincount(minlength=10)
            assert counts.min() > 0.6 * counts.max()


def test_handwritten_digits_are_those_of_scikit_learn(printed):
    digits = load_digits()
    whole = torch.cat(
        [printed.target, printed.target_validation.images, printed.test.images]
    ).double()
    assert (whole[:, 0] == whole[:, 1]).all()
    labels = torch.cat([printed.target_validation.labels, printed.test.labels])
    assert labels.tolist() == digits.target[1000:].tolist()
    means = whole[:, 0].unfold(1, 4, 4).unfold(2, 4, 4).mean(dim=(3, 4)).flatten(1)
    given = torch.from_numpy(digits.images).flatten(1) * 255 / 16
    matrix = torch.corrcoef(torch.cat([means[:50], given[:50]]))[:50, 50:]
    assert (matrix.argmax(dim=1) == torch.arange(50)).all()


def test_a_seed_decides_the_printed_digits_whatever_their_number(printed):
    fewer, other = (load_printed_to_handwritten(copies=1, seed=seed) for seed in (0, 1))
    assert torch.equal(fewer.source.images, printed.source.images[::2])
    assert not torch.equal(other.source.images, fewer.source.images)
    assert torch.equal(other.test.images, fewer.test.images)


def test_a_seed_decides_the_textures(textured):
    again, other = load_textured_digits(), load_textured_digits(seed=1)
    assert torch.equal(again.target, textured.target)
    assert torch.equal(again.test.images, textured.test.images)
    assert not torch.equal(other.test.images, textured.test.images)
    assert torch.equal(other.source.images, textured.source.images)


def test_typefaces_of_validation_are_not_trained_on(printed):
    assert not set(printed.source.sources) & set(printed.source_validation.sources)
    assert set(printed.source.sources) == set(module.TYPEFACES)
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    assert all((fonts / f"{name}.ttf").is_file() for name in set(printed.source.sources))


def test_every_copy_differs_and_every_typeface_draws_ten_digits(printed):
    images = printed.source.images.flatten(1)
    assert len(images.unique(dim=0)) == len(images)
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    drawn = {module.draw_digit(digit, fonts / "cmr10.ttf").tobytes() for digit in range(10)}
    assert len(drawn) == 10


def test_no_digit_is_in_two_sets(textured):
    """Plain sets share no image; textured ones come from places that do not overlap."""
    digits, _ = load_digits(return_X_y=True)
    assert len(np.unique(digits, axis=0)) == len(digits)
    plain = torch.cat([textured.source.images, textured.source_validation.images]).flatten(1)
    assert len(plain.unique(dim=0)) == len(plain)
    labels = torch.cat([getattr(textured, part).labels for part in PARTS])
    given = load_digits().target
    assert labels.tolist() == [*given[:1000], *given[1400:]]


def test_a_texture_is_turned_round_where_there_is_ink(textured):
    """|texture − digit|: the difference of two textured images of one digit is small in the ink."""
    first = textured.target[:300].view(100, 3, 3, 32, 32).double()
    digits = torch.from_numpy(load_digits().images[1000:1100])
    spread = first.std(dim=1).mean(dim=1)  # (100, 32, 32) over the three textures
    assert (spread > 0).double().mean() > 0.9
    ink = torch.nn.functional.interpolate(digits[:, None] / 16, size=(32, 32))[:, 0]
    light = first.mean(dim=(1, 2))
    assert light[ink == 1].mean() > light[ink == 0].mean() + 30


def test_counts_of_ink():
    bitmaps = np.zeros((1, 32, 32), bool)
    bitmaps[0, :4, :4], bitmaps[0, 5, 9] = True, True
    counts = module.count_ink(bitmaps)
    assert counts.shape == (1, 8, 8)
    assert (counts[0, 0, 0], counts[0, 1, 2], counts.sum()) == (16, 1, 17)


def test_bad_input_and_a_missing_package_are_named(monkeypatch):
    with pytest.raises(ValueError, match="copies must be at least 1"):
        load_printed_to_handwritten(copies=0)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        load_textured_digits(seed=-1)
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"needs the extra \[course\] \(sklearn is not"):
        load_textured_digits()
