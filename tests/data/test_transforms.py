"""From uint8 to network input."""

import pytest
import torch

from recallkit.data.transforms import (
    TestTransform,
    TrainTransform,
    flattened,
    normalise,
    over_white,
)

STILL = {"rotation": 0, "scale": 0, "shift": 0}


def smooth_images(count=6, channels=3, side=64):
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randint(0, 256, (count, channels, 4, 4), generator=generator).float()
    large = torch.nn.functional.interpolate(coarse, size=side, mode="bilinear", align_corners=False)
    return large.to(torch.uint8)


def test_transparent_is_white_and_opaque_is_kept():
    images = smooth_images(2, 4)
    images[0, 3], images[1, 3] = 0, 255
    rgb = over_white(images)
    assert (rgb[0] == 1).all()
    assert torch.equal(rgb[1], images[1, :3] / 255)


def test_flattening_first_changes_nothing():
    images = smooth_images(1100, 4, side=4)
    expected = over_white(images)
    torch.testing.assert_close(over_white(flattened(images)), expected, atol=0.5 / 255, rtol=0)
    assert torch.equal(flattened(images[:, :3]), images[:, :3])


def test_nothing_random_while_testing():
    images = smooth_images()
    transform = TestTransform(32)
    assert transform(images).shape == (6, 3, 32, 32)
    assert torch.equal(transform(images), transform(images))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("side", [64, 32])
def test_training_without_movement_is_testing(side, channels):
    images = smooth_images(channels=channels, side=side)
    still, test = TrainTransform(32, **STILL)(images), TestTransform(32)(images)
    torch.testing.assert_close(still, test, atol=0.15, rtol=0)  # of about −2 … 2; filters differ


def test_every_image_moves_by_its_own_amounts():
    images = smooth_images(1).expand(8, -1, -1, -1)
    torch.manual_seed(0)
    moved = TrainTransform(32, colour=0.2)(images)
    assert all(not torch.equal(moved[0], other) for other in moved[1:])
    torch.manual_seed(0)
    assert torch.equal(moved, TrainTransform(32, colour=0.2)(images))


def test_what_comes_in_from_outside_is_white():
    black = torch.zeros(20, 3, 64, 64, dtype=torch.uint8)
    moved = TrainTransform(32, rotation=0, scale=0, shift=0.25)(black)
    white = normalise(torch.ones(()))
    assert ((moved - white).abs() < 1e-4).any(dim=1).flatten(1).any(dim=1).sum() > 15
    assert moved.max() <= white + 1e-4


def test_flip_mirrors_half_of_the_images():
    images = smooth_images(1).expand(200, -1, -1, -1)
    seen = TrainTransform(32, **STILL, flip=True)(images)
    plain = TrainTransform(32, **STILL)(images[:1])[0]
    same = (seen - plain).abs().amax(dim=(1, 2, 3)) < 1e-4
    mirrored = (seen - plain.flip(2)).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert (same | mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_shift_is_bounded():
    images = torch.full((300, 3, 64, 64), 255, dtype=torch.uint8)
    images[:, :, 28:36, 28:36] = 0
    moved = normalise(torch.ones(())) - TrainTransform(32, rotation=0, scale=0, shift=0.1)(images)
    places = torch.arange(32.0) + 0.5
    weight = moved.mean(dim=1)
    centre = (weight.sum(dim=1) * places).sum(dim=1) / weight.sum(dim=(1, 2))
    assert (centre - 16).abs().max() <= 3.3
    assert (centre - 16).abs().max() > 2.5
