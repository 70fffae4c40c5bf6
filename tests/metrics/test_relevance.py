"""Positives told by a function of the labels, or by a table, against explicit loops."""

import math

import numpy as np
import pytest
import torch
from helpers.brute_force import rankings
from hypothesis import given, settings
from hypothesis import strategies as st

from recallkit.metrics import measure_retrieval, relevance, retrieval_metrics

KS = (1, 2, 5)


def expected(queries, table, gallery=None, groups=None, gallery_groups=None):
    """R@k, P@1 and mAP by loops; None where no query has a positive."""
    others = groups if gallery is None else gallery_groups
    rows = []
    for i, (order, _) in enumerate(rankings(queries, gallery)):
        kept = [z for z in order if groups is None or others[z] != groups[i]]
        relevant = [table[i][z] for z in kept]
        if any(relevant):
            precisions = [sum(relevant[: n + 1]) / (n + 1) for n in range(len(relevant))]
            row = {f"R@{k}": float(any(relevant[:k])) for k in KS}
            row["P@1"] = float(relevant[0])
            row["mAP"] = math.fsum(p for p, r in zip(precisions, relevant, strict=True) if r)
            rows.append(row | {"mAP": row["mAP"] / sum(relevant)})
    if not rows:
        return None
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


@st.composite
def tables(draw):
    """Embeddings with many ties, and a table of any pattern, diagonal included."""
    queries, items = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    numbers = st.integers(-2, 2)
    row = st.lists(numbers, min_size=2, max_size=2)
    embeddings = draw(st.lists(row, min_size=queries, max_size=queries))
    gallery = draw(st.one_of(st.none(), st.lists(row, min_size=items, max_size=items)))
    width = queries if gallery is None else items
    marks = st.lists(st.booleans(), min_size=width, max_size=width)
    return embeddings, gallery, draw(st.lists(marks, min_size=queries, max_size=queries))


def floats(rows):
    return None if rows is None else torch.tensor(rows, dtype=torch.float32)


@settings(max_examples=60)
@given(tables(), st.booleans(), st.sampled_from([1, 7, 2**24]))
def test_any_table_and_the_function_that_tells_it(problem, by_function, entries):
    embeddings, gallery, marks = problem
    right = expected(embeddings, marks, gallery)
    table, rows = torch.tensor(marks), torch.arange(len(marks))
    arguments = {"relevance": table}
    if by_function:
        others = None if gallery is None else torch.arange(len(gallery))
        arguments = {"query_labels": rows, "gallery_labels": others}
        arguments["relevance"] = lambda ours, _: table[ours]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relevance, "ENTRIES", entries)
        if right is None:
            with pytest.raises(ValueError, match="no query has a positive: relevance"):
                retrieval_metrics(floats(embeddings), gallery=floats(gallery), ks=KS, **arguments)
            return
        found = retrieval_metrics(floats(embeddings), gallery=floats(gallery), ks=KS, **arguments)
    assert {name: found[name] for name in right} == pytest.approx(right, abs=1e-12)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=12), st.data())
def test_equality_of_labels_gives_what_labels_give(labels, data):
    groups = data.draw(
        st.one_of(
            st.none(), st.lists(st.integers(0, 2), min_size=len(labels), max_size=len(labels))
        )
    )
    queries = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(len(labels)))
    numbers = torch.tensor(labels)
    try:
        right = measure_retrieval(queries, numbers, ks=KS, groups=groups)
    except ValueError:
        return
    found = measure_retrieval(
        queries, numbers, ks=KS, groups=groups, relevance=lambda q, g: q[:, None] == g
    )
    assert found.metrics == right.metrics
    assert (found.counted, found.searched) == (right.counted, right.searched)
    assert (found.classes, found.class_metrics) == (0, {})


def test_groups_leave_out_positives_and_items():
    queries = [[1.0, 0.0], [0.9, 0.1], [0.8, 0.3], [0.0, 1.0], [0.5, 0.5]]
    marks = (np.add.outer(range(5), range(5)) % 2 == 0).tolist()
    groups = [0, 0, 1, 1, 2]
    right = expected(queries, marks, groups=groups)
    found = retrieval_metrics(floats(queries), ks=KS, groups=groups, relevance=np.array(marks))
    assert {name: found[name] for name in right} == pytest.approx(right, abs=1e-12)


def test_several_labels_an_image():
    tags = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]], dtype=torch.bool)
    embeddings = torch.eye(4)[:, :3] + 0.01 * torch.arange(12.0).view(4, 3)
    shared = [[bool((a & b).any()) for b in tags] for a in tags]
    found = retrieval_metrics(
        embeddings, tags, ks=KS, relevance=lambda q, g: q.float() @ g.float().T > 0
    )
    right = expected(embeddings.tolist(), shared)
    assert {name: found[name] for name in right} == pytest.approx(right, abs=1e-12)


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_labels_reach_the_function_in_their_own_type(kind):
    seen = []

    def same(ours, others):
        seen.append((type(ours), type(others)))
        return np.equal.outer(np.asarray(ours), np.asarray(others))

    retrieval_metrics(torch.randn(4, 2), kind([1, 1, 2, 2]), relevance=same)
    assert set(seen) == {(type(kind([1])), type(kind([1])))}


def test_a_query_inside_a_larger_gallery_is_left_out():
    gallery = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    marks = torch.ones(2, 6, dtype=torch.bool)
    found = measure_retrieval(gallery[:2], gallery=gallery, itself=[0, -1], relevance=marks, ks=KS)
    assert found.searched == 6
    assert found.metrics["mAP"] == 1.0


EMBEDDINGS = torch.randn(3, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"relevance": torch.ones(3, 3)}, r"bool of shape \(3, 3\), not torch.float32"),
        ({"relevance": torch.ones(2, 3, dtype=torch.bool)}, r"of shape \(2, 3\)"),
        ({"relevance": np.eye(3, dtype=bool)}, "no query has a positive"),  # only itself
        ({"relevance": np.eye(3) > 0, "query_labels": [1, 1, 2]}, "labels have no use"),
        ({}, "query_labels must be given"),
        ({"relevance": lambda q, g: q == g}, "query_labels must be given"),
        (
            {"query_labels": torch.arange(3), "relevance": lambda q, g: q == g},
            "relevance must tell",
        ),
        ({"query_labels": [1, 2], "relevance": lambda q, g: q}, "query_labels must have 3"),
    ],
)
def test_what_does_not_fit_is_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        retrieval_metrics(EMBEDDINGS, **arguments)
