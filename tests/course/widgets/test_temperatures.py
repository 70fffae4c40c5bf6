"""Moving a control changes what the figure shows."""

import pytest
import torch
from matplotlib.figure import Figure

from recallkit.course import figures
from recallkit.course.widgets import explore_surface

GRID, NEGATIVES = torch.linspace(0, 1, 5), torch.tensor([0.1, 0.5, 0.6])


@pytest.fixture
def drawn(monkeypatch):
    calls = []
    monkeypatch.setattr(
        figures, "plot_surfaces", lambda *a, **_: calls.append(a[1]) or (Figure(), None)
    )
    return calls


@pytest.mark.parametrize(
    ("control", "value"), [("rank_temperature", 0.2), ("k_temperature", 5.0), ("ks", "1, 2")]
)
def test_every_control_changes_the_surface(drawn, control, value):
    live = explore_surface(GRID, NEGATIVES, {"1": (1,), "1, 2": (1, 2)})
    [[before, _]] = drawn[-1].values()
    live.controls[control].value = value
    [[after, _]] = drawn[-1].values()
    assert not torch.equal(before, after)
    assert list(drawn[-1]) == ["K = " + live.controls["ks"].value]
