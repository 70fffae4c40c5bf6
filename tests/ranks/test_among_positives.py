"""Ranks among positives: the definition in loops, and blocks against the dense table."""

import pytest
import torch
from torch.nn.functional import normalize

from recallkit import SmoothAPLoss, find_positives
from recallkit.bench.memory import peak_bytes
from recallkit.ranks import blocks, ranks_among_positives


def unit(seed, count, dim=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator, dtype=dtype), dim=1)


LABELS = {
    "equal classes": torch.arange(12) % 3,
    "unequal classes": torch.tensor([7] * 5 + [3] * 2 + [-5] * 4 + [9]),
    "one class": torch.zeros(12, dtype=torch.int64),
    "pairs": torch.arange(12) // 2,
}


def by_hand(queries, gallery, positives, temperature):
    """The sum over the other positives, one by one."""
    ranks = torch.ones(positives.shape, dtype=queries.dtype) + 0 * queries.sum()
    for q, row in enumerate(positives.tolist()):
        own = [p for p in row if p >= 0]
        for slot, p in enumerate(row):
            for z in own:
                if p >= 0 and z != p:
                    difference = queries[q] @ gallery[z] - queries[q] @ gallery[p]
                    ranks[q, slot] = (
                        ranks[q, slot] + (1 + (difference / temperature / 2).tanh()) / 2
                    )
    return ranks


def value_and_gradient(function, *leaves):
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    value = function(*leaves)
    weights = torch.linspace(-1, 2, value.numel(), dtype=value.dtype).view(value.shape)
    return [value.detach(), *torch.autograd.grad((value * weights).sum(), leaves)]


@pytest.mark.parametrize(("ties", "temperature"), [(False, 0.01), (True, 0.3)])
@pytest.mark.parametrize("name", LABELS)
def test_all_engines_are_the_definition(name, ties, temperature, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 500)  # many blocks, the last one uneven
    embeddings, positives = unit(1, 12), find_positives(LABELS[name])
    if ties:
        embeddings[3:9] = embeddings[0]
    expected = value_and_gradient(lambda e: by_hand(e, e, positives, temperature), embeddings)
    for engine in ("auto", "dense", "blocks", "fused"):
        result = value_and_gradient(
            lambda e, name=engine: ranks_among_positives(e, e, positives, temperature, name),
            embeddings,
        )
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12)


def test_gradients_by_finite_differences():
    queries, gallery = unit(1, 4, 3), unit(2, 9, 3)
    positives = find_positives(
        torch.tensor([0, 1, 2, 0]), torch.tensor([0, 0, 0, 1, 1, 2, 1, 0, 0])
    )

    def ranks(q, g):
        return ranks_among_positives(q, g, positives, 0.3, "blocks")

    leaves = [x.requires_grad_() for x in (queries, gallery)]
    assert torch.autograd.gradcheck(ranks, leaves)


@pytest.mark.parametrize("name", LABELS)
def test_smooth_ap_is_the_same_in_all_engines(name):
    embeddings = unit(3, 12)
    results = [
        value_and_gradient(lambda e, s=engine: SmoothAPLoss(0.05, s)(e, LABELS[name]), embeddings)
        for engine in ("dense", "blocks")
    ]
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_types(dtype):
    embeddings, positives = unit(1, 12).to(dtype), find_positives(LABELS["one class"])
    with torch.autocast("cpu", torch.bfloat16):
        ranks = ranks_among_positives(embeddings, embeddings, positives, 0.1, "blocks")
    assert ranks.dtype == torch.float32
    expected = by_hand(*[embeddings.double()] * 2, positives, 0.1)
    torch.testing.assert_close(ranks.double(), expected, rtol=1e-5, atol=1e-4)


def test_memory_grows_as_the_table_of_positives():
    """Two classes of 300: a table of all comparisons has 600 · 299² numbers, 215 MB."""
    embeddings, labels = unit(1, 600, 16, torch.float32).requires_grad_(), torch.arange(600) % 2
    loss = SmoothAPLoss(engine="blocks")
    loss(embeddings, labels).backward()
    table = 600 * 299 * 4
    assert peak_bytes(lambda: loss(embeddings, labels).backward()) < 40 * table
