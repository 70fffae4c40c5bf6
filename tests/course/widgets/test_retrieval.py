"""Controls of the retrieval widgets change what their figures show."""

import ipywidgets as widgets
import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from recallkit.course import figures
from recallkit.course.widgets import explore_drawing, explore_neighbours


@pytest.fixture
def drawn(monkeypatch):
    """The arguments of each figure that was drawn."""
    calls = []

    def record(function):
        def call(*arguments):
            calls.append(arguments)
            return function(*arguments)

        return call

    for name in ("plot_neighbours_by_embedding", "plot_image_search_by_embedding"):
        monkeypatch.setattr(figures, name, record(getattr(figures, name)))
    yield calls
    plt.close("all")


def test_a_query_is_chosen_by_name(toy_splits, drawn):
    neighbours = {"one": torch.arange(5).repeat(24, 1), "two": torch.arange(5, 10).repeat(24, 1)}
    live = explore_neighbours(toy_splits.test, [3, 7], neighbours)
    assert [name for name, _ in live.controls["query"].options] == [
        "0  pattern 14",
        "1  pattern 15",
    ]
    live.controls["query"].value = 7
    live.controls["shown"].value = 2
    assert [(call[1], call[3]) for call in drawn] == [([3], 5), ([7], 5), ([7], 2)]
    assert live.output.outputs == ()  # no error shown


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
