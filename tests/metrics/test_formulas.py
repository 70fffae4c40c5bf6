"""Metrics by name, per class and within a larger gallery, against loops and other libraries."""

import math
import warnings

import numpy as np
import pytest
import torch
from helpers.brute_force import rankings
from helpers.strategies import problems
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recallkit.metrics import measure_retrieval, retrieval_metrics
from recallkit.metrics.formulas import CUT, WHOLE

KS = (1, 2, 5, 100)
NAMES = (*WHOLE, *(f"{kind}@{k}" for kind in CUT for k in KS))


def by_loops(hits, name):
    """Of one list of True and False, nearest first."""
    number = sum(hits)
    kind, _, cut = name.partition("@")
    k = number if cut == "R" or kind == "R-precision" else int(cut or len(hits))
    found, precisions, gain = 0, 0.0, 0.0
    for rank, hit in enumerate(hits[:k], start=1):
        if hit:
            found += 1
            precisions += found / rank
            gain += 1 / math.log2(rank + 1)
    first = 1 + hits.index(True)
    return {
        "R": float(found > 0),
        "P": found / k,
        "R-precision": found / k,
        "MRR": 1 / first if first <= k else 0.0,
        "mAP": precisions / min(number, k),
        "NDCG": gain / sum(1 / math.log2(i + 1) for i in range(1, min(number, k) + 1)),
    }[kind]


def hits_of(queries, y, gallery, z, out):
    """For each query the list of hits, without the items in ``out[i]``."""
    y = y.tolist()
    z = y if z is None else z.tolist()
    orders = rankings(queries.tolist(), None if gallery is None else gallery.tolist())
    return [[z[j] == y[i] for j in order if j not in out[i]] for i, (order, _) in enumerate(orders)]


@settings(max_examples=60)
@given(problems())
def test_all_metrics_are_those_of_loops(problem):
    hits = hits_of(*problem, [()] * len(problem[0]))
    counted = [one for one in hits if any(one)]
    assume(counted)
    result = retrieval_metrics(*problem, metrics=NAMES)
    assert list(result) == list(NAMES)
    for name, value in result.items():
        expected = sum(by_loops(one, name) for one in counted) / len(counted)
        assert value == pytest.approx(expected, abs=1e-12), name


@settings(max_examples=60)
@given(problem=problems(), data=st.data())
def test_a_query_within_a_larger_gallery_does_not_find_itself(problem, data):
    """Its label there may differ; some queries are not in the gallery."""
    queries, y, gallery, z = problem
    gallery, z = (queries, y) if gallery is None else (gallery, z)
    place = st.integers(-1, len(gallery) - 1)
    itself = data.draw(st.lists(place, min_size=len(queries), max_size=len(queries)))
    hits = hits_of(queries, y, gallery, z, [(place,) for place in itself])
    counted = [one for one in hits if any(one)]
    assume(counted)
    names = ("mAP", "R@1", "NDCG@2")
    result = measure_retrieval(queries, y, gallery, z, itself=itself, metrics=names)
    assert result.counted == len(counted)
    assert result.searched == len(gallery) - (min(itself) >= 0)
    for name, value in result.metrics.items():
        expected = sum(by_loops(one, name) for one in counted) / len(counted)
        assert value == pytest.approx(expected, abs=1e-12)


def test_itself_within_groups_counts_once():
    """The query's own item is left out, whether or not its group is that of the query."""
    queries, y = torch.tensor([[1.0], [1.0]]), [7, 7]
    gallery, z = torch.tensor([[4.0], [3.0], [2.0], [1.0]]), [7, 8, 7, 7]
    result = measure_retrieval(
        queries, y, gallery, z, groups=[0, 0], gallery_groups=[0, 1, 1, 0], itself=[0, 2]
    )
    assert (result.counted, result.searched) == (1, 2)
    assert result.metrics["mAP"] == 0.5


