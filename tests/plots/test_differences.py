"""The figure of differences shows the numbers that it is given."""

import math

import matplotlib.pyplot as plt
import pytest

from recallkit import plots

ROWS = [
    plots.Difference("a set", "64 → 512", 0.07, 0.02, "rises"),
    plots.Difference("a set", "512 → 2,048", -0.01, 0.03, "no difference seen"),
    plots.Difference("published", "off → on", 0.075, math.nan, "unverified"),
]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_a_row_has_its_change_in_points_its_interval_and_its_group_above():
    _, ax = plots.plot_differences(ROWS, title="Larger is better.")
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["a set", "64 → 512", "512 → 2,048", "published", "off → on"]
    places = [one[0].get_xdata()[0] for one in ax.containers]
    assert places == pytest.approx([7, -1, 7.5])
    assert [one[0].get_ydata()[0] for one in ax.containers] == [1, 2, 4]
    widths = []
    for one in ax.containers:
        [(low, high)] = [segment[:, 0] for segment in one.lines[2][0].get_segments()]
        widths.append(high - low)
    assert widths == pytest.approx([4, 6, 0])
    low, high = ax.get_ylim()
    assert low > high  # the first row on top


def test_verdicts_are_told_apart_without_colour_and_explained_once():
    rows = [*ROWS, ROWS[0]._replace(verdict="falls"), ROWS[2]._replace(verdict="published")]
    fig, ax = plots.plot_differences(rows, title="?")
    looks = {
        (one[0].get_marker(), one[0].get_markerfacecolor() == "white") for one in ax.containers
    }
    assert len(looks) == 4
    [legend] = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "a difference is seen",
        "no difference seen, after Holm's correction",
        "published",
        "unverified",
    ]


def test_without_rows_the_figure_is_empty():
    fig, ax = plots.plot_differences([], title="?")
    assert not ax.containers
    assert not fig.legends


def test_the_axis_is_named_within_the_figure_beside_long_labels():
    label = "batch 128, SiMix off: K = {1, 2, 4, …, 32} → K = {1, 2, 4, 8, 16}"
    fig, ax = plots.plot_differences([ROWS[0]._replace(label=label)], title="Larger is better.")
    fig.draw_without_rendering()
    extent = ax.xaxis.label.get_window_extent()
    assert 0 <= extent.x0 < extent.x1 <= fig.bbox.x1
