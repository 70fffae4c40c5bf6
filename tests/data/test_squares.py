"""Squares in one tensor, filled in place."""

import pytest
import torch

from recallkit.data.squares import Squares, in_square
from recallkit.data.transforms import flattened

SIZES = [(8, 8), (8, 3), (1, 8), (5, 8), (8, 8), (8, 6)]


def drawn(channels, opaque=True):
    generator = torch.Generator().manual_seed(len(SIZES))
    images = [
        torch.randint(0, 256, (channels, *size), generator=generator, dtype=torch.uint8)
        for size in SIZES
    ]
    for image in images if opaque and channels == 4 else []:
        image[3] = 255
    return images


def filled(images):
    squares = Squares(len(images) + 2, 8)
    for image in images:
        squares.append(image)
    return squares.images


@pytest.mark.parametrize("channels", [3, 4])
def test_opaque_images_are_rgb_over_white(channels):
    images = drawn(channels)
    expected = flattened(torch.stack([in_square(image, 8) for image in images]))
    assert torch.equal(filled(images), expected)


@pytest.mark.parametrize("first", range(len(SIZES)))
def test_all_have_alpha_from_the_first_transparent_pixel(first):
    images = drawn(3)[:first] + drawn(4, opaque=False)[first : first + 1] + drawn(3)[first + 1 :]
    assert torch.equal(filled(images), torch.stack([in_square(image, 8) for image in images]))


def test_a_square_around_an_image():
    square = in_square(torch.full((3, 2, 4), 9, dtype=torch.uint8), 4)
    assert square[3].tolist() == [[0] * 4, [255] * 4, [255] * 4, [0] * 4]
    assert (square[:3] == square[3] // 255 * 9).all()


def test_no_images():
    assert filled([]).shape == (0, 3, 8, 8)
