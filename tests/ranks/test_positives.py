"""The table of positives, against a double loop."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recallkit import find_positives
from recallkit.ranks import positives as module

labels = st.lists(st.integers(-(2**40), 2**40) | st.integers(0, 3), min_size=1, max_size=20)


def rows(table):
    return [[z for z in row if z >= 0] for row in table.tolist()]


@given(labels)
def test_within_a_batch(labels):
    expected = [
        [z for z, other in enumerate(labels) if other == label and z != q]
        for q, label in enumerate(labels)
    ]
    table = find_positives(torch.tensor(labels))
    assert rows(table) == expected
    assert table.shape[1] == max(1, *map(len, expected)) if len(labels) > 1 else True


@given(labels, labels)
def test_queries_against_a_gallery(query_labels, gallery_labels):
    expected = [
        [z for z, other in enumerate(gallery_labels) if other == label] for label in query_labels
    ]
    assert (
        rows(find_positives(torch.tensor(query_labels), torch.tensor(gallery_labels))) == expected
    )


@pytest.mark.parametrize("small", [0, 2**16])  # by a sort, and by a mask
@given(labels)
def test_a_full_table_has_no_padding(small, labels):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALL", small)
        for arguments in ([labels], [labels, labels[::-1]], [labels, [0, 1]]):
            table, full = module.table_of_positives(*map(torch.tensor, arguments))
            assert full == bool((table >= 0).all())


@pytest.mark.parametrize("small", [0, 2**16])
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (([],), torch.empty(0, 1)),
        (([], []), torch.empty(0, 1)),
        (([], [1, 2]), torch.empty(0, 1)),
        (([1, 2], []), torch.tensor([[-1], [-1]])),
        (([1],), torch.tensor([[-1]])),
    ],
)
def test_a_side_may_be_empty(monkeypatch, small, arguments, expected):
    monkeypatch.setattr(module, "SMALL", small)
    labels = [torch.tensor(side, dtype=torch.int64) for side in arguments]
    assert torch.equal(find_positives(*labels), expected.long())
    _, full = module.table_of_positives(*labels)
    assert full == bool((expected >= 0).all())


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_labels_are_in_one_row(shape):
    with pytest.raises(ValueError, match="query_labels must be of shape"):
        find_positives(torch.zeros(shape, dtype=torch.int64))


def test_padding_comes_last():
    table = find_positives(torch.tensor([1, 2, 1, 1]))
    assert table.tolist() == [[2, 3], [-1, -1], [0, 3], [0, 2]]


@pytest.mark.parametrize("classes", [3, 12])
def test_a_small_table_is_that_of_a_large_one(classes, monkeypatch):
    """A mask makes it where all queries have as many positives."""
    arguments = [(torch.randperm(12) % classes,), (torch.arange(5) % 3, torch.arange(12) % 3)]
    small = [find_positives(*labels) for labels in arguments]
    monkeypatch.setattr(module, "SMALL", 0)
    for table, labels in zip(small, arguments, strict=True):
        assert torch.equal(table, find_positives(*labels))
