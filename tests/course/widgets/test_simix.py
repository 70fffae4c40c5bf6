"""Moving a control changes what the figure shows."""

import pytest
import torch
from matplotlib.figure import Figure

from recallkit.course import figures
from recallkit.course.widgets import explore_mixing


@pytest.fixture
def drawn(monkeypatch):
    """The arguments with which the plot was asked for."""
    calls = []
    monkeypatch.setattr(figures, "plot_mixing", lambda *a: calls.append(a) or (Figure(), None))
    return calls


def test_sliders_move_parents_query_and_alpha(drawn):
    live = explore_mixing()
    live.controls["alpha"].value = 0.25
    assert drawn[-1][3] == 0.25
    live.controls["apart"].value = 90
    first, second, _, _ = drawn[-1]
    assert torch.allclose(torch.stack([second, first]), torch.eye(2, dtype=torch.float64))
    live.controls["query"].value = 180
    assert drawn[-1][2].tolist() == pytest.approx([-1, 0])


def test_controls_are_described():
    for control in explore_mixing().controls.values():
        assert control.tooltip == control.description != ""