def test_all_against_all_is_every_query_within_its_gallery():
    vectors, y = (
        torch.randn(60, 5, generator=torch.Generator().manual_seed(0)),
        torch.arange(60) % 9,
    )
    alone = measure_retrieval(vectors, y, metrics=NAMES)
    within = measure_retrieval(vectors, y, vectors, y, itself=torch.arange(60), metrics=NAMES)
    assert within.metrics == alone.metrics
    some = torch.tensor([40, 3, 3, 17])
    part = measure_retrieval(vectors[some], y[some], vectors, y, itself=some, metrics=NAMES)
    for name in NAMES:
        assert torch.equal(part.of_queries[name], alone.of_queries[name][some])


def test_the_usual_metrics_are_those_of_their_names():
    vectors, y = (
        torch.randn(40, 5, generator=torch.Generator().manual_seed(0)),
        torch.arange(40) % 7,
    )
    usual = retrieval_metrics(vectors, y, ks=(1, 5))
    assert usual == retrieval_metrics(vectors, y, metrics=("R@1", "R@5", "P@1", "mAP@R", "mAP"))


def test_ndcg_is_that_of_scikit_learn():
    from sklearn.metrics import ndcg_score

    vectors = torch.randn(50, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.arange(50) % 8
    queries, gallery = vectors[:20], vectors[20:]
    relevant = (y[:20, None] == y[20:]).double().numpy()
    ours = retrieval_metrics(queries, y[:20], gallery, y[20:], metrics=("NDCG", "NDCG@3"))
    scores = (queries @ gallery.T).numpy()
    assert ours["NDCG"] == pytest.approx(ndcg_score(relevant, scores))
    assert ours["NDCG@3"] == pytest.approx(ndcg_score(relevant, scores, k=3))


def test_average_precision_is_that_of_scikit_learn():
    from sklearn.metrics import average_precision_score

    vectors = torch.randn(40, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = torch.arange(40) % 5
    scores = (vectors[:15] @ vectors[15:].T).numpy()
    theirs = [average_precision_score(y[15:] == y[i], scores[i]) for i in range(15)]
    ours = retrieval_metrics(vectors[:15], y[:15], vectors[15:], y[15:], metrics=("mAP",))
    assert ours["mAP"] == pytest.approx(np.mean(theirs))


def test_are_those_of_pytorch_metric_learning_where_definitions_agree():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    names = {
        "mean_reciprocal_rank": "MRR",
        "r_precision": "R-precision",
        "mean_average_precision_at_r": "mAP@R",
        "precision_at_1": "P@1",
    }
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(90, 8, generator=generator), dim=1)
    y = torch.arange(90) % 11
    theirs = AccuracyCalculator((*names, "mean_average_precision"), k=89).get_accuracy(vectors, y)
    ours = retrieval_metrics(vectors, y, metrics=(*names.values(), "mAP"))
    for their_name, name in names.items():
        assert ours[name] == pytest.approx(theirs[their_name], abs=1e-6)
    assert ours["mAP"] == pytest.approx(theirs["mean_average_precision"], abs=1e-6)


def test_metrics_of_each_class_under_the_labels_that_were_given():
    vectors, labels = torch.eye(3)[[0, 0, 1, 2, 1]], ["cat", "cat", "dog", "dog", "eel"]
    result = measure_retrieval(vectors, labels, metrics=("R@1", "P@2"))
    assert result.per_class(labels) == {
        "cat": {"R@1": 1.0, "P@2": 0.5},
        "dog": {"R@1": 0.0, "P@2": 0.0},
    }
    means = result.per_class(labels).values()
    assert result.class_metrics["R@1"] == sum(one["R@1"] for one in means) / 2
    with pytest.raises(ValueError, match="must be those of the 5 queries, not 2"):
        result.per_class(["cat", "dog"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ("R@0",)}, "no 'R@0'"),
        ({"metrics": ("NDGC@10",)}, "did you mean NDCG"),
        ({"metrics": ("R@99999999999999999999",)}, "k must be at most 9,223,372,036,854,775,807"),
        ({"metrics": "R@1"}, "must be names"),
        ({"metrics": ()}, "must be names"),
        ({"itself": [0, 1, 2, 3]}, "itself needs a gallery"),
        ({"gallery": torch.eye(4), "gallery_labels": [0] * 4, "itself": [0, 1, 2, 4]}, "itself"),
        ({"gallery": torch.eye(4), "gallery_labels": [0] * 4, "itself": [0]}, "itself"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(torch.eye(4), [0, 0, 1, 1], **arguments)
