"""Figures of scenes and pixels show the numbers they are given."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
import torch

from recallkit.course import figures

NAMES = ("ground", "bus", "lemon")
MAPS = torch.arange(18).view(2, 3, 3) % 3


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def legend_of(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()]


def test_each_scene_has_its_image_and_its_maps():
    images = torch.arange(2 * 3 * 9, dtype=torch.uint8).view(2, 3, 3, 3)
    fig = figures.plot_scenes(images, {"labels": MAPS, "prediction": MAPS.flip(0)}, NAMES)
    fig.canvas.draw()
    shown = [ax.images[0].get_array().tolist() for ax in fig.axes]
    assert shown[0] == images[0].movedim(0, -1).tolist()
    assert shown[2:4] == MAPS.tolist()
    assert shown[4:] == MAPS.flip(0).tolist()
    assert [fig.axes[i].get_ylabel() for i in (0, 2, 4)] == ["image", "labels", "prediction"]
    assert legend_of(fig) == list(NAMES)


def test_each_map_of_weights_has_its_own_scale_from_0():
    weights = {"a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": torch.tensor([[0.5, 0.25]])}
    fig = figures.plot_pixel_weights(MAPS[0], MAPS[1], weights, NAMES)
    fig.canvas.draw()
    assert [ax.images[0].get_array().tolist() for ax in fig.axes[:2]] == MAPS.tolist()
    assert [ax.images[0].get_clim() for ax in fig.axes[2:]] == [(0, 4), (0, 0.5)]
    assert [ax.get_title() for ax in fig.axes[2:]] == ["a\nup to 4", "b\nup to 0.5"]


def test_curves_are_means_over_seeds_in_per_cent():
    rows = [
        {"method": method, "step": step, "seed": seed, **{f"recall {n}": value for n in NAMES}}
        for method, level in (("one", 0.2), ("two", 0.6))
        for seed, shift in ((0, -0.1), (1, 0.1))
        for step, value in ((10, level + shift), (20, level + 0.2 + shift))
    ]
    fig = figures.plot_class_curves(pd.DataFrame(rows), "recall", NAMES)
    fig.canvas.draw()
    assert [ax.get_title() for ax in fig.axes[:3]] == list(NAMES)
    for ax in fig.axes[:3]:
        drawn = [line.get_ydata().tolist() for line in ax.lines]
        assert drawn == [pytest.approx([20, 40]), pytest.approx([60, 80])]
        assert ax.lines[0].get_xdata().tolist() == [10, 20]
    assert legend_of(fig) == ["one", "two"]


def test_a_method_at_the_same_place_looks_the_same():
    rows = [{"method": name, "step": 1, "recall a": 0.5} for name in ("one", "three", "two")]
    some = figures.plot_class_curves(pd.DataFrame(rows[::2]), "recall", ["a"])
    every = figures.plot_class_curves(
        pd.DataFrame(rows), "recall", ["a"], methods=["one", "two", "three"]
    )
    assert legend_of(every) == ["one", "two", "three"]
    first, second = [
        [(line.get_color(), line.get_linestyle()) for line in fig.axes[0].lines]
        for fig in (some, every)
    ]
    assert second[:2] == first
