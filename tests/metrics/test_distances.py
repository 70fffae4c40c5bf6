"""Cosine, dot product and l2, groups and means over classes, against loops in float64."""

import math

import numpy as np
import pytest
import torch
from helpers.strategies import labels, problems
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recallkit.metrics import (
    DISTANCES,
    measure_retrieval,
    positive_ranks,
    retrieval_metrics,
    revisited_of_embeddings,
    search,
)


def nearness(a, b, distance):
    """Of two lists of numbers, summed exactly, rounded to float32 as the search promises."""
    product = math.fsum(x * y for x, y in zip(a, b, strict=True))
    if distance == "cosine":
        product /= math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(y * y for y in b))
    if distance == "l2":
        product = -math.sqrt(math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True)))
    return float(np.float32(product))


def order_of(query, gallery, distance, out=()):
    near = {z: nearness(query, g, distance) for z, g in enumerate(gallery) if z not in out}
    return sorted(near, key=lambda z: (-near[z], z))


def brute_force(queries, y, gallery, z, ks, distance, groups=None, gallery_groups=None):
    """One row of metrics for each query; None for those without a positive."""
    alone = gallery is None
    gallery, z, gallery_groups = (queries, y, groups) if alone else (gallery, z, gallery_groups)
    rows = []
    for i, query in enumerate(queries):
        out = {i} if alone else set()
        if groups is not None:
            out |= {j for j, g in enumerate(gallery_groups) if g == groups[i]}
        hits = [z[j] == y[i] for j in order_of(query, gallery, distance, out)]
        number = sum(hits)
        at = [r for r, hit in enumerate(hits, start=1) if hit]
        rows.append(
            None
            if not number
            else {
                **{f"R@{k}": float(any(hits[:k])) for k in ks},
                "P@1": float(hits[0]),
                "mAP@R": sum(n / r for n, r in enumerate(at, start=1) if r <= number) / number,
                "mAP": sum(n / r for n, r in enumerate(at, start=1)) / number,
            }
        )
    return rows


def mean(rows, name):
    return sum(row[name] for row in rows) / len(rows)


def without_zeros(tensor):
    """Rows of zeros have no cosine."""
    return None if tensor is None else torch.where((tensor == 0).all(1, True), 0.25, tensor)


