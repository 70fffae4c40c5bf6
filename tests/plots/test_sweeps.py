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


def test_eight_series_side_by_side_lie_well_within_the_axis():
    stored = {f"loss {i}": {128: (0.7, 0.01), 512: (0.7, 0.01)} for i in range(8)}
    _, ax = plots.plot_comparison(stored, {}, xlabel="", values=[128, 512], log2=True)
    left, right = ax.get_xlim()
    drawn = [x for line in ax.containers for x in line.lines[0].get_xdata()]
    assert left < min(drawn) / 1.15
    assert right > max(drawn) * 1.15


def test_a_mean_far_below_is_marked_and_does_not_crush_the_others():
    points = {4: (0.88, 0.01), 16: (0.9, 0.01), 64: (0.02, 0.01)}
    _, ax = plots.plot_comparison({"a": points}, {}, xlabel="", values=SIZES)
    assert marks_of(ax) == {"▼ 2": 2}
    assert ax.get_ylim()[0] > 80
    assert 91 < ax.get_ylim()[1] < 92  # above the interval, and not far
    near = points | {64: (0.76, 0.01)}  # less than 15 points below the best
    _, ax = plots.plot_comparison({"a": near}, {}, xlabel="", values=SIZES)
    assert marks_of(ax) == {}
    assert ax.get_ylim()[0] < 76
    alike = points | {4: (0.9, 0.0), 16: (0.9, 0.4)}
    _, ax = plots.plot_comparison({"a": alike}, {}, xlabel="", values=SIZES)
    low, high = ax.get_ylim()
    assert low < 90 < high < 95
    wide = {4: (0.7, 0.01), 8: (0.69, 0.01), 16: (0.69, 0.4), 32: (0.56, 0.01), 64: (0.54, 0.01)}
    _, ax = plots.plot_comparison({"a": wide}, {}, xlabel="", values=[*wide])
    assert ax.get_ylim()[0] < 54  # far below, but on the axis still: no mark stands for it
    assert marks_of(ax) == {}


def test_gains_are_in_points_with_intervals_and_the_size_of_their_updates():
    gains = [plots.Gain(0.3, 0.02, math.nan, 100), plots.Gain(0.1, -0.04, 0.01, 10_000)]
    fig, ax = plots.plot_gains({"emoji": gains}, xlabel="x", ylabel="y", log2=True, joined=True)
    line, caps, _ = ax.containers[0].lines
    assert list(line.get_xdata()) == [0.1, 0.3]
    assert list(line.get_ydata()) == pytest.approx([-4, 2])
    assert caps[0].get_ydata().tolist() == pytest.approx([-5, 2])  # one seed: no interval
    assert ax.get_xscale() == "log"
    many, few = ax.collections[1].get_sizes()
    assert many > 3 * few
    names = [text.get_text() for text in fig.legends[0].get_texts()]
    assert names == ["emoji", "100 updates", "1,000 updates", "10,000 updates"]


def test_gains_apart_share_their_axes_and_name_their_own_lines():
    few, many = ([plots.Gain(x, -0.04, 0.01, n) for x in (0.5, 2)] for n in (100, 1000))
    panels = {"emoji": {"25,000 images": few}, "glyphs": {"50,000 images": many}}
    fig, axes = plots.plot_gains_apart(panels, xlabel="share", ylabel="points")
    names = [[text.get_text() for text in ax.get_legend().get_texts()] for ax in axes]
    assert names == [["25,000 images"], ["50,000 images"]]
    assert [ax.get_title(loc="left") for ax in axes] == ["emoji", "glyphs"]
    assert [ax.get_xlabel() for ax in axes] == ["", "share"]
    assert axes[0].get_xlim() == axes[1].get_xlim()
    assert axes[0].get_ylim() == axes[1].get_ylim()
    marks = [text.get_text() for text in fig.legends[0].get_texts()]
    assert marks == ["100 updates", "1,000 updates", "10,000 updates"]


def test_no_gains_at_all():
    fig, _ = plots.plot_gains({}, xlabel="x", ylabel="y")
    assert fig.legends == []
    fig, axes = plots.plot_gains_apart({}, xlabel="x", ylabel="y")
    assert (len(axes), fig.legends) == (1, [])


def test_a_course_has_the_colour_of_its_name_and_the_line_of_its_series():
    _, axes = plt.subplots(1, 2)
    course = plots.Course("32", "SiMix on", [10, 20], [0.3, 0.6], [0.2, 0.1])
    styles = plots.series_styles(["SiMix off", "SiMix on"])
    plots.plot_course(axes, [course], styles, {"32": "#123456"})
    recall, loss = axes[0].lines[0], axes[1].lines[0]
    assert (list(recall.get_xdata()), list(recall.get_ydata())) == ([10, 20], [30, 60])
    assert list(loss.get_ydata()) == [0.2, 0.1]
    assert {line.get_color() for line in (recall, loss)} == {"#123456"}
    assert {line.get_linestyle() for line in (recall, loss)} == {"--"}


def test_a_legend_shared_by_axes_names_each_line_once():
    fig, axes = plt.subplots(1, 2, layout="constrained")
    for ax in axes:
        ax.plot([1], label="a")
    plots.share_legend(fig, axes)
    assert fig.legends == []  # one name says nothing
    axes[1].plot([2], label="b")
    plots.share_legend(fig, axes, "letters", "upper")
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["a", "b"]
    assert fig.legends[0].get_title().get_text() == "letters"


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
