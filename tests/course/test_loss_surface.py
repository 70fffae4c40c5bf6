"""The loss of one query given by its similarities."""

import pytest
import torch

from recallkit.course.loss_surface import (
    PAPERS_SETTINGS,
    loss_and_pull,
    pull,
    query_losses,
    rank_pull,
)
from recallkit.losses import RecallAtKLoss

F64 = torch.float64


def test_query_losses_are_those_of_the_module():
    """One query at (1, 0, …): the gallery's first coordinates are its similarities."""
    similarities = torch.rand(1, 9, generator=torch.Generator().manual_seed(0), dtype=F64)
    gallery = torch.nn.functional.pad(similarities.T, (0, 1))  # (9, 2)
    query = torch.tensor([[1.0, 0.0]], dtype=F64)
    labels = torch.tensor([1, 1, 0, 0, 0, 0, 0, 0, 0])
    loss = RecallAtKLoss(**PAPERS_SETTINGS)(query, torch.tensor([1]), gallery, labels)
    value = query_losses(similarities, 2, **PAPERS_SETTINGS).item()
    assert value == pytest.approx(loss.item(), abs=1e-12)


def test_pull_is_the_slope_downhill():
    settings = PAPERS_SETTINGS | {"rank_temperature": 0.1}
    places = torch.tensor([[0.30, 0.5, 0.1], [0.30 + 1e-6, 0.5, 0.1]], dtype=F64)
    before, after = query_losses(places, 1, **settings).tolist()
    assert pull(places, 1, **settings)[0].item() == pytest.approx((before - after) / 1e-6, rel=1e-4)


def test_rank_pull_at_the_cut_off():
    """A sigmoid has slope 1/(4 τ₁) at its middle; the mean over K shares it out."""
    at_k = rank_pull(torch.tensor([1.0], dtype=F64), (1,), k_temperature=0.5)
    assert at_k.item() == pytest.approx(1 / (4 * 0.5))
    shared = rank_pull(torch.tensor([1.0], dtype=F64), (1, 1000), k_temperature=0.5)
    assert shared.item() == pytest.approx(1 / (4 * 0.5) / 2)


def test_the_surface_is_laid_out_first_positive_along_the_rows():
    grid = torch.linspace(0, 1, 4, dtype=F64)
    negatives = torch.tensor([0.2, 0.6], dtype=F64)
    settings = PAPERS_SETTINGS | {"rank_temperature": 0.1}
    loss, pulls = loss_and_pull(grid, negatives, **settings)
    assert loss.shape == (4, 4)
    assert pulls.shape == (4, 4, 2)
    here = torch.tensor([[grid[1], grid[3], 0.2, 0.6]], dtype=F64)
    assert loss[1, 3].item() == pytest.approx(query_losses(here, 2, **settings).item())
    assert pulls[1, 3].tolist() == pytest.approx(pull(here, 2, **settings)[0].tolist())
