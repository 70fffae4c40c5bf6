"""Figures show the data they were given."""

import matplotlib.colors as colors
import matplotlib.pyplot as plt
import pytest
import torch
from helpers.user_names import NAMES

from recallkit import plots
from recallkit.data.image_set import ImageSet
from recallkit.plots import style


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_learning_curve_draws_the_history():
    history = [
        {"images": 1000 * i, "loss": 1 / i, "R@1": i / 10, "mAP@R": i / 20} for i in range(1, 6)
    ]
    _, (above, below) = plots.plot_learning_curve(history)
    assert above.lines[0].get_ydata().tolist() == [line["loss"] for line in history]
    assert below.lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5]
    assert below.lines[0].get_ydata().tolist() == [100 * line["R@1"] for line in history]
    assert [text.get_text() for text in below.get_legend().get_texts()] == ["R@1", "mAP@R"]


@pytest.mark.parametrize(("of_lines", "given"), [(0.102, None), (None, 0.102), (0.5, 0.102)])
def test_learning_curve_draws_the_loss_of_a_perfect_ranking(of_lines, given):
    history = [{"images": 1000 * i, "loss": 1 / i, "R@1": 0.5, "mAP@R": 0.4} for i in (1, 2, 3)]
    if of_lines is not None:
        history = [line | {"floor": of_lines} for line in history]
    fig, (above, _) = plots.plot_learning_curve(history, given)
    curve, floor = above.lines
    assert list(floor.get_ydata()) == [0.102, 0.102]
    assert floor.get_linestyle() != curve.get_linestyle()  # to be told apart without colour
    [label] = above.texts
    assert label.get_text() == "perfect ranking 0.102"
    fig.canvas.draw()
    assert above.get_ylim()[0] < 0.102
    assert above.bbox.contains(*label.get_window_extent().min)
    assert above.bbox.contains(*label.get_window_extent().max)


@pytest.mark.parametrize("given", [None, float("nan")])
def test_learning_curve_of_a_loss_without_floor_has_no_line(given):
    history = [{"images": 1000, "loss": 1.0, "R@1": 0.5, "mAP@R": 0.4}]
    _, (above, _) = plots.plot_learning_curve(history, given)
    assert (len(above.lines), len(above.texts)) == (1, 0)


def test_neighbours_are_marked_by_frame_and_sign(toy_splits):
    images = toy_splits.test  # classes of four
    neighbours = torch.tensor([[1, 4], [8, 5]])
    _, axes = plots.plot_neighbours(images, [0, 4], images, neighbours, torch.rand(2, 2))
    assert axes.shape == (2, 3)
    for row, column, right in [(0, 1, True), (0, 2, False), (1, 1, False), (1, 2, True)]:
        ax = axes[row, column]
        spine = ax.spines["left"]
        assert ax.get_xlabel()[0] == ("✓" if right else "✗")
        expected = style.BLUE if right else style.VERMILION
        assert colors.to_hex(spine.get_edgecolor()).upper() == expected
        assert (spine.get_linestyle() == "solid" or spine.get_linestyle() == "-") == right
    shown = axes[0, 1].images[0].get_array()
    expected = images.images[1].permute(1, 2, 0) / 255
    assert torch.allclose(torch.tensor(shown), expected)


def test_the_images_of_a_search_carry_their_names(toy_splits):
    images = toy_splits.test
    _, axes = plots.plot_image_search(
        images.images[0], "mine.png", images, torch.tensor([3, 9]), torch.tensor([0.5, 0.25])
    )
    labels = [ax.get_xlabel() for ax in axes[0]]
    assert labels == ["mine.png", "pattern 14\n0.50", "pattern 16\n0.25"]
    assert [ax.get_title() for ax in axes[0]] == ["query", "1", "2"]


def named_images(count):
    """Images whose classes and files have every name, the longest first."""
    names = sorted(NAMES.values(), key=len, reverse=True)
    images = torch.zeros(count, 3, 8, 8, dtype=torch.uint8)
    sources = tuple(names[(3 * i) % len(names)] for i in range(count))
    return ImageSet(images, torch.arange(count) % len(names), dict(enumerate(names)), sources)


def assert_apart(fig, axes):
    """Check that no caption, number or image touches another, and that none is cut off."""
    fig.canvas.draw()
    boxes = []
    for ax in axes.flat:
        if ax.axison:
            boxes += [ax.get_window_extent(), ax.title.get_window_extent()]
            boxes.append(ax.xaxis.label.get_window_extent())
    boxes = [box for box in boxes if box.width > 0]
    for i, box in enumerate(boxes):
        assert fig.bbox.contains(*box.min)
        assert fig.bbox.contains(*box.max)
        assert not any(box.overlaps(other) for other in boxes[:i])


@pytest.mark.parametrize("k", [1, 2, 7, 8, 9, 32])
@pytest.mark.parametrize("query", ["dollars", "long", "long without blanks", "chinese", "wide"])
def test_captions_of_a_search_do_not_touch(k, query):
    images = named_images(33)
    fig, axes = plots.plot_image_search(
        images.images[0], NAMES[query], images, torch.arange(k), -torch.rand(k)
    )
    assert sum(bool(ax.images) for ax in axes.flat) == k + 1
    assert_apart(fig, axes)


@pytest.mark.parametrize(("rows", "k"), [(1, 1), (1, 8), (8, 8), (3, 2), (27, 1), (2, 32)])
def test_captions_of_neighbours_do_not_touch(rows, k):
    images = named_images(33)
    fig, axes = plots.plot_neighbours(
        images, range(rows), images, torch.arange(k).expand(rows, k), torch.rand(rows, k)
    )
    assert_apart(fig, axes)


def test_a_name_is_no_formula(toy_splits):
    images = toy_splits.test
    fig, axes = plots.plot_image_search(
        images.images[0], NAMES["formula"], images, torch.tensor([3]), torch.tensor([0.5])
    )
    fig.canvas.draw()
    assert axes[0, 0].get_xlabel() == NAMES["formula"]


def test_more_results_than_columns_begin_a_row(toy_splits):
    images = toy_splits.test
    _, axes = plots.plot_image_search(
        images.images[0], "mine", images, torch.arange(10), torch.rand(10)
    )
    assert axes.shape == (2, 9)
    numbered = [
        (row, column) for row in range(2) for column in range(9) if axes[row, column].axison
    ]
    assert numbered == [*((0, column) for column in range(9)), (1, 1), (1, 2)]
    assert [axes[1, column].get_title() for column in (1, 2)] == ["9", "10"]


def test_random_queries_are_fixed_by_the_seed(toy_splits):
    chosen = plots.random_queries(toy_splits.test, 8)
    assert len(set(chosen)) == 8
    assert chosen == plots.random_queries(toy_splits.test, 8)
    assert chosen != plots.random_queries(toy_splits.test, 8, seed=1)
