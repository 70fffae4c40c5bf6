"""Figures of pairs and ranks show the numbers they are given."""

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_a_plane_has_the_negative_along_its_columns_and_one_longest_arrow():
    grid = torch.linspace(-0.2, 1, 5)
    push = torch.zeros(5, 5, 2)
    push[..., 0], push[..., 1] = 3, -4  # the positive up, the negative to the left
    line = torch.tensor([[0.0, 0.1], [1.0, 0.5]])
    fig, axes = figures.plot_pair_plane(grid, {"a": push, "b": push / 9}, {"a": line, "b": line})
    fig.canvas.draw()
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    for ax in axes:
        [arrows] = ax.collections
        assert arrows.U.tolist() == pytest.approx(25 * [-0.8])
        assert arrows.V.tolist() == pytest.approx(25 * [0.6])
        assert ax.lines[0].get_xdata().tolist() == line[:, 1].tolist()
        assert ax.lines[0].get_ydata().tolist() == line[:, 0].tolist()


def test_shares_are_added_up_from_the_first_rank_and_the_lowest_similarity():
    ranks = {"a": torch.tensor([0.5, 0.25, 0.25]), "b": torch.tensor([0.0, 0.0, 1.0])}
    edges = torch.tensor([-1.0, 0.0, 1.0])
    similarities = {"a": torch.tensor([0.25, 0.75]), "b": torch.tensor([1.0, 0.0])}
    fig, axes = figures.plot_push_shares(ranks, similarities, edges)
    fig.canvas.draw()
    assert axes[0].lines[0].get_xdata().tolist() == [1, 2, 3]
    assert axes[0].lines[0].get_ydata().tolist() == [0.5, 0.75, 1]
    assert axes[1].lines[0].get_xdata().tolist() == [0, 1]
    assert axes[1].lines[1].get_ydata().tolist() == [1, 1]
    names = [text.get_text() for text in axes[1].get_legend().get_texts()]
    assert names == ["a", "b"]
