"""Curves in panels show the numbers they are given."""

import matplotlib.pyplot as plt
import pytest

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_each_panel_has_its_curves_and_the_metric_lies_behind():
    curves = {"a": {"one": ([1, 2], [0.5, 0.7]), "metric": ([1, 2], [0, 1])}}
    curves["b"] = {"two": ([4, 8], [0.2, 0.1])}
    fig, axes = figures.plot_along(curves, "size", "cosine", logarithmic=True)
    fig.canvas.draw()
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    behind, line = axes[0].lines
    assert behind.get_ydata().tolist() == [0, 1]
    assert behind.get_linewidth() > line.get_linewidth()
    assert line.get_xydata().tolist() == [[1, 0.5], [2, 0.7]]
    assert [text.get_text() for text in axes[1].get_legend().get_texts()] == ["two"]
    assert axes[1].get_xscale() == "log"
    assert axes[0].get_ylabel() == "cosine"
