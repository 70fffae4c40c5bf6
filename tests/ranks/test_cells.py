"""Cells: sums of sigmoids in O(N + P), against every sigmoid in float64."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from recallkit import find_positives, relaxed_ranks
from recallkit.ranks import blocks, cells

DTYPES = [torch.float32, torch.float64]
TOLERANCE = {torch.float32: 2e-6, torch.float64: 1e-13}


@pytest.fixture
def forced(monkeypatch):
    """Cells whatever they cost, and the number of groups of each block in a list."""
    groups = []

    def lay(items, own, positives, limit, most):
        found = cells.lay_cells(own, positives, limit)
        groups.append(found.groups)
        return found

    monkeypatch.setattr(blocks, "cells_that_pay", lay)
    return groups


def every_sigmoid(items, own):
    """σ and σ' of all items (q, N) at all positives (q, P) in float64: two (q, P, N)."""
    apart = items.double()[:, None, :] - own.double()[:, :, None]
    step = torch.sigmoid(apart)
    return step, step * torch.sigmoid(-apart)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spread", [0.2, 4.0, 40.0, 400.0])
def test_sums_and_slopes_equal_every_sigmoid(dtype, spread):
    generator = torch.Generator().manual_seed(0)
    items = (30 + spread * torch.randn(5, 700, generator=generator, dtype=torch.float64)).to(dtype)
    own, positives = items[:, :40].clone(), torch.arange(40).repeat(5, 1)
    positives[3, 20:] = -1
    items[:, -3:] = -torch.inf  # left out, or beyond the gallery
    limit = math.log(items.shape[1] / torch.finfo(dtype).eps)
    grid, row = cells.lay_cells(own, positives, limit), torch.arange(5)
    weights = torch.randn(5, 40, generator=generator).to(dtype).masked_fill(positives < 0, 0)
    step, slope = every_sigmoid(items, own)

    sums, slopes = cells.sigmoid_sums(grid, items, row, own)
    real, tolerance = positives >= 0, TOLERANCE[dtype]
    torch.testing.assert_close(
        sums.double()[real], step.sum(2)[real], rtol=tolerance, atol=tolerance
    )
    torch.testing.assert_close(
        slopes.double()[real], slope.sum(2)[real], rtol=tolerance, atol=tolerance
    )
    pushed = cells.weighted_slopes(grid, items, row, own, weights)
    expected = (weights.double()[:, :, None] * slope).sum(1)
    scale = (weights.double().abs()[:, :, None] * slope).sum(1).max()
    assert (pushed.double() - expected).abs().max() <= tolerance * scale
    assert (pushed[:, -3:] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_may_be_segments_of_a_query(dtype):
    items = torch.linspace(-30, 30, 6 * 64, dtype=dtype).view(6, 64)
    row, own = torch.tensor([0, 0, 1, 1, 1, 1]), torch.tensor([[-15.0, 3], [0, 20]], dtype=dtype)
    grid = cells.lay_cells(own, torch.zeros(2, 2, dtype=torch.int64), 40)
    sums, _ = cells.sigmoid_sums(grid, items, row, own)
    for q in range(2):
        step, _ = every_sigmoid(items[row == q].view(1, -1), own[q : q + 1])
        torch.testing.assert_close(sums[q].double(), step.sum(2)[0], rtol=2e-6, atol=0)


@settings(max_examples=40)
@given(
    labels=st.lists(st.integers(-1, 3), min_size=2, max_size=24),
    duplicates=st.lists(st.tuples(st.integers(0, 23), st.integers(0, 23)), max_size=4),
    left_out=st.booleans(),
    temperature=st.sampled_from([0.003, 0.01, 0.3, 30.0]),
    within=st.booleans(),
)
def test_ranks_and_gradients_equal_the_definition(
    labels, duplicates, left_out, temperature, within
):
    labels = torch.tensor(labels)
    generator = torch.Generator().manual_seed(len(labels))
    embeddings = normalize(torch.randn(len(labels), 4, generator=generator).double(), dim=1)
    for a, b in duplicates:
        embeddings[a % len(labels)] = embeddings[b % len(labels)]
    queries = embeddings if within else embeddings[: 1 + len(labels) // 2]
    positives = find_positives(labels) if within else find_positives(labels[: len(queries)], labels)
    absent = torch.arange(len(queries)) if left_out else None
    positives = positives.masked_fill(positives == torch.arange(len(queries))[:, None], -1)
    weights = torch.randn(positives.shape, generator=generator).double()
    results = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            blocks,
            "cells_that_pay",
            lambda items, own, found, limit, most: cells.lay_cells(own, found, limit),
        )
        for engine in ("dense", "blocks"):
            leaves = [queries.clone().requires_grad_(), embeddings.clone().requires_grad_()]
            ranks = relaxed_ranks(
                *leaves, positives, temperature=temperature, left_out=absent, engine=engine
            )
            torch.where(positives < 0, 0, weights * ranks).sum().backward()
            results.append((ranks.detach(), *(leaf.grad for leaf in leaves)))
    torch.testing.assert_close(results[0], results[1], rtol=1e-10, atol=1e-11 / temperature)


def test_gradcheck(forced):
    generator = torch.Generator().manual_seed(0)
    embeddings = normalize(torch.randn(12, 3, generator=generator).double(), dim=1).requires_grad_()
    positives = find_positives(torch.arange(12) % 3)

    def ranks(e):
        return relaxed_ranks(
            e, e, positives, temperature=0.1, left_out=torch.arange(12), engine="blocks"
        )

    assert torch.autograd.gradcheck(ranks, embeddings)
    assert forced


@pytest.mark.parametrize("spread", [True, False])
def test_float32_is_as_exact_as_without_cells(forced, spread):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(600) // 60
    centres = torch.zeros(10, 32) if spread else torch.randn(10, 32, generator=generator)
    noise = torch.randn(600, 32, generator=generator)
    embeddings = normalize(centres[labels] + (1 if spread else 0.3) * noise, dim=1)
    positives, own = find_positives(labels), torch.arange(600)

    def gradient(values, engine):
        leaf = values.clone().requires_grad_()
        ranks = relaxed_ranks(leaf, leaf, positives, left_out=own, engine=engine)
        ranks.log().sum().backward()
        return ranks.detach(), leaf.grad

    exact = gradient(embeddings.double(), "dense")
    every = gradient(embeddings, "dense")
    some = gradient(embeddings, "blocks")
    assert forced
    for right, plain, quick in zip(exact, every, some, strict=True):
        without, with_cells = ((x - right).norm() / right.norm() for x in (plain, quick))
        assert with_cells < 1.5 * without + 1e-6


def pays(count, width, span=20.0, dtype=torch.float32, most=10**6):
    items = torch.zeros(4, count, dtype=dtype)
    own = torch.linspace(0, span, width, dtype=dtype).repeat(4, 1)
    positives = torch.zeros(4, width, dtype=torch.int64)
    return cells.cells_that_pay(items, own, positives, 24.0, most) is not None


def test_cells_are_laid_where_they_cost_less():
    assert pays(4000, 50)
    assert not pays(4000, 3)  # few positives
    assert not pays(100, 20)  # few items for the products
    assert not pays(4000, 50, span=1e5)  # too many cells
    assert not pays(4000, 50, most=100)  # tables larger than a block
    assert not pays(4000, 50, span=1e7)  # beyond whole numbers of float32
    assert not pays(4000, 50, span=math.inf)
