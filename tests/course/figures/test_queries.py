"""Figures of the queries of a batch show means and ranges of the seeds."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def _measured(name, groups):
    """Two seeds at two points of a training: in group i, 10i + seed and 10i + seed + 4."""
    places = [
        (group, i, seed, images)
        for i, group in enumerate(groups)
        for seed in (0, 2)
        for images in (0, 100)
    ]
    rows = [
        {name: group, "seed": seed, "images": images, "near": 10 * i + seed + images / 25}
        for group, i, seed, images in places
    ]
    return pd.DataFrame(rows).assign(gradient=lambda table: 2 * table["near"])


def test_rivals_are_drawn_for_each_batch_size():
    _, axes = figures.plot_rivals(_measured("batch size", [32, 128]))
    near, gradient = axes
    assert [line.get_label() for line in near.lines] == ["batch of 32", "batch of 128"]
    assert [list(line.get_ydata()) for line in near.lines] == [[1, 5], [11, 15]]
    assert [list(line.get_ydata()) for line in gradient.lines] == [[2, 10], [22, 30]]


def test_bands_reach_over_all_seeds():
    _, ax = figures.plot_query_gradients(_measured("label", ["real", "virtual"]))
    assert [line.get_label() for line in ax.lines] == ["real", "virtual"]
    heights = [band.get_paths()[0].vertices[:, 1] for band in ax.collections]
    assert [(low.min(), low.max()) for low in heights] == [(0, 12), (20, 32)]
