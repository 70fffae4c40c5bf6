"""Recall per class, and which classes are taken for which."""

from collections import Counter

import numpy as np
import pytest
import torch
from helpers.brute_force import rankings
from helpers.strategies import embeddings, labels
from hypothesis import given, settings
from hypothesis import strategies as st

from recallkit import metrics_of_neighbours, search
from recallkit.gallery import confused_classes, recall_per_class


@st.composite
def problems(draw):
    size = draw(st.integers(3, 25))
    return draw(embeddings(size, 3)), draw(labels(size))


@settings(max_examples=60)
@given(problems())
def test_both_are_those_of_brute_force(problem):
    vectors, numbers = problem
    similarities, neighbours = search(vectors, k=2)
    orders = [order for order, _ in rankings(vectors.tolist())]
    label = numbers.tolist()
    sizes = Counter(label)

    recalls = {one.label: one for one in recall_per_class(numbers, neighbours, (1, 2))}
    assert set(recalls) == {c for c in sizes if sizes[c] > 1}
    for c, one in recalls.items():
        queries = [q for q in range(len(label)) if label[q] == c]
        assert one.images == len(queries)
        for k in (1, 2):
            right = sum(any(label[z] == c for z in orders[q][:k]) for q in queries)
            assert one.recall[k] == pytest.approx(right / len(queries))

    expected = Counter(
        (label[q], label[orders[q][0]])
        for q in range(len(label))
        if sizes[label[q]] > 1 and label[orders[q][0]] != label[q]
    )
    found = confused_classes(numbers, neighbours, similarities, examples=100)
    assert {(c.label, c.confused_with): c.count for c in found} == expected
    for confusion in found:
        assert confusion.share == pytest.approx(confusion.count / sizes[confusion.label])
        assert len(confusion.examples) == confusion.count
        for query, nearest in confusion.examples:
            assert (label[query], label[nearest]) == (confusion.label, confusion.confused_with)
            assert orders[query][0] == nearest
    assert [c.share for c in found] == sorted((c.share for c in found), reverse=True)


def test_the_mean_over_images_is_recall():
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn(60, 4, generator=generator)
    numbers = torch.randint(0, 6, (60,), generator=generator)
    neighbours = search(vectors, k=4)[1]
    recalls = recall_per_class(numbers, neighbours, (1, 4))
    whole = metrics_of_neighbours(neighbours, numbers, ks=(1, 4))
    for k in (1, 4):
        mean = sum(one.images * one.recall[k] for one in recalls) / 60
        assert mean == pytest.approx(whole[f"R@{k}"])
    assert [one.recall[1] for one in recalls] == sorted(one.recall[1] for one in recalls)


def test_examples_begin_with_the_most_similar():
    vectors = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.0], [-0.9, 0.05]])
    similarities, neighbours = search(vectors, k=1, distance="cosine")
    [first, *_] = confused_classes([0, 1, 0, 0, 1], neighbours, similarities)
    values = [similarities[query, 0].item() for query, _ in first.examples]
    assert values == sorted(values, reverse=True)
    assert (first.label, first.confused_with, len(values)) == (0, 1, 3)
    assert len(confused_classes([0, 1, 0, 0, 1], neighbours, examples=1)[0].examples) == 1


def test_labels_of_any_kind():
    neighbours = torch.tensor([[1], [0], [0], [2]])
    words = confused_classes(["b", "a", "a", "b"], neighbours)
    numbers = confused_classes(np.array([7, 2**40, 2**40, 7]), neighbours)
    assert [(c.count, c.examples) for c in words] == [(c.count, c.examples) for c in numbers]
    assert {c.label for c in numbers} == {7, 2**40}


@pytest.mark.parametrize(
    ("neighbours", "message"),
    [
        (torch.tensor([[1], [3], [0]]), "between 0 and 2"),
        (torch.tensor([[1], [0]]), "of shape"),
        (torch.tensor([1, 0, 0]), "of shape"),
        (torch.tensor([[1.0], [0.0], [0.0]]), "int64"),
    ],
)
def test_neighbours_are_checked(neighbours, message):
    for function in (confused_classes, recall_per_class):
        with pytest.raises(ValueError, match=message):
            function([1, 1, 2], neighbours)


def test_ks_are_checked():
    for ks, message in [((2,), "ks must be at most 1"), ((0,), "at least 1"), ((), "at least one")]:
        with pytest.raises(ValueError, match=message):
            recall_per_class([1, 1, 2], torch.tensor([[1], [0], [0]]), ks)
