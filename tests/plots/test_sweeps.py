"""Figures of comparisons show the numbers they are given."""

import math

import matplotlib.pyplot as plt
import pytest
from recallkit.experiments.summary import Estimate

from recallkit import plots

SIZES = [4, 16, 64]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_comparison_shows_stored_means_with_intervals_and_own_points():
    stored = {"RS@k": {4: Estimate(0.4, 0.02, 3), 64: Estimate(0.5, math.inf, 1)}}
    fig, ax = plots.plot_comparison(stored, {16: 0.45}, xlabel="batch size", values=SIZES)
    fig.canvas.draw()
    means, *_, own = ax.lines
    assert list(means.get_xdata()) == [0, 2]
    assert list(means.get_ydata()) == [40, 50]
    assert (list(own.get_xdata()), list(own.get_ydata())) == ([1], [45])
    [bars] = ax.containers[0].lines[2]
    low, high = bars.get_segments()[0][:, 1]
    assert (low, high) == (pytest.approx(38), pytest.approx(42))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["4", "16", "64"]
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {
        "RS@k",
        "just now, one seed",
    }


def test_comparison_without_a_stored_run():
    _, ax = plots.plot_comparison({}, {"1": 0.3}, xlabel="K", values=["1", "1, 2"])
    assert len(ax.lines) == 1


def test_lengths_stand_where_they_are_on_a_logarithmic_axis():
    changes = {200_000: Estimate(-0.04, 0.01, 3), 4_000_000: Estimate(0.01, math.inf, 1)}
    _, ax = plots.plot_lengths({"glyphs": changes})
    line, caps, _ = ax.containers[0].lines
    assert list(line.get_xdata()) == [200_000, 4_000_000]
    assert list(line.get_ydata()) == pytest.approx([-4, 1])
    assert caps[0].get_ydata().tolist() == pytest.approx([-5, 1])  # one seed: no interval
    assert ax.get_xscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["glyphs"]


def test_no_lengths_at_all():
    _, ax = plots.plot_lengths({})
    assert ax.get_legend() is None
