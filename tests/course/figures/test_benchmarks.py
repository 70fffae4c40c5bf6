"""Figures of protocols show the numbers they were given."""

import matplotlib.pyplot as plt
import pytest

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def labels_of(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_recall_curves_in_percent():
    _, ax = figures.plot_recall_curves(
        [1, 10, 1000], {"a": [0.1, 0.2, 0.3], "b": [0.5, 0.6, 1]}, "T"
    )
    assert ax.lines[1].get_ydata().tolist() == [50, 60, 100]
    assert ax.lines[0].get_linestyle() != ax.lines[1].get_linestyle()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["1", "10", "1,000"]
    assert labels_of(ax) == ["a", "b"]
    assert ax.get_title() == "T"


def test_protocols_from_top_to_bottom():
    scores = {"all": {"pixels": 0.3, "network": 0.5}, "half": {"pixels": 0.2, "network": 0.4}}
    _, ax = figures.plot_protocols(scores)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["all", "half"]
    assert ax.lines[1].get_xdata().tolist() == [50, 40]
    assert ax.yaxis_inverted()
    assert labels_of(ax) == ["pixels", "network"]


def test_areas_of_precision():
    steps = [(0.5, 1.0, 1.0), (1.0, 0.25, 0.4)]
    _, axes = figures.plot_precision_recall({"easy": steps, "hard": steps[:1]})
    assert [ax.get_title() for ax in axes] == ["easy", "hard"]
    assert len(axes[0].collections) == 2
    corners = axes[0].collections[1].get_paths()[0].vertices
    assert {(0.5, 0.25), (1.0, 0.4)} <= {tuple(corner) for corner in corners.tolist()}
    assert axes[0].lines[1].get_ydata().tolist() == [0, 0.4, 0.4, 0]
    assert labels_of(axes[1]) == ["trapezoids", "rectangles"]


def test_best_of_marks_a_count():
    _, ax = figures.plot_best_of([1, 2, 4], {"σ": [0, 0.5, 1]}, marked=2)
    assert ax.lines[0].get_ydata().tolist() == [0, 0.5, 1]
    assert ax.lines[1].get_xdata() == [2, 2]
    assert labels_of(ax) == ["σ", "2 evaluations"]
