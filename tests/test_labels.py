"""Labels of any kind: equal numbers where they are equal, and nothing lost on the way."""

import datetime

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recallkit import (
    ClassBalancedSampler,
    RecallAtKLoss,
    SimilarityMixup,
    SmoothAPLoss,
    find_positives,
    retrieval_metrics,
)
from recallkit.labels import canonical_labels

INTEGERS = ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
BIG = 2**63


def numbers(*labels, mixed_as_text=False):
    named = {f"labels {i}": value for i, value in enumerate(labels)}
    return [tensor.tolist() for tensor in canonical_labels(named, mixed_as_text)]


def assert_equal_where(expected, *labels, **how):
    """`expected`: one list a label argument, of Python values that are equal where labels are."""
    flat = [value for values in numbers(*labels, **how) for value in values]
    wanted = [value for values in expected for value in values]
    for one, own in zip(flat, wanted, strict=True):
        assert [other == one for other in flat] == [other == own for other in wanted]


KINDS = {
    **{f"array {kind}": np.array([3, 1, 3, 9], kind) for kind in INTEGERS},
    **{f"tensor {kind}": torch.from_numpy(np.array([3, 1, 3, 9], kind)) for kind in INTEGERS},
    "big-endian": np.array([3, 1, 3, 9], ">i4"),
    "list": [3, 1, 3, 9],
    "tuple of scalars": (np.int8(3), torch.tensor(1), 3, np.uint64(9)),
    "series": pd.Series([3, 1, 3, 9], index=[7, 7, 1, 0]),
    "nullable series": pd.Series([3, 1, 3, 9], dtype="Int64"),
    "categorical": pd.Categorical([3, 1, 3, 9]),
    "objects": np.array([3, 1, 3, 9], dtype=object),
    "strided": np.array([3, 0, 1, 0, 3, 0, 9])[::2],
}
TEXTS = {
    "list": ["c", "a", "c", "i"],
    "array": np.array(["c", "a", "c", "i"]),
    "bytes": np.array([b"c", b"a", b"c", b"i"]),
    "marked": ["\ufeffc", "a ", " c\r", "i\n"],
    "padded": np.array(["c\0", "a", "c", "i"], dtype="U9"),
    "series": pd.Series(["c", "a", "c", "i"]),
    "categorical series": pd.Series(["c", "a", "c", "i"], dtype="category"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_integers_of_any_kind_are_their_values(kind):
    assert numbers(KINDS[kind]) == [[3, 1, 3, 9]]
    assert numbers(torch.tensor([9, 3]), KINDS[kind]) == [[9, 3], [3, 1, 3, 9]]


@pytest.mark.parametrize("kind", TEXTS)
def test_text_of_any_kind_is_equal_where_it_reads_alike(kind):
    assert_equal_where([list("ic"), list("caci")], ["i", "c"], TEXTS[kind])


def test_composed_and_decomposed_letters_are_one_label():
    assert numbers(["caf\u00e9"], ["cafe\u0301"]) == [[0], [0]]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(-BIG, BIG - 1), min_size=1, max_size=8),
    st.lists(st.integers(0, 2 * BIG - 1), min_size=1, max_size=8),
    st.data(),
)
def test_signed_beside_unsigned_is_exact(signed, unsigned, data):
    shared = data.draw(st.lists(st.sampled_from(signed + unsigned), max_size=4))
    signed = signed + [x for x in shared if x < BIG]
    unsigned = unsigned + [x for x in shared if x >= 0]
    unsigned += [(x + 2 * BIG) % (2 * BIG) for x in signed[:2]]  # the same 64 bits
    ours, theirs = np.array(signed, np.int64), np.array(unsigned, np.uint64)
    assert_equal_where([signed, unsigned], ours, theirs)
    assert_equal_where([signed, unsigned], torch.from_numpy(ours), torch.from_numpy(theirs))
    assert_equal_where([signed, unsigned], signed, unsigned)


