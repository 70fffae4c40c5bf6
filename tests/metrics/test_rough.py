"""Float32 first: the error bound holds, and every answer is that of float64, bit for bit."""

from contextlib import contextmanager

import pytest
import torch
from helpers.strategies import unit_vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from recallkit.metrics import (
    DISTANCES,
    candidates,
    neighbours,
    positive_ranks,
    ranks,
    retrieval_metrics,
    rough,
    rough_ranks,
    search,
)
from recallkit.metrics.distances import as_measured, measure
from recallkit.metrics.ranks import counted_ranks
from recallkit.metrics.rough import RoughGallery, RoughQueries

SCALES = {
    torch.float16: [1e-3, 1.0, 100.0],
    torch.bfloat16: [1e-30, 1e-18, 1.0, 1e15],
    torch.float32: [1e-30, 1e-21, 1e-3, 1.0, 1e9, 1e15],
    torch.float64: [1e-200, 1e-40, 1e-21, 1.0, 1e15],
}


@st.composite
def hard_vectors(draw, size):
    """(size, D): copies, some an ulp apart, clusters, lengths far apart, any type and scale."""
    dtype = draw(st.sampled_from(list(SCALES)))
    scale, dim = draw(st.sampled_from(SCALES[dtype])), draw(st.integers(1, 40))
    vectors = unit_vectors(size, dim, draw(st.integers(0, 999)), torch.float64)
    if draw(st.booleans()):
        vectors *= 3 ** torch.linspace(-2, 2, size, dtype=torch.float64)[:, None]
    if draw(st.booleans()):  # a cluster about as wide as float32 is fine
        third = size // 3
        vectors[:third] = vectors[0] + draw(st.sampled_from([1e-8, 1e-7, 1e-5])) * vectors[:third]
    vectors = (vectors * scale).to(dtype)
    source = torch.arange(size) % draw(st.integers(1, size))
    vectors = vectors[source]
    up = torch.nextafter(vectors, torch.full_like(vectors, torch.inf))
    vectors = torch.where(torch.arange(size * dim).view(size, dim) % 7 == 3, up, vectors)
    vectors[(vectors == 0).all(dim=1)] = scale
    return vectors


