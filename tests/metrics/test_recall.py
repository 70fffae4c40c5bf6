import warnings

import pytest
import torch
from helpers.brute_force import metrics as brute_force_metrics
from helpers.brute_force import rankings
from helpers.strategies import problems, uneven_problems
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from recallkit.bench.memory import peak_bytes
from recallkit.metrics import (
    metrics_of_neighbours,
    positive_ranks,
    ranking_keys,
    ranks,
    recall,
    retrieval_metrics,
    search,
)
from recallkit.ranks.positives import find_positives

KS = (1, 2, 5, 100)


def random_problem(queries, gallery, classes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, 16, generator=generator)

    def side(n):
        labels = torch.randint(classes, (n,), generator=generator)
        noise = torch.randn(n, 16, generator=generator)
        return torch.nn.functional.normalize(centres[labels] + noise, dim=1), labels * 1001 - 7

    return (*side(queries), *(side(gallery) if gallery else (None, None)))


def as_lists(problem):
    return [None if t is None else t.tolist() for t in problem]


@settings(max_examples=150)
@given(problems())
@example((torch.ones(6, 3), torch.tensor([5, 5, -1, 5, -1, 9]), None, None))
def test_are_brute_force_with_ties(problem):
    expected = brute_force_metrics(*as_lists(problem), ks=KS)
    assume(expected is not None)
    assert retrieval_metrics(*problem, ks=KS) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=150)
@given(uneven_problems(), st.sampled_from([1, 40, 200]))
def test_uneven_classes_are_brute_force_however_queries_are_grouped(problem, table):
    expected = brute_force_metrics(*as_lists(problem), ks=KS)
    assume(expected is not None)
    whole = retrieval_metrics(*problem, ks=KS)
    assert whole == pytest.approx(expected, abs=1e-12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recall, "TABLE", table)
        assert retrieval_metrics(*problem, ks=KS) == whole  # to the last digit


@pytest.mark.parametrize("way", [0, 10**9])
@settings(max_examples=100)
@given(problem=problems())
def test_lists_and_passes_count_the_same(way, problem):
    queries, query_labels, gallery, gallery_labels = problem
    positives = find_positives(query_labels, gallery_labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "LISTED_ITEM_COST", way)  # what lists cost: nothing, or all
        counted = positive_ranks(queries, positives, gallery)
    orders = rankings(queries.tolist(), None if gallery is None else gallery.tolist())
    for row, (order, _) in enumerate(orders):
        expected = [order.index(p) + 1 if p >= 0 else torch.inf for p in positives[row].tolist()]
        assert counted[row].tolist() == expected


@pytest.mark.parametrize("way", [0, 10**9])
@settings(max_examples=40)
@given(problem=problems(), data=st.data())
def test_distractors_count_behind_the_gallery(way, problem, data):
    queries, query_labels, gallery, gallery_labels = problem
    assume(gallery is not None)
    cut = data.draw(st.integers(1, len(gallery)))
    positives = find_positives(query_labels, gallery_labels[:cut])
    others = gallery[cut:] if cut < len(gallery) else None
    whole = positive_ranks(queries, positives, gallery)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "LISTED_ITEM_COST", way)
        assert torch.equal(positive_ranks(queries, positives, gallery[:cut], others), whole)


def test_one_large_class_costs_no_table_of_its_width_for_all(monkeypatch):
    """Of 3,000 images 1,000 of one class: a table of all would hold 3 million positives."""
    labels = torch.arange(3000).clamp(min=999) // 2
    embeddings = random_problem(3000, 0, classes=50)[0]
    monkeypatch.setattr(ranking_keys, "BLOCK_BYTES", {"cpu": 2**21})
    monkeypatch.setattr(ranking_keys, "ROWS_BYTES", {"cpu": 2**21})
    held = {}
    for table in (2**16, 2**22):
        monkeypatch.setattr(recall, "TABLE", table)
        held[table] = peak_bytes(lambda: retrieval_metrics(embeddings, labels))
    assert held[2**16] < 8 * 3000 * 1000 < held[2**22]  # int64, alone


