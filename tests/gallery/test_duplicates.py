"""Copies and near-duplicates."""

import math
from itertools import combinations

import numpy as np
import pytest
import torch
from helpers.strategies import embeddings, unit_vectors
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recallkit import search
from recallkit.gallery import Index, duplicate_groups, duplicate_pairs, duplicates
from recallkit.gallery.duplicates import copies, grouped


def cosine(a, b):
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return float(np.float32(dot / math.hypot(*a) / math.hypot(*b)))


def brute_force(vectors, threshold):
    values = vectors.tolist()
    pairs = combinations(range(len(values)), 2)
    found = {(i, j): cosine(values[i], values[j]) for i, j in pairs}
    return {pair: value for pair, value in found.items() if value >= threshold}


def as_mapping(pairs, similarities):
    rows = [tuple(pair) for pair in pairs.tolist()]
    assert len(set(rows)) == len(rows)
    return dict(zip(rows, similarities.tolist(), strict=True))


@settings(max_examples=60)
@given(st.data(), st.integers(1, 45), st.sampled_from([-1.0, -0.55, 0.05, 0.67, 0.999]))
def test_pairs_are_those_of_brute_force(data, size, threshold):
    vectors = data.draw(embeddings(size, 3))
    assume((vectors.norm(dim=1) > 0).all())
    expected = brute_force(vectors, threshold)
    found = as_mapping(*duplicate_pairs(vectors, threshold))
    assert set(found) == set(expected)
    assert found == pytest.approx(expected, abs=1e-6)


def test_many_copies_of_one_image_are_all_found():
    vectors = torch.cat([unit_vectors(1, 8).expand(90, 8), unit_vectors(200, 8, seed=1)])
    found = as_mapping(*duplicate_pairs(vectors, 0.97))
    assert set(found) == set(brute_force(vectors, 0.97))
    assert len(found) >= 90 * 89 // 2


def test_the_most_similar_are_first():
    pairs, similarities = duplicate_pairs(unit_vectors(50, 3), 0.5)
    assert (similarities.diff() <= 0).all()
    assert (pairs[:, 0] < pairs[:, 1]).all()


def test_arguments():
    for threshold in (1.1, -2, math.nan):
        with pytest.raises(ValueError, match="threshold must be from -1 to 1"):
            duplicate_pairs(unit_vectors(4, 3), threshold)
    pairs, similarities = duplicate_pairs(unit_vectors(1, 3))
    assert (pairs.shape, similarities.shape) == ((0, 2), (0,))


def test_a_network_that_has_collapsed_is_refused_without_all_pairs(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_PAIRS", 3000)
    searched = []

    def watched(queries, gallery, k, **options):
        searched.append(len(queries) * k)
        return search(queries, gallery, k, **options)

    monkeypatch.setattr(duplicates, "search", watched)
    with pytest.raises(ValueError, match="threshold must be higher: more than 3,000 pairs reach"):
        duplicate_pairs(torch.ones(300, 2), 0.99)
    assert max(searched) <= 8 * 3000


def test_copies_have_the_same_digest():
    assert copies(["a", "b", "", "a", "", "b", "a", "c"]) == [[0, 3, 6], [1, 5]]


def test_groups_are_joined_by_pairs():
    pairs = torch.tensor([[1, 2], [7, 9], [2, 5], [8, 9]])
    groups = grouped(pairs, torch.tensor([0.9, 0.97, 0.95, 0.96]))
    assert groups == [([1, 2, 5], pytest.approx(0.9)), ([7, 8, 9], pytest.approx(0.96))]
    assert grouped(torch.empty(0, 2, dtype=torch.int64), torch.empty(0)) == []


def index_of(vectors, labels, digests):
    number = len(labels)
    names = tuple(f"{i}.png" for i in range(number))
    stamps = np.zeros((number, 2), dtype=np.int64)
    return Index(vectors, names, "/photos", tuple(labels), stamps, tuple(digests), "run", "/run")


def test_groups_of_an_index():
    base = unit_vectors(4, 16)
    near = torch.nn.functional.normalize(base[3:4] + 0.01 * base[0:1], dim=1)
    vectors = torch.cat([base, base[0:1], base[1:2], near])
    index = index_of(
        vectors, ["a", "a", "", "c", "a", "b", "c"], ["0", "1", "2", "3", "0", "1", "6"]
    )
    groups = duplicate_groups(index, 0.99)
    assert [(group.rows, group.identical, group.across_classes) for group in groups] == [
        ((1, 5), True, True),
        ((0, 4), True, False),
        ((3, 6), False, False),
    ]
    assert groups[2].similarity == pytest.approx(cosine(base[3].tolist(), near[0].tolist()))


def test_copies_are_found_by_content_whatever_their_embeddings():
    groups = duplicate_groups(index_of(unit_vectors(3, 16), ["", "", ""], ["x", "y", "x"]), 1.0)
    assert [(group.rows, group.identical, group.similarity) for group in groups] == [
        ((0, 2), True, 1.0)
    ]
    assert not groups[0].across_classes


def test_an_image_without_a_class_is_not_across_classes():
    vectors = unit_vectors(1, 4).expand(2, 4)
    [group] = duplicate_groups(index_of(vectors, ["", "a"], ["0", "1"]), 0.9)
    assert not group.across_classes
