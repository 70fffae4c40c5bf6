"""Moving a control changes what the figure shows."""

import pytest
import torch
from matplotlib.figure import Figure
from torch.nn.functional import normalize

from recallkit.course import figures
from recallkit.course.widgets import explore_list, explore_paths

POINTS = normalize(torch.randn(8, 2, generator=torch.Generator().manual_seed(0)).double(), dim=1)
LABELS = torch.arange(8) // 2


@pytest.fixture
def drawn(monkeypatch):
    """The arguments with which plots were asked for."""
    calls = []

    def record(*arguments):
        calls.append(arguments)
        return Figure(), None

    for name in ("plot_lists", "plot_circles"):
        monkeypatch.setattr(figures, name, record)
    return calls


def test_list_places_the_positives(drawn):
    live = explore_list(torch.linspace(1, 0, 10, dtype=torch.float64), positives=2)
    live.controls["rank"].value = 3
    [gradient], positive = drawn[-1][0].values(), drawn[-1][1]
    assert positive.nonzero().squeeze(1).tolist() == [2, 3]
    assert (gradient[positive] < 0).all()
    assert live.controls["rank"].max == 9


def test_paths_show_the_chosen_step(drawn):
    paths = {"a": torch.stack([POINTS, POINTS + 1]), "b": torch.stack([POINTS, POINTS + 2])}
    live = explore_paths(paths, LABELS)
    live.controls["step"].value = 1
    assert torch.equal(drawn[-1][0]["b"], POINTS + 2)