@settings(max_examples=100)
@given(problems())
def test_ranks_are_places_in_the_brute_force_order(problem):
    queries, query_labels, gallery, gallery_labels = problem
    positives = find_positives(query_labels, gallery_labels)
    counted = positive_ranks(queries, positives, gallery)
    orders = rankings(queries.tolist(), None if gallery is None else gallery.tolist())
    for row, (order, _) in enumerate(orders):
        expected = [order.index(p) + 1 if p >= 0 else torch.inf for p in positives[row].tolist()]
        assert counted[row].tolist() == expected


@pytest.mark.parametrize("engine", ["torch", "faiss"])
@settings(max_examples=100)
@given(problem=problems())
def test_counting_and_neighbours_agree_ties_included(engine, problem):
    queries, query_labels, gallery, gallery_labels = problem
    assume((find_positives(query_labels, gallery_labels) >= 0).any())
    largest = len(queries) - 1 if gallery is None else len(gallery)
    ks = tuple(k for k in KS if k <= largest)
    counted = retrieval_metrics(*problem, ks=ks)
    _, neighbours = search(queries, gallery, largest, engine)
    metrics = metrics_of_neighbours(neighbours, query_labels, gallery_labels, ks)
    del counted["mAP"]
    assert metrics == pytest.approx(counted, abs=1e-12)


@pytest.mark.parametrize("engine", ["torch", "faiss"])
@pytest.mark.parametrize("gallery", [0, 300])
def test_a_short_search_gives_the_same_recall(engine, gallery):
    problem = random_problem(200, gallery, classes=40)
    _, neighbours = search(problem[0], problem[2], 10, engine)
    metrics = metrics_of_neighbours(neighbours, problem[1], problem[3], ks=(1, 2, 10))
    counted = retrieval_metrics(*problem, ks=(1, 2, 10))
    assert {k: counted[k] for k in metrics if k != "mAP@R"} == {
        k: v for k, v in metrics.items() if k != "mAP@R"
    }


