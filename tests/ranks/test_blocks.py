"""Blocks of similarities: which segments of them matter, and that skipping the others is exact."""

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
