"""A drawing is searched with, and searched again when it changes."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from recallkit.course import figures
from recallkit.course.widgets import explore_drawing


@pytest.fixture
def drawn(monkeypatch):
    """The arguments of each figure that was drawn."""
    calls, draw = [], figures.plot_image_search_by_embedding

    def record(*arguments):
        calls.append(arguments)
        return draw(*arguments)

    monkeypatch.setattr(figures, "plot_image_search_by_embedding", record)
    yield calls
    plt.close("all")


def test_a_drawing_is_searched_again_when_it_changes(toy_splits, drawn):
    def draw(grey):
        return Image.new("L", (20, 10), grey)

    def find(image):
        return {"brightness": (image[0].max() // 100 + torch.arange(2)).long()}

    slider = widgets.IntSlider(250, 0, 255, description="grey")
    live = explore_drawing(draw, {"grey": slider}, toy_splits.test, find)
    live.controls["grey"].value = 20
    assert [call[0][0].max().item() for call in drawn] == [250, 20]
    assert [call[2]["brightness"].tolist() for call in drawn] == [[2, 3], [0, 1]]
    assert drawn[0][0].shape == (4, 16, 16)
    assert (drawn[0][0][3, :4] == 0).all()  # fitted, not stretched