@contextmanager
def float32_first(**constants):
    """Let float32 go first in small problems too, in blocks of a few rows and columns."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "CANDIDATE_COST", 0)
        patch.setattr(ranks, "PAIR_COST", 0)
        patch.setattr(rough_ranks, "MOST_DOUBTS", 1.0)
        patch.setattr(rough, "ROUGH_ROWS", {"cpu": 7})
        patch.setattr(rough, "ROUGH_BYTES", {"cpu": 4 * 7 * 13})
        for name, value in constants.items():
            patch.setattr(rough_ranks, name, value)
        yield


@settings(max_examples=80)
@given(vectors=hard_vectors(60), distance=st.sampled_from(DISTANCES))
def test_the_error_bound_holds(vectors, distance):
    gallery = RoughGallery.of(vectors, distance, vectors[:20])
    queries = RoughQueries.of(vectors[:20], gallery)
    exact = measure(*(as_measured(v, distance) for v in (vectors[:20], vectors)), distance).float()
    distances = (queries.similarities(vectors).double() - queries.as_rough(exact)).abs()
    assert (distances <= queries.error[:, None]).all()


@settings(max_examples=80)
@given(
    vectors=hard_vectors(60),
    distance=st.sampled_from(DISTANCES),
    k=st.integers(1, 40),
    alone=st.booleans(),
)
def test_a_search_is_that_of_float64(vectors, distance, k, alone):
    rows = torch.arange(0, 60, 3)
    arguments = (vectors[rows], vectors, k, rows if alone else None, distance)
    expected = neighbours.search_in_float64(*arguments)
    with float32_first():
        result = neighbours.search_by_torch(*arguments)
    assert torch.equal(result[0], expected[0])
    assert torch.equal(result[1], expected[1])


@pytest.mark.parametrize("way", [0, 10**9])
@settings(max_examples=50)
@given(
    vectors=hard_vectors(60),
    distance=st.sampled_from(DISTANCES),
    positives=st.integers(1, 9),
    left=st.sampled_from(["none", "itself", "groups"]),
    distractors=st.booleans(),
)
def test_ranks_are_those_of_float64(way, vectors, distance, positives, left, distractors):
    rows = torch.arange(0, 60, 4)
    table = (rows[:, None] + 1 + 4 * torch.arange(positives)) % 60  # no query, and of no group
    table[::5, -1] = -1
    groups = (rows % 4, torch.arange(60) % 4) if left == "groups" else None
    further = vectors[::2] if distractors else None
    out = rows if left == "itself" else None
    arguments = (vectors[rows], table, vectors, out, further, "", distance, groups)
    expected = counted_ranks(*arguments)
    with float32_first(LISTED_ITEM_COST=way, _LISTED=40):
        assert torch.equal(counted_ranks(*arguments), expected)


def test_float32_alone_would_be_wrong_where_it_is_not_sure():
    """Of a cluster finer than float32 some products stand in another order than the exact ones."""
    vectors = unit_vectors(1, 64, dtype=torch.float64) + 1e-7 * unit_vectors(
        400, 64, 1, torch.float64
    )
    by_float32 = (vectors.float() @ vectors.float().T).topk(10).indices
    assert not torch.equal(by_float32, search(vectors, vectors, 10)[1])


def test_separated_vectors_are_settled_by_float32(monkeypatch):
    monkeypatch.setattr(neighbours, "search_in_float64", None)
    gallery, rows = unit_vectors(3000, 16), torch.arange(50)
    _, indices = search(gallery[:50], gallery, 5)
    assert torch.equal(indices[:, 0], rows)
    monkeypatch.setattr(ranks, "similarity_blocks", None)
    assert (positive_ranks(gallery[:50], rows[:, None], gallery) == 1).all()


def test_a_collapsed_network_is_left_to_float64():
    collapsed = unit_vectors(1, 16).expand(3000, 16)
    _, settled = candidates.nearest_by_candidates(collapsed[:9], collapsed, 5, None, "dot")
    assert not settled.any()
    assert search(collapsed[:9], collapsed, 5)[1].tolist() == [[0, 1, 2, 3, 4]] * 9
    known = rough_ranks.Positives(collapsed[:9], torch.ones(9, 1), torch.full((9, 1), 2999))
    gallery = RoughGallery.of(collapsed, "dot", collapsed)
    assert rough_ranks.number_before(known, gallery) is None
    assert (positive_ranks(collapsed[:9], known.places, collapsed) == 3000).all()


def test_too_many_candidates_are_left_to_float64(monkeypatch):
    gallery = unit_vectors(3000, 4)
    expected = search(gallery[:20], gallery, 5)
    monkeypatch.setattr(candidates, "MOST_CANDIDATES", 10)
    _, settled = candidates.nearest_by_candidates(gallery[:20], gallery, 5, None, "dot")
    assert not settled.any()
    assert torch.equal(search(gallery[:20], gallery, 5)[1], expected[1])


@pytest.mark.parametrize("within", [torch.autocast("cpu", torch.bfloat16), None])
def test_what_is_allowed_elsewhere_does_not_change_the_result(within):
    """Autocast, and products in bfloat16, would err by far more than the bound."""
    gallery, labels = unit_vectors(2000, 32), torch.arange(2000) // 4
    expected = search(gallery[:40], gallery, 9), retrieval_metrics(gallery, labels)
    before = torch.backends.mkldnn.matmul.fp32_precision
    try:
        if within is None:
            torch.backends.mkldnn.matmul.fp32_precision = "bf16"
            result = search(gallery[:40], gallery, 9), retrieval_metrics(gallery, labels)
        else:
            with within:
                result = search(gallery[:40], gallery, 9), retrieval_metrics(gallery, labels)
    finally:
        torch.backends.mkldnn.matmul.fp32_precision = before
    assert torch.equal(result[0][1], expected[0][1])
    assert result[1] == expected[1]
