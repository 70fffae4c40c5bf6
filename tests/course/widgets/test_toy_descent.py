"""Moving a control changes what the figure shows."""

import math

import pytest
from matplotlib.figure import Figure

from recallkit.course import figures
from recallkit.course.widgets import explore_three_views


@pytest.fixture
def drawn(monkeypatch):
    calls = []
    monkeypatch.setattr(figures, "plot_three_views", lambda *a: calls.append(a) or (Figure(), None))
    return calls


def test_learning_rate_and_images_change_the_views(drawn):
    updates, images = "equal updates, one learning rate", "equal images, one learning rate"
    live = explore_three_views([4, 64])
    sizes, before = drawn[-1]
    assert sizes == [4, 64]
    live.controls["learning_rate"].value = 0.5
    after = drawn[-1][1]
    assert after[updates].tolist() != before[updates].tolist()
    live.controls["images"].value = 4096
    latest = drawn[-1][1]
    assert latest[updates].tolist() == after[updates].tolist()
    assert latest[images].tolist() != after[images].tolist()


def test_the_learning_rate_starts_on_the_grid_of_its_slider():
    """A browser moves a value between two steps to the nearest, and sends it back."""
    slider = explore_three_views([4, 64]).controls["learning_rate"]
    steps = (math.log10(slider.value) - slider.min) / slider.step
    assert steps == pytest.approx(round(steps))
