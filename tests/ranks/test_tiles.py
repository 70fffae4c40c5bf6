"""Tiles of a batch that is its own gallery: the definition, as exact as blocks."""

from unittest.mock import patch

import pytest
import torch
from helpers.products import counted_products
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from recallkit import find_positives
from recallkit.ranks import blocks, segments, tiles
from recallkit.ranks.dense import dense_ranks
from recallkit.ranks.relaxed import compute_ranks


def in_tiles(side, embeddings, positives, left_out, skip=True):
    """The ranks by tiles of ``side`` rows and columns."""
    with patch.object(blocks, "BLOCK_BYTES", side**2 * embeddings.element_size()):
        return tiles.tiles_ranks(embeddings, positives, left_out, 0.01, skip)


def by_definition(embeddings, positives, left_out):
    return dense_ranks(embeddings, embeddings, positives, left_out, 0.01, "float32")


def value_and_gradient(ranks, embeddings, positives, left_out):
    leaf = embeddings.clone().requires_grad_()
    found = ranks(leaf, positives, left_out)
    weights = torch.linspace(1, 2, positives.numel(), dtype=leaf.dtype).view_as(positives)
    torch.where(positives < 0, 0, found * weights).sum().backward()
    return found.detach(), leaf.grad


@settings(max_examples=80, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=20),
    side=st.integers(1, 21),
    duplicates=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=4),
    left_out=st.sampled_from(["none", "itself", "another"]),
)
def test_they_are_the_definition(labels, side, duplicates, left_out):
    count, labels = len(labels), torch.tensor(labels)
    generator = torch.Generator().manual_seed(count)
    embeddings = normalize(torch.randn(count, 5, generator=generator).double(), dim=1)
    for a, b in duplicates:
        embeddings[a % count] = embeddings[b % count]
    negative = (labels[:, None] != labels).byte().argmax(dim=1)  # 0 where there is none
    itself = torch.arange(count)
    absent = {"none": None, "itself": itself, "another": negative}[left_out]
    problem = embeddings, find_positives(labels), absent
    if left_out == "another":  # a positive that does not compete has no rank
        assume(not (problem[1] == negative[:, None]).any())
    found = value_and_gradient(lambda *given: in_tiles(side, *given), *problem)
    expected = value_and_gradient(by_definition, *problem)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-9)


def batch(count, noise, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) // 4
    centres = torch.randn(count // 4, 64, generator=generator)
    drawn = torch.randn(count, 64, generator=generator)
    embeddings = normalize(centres[labels] + noise * drawn, dim=1)
    return embeddings.to(dtype), find_positives(labels), torch.arange(count)


@pytest.mark.parametrize("noise", [0.1, 0.3, 1.0])
def test_their_error_is_no_larger_than_that_of_blocks(noise):
    embeddings, *problem = batch(1200, noise)
    exact = value_and_gradient(by_definition, embeddings.double(), *problem)

    def by_blocks(leaf, positives, left_out):
        return blocks.blocks_ranks(leaf, leaf, positives, left_out, 0.01, "float32")

    def error(ranks):
        found = value_and_gradient(ranks, embeddings, *problem)
        return [float((f - e).norm() / e.norm()) for f, e in zip(found, exact, strict=True)]

    ours, theirs = error(lambda *given: in_tiles(256, *given)), error(by_blocks)
    assert all(mine < 1.2 * its for mine, its in zip(ours, theirs, strict=True))


def assert_skipping_is_exact(side, embeddings, positives, left_out):
    problem = embeddings, positives, left_out
    with patch.object(segments, "CACHED_ITEMS", 1000):  # tiles this small are not tested else
        skipped, everything = (
            value_and_gradient(lambda *given, s=s: in_tiles(side, *given, s), *problem)
            for s in (True, False)
        )
    for some, all_of_it in zip(skipped, everything, strict=True):
        error = (some - all_of_it).norm() / all_of_it.norm()
        assert error < 16 * torch.finfo(embeddings.dtype).eps


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_skipping_changes_nothing_but_the_rounding(dtype):
    assert_skipping_is_exact(128, *batch(1024, 0.1, dtype))


@pytest.mark.parametrize("noises", [(2.0, 0.01), (0.01, 2.0)])
def test_a_tile_that_matters_to_one_half_only_is_made_again(noises):
    """Tight items come before positives of loose ones, but loose ones far behind those of tight."""
    halves = [batch(256, noise)[0] for noise in noises]  # of the same centres
    positives = find_positives(torch.arange(512) // 4)
    assert_skipping_is_exact(256, torch.cat(halves), positives, torch.arange(512))


def test_tiles_in_which_nothing_matters_are_not_made_again(monkeypatch):
    embeddings, positives, itself = batch(1024, 0.01)
    monkeypatch.setattr(segments, "CACHED_ITEMS", 1000)
    with counted_products() as counted:
        value_and_gradient(lambda *given: in_tiles(256, *given), embeddings, positives, itself)
    products = counted.get_total_flops() / (2 * 1024 * 1024 * 64)
    # Ten tiles forward, and again the four on the diagonal, each with one product more.
    assert products == pytest.approx((10 + 4 + 4) / 16 + 3 / 1024)


@pytest.mark.parametrize(
    ("count", "per_class", "precision", "products"),
    [
        (128, 4, "float32", 1 + 0.75 + 0.75 + 3 / 128),
        (64, 4, "float32", 2),  # one tile is one block
        (120, 60, "float32", 4),  # cells of whole rows serve many positives
        (128, 4, "tf32", 3.75),  # its similarities to positives would not be rounded as the others
    ],
)
def test_they_are_taken_for_small_classes_in_large_batches(
    monkeypatch, count, per_class, precision, products
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 64 * 64 * 4)
    leaf = torch.eye(count).requires_grad_()
    with counted_products() as counted:
        positives = find_positives(torch.arange(count) // per_class)
        compute_ranks(leaf, leaf, positives, None, 0.01, "blocks", precision).sum().backward()
    assert counted.get_total_flops() / (2 * count**3) == pytest.approx(products, abs=0.01)


def test_a_graph_can_be_walked_twice():
    embeddings, positives, itself = batch(128, 0.3)
    leaf = embeddings.requires_grad_()
    value = torch.sigmoid(4 - in_tiles(64, leaf, positives, itself)).sum()
    first, second = (torch.autograd.grad(value, leaf, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
