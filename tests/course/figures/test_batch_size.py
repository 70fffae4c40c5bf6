"""Figures of batch sizes show the numbers they were given."""

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures

SIZES = [4, 16, 64]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_three_views_have_an_axis_each():
    views = {"one way": torch.tensor([0.1, 0.2, 0.3]), "another": torch.tensor([0.3, 0.2, 0.1])}
    fig, axes = figures.plot_three_views(SIZES, views)
    fig.canvas.draw()
    assert [ax.get_title() for ax in axes] == list(views)
    for ax, errors in zip(axes, views.values(), strict=True):
        assert ax.lines[0].get_ydata().tolist() == errors.tolist()
        assert list(ax.lines[0].get_xdata()) == SIZES


def test_competition_shows_both_curves():
    _, ax = figures.plot_competition(SIZES, [0.9, 0.8, 0.7], [0.3, 0.4, 0.5])
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.9, 0.8, 0.7], [0.3, 0.4, 0.5]]
