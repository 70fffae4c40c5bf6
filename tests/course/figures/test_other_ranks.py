"""The figures of other ranks show the data they were given."""

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_answers_have_a_column_for_each_group_and_name_every_curve():
    place = torch.tensor([0.1, 0.4, 0.8])
    true = torch.tensor([3.0, 2.0, 1.0])
    groups = {
        "count": {"a": (true + 0.1, -place), "b": (true + 0.2, -2 * place)},
        "write": {"c": (None, -3 * place)},
    }
    _, axes = figures.plot_rank_answers(place, true, groups)
    assert axes.shape == (2, 2)
    assert [ax.get_title() for ax in axes[0]] == ["count", "write"]
    ranks, nothing = (ax.lines[1:] for ax in axes[0])
    assert ranks[1].get_ydata().tolist() == pytest.approx((true + 0.2).tolist())
    assert nothing == []
    slopes = [line.get_ydata().tolist() for ax in axes[1] for line in ax.lines]
    assert slopes == [pytest.approx((n * place).tolist()) for n in (1, 2, 3)]
    styles = {line.get_linestyle() for line in ranks}
    assert len(styles) == 2  # told apart without colour
    legends = [ax.get_legend() for ax in axes.ravel()]
    named = {text.get_text() for legend in legends if legend for text in legend.get_texts()}
    assert named == {"true rank", "a", "b", "c"}
    low, high = axes[0, 1].get_ylim()
    assert low > high  # rank 1 on top


def test_a_slope_in_a_unit_of_its_own_is_as_high_as_its_neighbour_and_says_so():
    place = torch.tensor([0.1, 0.4, 0.8])
    methods = {"places": (None, -place), "gain": (None, -30 * place)}
    _, axes = figures.plot_rank_answers(place, place, {"write": methods}, own_unit=["gain"])
    lines = axes[1, 0].lines
    assert [line.get_label() for line in lines] == ["places", "gain\n(own unit)"]
    for line in lines:
        assert line.get_ydata().tolist() == pytest.approx(place.tolist())


def test_bound_draws_each_kind_of_list_and_the_line_of_equality():
    bound = {"spread": torch.tensor([1.0, 2.0]), "ties": torch.tensor([0.5])}
    error = {"spread": torch.tensor([0.5, 2.0]), "ties": torch.tensor([0.5])}
    _, ax = figures.plot_rank_bound(bound, error)
    assert [line.get_label() for line in ax.lines] == ["spread", "ties", "error = bound"]
    assert ax.lines[0].get_ydata().tolist() == [0.5, 2.0]
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
