"""Moving a control changes what the figure shows."""

import pytest
from matplotlib.figure import Figure

from recallkit import plots
from recallkit.course.widgets import ablation


@pytest.fixture
def drawn(monkeypatch):
    calls = []
    monkeypatch.setattr(plots, "plot_three_views", lambda *a: calls.append(a) or (Figure(), None))
    return calls


def test_rate_and_images_change_the_views(drawn):
    live = ablation.live_three_views([4, 64])
    sizes, before = drawn[-1]
    assert sizes == [4, 64]
    live.controls["rate"].value = 0.5
    after = drawn[-1][1]
    assert after["equal updates, one rate"].tolist() != before["equal updates, one rate"].tolist()
    live.controls["images"].value = 4096
    latest = drawn[-1][1]
    assert latest["equal updates, one rate"].tolist() == after["equal updates, one rate"].tolist()
    assert latest["equal images, one rate"].tolist() != after["equal images, one rate"].tolist()
