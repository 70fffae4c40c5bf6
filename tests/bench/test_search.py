"""The benchmark of search does the work that it names; how fast anything is, its results say."""

import json

import pytest
import torch

from recallkit import cli, retrieval_metrics, search
from recallkit.bench import search as bench
from recallkit.bench import search_by_libraries as others
from recallkit.bench.cases import run_case
from recallkit.bench.search import METHODS, SearchCase, available, measure_search, search_cases
from recallkit.files import embedded, read_json

THREADS = torch.get_num_threads()


@pytest.fixture
def task():
    return bench.task_of(SearchCase("search", 300, 8, k=7, queries=20))


def test_queries_are_spread_over_the_gallery(task):
    assert task.queries.shape == (20, 8)
    assert task.labels.unique().numel() == 20
    assert torch.equal(task.queries[1], task.gallery[15])


def test_faiss_finds_the_same_neighbours(task):
    pytest.importorskip("faiss")
    _, indices = search(task.queries, task.gallery, 7)
    assert torch.equal(others.search_of_faiss(task), indices)


@pytest.mark.parametrize(
    ("compute", "modules", "names"),
    [
        (others.metrics_of_pml, ("pytorch_metric_learning", "faiss"), {"R@1", "mAP@R"}),
        (others.metrics_of_oml, ("oml.functional.metrics",), {"R@1", "R@7"}),
    ],
)
def test_other_metrics_are_ours(task, compute, modules, names):
    for module in modules:
        pytest.importorskip(module, exc_type=ImportError)
    ours = retrieval_metrics(
        task.queries, task.labels, task.gallery, task.gallery_labels, ks=(1, 7)
    )
    measured = compute(task)
    assert set(measured) == names
    assert measured == pytest.approx({name: ours[name] for name in names})


@pytest.mark.parametrize("method", [name for name in METHODS if available(name)])
def test_every_method_can_be_measured(method):
    measured = measure_search(SearchCase(method, 500, 8, k=5, queries=20, threads=THREADS))
    assert measured["ns_per_pair"] > 0
    assert measured["products_ns_per_pair"] > 0
    assert measured["ratio"] > 0


def test_libraries_that_are_missing_have_no_cases(monkeypatch):
    monkeypatch.setattr(bench, "installed", lambda method: " of " not in method)
    cases = search_cases(threads=1)
    assert {case.method for case in cases} == {name for name in METHODS if " of " not in name}
    assert len(cases) == 3 * 4


def test_a_case_in_its_own_process_and_its_limits():
    case = SearchCase("search", 500, 8, k=5, queries=20, threads=1)
    assert run_case(bench.__name__, case, limit_s=300, limit_gb=16)["ratio"] > 0
    failed = run_case(bench.__name__, case, limit_s=0.01, limit_gb=16)
    assert failed["failed"] == "more than 0 s"


def fake(module, case, limit_s, limit_gb):
    if case.dim == 64:
        return vars(case) | {"failed": "more than 16 GB"}
    times = {"ns_per_pair": 12.3, "products_ns_per_pair": 6.15, "ratio": 2.0}
    return vars(case) | times | {"peak_mb": 7.0 if case.k == 10 else None}


def test_the_command_prints_and_stores(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "run_case", fake)
    options = ["--methods", "search", "--threads", str(THREADS), "--device", "cpu"]
    cli.main(["bench", "search", *options, "--out", str(tmp_path)])
    _, _, *rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows] == [
        ["60,502 × 512", "10", "search", "12.30", "2.00", "7"],
        ["60,502 × 512", "1,000", "search", "12.30", "2.00", ""],
        ["500,000 × 64", "10", "search", "more than 16 GB", "", ""],
    ]
    stored = json.loads((tmp_path / "search-cpu.json").read_text())
    assert [case["threads"] for case in stored["cases"]] == [THREADS] * 3
    assert stored["libraries"]["torch"]


def test_the_sentences_of_the_page_hold():
    stored = read_json(embedded("results") / "bench" / "search-cpu.json")["cases"]
    by = {(case["size"], case["k"], case["method"]): case for case in stored}
    long, many, short = (60_502, 10), (60_502, 1000), (500_000, 10)
    ratios = {place: case["ratio"] for place, case in by.items()}
    for place in (long, short):
        assert max(ratios[*place, "search"], ratios[*place, "metrics"]) < 1.75
    assert 2.2 < ratios[*many, "search"] < 2.8
    for place in (long, many):
        assert ratios[*place, "search of faiss"] < ratios[*place, "search"]
    assert ratios[*short, "search of faiss"] > 4 * ratios[*short, "search"]
    for place in (long, many, short):
        for library in ("pytorch-metric-learning", "open-metric-learning"):
            other = ratios[*place, f"metrics of {library}"]
            assert other > 0.95 * ratios[*place, "metrics"]
    memory = [by[*short, f"metrics{of}"]["peak_mb"] for of in ("", " of pytorch-metric-learning")]
    assert memory == [pytest.approx(27, abs=1), pytest.approx(4900, abs=50)]
