"""Scenes of emoji: labels are the alpha of what was drawn, classes as rare as stated, no leak."""

import numpy as np
import pytest
import torch

from recallkit.data import Thing, compose_scene, load_emoji, load_scenes
from recallkit.data import scenes as module


@pytest.fixture(scope="module")
def splits():
    return load_scenes(train=300, validation=20, test=40)


def make_thing(rng, label, side=16):
    height, width = rng.integers(2, 9, 2)
    drawing = rng.integers(0, 256, (height, width, 4), np.uint8)
    return Thing(drawing, int(rng.integers(side - height)), int(rng.integers(side - width)), label)


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_the_alpha_of_the_things(seed):
    """By loops over pixels, the things over each other."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(0, 256, (16, 16, 3), np.uint8)
    things = [make_thing(rng, label) for label in (3, 1, 2, 1)]
    image, labels = compose_scene(ground, things)
    for i in range(16):
        for j in range(16):
            colour, label = [int(c) for c in ground[i, j]], 0
            for thing in things:
                row, column = i - thing.top, j - thing.left
                height, width = thing.drawing.shape[:2]
                if 0 <= row < height and 0 <= column < width:
                    *paint, alpha = (int(v) for v in thing.drawing[row, column])
                    colour = [
                        (p * alpha + c * (255 - alpha) + 127) // 255
                        for p, c in zip(paint, colour, strict=True)
                    ]
                    label = thing.label if alpha >= 128 else label
            assert image[i, j].tolist() == colour
            assert labels[i, j] == label


def test_things_are_drawn_and_the_ground_is_kept():
    ground = np.full((4, 4, 3), 10, np.uint8)
    red = np.zeros((2, 2, 4), np.uint8)
    red[..., 0], red[..., 3] = 200, [[255, 0], [127, 128]]
    image, labels = compose_scene(ground, [Thing(red, 1, 2, 5)])
    assert labels.tolist() == [[0, 0, 0, 0], [0, 0, 5, 0], [0, 0, 0, 5], [0, 0, 0, 0]]
    assert image[1, 2].tolist() == [200, 0, 0]
    assert image[1, 3].tolist() == [10, 10, 10]
    assert ground.max() == 10


def test_shapes_and_names(splits):
    for part, count in ((splits.train, 300), (splits.validation, 20), (splits.test, 40)):
        assert len(part) == count
        assert part.images.shape == (count, 3, 64, 64)
        assert part.labels.shape == (count, 64, 64)
        assert part.images.dtype == part.labels.dtype == torch.uint8
        assert part.labels.max() < len(part.class_names) == 9
    assert [splits.train.class_names[label] for label in splits.train.rare] == list(module.RARE)


def test_common_classes_have_a_hundred_pixels_for_one_of_a_rare_class(splits):
    counts = splits.train.labels.flatten().long().bincount(minlength=9).double()
    rare = torch.tensor(splits.train.rare)
    common = torch.arange(1, int(rare.min()))
    assert (counts > 0).all()
    assert 70 < (counts[common].mean() / counts[rare].mean()).item() < 140
    assert counts[0] > counts[1:].sum()


def test_most_scenes_have_no_rare_thing_and_all_have_a_common_one(splits):
    labels = splits.train.labels.flatten(1)
    rare = torch.isin(labels, torch.tensor(splits.train.rare)).any(dim=1)
    assert 0.08 < rare.double().mean() < 0.3
    assert ((labels > 0) & (labels < min(splits.train.rare))).any(dim=1).all()


def test_rare_things_are_as_many_as_asked():
    scenes = load_scenes(train=150, validation=1, test=1, rare_things=1).train
    counts = scenes.labels.flatten().long().bincount(minlength=9).double()
    assert 13 < (counts[1:5].mean() / counts[5:].mean()).item() < 25
    without = load_scenes(train=20, validation=1, test=1, rare_things=0).train
    assert without.labels.max() < min(without.rare)


def test_a_seed_decides_each_scene_whatever_their_number(splits):
    again, other = load_scenes(5, 5, 5), load_scenes(5, 5, 5, seed=1)
    for name in ("train", "validation", "test"):
        first, second = getattr(again, name), getattr(splits, name)
        assert torch.equal(first.images, second.images[:5])
        assert torch.equal(first.labels, second.labels[:5])
        assert not torch.equal(first.images, getattr(other, name).images)
    assert not torch.equal(again.train.labels, again.test.labels)


def test_no_class_is_one_that_retrieval_is_tested_on():
    emoji = load_emoji()
    things = {*module.COMMON, *module.RARE}
    assert things <= set(emoji.train.class_names.values())
    for part in (emoji.validation, emoji.test):
        assert not things & set(part.class_names.values())


def test_each_foundry_draws_for_one_split_and_every_class():
    emoji = load_emoji().train
    foundries = [foundry for of_split in module.FOUNDRIES.values() for foundry in of_split]
    assert sorted(foundries) == sorted(set(emoji.sources))
    for of_split in module.FOUNDRIES.values():
        drawn = {
            emoji.class_names[label]
            for label, source in zip(emoji.labels.tolist(), emoji.sources, strict=True)
            if source in of_split
        }
        assert {*module.COMMON, *module.RARE} <= drawn


def test_bad_numbers_are_named():
    with pytest.raises(ValueError, match="validation must be at least 1"):
        load_scenes(validation=0)
    with pytest.raises(ValueError, match="seed must be at least 0"):
        load_scenes(seed=-1)
    with pytest.raises(ValueError, match="rare_things must lie between 0 and 2"):
        load_scenes(rare_things=2.5)