def test_ids_beyond_any_integer_type_and_bool():
    assert_equal_where([[2**70, 2**70 + 1, 5]], [2**70, 2**70 + 1, 5])
    assert numbers([True, False], np.array([0, 1])) == [[1, 0], [0, 1]]


def test_int64_tensors_pass_untouched():
    labels, others = torch.tensor([5, 5]), torch.tensor([7])
    ours, theirs = canonical_labels({"a": labels, "b": others})
    assert ours is labels
    assert theirs is others


MISSING = [None, float("nan"), np.nan, pd.NA, pd.NaT, "", "  ", "\ufeff", "nan", "<NA>", b""]


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_missing_labels_are_refused_with_the_row(missing):
    for others in (["a", "b"], [1, 2]):
        with pytest.raises(ValueError, match=r"y: 1 of 3 rows have no label .* first is row 1"):
            canonical_labels({"y": [others[0], missing, others[1]]})


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([1.0, np.nan]), "row 1"),
        (pd.Series([1, None], dtype="Int64"), "row 1"),
        (pd.Series(["a", None]), "row 1"),
        (np.array(["a", np.nan]), "row 1"),  # NumPy has made text of it
        (np.ma.array([1, 2], mask=[True, False]), "row 0"),
        (np.array([1.0, 2.0]), "y must be integers or text, not float64"),
        (torch.ones(2), r"y must be integers \(int64\), not torch\.float32"),
        (torch.ones(2, dtype=torch.complex64), "y must be integers"),
        ([1.5, 2.5], r"row 0, counted from 0, is 1\.5 \(float\)"),
        ([1, "a"], "row 0, counted from 0, is the integer 1, row 1 the text 'a'"),
        ([[1], [2]], r"row 0, counted from 0, is \[1\]"),
        (np.ones((2, 2), int), r"shape \(N,\)"),
        (np.array(["2020-01-01"], "M8[D]"), "not datetime64"),
        ([datetime.date(2020, 1, 1)], r"\(date\)"),
        ("abc", "y must be a tensor, an array or a list"),
        (3, "y must be a tensor, an array or a list"),
    ],
)
def test_what_is_no_label_is_refused_by_name(labels, message):
    with pytest.raises(ValueError, match=message):
        canonical_labels({"y": labels})


def test_integers_beside_text_are_refused_or_compared_as_text():
    with pytest.raises(ValueError, match="labels 1 are integers and labels 0 are text"):
        numbers(["1", "01"], [1])
    assert_equal_where([["1", "01"], ["1", "2"]], ["1", "01"], [1, 2], mixed_as_text=True)


EMBEDDINGS = torch.nn.functional.normalize(
    torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), dim=1
)
TAKERS = {
    "RecallAtKLoss": lambda y: RecallAtKLoss()(EMBEDDINGS, y),
    "SmoothAPLoss": lambda y: SmoothAPLoss()(EMBEDDINGS, y),
    "SmoothAPLoss with a gallery": lambda y: SmoothAPLoss()(EMBEDDINGS, y, EMBEDDINGS, y),
    "find_positives": lambda y: find_positives(y, y),
    "SimilarityMixup": lambda y: SimilarityMixup(torch.Generator().manual_seed(0))(EMBEDDINGS, y)[
        0
    ],
    "retrieval_metrics": lambda y: retrieval_metrics(EMBEDDINGS, y, ks=(1,)),
    "ClassBalancedSampler": lambda y: sorted(map(sorted, ClassBalancedSampler(y, 2, 2))),
}


@pytest.mark.parametrize("taker", TAKERS)
def test_all_that_take_labels_take_every_kind(taker):
    expected = TAKERS[taker](torch.tensor([3, 1, 3, 9]))
    for labels in [*KINDS.values(), *TEXTS.values()]:
        result = TAKERS[taker](labels)
        same = torch.equal(result, expected) if isinstance(result, torch.Tensor) else None
        assert result == expected if same is None else same