@settings(max_examples=80)
@given(
    problem=problems(), distance=st.sampled_from(DISTANCES), grouped=st.booleans(), data=st.data()
)
def test_metrics_are_those_of_loops_with_ties_groups_and_classes(problem, distance, grouped, data):
    queries, y, gallery, z = problem
    queries, gallery = without_zeros(queries), without_zeros(gallery)
    groups = data.draw(labels(len(queries))) % 7 if grouped else None
    others = data.draw(labels(len(gallery))) % 7 if grouped and gallery is not None else None
    arguments = [None if t is None else t.tolist() for t in (queries, y, gallery, z)]
    own = [None if t is None else t.tolist() for t in (groups, others)]
    rows = brute_force(*arguments, (1, 3), distance, *own)
    counted = [row for row in rows if row is not None]
    assume(counted)
    result = measure_retrieval(queries, y, gallery, z, (1, 3), distance, groups, others)
    assert (result.queries, result.counted) == (len(rows), len(counted))
    assert result.classes == len({c for c, row in zip(arguments[1], rows, strict=True) if row})
    classes = {}
    for label, row in zip(arguments[1], rows, strict=True):
        classes.setdefault(label, []).extend([row] if row else [])
    filled = [members for members in classes.values() if members]
    for name, value in result.metrics.items():
        assert value == pytest.approx(mean(counted, name), abs=1e-12)
        over_classes = sum(mean(members, name) for members in filled) / len(filled)
        assert result.class_metrics[name] == pytest.approx(over_classes, abs=1e-12)
        each = [math.nan if row is None else row[name] for row in rows]
        assert result.of_queries[name].tolist() == pytest.approx(each, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("engine", ["torch", "faiss"])
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_searches_are_those_of_loops_on_vectors_of_any_length(engine, distance, dtype):
    if engine == "faiss" and distance == "l2":
        pytest.skip("faiss proposes candidates by products")
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(60, 12, generator=generator, dtype=torch.float64)
    vectors *= 3 ** torch.randn(60, 1, generator=generator, dtype=torch.float64)
    vectors[40:50] = 2 * vectors[:10]  # of equal cosine
    queries, gallery = vectors[:20].to(dtype), vectors[5:].to(dtype)
    _, indices = search(queries, gallery, 9, engine, distance=distance)
    lists = gallery.double().tolist()
    for query, found in zip(queries.double().tolist(), indices.tolist(), strict=True):
        assert found == order_of(query, lists, distance)[:9]


@pytest.mark.parametrize("offset", [0, 1e3, 1e6])
def test_l2_orders_near_vectors_far_from_the_origin(offset):
    """Where |q|² + |g|² − 2 q·g would be rounding alone."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(50, 6, generator=generator, dtype=torch.float64) * 1e-3 + offset
    points[30] = points[3]
    similarities, indices = search(points, k=10, distance="l2")
    lists = points.tolist()
    for i, found in enumerate(indices.tolist()):
        assert found == order_of(lists[i], lists, "l2", {i})[:10]
    assert indices[3, 0] == 30
    assert similarities[3, 0] == 0
    assert similarities[5, 4] == nearness(lists[5], lists[indices[5, 4]], "l2")


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1.0, 1e30, 1e200])
def test_cosine_does_not_depend_on_the_scale(scale):
    vectors = torch.randn(30, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = search(vectors, k=5, distance="cosine")
    result = search(vectors * scale, k=5, distance="cosine")
    assert torch.equal(result[1], expected[1])
    torch.testing.assert_close(result[0], expected[0])


@pytest.mark.parametrize("distance", DISTANCES)
def test_blocks_of_pairs_do_not_change_the_result(distance, monkeypatch):
    from recallkit.metrics import distances, ranking_keys

    vectors = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)) * 0.01 + 1
    whole = search(vectors, k=7, distance=distance)
    monkeypatch.setattr(distances, "PAIR_BYTES", 300)
    monkeypatch.setattr(ranking_keys, "BLOCK_BYTES", {"cpu": 2000})
    blocks = search(vectors, k=7, distance=distance)
    assert torch.equal(whole[0], blocks[0])
    assert torch.equal(whole[1], blocks[1])


def test_all_measures_agree_on_unit_vectors():
    vectors = torch.nn.functional.normalize(
        torch.randn(60, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=1
    )
    y = torch.arange(60) // 3
    values = [retrieval_metrics(vectors, y, distance=distance) for distance in DISTANCES]
    assert values[0] == values[1] == values[2]


def test_distractors_and_landmarks_are_ranked_by_the_same_measure():
    generator = torch.Generator().manual_seed(0)
    gallery, far = (torch.randn(n, 4, generator=generator) * 5 ** torch.rand(n, 1) for n in (9, 30))
    positives = torch.tensor([[2, 5], [7, -1]])
    judgements = [{"easy": [2, 5], "hard": [], "junk": [1]}, {"easy": [7], "hard": [], "junk": []}]
    for distance in DISTANCES:
        counted = positive_ranks(gallery[:2], positives, gallery, far, distance)
        everything = torch.cat([gallery, far]).double().tolist()
        for row, query in enumerate(gallery[:2].double().tolist()):
            order = order_of(query, everything, distance)
            for place, rank in zip(positives[row].tolist(), counted[row].tolist(), strict=True):
                assert rank == (order.index(place) + 1 if place >= 0 else math.inf)
        unit = torch.nn.functional.normalize(gallery, dim=1)
        if distance == "cosine":
            ours = revisited_of_embeddings(gallery[:2], gallery, judgements, distance=distance)
            assert ours == revisited_of_embeddings(unit[:2], unit, judgements)


def test_the_rank_within_another_session_by_hand():
    """The nearest positive is of the query's own session; the next is third of what is left."""
    queries, y, own = torch.tensor([[1.0, 0.0]]), [7], ["monday"]
    gallery = [[1.0, 0.0], [0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [0.6, 0.0]]
    labels_, sessions = [7, 8, 8, 7, 9], ["monday", "tuesday", "friday", "friday", "monday"]
    result = measure_retrieval(queries, y, gallery, labels_, (1, 3), "dot", own, sessions)
    assert result.metrics == {"R@1": 0, "R@3": 1, "P@1": 0, "mAP@R": 0, "mAP": 1 / 3}
    assert result.searched == 3


def test_each_k_comes_once_in_order():
    vectors, y = np.eye(4)[[0, 0, 1, 1]], np.array([5, 5, 6, 6], np.uint64)
    assert list(retrieval_metrics(vectors, y, ks=(3, 1, 3)))[:2] == ["R@1", "R@3"]


@pytest.mark.parametrize(
    "make",
    [
        lambda v: v.numpy(),
        lambda v: v.numpy().astype(">f4"),
        lambda v: np.asfortranarray(v.numpy()),
        lambda v: v.numpy()[::-1].copy()[::-1],
        lambda v: v.tolist(),
        lambda v: [row.tolist() for row in v],
        lambda v: list(v),
        lambda v: list(v.numpy()),
    ],
)
def test_arrays_and_lists_are_taken(make):
    vectors, y = torch.randn(8, 3, generator=torch.Generator().manual_seed(0)), [0, 0, 1, 1] * 2
    expected = retrieval_metrics(vectors, torch.tensor(y))
    assert retrieval_metrics(make(vectors), y) == pytest.approx(expected)
    assert retrieval_metrics(vectors, y, make(vectors), np.array(y)) == pytest.approx(
        retrieval_metrics(vectors, torch.tensor(y), vectors, torch.tensor(y))
    )
    assert torch.equal(search(make(vectors), k=2)[1], search(vectors, k=2)[1])


def test_a_read_only_array_is_not_copied_with_a_warning():
    vectors = np.eye(3, dtype=np.float32)
    vectors.flags.writeable = False
    assert search(vectors, k=1)[1].tolist() == [[1], [0], [0]]


VECTORS, Y = torch.eye(4), [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distance": "euclid"}, 'distance must be "dot", "cosine" or "l2"'),
        (
            {"queries": torch.eye(4) * torch.tensor([1, 1, 0, 1]), "distance": "cosine"},
            "a zero vector has no direction. 1 of 4 rows are zero, counted from 0: 2",
        ),
        ({"queries": "abc"}, "queries must be a tensor or array"),
        ({"queries": [[1.0], [1.0, 2.0]]}, "queries must be a tensor or array"),
        ({"queries": np.array([["a"]])}, "queries must be a tensor or array"),
        ({"queries": np.eye(4, dtype=int)}, "queries must be floating point"),
        ({"queries": np.eye(4, dtype=complex)}, "queries must be floating point"),
        ({"query_labels": [0, 0, 1, None]}, "query_labels: 1 of 4 rows"),
        ({"groups": [0, 0, 1]}, r"groups must be of shape \(4,\)"),
        ({"groups": [0, 0, 1, 1]}, "no query has a positive.*in another group"),
        ({"gallery_groups": Y}, "gallery_groups must be given with"),
        ({"gallery": VECTORS, "gallery_labels": Y, "groups": Y}, "gallery_groups must be given"),
        ({"gallery": VECTORS, "gallery_labels": list("aabb")}, "are integers and .* are text"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(**{"queries": VECTORS, "query_labels": Y} | arguments)


def test_faiss_refuses_l2():
    with pytest.raises(ValueError, match='for distance="l2", not "faiss"'):
        search(VECTORS, k=1, engine="faiss", distance="l2")
