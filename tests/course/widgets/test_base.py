"""Figures of widgets fit: nothing is cut off at the edge of the image or of its place."""

import ipywidgets
import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from recallkit.course import widgets
from recallkit.course.widgets import base


def explorers(images):
    """Every widget of the notebooks, by name, on small data."""

    def draw(grey):
        return Image.new("L", (20, 10), grey)

    def controls():
        return {"grey": ipywidgets.IntSlider(250, 0, 255, description="grey")}

    def find(_):
        return dict.fromkeys(("before", "after"), torch.arange(8))

    return {"draw": lambda: widgets.explore_drawing(draw, controls(), images, find)}


@pytest.mark.parametrize("name", list(explorers(None)))
def test_nothing_is_cut_off(name, toy_splits, monkeypatch):
    shown = []

    def record(fig):
        fig.canvas.draw()
        shown.append((fig.get_tightbbox().extents, fig.get_size_inches(), fig.dpi))
        return b""

    monkeypatch.setattr(base, "rendered", record)
    live = explorers(toy_splits.test)[name]()
    for control in live.controls.values():
        before = control.value
        for value in extremes(control):
            control.value = value
        control.value = before
    assert len(shown) > len(live.controls)
    for (left, bottom, right, top), (width, height), dpi in shown:
        assert min(left, bottom, width - right, height - top) >= 0
        assert height * dpi < float(live.children[1].layout.height.removesuffix("px"))
    assert not plt.get_fignums()


def extremes(control):
    """The least and the most of a slider; all choices of a list."""
    if hasattr(control, "_options_values"):
        return control._options_values
    return control.min, control.max


@pytest.mark.parametrize("name", list(explorers(None)))
def test_sliders_start_on_their_grid(name, toy_splits):
    """A browser moves any other value to the grid, and sends it back."""
    for control in explorers(toy_splits.test)[name]().controls.values():
        if not isinstance(control, (ipywidgets.FloatSlider, ipywidgets.IntSlider)):
            continue
        steps = (control.value - control.min) / control.step
        assert steps == pytest.approx(round(steps), abs=1e-6), control.description


def test_a_figure_is_drawn_once():
    fig, _ = plt.subplots()
    draws = []
    fig.canvas.mpl_connect("draw_event", draws.append)
    assert base.rendered(fig).startswith(b"\x89PNG")
    assert len(draws) <= 1
    plt.close(fig)


def test_the_image_stays_when_a_figure_fails():
    def draw(number):
        if number == 1:
            raise ValueError("no figure of 1")
        return plt.subplots()

    live = base.live_plot(draw, {"number": ipywidgets.IntSlider(0, description="number")}, 500)
    before = live.image.value
    with pytest.raises(ValueError, match="no figure of 1"):  # in a notebook: shown below it
        live.controls["number"].value = 1
    assert live.image.value == before
    assert live.children[1].layout.display == "none"  # the error is in its place
    live.controls["number"].value = 2
    assert live.children[1].layout.display == "flex"
    assert bytes(live.image.value).startswith(b"\x89PNG")
