"""Figures of classes show the numbers they were given."""

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_class_recalls_fall_from_easy_to_hard():
    _, ax = figures.plot_class_recalls({"a": torch.tensor([0.5, 1.0, 0.0, 0.25])})
    assert ax.lines[0].get_xdata().tolist() == [25, 50, 75, 100]
    assert ax.lines[0].get_ydata().tolist() == [100, 50, 25, 0]


def test_class_sizes_are_counted():
    _, ax = figures.plot_class_sizes({"train": [4, 4, 7], "test": [7, 9]})
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers if len(bars) == 3]
    assert heights == [[2, 1, 0], [0, 1, 1]]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["4", "7", "9"]


def test_use_is_drawn_over_sizes():
    _, ax = figures.plot_class_use([8, 2], {"an epoch": [6, 2]})
    assert [bar.get_height() for bar in ax.patches] == [8, 2]
    assert ax.lines[0].get_ydata().tolist() == [6, 2]
