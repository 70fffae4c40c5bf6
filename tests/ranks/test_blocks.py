"""Blocks of similarities: which segments of them matter, and that skipping the others is exact."""

import math

import pytest
import torch
from torch.nn.functional import normalize
from torch.utils._python_dispatch import TorchDispatchMode

from recallkit import find_positives
from recallkit.ranks import blocks, segments


def test_segments_that_matter_are_counted():
    near, far = torch.eye(2)[[0] * 64], torch.eye(2)[[1] * 192]
    gallery, positives = torch.cat([near, far]), torch.tensor([[1], [70]])
    queries = gallery[[0, 65]]
    # The first query has its positive among the near ones alone, the second among the far ones.
    assert blocks.share_alive(queries, gallery, positives) == (1 + 3) / 8


def clustered(count):
    """Tight classes of four, side by side: few segments matter."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) // 4
    centres = torch.randn(count // 4, 64, generator=generator)
    noise = torch.randn(count, 64, generator=generator)
    return normalize(centres[labels] + 0.3 * noise, dim=1), labels


def ranks_and_gradient(embeddings, positives, skip):
    leaf = embeddings.clone().requires_grad_()
    own = torch.arange(len(leaf))
    ranks = blocks.blocks_ranks(leaf, leaf, positives, own, 0.01, "float32", skip=skip)
    torch.sigmoid(4 - ranks).sum().backward()
    return ranks.detach(), leaf.grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_skipping_changes_nothing_but_the_rounding(dtype):
    embeddings, labels = clustered(1024)
    embeddings, positives = embeddings.to(dtype), find_positives(labels)
    assert blocks.share_alive(embeddings, embeddings, positives) < segments.WORTH_SKIPPING
    skipped, everything = (ranks_and_gradient(embeddings, positives, s) for s in (True, False))
    for some, all_of_it in zip(skipped, everything, strict=True):
        error = (some - all_of_it).norm() / all_of_it.norm()
        assert error < 16 * torch.finfo(dtype).eps


def test_what_matters_is_told_by_the_farthest_positive():
    """One query in four has, beside three near positives, one that is as far as most items."""
    embeddings, labels = clustered(1024)
    query = torch.arange(1024)[:, None]
    far = torch.where(query % 4 == 0, (query + 512) % 1024, -1)
    positives = torch.cat([find_positives(labels), far], dim=1)
    assert blocks.share_alive(embeddings, embeddings, positives) < segments.WORTH_SKIPPING
    skipped, everything = (ranks_and_gradient(embeddings, positives, s) for s in (True, False))
    torch.testing.assert_close(skipped, everything, rtol=1e-5, atol=1e-6)


def test_many_items_that_each_count_little_are_not_skipped():
    """Of 199 items 13 τ behind the positive, each adds 2e-6 to its rank; c is 23 τ."""
    cosines = torch.full((1024,), -1.0)
    cosines[0], cosines[1:200] = 1, 1 - 0.13  # the positive, and those behind it
    gallery = torch.stack([cosines, (1 - cosines**2).sqrt()], dim=1)
    queries, positives = gallery[:1].expand(256, -1), torch.zeros(256, 1, dtype=torch.int64)
    assert blocks.share_alive(queries, gallery, positives) == 4 / 16
    ranks = blocks.blocks_ranks(queries, gallery, positives, None, 0.01, "float32")
    expected = torch.full_like(ranks, 1 + 199 / (1 + math.exp(13)))
    torch.testing.assert_close(ranks, expected, rtol=0, atol=1e-6)


class Operations(TorchDispatchMode):
    """The names of all operations within the context."""

    def __enter__(self):
        self.names = set()
        return super().__enter__()

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.names.add(operation.overloadpacket.__name__)
        return operation(*args, **(kwargs or {}))


@pytest.mark.parametrize("skip", [True, False])
def test_segments_are_tested_only_for_skipping(skip):
    embeddings, labels = clustered(256)
    positives = find_positives(labels)
    with Operations() as operations:
        ranks_and_gradient(embeddings, positives, skip)
    assert "sigmoid_backward" in operations.names
    assert ("nonzero" in operations.names) == skip


def test_a_graph_can_be_walked_twice(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 40_000)  # several blocks, the last one kept
    embeddings, labels = clustered(128)
    leaf = embeddings.requires_grad_()
    ranks = blocks.blocks_ranks(leaf, leaf, find_positives(labels), None, 0.01, "float32")
    value = torch.sigmoid(4 - ranks).sum()
    first, second = (torch.autograd.grad(value, leaf, retain_graph=True)[0] for _ in range(2))
    torch.testing.assert_close(first, second)