@pytest.mark.parametrize("gallery", [0, 250])
def test_are_those_of_pytorch_metric_learning(gallery):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    queries, query_labels, database, database_labels = random_problem(150, gallery, classes=12)
    names = {"precision_at_1": "P@1", "mean_average_precision_at_r": "mAP@R"}
    names["mean_average_precision"] = "mAP"
    calculator = AccuracyCalculator(
        include=tuple(names), k=gallery or 149, device=torch.device("cpu")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = calculator.get_accuracy(queries, query_labels, database, database_labels)
    ours = retrieval_metrics(queries, query_labels, database, database_labels)
    for name, our_name in names.items():
        assert ours[our_name] == pytest.approx(theirs[name], abs=1e-6)


def test_worked_example():
    """Positives of the one query with class-mates at ranks 1 and 4 of 4, by hand."""
    gallery = torch.tensor([[1.0], [0.9], [0.8], [0.7]])
    labels = torch.tensor([3, 0, 0, 3])
    metrics = retrieval_metrics(torch.ones(1, 1), torch.tensor([3]), gallery, labels, ks=(1, 2))
    assert metrics == {"R@1": 1.0, "R@2": 1.0, "P@1": 1.0, "mAP@R": 0.5, "mAP": 0.75}
    assert list(metrics) == ["R@1", "R@2", "P@1", "mAP@R", "mAP"]


def test_queries_without_a_positive_are_left_out_of_the_mean():
    embeddings = torch.eye(4)[[0, 0, 1, 2]]
    with_a_loner = retrieval_metrics(embeddings, torch.tensor([7, 7, 8, 8]), ks=(1,))
    pair_only = retrieval_metrics(embeddings, torch.tensor([7, 7, 8, 9]), ks=(1,))
    assert with_a_loner["R@1"] < 1
    assert pair_only["R@1"] == 1


def test_blocks_do_not_change_the_metrics(monkeypatch):
    problem = random_problem(200, 0, classes=40)
    whole = retrieval_metrics(*problem)
    monkeypatch.setattr(ranking_keys, "BLOCK_BYTES", {"cpu": 30_000})
    assert retrieval_metrics(*problem) == whole


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_any_precision_is_taken(dtype):
    queries, labels, _, _ = random_problem(60, 0, classes=10)
    exact = retrieval_metrics(queries.to(dtype).double(), labels)
    assert retrieval_metrics(queries.to(dtype).requires_grad_(), labels) == exact


def test_large_classes():
    """Hundreds of positives a query."""
    problem = random_problem(400, 0, classes=2)
    assert retrieval_metrics(*problem, ks=KS) == pytest.approx(
        brute_force_metrics(*as_lists(problem), ks=KS), abs=1e-12
    )


def test_map_at_r_is_left_out_where_the_search_was_too_short():
    embeddings, labels, _, _ = random_problem(30, 0, classes=2)
    _, neighbours = search(embeddings, k=3)
    assert list(metrics_of_neighbours(neighbours, labels, ks=(1, 3))) == ["R@1", "R@3", "P@1"]


EMBEDDINGS, LABELS = torch.ones(4, 3), torch.tensor([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((EMBEDDINGS, torch.arange(4)), "no query has a positive"),
        ((EMBEDDINGS, LABELS, EMBEDDINGS, LABELS + 2), "no query has a positive"),
        ((EMBEDDINGS, LABELS[:3]), "query_labels"),
        ((EMBEDDINGS, LABELS, EMBEDDINGS, LABELS[:3]), "gallery_labels"),
        ((EMBEDDINGS, LABELS.float()), "query_labels must be integers"),
        ((EMBEDDINGS, LABELS, EMBEDDINGS), "given together"),
        ((EMBEDDINGS, LABELS, None, LABELS), "given together"),
        ((EMBEDDINGS, LABELS, torch.ones(4, 2), LABELS), "dimension"),
        ((EMBEDDINGS * torch.nan, LABELS), "queries must be finite"),
        ((EMBEDDINGS[0], LABELS), "queries"),
        ((EMBEDDINGS[:0], LABELS[:0]), "queries"),
        ((EMBEDDINGS, LABELS, None, None, (0,)), "ks"),
        ((EMBEDDINGS, LABELS, None, None, ()), "ks"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(*arguments)


NEIGHBOURS = torch.tensor([[1, 2], [0, 2], [3, 0], [2, 0]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((NEIGHBOURS, LABELS, None, (1, 3)), "2 neighbours searched"),
        ((NEIGHBOURS, LABELS[:3], None, (1,)), "query_labels"),
        ((NEIGHBOURS, LABELS, LABELS.float(), (1,)), "gallery_labels"),
        ((NEIGHBOURS.float(), LABELS, None, (1,)), "neighbours must be int64 gallery indices"),
        ((NEIGHBOURS - 1, LABELS, LABELS, (1,)), "between 0 and 3, .* not between -1 and 2"),
        ((NEIGHBOURS, LABELS, LABELS[:3], (1,)), "between 0 and 2, .* not between 0 and 3"),
        ((NEIGHBOURS[0], LABELS, None, (1,)), "neighbours"),
        ((torch.arange(4)[:, None], LABELS, None, (1,)), "must not hold the query itself"),
        ((NEIGHBOURS, torch.arange(4), None, (1,)), "no query has a positive"),
    ],
)
def test_wrong_neighbours_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        metrics_of_neighbours(*arguments)


@pytest.mark.parametrize(
    ("positives", "message"),
    [
        (torch.zeros(3, 1, dtype=torch.int64), "positives must be a table"),
        (torch.full((4, 1), 4), "between -1 and 3"),
        (torch.zeros(4, 1), "int64"),
    ],
)
def test_wrong_positives_are_refused(positives, message):
    with pytest.raises(ValueError, match=message):
        positive_ranks(EMBEDDINGS, positives)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_metrics_on_cuda_are_those_on_the_cpu():
    problem = random_problem(300, 200, classes=20)
    on_gpu = [t.cuda() for t in problem]
    assert retrieval_metrics(*on_gpu) == pytest.approx(retrieval_metrics(*problem), abs=1e-12)
