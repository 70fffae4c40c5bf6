"""Grids of images show the images, names and frames of their data."""

from dataclasses import replace

import matplotlib.colors as colors
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from helpers.user_names import NAMES

from recallkit.course import figures
from recallkit.data.image_set import ImageSet
from recallkit.data.transforms import over_white
from recallkit.plots import style


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def shown(ax, row, column, side=16, below=0.0):
    """The image at a place of the grid."""
    gap = round(0.08 * side)
    width, height = side + 2 * gap, round((side + 2 * gap) * (1 + below))
    top, left = row * height + gap, column * width + gap
    return np.asarray(ax.images[0].get_array())[top : top + side, left : left + side]


def pixels(images, index):
    return over_white(images.images[index][None])[0].permute(1, 2, 0).numpy()


def test_classes_stand_in_rows_and_sources_in_columns(toy_splits):
    images = replace(toy_splits.test, sources=("b", "a", "d", "c") * 6)  # classes 14 … 19 of four
    _, ax = figures.plot_classes(images, [15, 17])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["pattern 15", "pattern 17"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c", "d"]
    np.testing.assert_allclose(shown(ax, 0, 0), pixels(images, 5))
    np.testing.assert_allclose(shown(ax, 1, 1), pixels(images, 12))
    np.testing.assert_allclose(shown(ax, 1, 2), pixels(images, 15))


def test_a_source_without_a_drawing_leaves_a_blank(toy_splits):
    images = replace(toy_splits.test, sources=("a", "b", "c", "d", "a", "b", "c", "e") * 3)
    _, ax = figures.plot_classes(images, [14, 15])
    assert (shown(ax, 0, 4) == 1).all()
    np.testing.assert_allclose(shown(ax, 1, 4), pixels(images, 7))


def test_classes_without_sources_stand_in_their_order(toy_splits):
    _, ax = figures.plot_classes(toy_splits.test, [16])
    np.testing.assert_allclose(shown(ax, 0, 3), pixels(toy_splits.test, 11))
    _, ax = figures.plot_classes(toy_splits.test, [16], most=2)
    assert ax.get_xlim() == (-0.5, 1.5)


def test_neighbours_are_marked_by_frame_and_sign(toy_splits):
    images = toy_splits.test
    neighbours = {
        "one": torch.arange(1, 4).repeat(24, 1),
        "two": torch.tensor([[1, 8, 2]]).repeat(24, 1),
    }
    _, ax = figures.plot_neighbours_by_embedding(images, [0, 8], neighbours, k=3)
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert labels == ["one", "two", "one", "two"]
    np.testing.assert_allclose(shown(ax, 2, 0), pixels(images, 8))
    np.testing.assert_allclose(shown(ax, 1, 2), pixels(images, 8))
    rights = [[True, True, True], [True, False, True], [False] * 3, [False, True, False]]
    for right, frames in zip((True, False), ax.collections, strict=True):
        places = np.argwhere(np.array(rights) == right)[:, ::-1] + (1, 0)  # column, row
        centres = [path.vertices[:4].mean(axis=0) for path in frames.get_paths()]
        np.testing.assert_allclose(centres, places, atol=1e-6)
        [signs] = [line for line in ax.lines if line.get_marker() == ("$✓$" if right else "$✗$")]
        np.testing.assert_allclose(signs.get_xydata() - 0.31, places, atol=1e-6)
        for colour in (frames.get_edgecolor()[0], signs.get_color()):
            assert colors.to_hex(colour).upper() == (style.BLUE if right else style.VERMILION)
        dashes = frames.get_linestyle()[0][1]
        assert (dashes is None) == right


def test_with_one_embedding_rows_are_named_after_the_queries(toy_splits):
    neighbours = {"one": torch.arange(1, 4).repeat(24, 1)}
    _, ax = figures.plot_neighbours_by_embedding(toy_splits.test, [8, 5], neighbours, k=2)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["pattern 16", "pattern 15"]
    assert not ax.texts


def test_the_images_of_a_search_carry_their_names(toy_splits):
    images = toy_splits.test
    neighbours = {"pixels": torch.tensor([3, 9]), "network": torch.tensor([20, 5])}
    _, ax = figures.plot_image_search_by_embedding(images.images[0], images, neighbours)
    names = ["pattern 14", "pattern 16", "pattern 19", "pattern 15"]
    assert [t.get_text() for t in ax.texts] == names
    np.testing.assert_allclose(shown(ax, 1, 2, below=0.35), pixels(images, 5))


def named_images():
    names = sorted(NAMES.values(), key=len, reverse=True)
    images = torch.zeros(len(names), 3, 8, 8, dtype=torch.uint8)
    return ImageSet(images, torch.arange(len(names)), dict(enumerate(names)), tuple(names))


def assert_apart(ax):
    """Check that no two names touch, and that none is cut off at the left."""
    fig = ax.figure
    fig.canvas.draw()
    texts = [*ax.get_yticklabels(), *ax.texts, *ax.get_xticklabels()]
    boxes = [box for text in texts if (box := text.get_window_extent()).width > 0]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0
        assert not any(box.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize("k", [1, 8, 32])
def test_names_under_images_do_not_touch(k):
    images = named_images()
    neighbours = {name: torch.arange(k) % len(images) for name in ("a" * 80, "x $_$", "北京")}
    _, ax = figures.plot_image_search_by_embedding(images.images[0], images, neighbours)
    assert_apart(ax)


@pytest.mark.parametrize("embeddings", [["one"], ["one", "a long $name$ " * 20, "three"]])
def test_names_of_queries_do_not_touch(embeddings):
    images = named_images()
    nearest = torch.arange(8).repeat(len(images), 1)
    neighbours = dict.fromkeys(embeddings, nearest)
    _, ax = figures.plot_neighbours_by_embedding(images, range(len(images)), neighbours)
    assert_apart(ax)


def test_names_of_classes_do_not_touch():
    images = named_images()
    _, ax = figures.plot_classes(replace(images, sources=()), range(len(images)))
    assert_apart(ax)
    few = images.of_classes(torch.arange(6))
    _, ax = figures.plot_classes(few, range(6))
    assert_apart(ax)
