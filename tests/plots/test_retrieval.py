"""Figures show the data they were given."""

import matplotlib.colors as colors
import matplotlib.pyplot as plt
import pytest
import torch

from recallkit import plots
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


def test_random_queries_are_fixed_by_the_seed(toy_splits):
    chosen = plots.random_queries(toy_splits.test, 8)
    assert len(set(chosen)) == 8
    assert chosen == plots.random_queries(toy_splits.test, 8)
    assert chosen != plots.random_queries(toy_splits.test, 8, seed=1)
