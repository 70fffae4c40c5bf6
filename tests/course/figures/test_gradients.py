"""Figures of gradients show the data they were given, descent upwards."""

import math

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures

LABELS = torch.tensor([0, 0, 1])
PAIRS = torch.tensor([[0.0, -2, 1], [-0.1, 0, 1], [0, 0, 0]])
POINTS = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_pairs_are_drawn_with_signs_where_the_push_is_large():
    _, axes = figures.plot_pairs({"one": PAIRS, "two": PAIRS}, LABELS)
    assert [ax.get_title() for ax in axes] == ["one", "two"]
    assert axes[0].images[0].get_array().tolist() == (-PAIRS / 2).tolist()
    signs = {text.get_position(): text.get_text() for text in axes[0].texts}
    assert signs == {(1, 0): "+", (2, 0): "−", (2, 1): "−"}
    assert [line.get_ydata()[0] for line in axes[0].lines[:1]] == [1.5]  # between the classes


def test_arrows_point_in_descent_and_the_longest_is_as_long_everywhere():
    tangent = torch.tensor([[0.0, 3], [1.5, 0], [0, 0]])
    _, axes = figures.plot_circles({"a": POINTS}, LABELS, {"a": tangent})
    arrows = axes[0].collections[0]
    assert arrows.U.tolist() == pytest.approx([0, -0.3, 0])
    assert arrows.V.tolist() == pytest.approx([-0.6, 0, 0])
    assert axes[0].lines[0].get_xdata().tolist() == [1, 0]  # the first class


def test_lists_draw_positives_and_others_apart():
    gradient = torch.tensor([0.5, -0.25, 0.0])
    _, axes = figures.plot_lists({"a": gradient}, torch.tensor([False, True, False]))
    _, positive, others = axes[0].lines[:3]
    assert (positive.get_xdata().tolist(), positive.get_ydata().tolist()) == ([2], [0.25])
    assert (others.get_xdata().tolist(), others.get_ydata().tolist()) == ([1, 3], [-0.5, 0])


def test_against_rank_counts_from_1():
    _, axes = figures.plot_against_rank({"a": torch.tensor([1.0, 0.5])}, marks=(1, 2))
    *marks, curve = axes[0].lines
    assert [line.get_xdata()[0] for line in marks] == [1, 2]
    assert curve.get_xdata().tolist() == [1, 2]


def test_heard_has_a_line_for_each_name():
    difference = torch.tensor([-0.1, 0, 0.1])
    _, ax = figures.plot_heard(difference, {"τ = 1": difference, "τ = 2": 2 * difference}, "slope")
    assert [line.get_label() for line in ax.lines] == ["τ = 1", "τ = 2"]
    assert ax.lines[1].get_ydata().tolist() == pytest.approx([-0.2, 0, 0.2])


def test_paths_show_angles_and_do_not_cross_the_picture():
    angle = torch.deg2rad(torch.tensor([[170.0, 0], [-170, 10]]))  # steps, points
    path = torch.stack([angle.cos(), angle.sin()], dim=2)
    _, axes = figures.plot_paths({"a": path}, torch.tensor([0, 1]))
    first, _, second, _ = axes[0].lines
    assert math.isnan(first.get_ydata()[0])
    assert first.get_ydata()[1] == pytest.approx(-170)
    assert second.get_ydata().tolist() == pytest.approx([0, 10], abs=1e-4)
    lowest, *_, highest = (text.get_text() for text in axes[0].get_yticklabels())
    assert lowest == highest == "±180"  # one place


def test_a_grid_has_no_empty_panels():
    fig, axes = figures.plot_circles(dict.fromkeys("abcd", POINTS), LABELS)
    assert len(axes) == 4
    assert len(fig.axes) == 4
