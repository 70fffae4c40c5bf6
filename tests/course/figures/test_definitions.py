"""The figures of the two definitions show what they were given."""

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures
from recallkit.course.class_collapse import arc_classes
from recallkit.course.figures.definitions import DEFINITIONS


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_loss_by_k_has_a_panel_a_definition_and_a_line_a_batch():
    panels = {"one": {"a": [0.1, 0.2], "b": [0.3, 0.1]}, "two": {"a": [0.5, 0.6], "b": [0.7, 0.8]}}
    _, axes = figures.plot_loss_by_k((1, 4), panels)
    assert [ax.get_title() for ax in axes] == ["one", "two"]
    assert list(axes[1].lines[1].get_ydata()) == [0.7, 0.8]
    assert names(axes[0]) == ["a", "b"]
    assert axes[0].get_ylim()[0] == 0
    assert axes[0].get_ylim()[1] >= 0.8  # shared


def test_arc_shows_the_class_and_marks_the_width():
    embeddings, _ = arc_classes(40, 4)
    _, (circle, curves) = figures.plot_arc(
        embeddings[:4, :2], (0, 60), ((0.2, 0.1), (0.3, 0.4)), 30
    )
    points = circle.lines[-1]
    assert points.get_xdata().tolist() == embeddings[:4, 0].tolist()
    assert names(curves) == list(DEFINITIONS)
    marked = [line.get_ydata()[0] for line in curves.lines if line.get_marker() in ("o", "s")]
    assert marked == pytest.approx([0.15, 0.35])


def test_arc_losses_mark_the_lowest_point_of_a_curve_that_has_one():
    panels = {"flat": ((0.2, 0.2, 0.2), (0.3, 0.1, 0.2)), "both": ((3, 2, 1), (1, 2, 3))}
    _, axes = figures.plot_arc_losses((0, 10, 20), panels)
    marks = [[line for line in ax.lines if line.get_marker() in ("o", "s")] for ax in axes]
    assert [len(lowest) for lowest in marks] == [1, 2]
    assert (marks[0][0].get_xdata()[0], marks[0][0].get_ydata()[0]) == (10, 0.1)
    assert [line.get_xdata()[0] for line in marks[1]] == [20, 0]


def test_lone_pair_draws_losses_and_pulls():
    _, axes = figures.plot_lone_pair([0.5, 1], [[1, 2], [3, 4]], [[5, 6], [7, 8]])
    drawn = [[list(line.get_ydata()) for line in ax.lines] for ax in axes]
    assert drawn == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


def test_item_pulls_tell_positives_by_hatch_and_sign():
    panels = {"a": torch.tensor([1.0, -2.0]), "b": torch.tensor([0.0, 3.0])}
    _, axes = figures.plot_item_pulls([True, False], torch.tensor([0.9, 0.25]), panels)
    assert [bar.get_height() for bar in axes[1].patches] == [0, 3]
    assert [bool(bar.get_hatch()) for bar in axes[0].patches] == [False, True]
    assert [text.get_text() for text in axes[0].get_xticklabels()] == ["0.90\n+", "0.25\n−"]


def test_paired_seeds_join_the_runs_of_a_seed():
    measures = {"R@1": {"without": [0.5, 0.6], "query in database": [0.7, 0.55]}}
    fig, (ax,) = figures.plot_paired_seeds(measures)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["seed 0", "seed 1"]
    joins = [list(line.get_ydata()) for line in ax.lines if len(line.get_ydata()) == 2]
    assert joins == [[0.5, 0.7], [0.6, 0.55]]
    labels = [text.get_text() for text in ax.get_xticklabels()]
    assert labels == ["without", "query\nin database"]
