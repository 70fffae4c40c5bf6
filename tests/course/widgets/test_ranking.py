"""Moving a control changes what the figure shows."""

import ipywidgets
import pytest
import torch
from matplotlib.figure import Figure

from recallkit.course import figures
from recallkit.course.widgets import explore_line, explore_step

SIMILARITY = torch.tensor([0.9, 0.5, 0.7, 0.2], dtype=torch.float64)


@pytest.fixture
def drawn(monkeypatch):
    """The arguments with which plots were asked for."""
    calls = []

    def record(*arguments):
        calls.append(arguments)
        return Figure(), None

    for name in ("plot_steps", "plot_line"):
        monkeypatch.setattr(figures, name, record)
    return calls


def test_step_has_one_temperature(drawn):
    live = explore_step()
    live.controls["temperature"].value = 0.01
    assert drawn[-1] == ([0.01],)


def test_line_moves_the_first_positive(drawn):
    live = explore_line(SIMILARITY, torch.tensor([1, 3]))
    placed, _, true_ranks, ranks, k, _, recall = drawn[-1]
    assert placed.tolist() == SIMILARITY.tolist()
    assert true_ranks.tolist() == [3, 4]
    assert ranks.tolist() == pytest.approx([3, 4], abs=1e-6)
    live.controls["moved"].value = 0.95
    live.controls["k"].value = 4
    placed, _, true_ranks, _, k, _, moved_recall = drawn[-1]
    assert (placed[1].item(), true_ranks.tolist(), k) == (0.95, [1, 4], 4)
    assert moved_recall > recall
    live.controls["rank_temperature"].value = 10**-0.5
    assert not torch.allclose(drawn[-1][3], true_ranks, atol=0.1)
    live.controls["k_temperature"].value = 10
    assert drawn[-1][5] == 10


def test_controls_are_described():
    for control in explore_line(SIMILARITY, torch.tensor([1])).controls.values():
        assert isinstance(control, ipywidgets.Widget)
        assert control.description
        assert control.tooltip == control.description
