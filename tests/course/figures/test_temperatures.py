"""Figures of temperatures and cut-offs show the numbers they are given."""

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_rank_pull_has_a_panel_for_each_title():
    ranks = torch.tensor([1.0, 2.0, 4.0])
    panels = {"cold": {"a": ranks / 10, "b": ranks / 20}, "warm": {"a": ranks / 30}}
    fig, axes = figures.plot_rank_pull(ranks, panels)
    fig.canvas.draw()
    assert [ax.get_title() for ax in axes] == ["cold", "warm"]
    assert [len(ax.lines) for ax in axes] == [2, 1]
    assert axes[0].lines[1].get_ydata().tolist() == (ranks / 20).tolist()


def test_slices_show_losses_pulls_and_negatives():
    places, negatives = torch.linspace(0, 1, 5), torch.tensor([0.2, 0.4])
    losses, pulls = {0.1: 1 - places}, {0.1: places}
    _, axes = figures.plot_slices(places, losses, pulls, negatives)
    assert axes[0].lines[0].get_ydata().tolist() == losses[0.1].tolist()
    assert axes[1].lines[0].get_ydata().tolist()[1:] == pulls[0.1].tolist()[1:]
    assert axes[0].lines[1].get_xdata().tolist() == negatives.tolist()


@pytest.mark.parametrize(("panels", "shape"), [(1, (1, 1)), (3, (1, 3)), (6, (2, 3))])
def test_surfaces_put_the_second_positive_along_the_columns(panels, shape):
    grid = torch.linspace(-0.2, 1, 37)
    loss = ((grid + 0.2) / 1.2).expand(37, 37)  # grows to the right
    up = torch.zeros(37, 37, 2)
    up[..., 1] = 1  # the second positive is pulled up: arrows to the right
    surfaces = {str(number): (loss, up) for number in range(panels)}
    fig, axes = figures.plot_surfaces(grid, surfaces, columns=shape[1])
    fig.canvas.draw()
    assert axes.shape == shape
    _, arrows = axes[0, 0].collections
    assert arrows.U.min() == pytest.approx(1)
    assert abs(arrows.V).max() == 0
