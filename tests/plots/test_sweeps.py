"""Figures of comparisons show the numbers they are given."""

import math

import matplotlib.pyplot as plt
import pytest

from recallkit import plots
from recallkit.plots.style import scale_colours

SIZES = [4, 16, 64]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def marks_of(ax):
    return {text.get_text(): text.xy[0] for text in ax.texts}


@pytest.mark.parametrize(("log2", "places"), [(False, [0, 2, 1]), (True, [4, 64, 16])])
def test_comparison_shows_stored_means_with_intervals_and_own_points(log2, places):
    stored = {"RS@k": {4: (0.4, 0.02), 64: (0.5, math.nan)}}
    fig, ax = plots.plot_comparison(
        stored, {16: 0.45}, xlabel="batch size", values=SIZES, log2=log2
    )
    fig.canvas.draw()
    means, *_, own = ax.lines
    assert [*means.get_xdata(), *own.get_xdata()] == places
    assert list(means.get_ydata()) == [40, 50]
    assert list(own.get_ydata()) == [45]
    [bars] = ax.containers[0].lines[2]
    (low, high), (alone, same) = (segment[:, 1] for segment in bars.get_segments())
    assert (low, high) == (pytest.approx(38), pytest.approx(42))
    assert alone == same == 50
    assert [text.get_text() for text in ax.get_xticklabels()] == ["4", "16", "64"]
    legend = {text.get_text() for text in ax.get_legend().get_texts()}
    assert legend == {"RS@k", "just now, one seed"}


def test_comparison_without_a_stored_run():
    _, ax = plots.plot_comparison({}, {"1": 0.3}, xlabel="K", values=["1", "1, 2"])
    assert len(ax.lines) == 1


def test_not_run_stands_at_the_values_that_lack_it():
    stored = {"SiMix off": {4: (0.4, 0.02)}}
    missing = {"SiMix off": [64], "SiMix on": [4, 64]}
    _, ax = plots.plot_comparison(stored, {}, xlabel="", values=SIZES, missing=missing, log2=True)
    assert [(text.get_text(), text.xy[0]) for text in ax.texts] == [
        ("not run", 64), ("not run", 4), ("not run", 64),
    ]  # fmt: skip
    assert ax.texts[0].get_color() == ax.containers[0].lines[0].get_color()
    heights = [text.xyann[1] for text in ax.texts]
    assert heights[2] > heights[0] == heights[1]


def test_a_mean_far_below_is_marked_and_does_not_crush_the_others():
    points = {4: (0.88, 0.01), 16: (0.9, 0.01), 64: (0.02, 0.01)}
    _, ax = plots.plot_comparison({"a": points}, {}, xlabel="", values=SIZES)
    assert marks_of(ax) == {"▼ 2": 2}
    assert ax.get_ylim()[0] > 80
    near = points | {64: (0.76, 0.01)}  # less than 15 points below the best
    _, ax = plots.plot_comparison({"a": near}, {}, xlabel="", values=SIZES)
    assert marks_of(ax) == {}
    assert ax.get_ylim()[0] < 76


def test_lengths_stand_where_they_are_on_a_logarithmic_axis():
    changes = {200_000: (-0.04, 0.01), 4_000_000: (0.01, math.nan)}
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


def curve(*recall):
    nothing = [math.nan] * len(recall)
    return {"images": [1, 2, 3], "updates": [10, 20, 30], "recall": recall, "margin": nothing}


def test_costs_have_a_panel_each_and_one_height():
    rows = {"a": {"32": curve(0.3, 0.6, 0.7)}, "b": {"32": curve(0.2, 0.5, 0.6)}}
    fig, axes = plots.plot_costs(rows, {"images": "images seen", "updates": "updates"}, "batch")
    assert axes.shape == (2, 2)
    assert [ax.get_xlabel() for ax in axes.flat] == ["images seen", "updates"] * 2
    assert list(axes[0, 1].lines[0].get_xdata()) == [10, 20, 30]
    assert list(axes[1, 0].lines[0].get_ydata()) == [20, 50, 60]
    assert axes[0, 0].get_ylim() == axes[1, 1].get_ylim()
    assert len(fig.legends[0].get_texts()) == 1


def test_a_curve_that_collapsed_is_marked_at_its_end():
    curves = {"32": curve(0.3, 0.7, 0.8), "64": curve(0.4, 0.7, 0.81), "128": curve(0.4, 0.1, 0.01)}
    _, [[ax]] = plots.plot_costs({"a": curves}, {"images": "images seen"})
    assert marks_of(ax) == {"▼ 1": 3}
    assert 10 < ax.get_ylim()[0] < 30  # the way of the others is seen from its beginning


def test_lines_stop_where_there_is_nothing_and_keep_their_order():
    panels = {"off": {"0.1": {4: 0.5, 64: 0.6}}, "on": {"0.01": {4: 0.5, 16: 0.7}}}
    behind = {"off": {4: 0.5, 64: 0.6}, "on": {4: 0.5, 16: 0.7}}
    fig, axes = plots.plot_lines(
        panels, behind, names=["0.01", "0.1"], xlabel="batch size", values=SIZES,
        behind_label="best", legend="learning rate",
    )  # fmt: skip
    lines = {line.get_label(): line for line in axes[0].lines}
    assert list(lines["0.1"].get_xdata()) == [0, 1, 2]
    assert math.isnan(lines["0.1"].get_ydata()[1])
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["0.01", "0.1", "best"]


def test_series_have_looks_of_their_own():
    styles = plots.series_styles(f"loss {i}" for i in range(8))
    assert len({tuple(style.values()) for style in styles.values()}) == 8
    simix = plots.series_styles(["SiMix off", "SiMix on", "other"])
    colours = [style["color"] for style in simix.values()]
    assert len(set(colours)) == 3
    assert colours[:2] == ["#0072B2", "#D55E00"]
    assert all(style["color"] not in colours[:2] for style in styles.values())
    ordered = plots.series_styles(["1", "2", "3"], ordered=True)
    assert [style["color"] for style in ordered.values()] == scale_colours(3)
