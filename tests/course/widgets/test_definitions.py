"""Moving a control changes what the figure shows."""

import pytest
from matplotlib.figure import Figure

from recallkit.constants import PAPERS_KS
from recallkit.course import figures
from recallkit.course.class_collapse import arc_losses
from recallkit.course.widgets import explore_arc


@pytest.fixture
def drawn(monkeypatch):
    """The arguments with which the plot was asked for."""
    calls = []
    monkeypatch.setattr(figures, "plot_arc", lambda *a: calls.append(a) or (Figure(), None))
    return calls


def test_sliders_move_class_curves_and_mark(drawn):
    live = explore_arc()
    embeddings, widths, losses, width = drawn[-1]
    assert embeddings.shape == (4, 2)
    assert losses == arc_losses(widths, PAPERS_KS, 4)
    live.controls["width"].value = 0
    assert drawn[-1][3] == 0 != width
    assert drawn[-1][0].unique(dim=0).shape == (1, 2)  # collapsed
    live.controls["per_class"].value = 6
    assert drawn[-1][0].shape == (6, 2)
    live.controls["ks"].value = (1,)
    assert drawn[-1][2] == arc_losses(widths, (1,), 6) != losses


def test_controls_are_described():
    for control in explore_arc().controls.values():
        assert control.tooltip == control.description != ""
