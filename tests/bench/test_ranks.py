"""The benchmark of ranks measures what it says; how fast anything is, its results say."""

import json

import pytest
import torch
from helpers.products import counted_products

from recallkit import RecallAtKLoss, cli
from recallkit.bench import ranks as bench
from recallkit.bench.cases import NOT_TRIED, run_case
from recallkit.bench.ranks import Case, bench_ranks, measure, products, ranks_table
from recallkit.files import embedded, read_json


@pytest.mark.parametrize(
    "other",
    [bench.loop_over_queries, bench.naive_loss, bench.compiled_naive_loss("eager")],
    ids=["loop", "naive", "compiled"],
)
def test_other_methods_compute_the_loss(other):
    embeddings, labels = bench.class_batch(Case("dense", 24, dim=8))
    leaves = [embeddings.double().requires_grad_() for _ in range(2)]
    values = [other(leaves[0], labels), RecallAtKLoss()(leaves[1], labels)]
    sum(values).backward()
    torch.testing.assert_close(values[0], values[1])
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)


def test_surrogate_precision_is_the_loss_of_one_k_by_distance():
    """By Euclidean distance, in a ranking with the query, which is its own positive."""
    pytest.importorskip("oml.losses", exc_type=ImportError)
    embeddings, labels = bench.class_batch(Case("dense", 24, dim=8))
    similarity = -torch.cdist(embeddings, embeddings).double()
    steps = torch.sigmoid((similarity[:, None, :] - similarity[:, :, None]) / 0.01)
    count = torch.sigmoid(1 + 1 - steps.sum(dim=2)) * (labels[:, None] == labels)
    value = bench.METHODS["SurrogatePrecision of open-metric-learning"]()(embeddings, labels)
    torch.testing.assert_close(value.double(), 1 - count.sum(dim=1).mean() / 2, rtol=1e-4, atol=0)


def test_products_are_four():
    embeddings = torch.randn(60, 16)
    with counted_products() as counted:
        products(embeddings, block_bytes=4 * 60 * 7)
    assert counted.get_total_flops() == 4 * 2 * 60 * 60 * 16


QUICK = [m for m in bench.METHODS if bench.available(m, "cpu") and m != bench.COMPILED]


@pytest.mark.parametrize("method", QUICK)
def test_every_method_can_be_measured(method):
    case = Case(method, 16, dim=8, threads=torch.get_num_threads())
    measured = measure(case)
    assert bench.REPEATS <= measured["repeats"] <= 200
    assert measured["ratio"] > 0
    assert measured["products_s"] > 0


def test_a_case_in_its_own_process_and_its_limits():
    measured = run_case(
        bench.__name__, Case("blocks", 64, dim=8, simix=True, threads=1), limit_s=300, limit_gb=16
    )
    assert measured["method"] == "blocks"
    assert measured["peak_mb"] >= 0
    failed = run_case(
        bench.__name__, Case("dense", 4000, dim=8, threads=1), limit_s=300, limit_gb=1
    )
    assert failed["failed"] == "more than 1 GB"
    failed = run_case(bench.__name__, Case("dense", 64, dim=8), limit_s=0.01, limit_gb=16)
    assert failed["failed"] == "more than 0 s"
    failed = run_case(bench.__name__, Case("unheard of", 64, dim=8), limit_s=300, limit_gb=16)
    assert failed["failed"] == "KeyError: 'unheard of'"


def fake(module, case, limit_s, limit_gb):
    times = {"forward_s": case.batch_size / 1e4, "backward_s": 0.2, "products_s": 0.1, "ratio": 3}
    memory = {"peak_mb": 7.0, "over_gradient_mb": 5.4, "repeats": 5}
    failed = case.batch_size > {"dense": 100, "blocks": 300}[case.method] and not case.simix
    failed = failed and case.per_class == 4
    return vars(case) | ({"failed": "more than 9 GB"} if failed else times | memory)


def test_larger_batches_of_what_failed_are_not_tried(monkeypatch):
    monkeypatch.setattr(bench, "run_case", fake)
    cases = bench_ranks([100, 200, 400], ["dense", "blocks", "fused"], simix_batch=400)["cases"]
    assert [case.get("failed") for case in cases[:3]] == [
        None,
        "more than 9 GB",
        NOT_TRIED,
    ]
    assert [(c["method"], c["batch_size"], c["per_class"], c["simix"]) for c in cases[3:]] == [
        *(("blocks", size, 4, False) for size in (100, 200, 400)),
        ("blocks", 400, 4, True),
        ("blocks", 1000, 10, False),
        *(("blocks", 4000, many, False) for many in (50, 50, 200, 200)),
    ]
    table = ranks_table(cases)
    assert "400 → 1,000" in table
    assert "1,000, 10 a class" in table
    assert "4,000, 200 a class, far from convergence" in table
    assert "more than 9 GB" in table
    assert "× products" in table
    without = [{k: v for k, v in case.items() if k != "ratio"} for case in cases]
    assert "× products" not in ranks_table(without)


def test_the_command_stores_numbers_and_figure(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "run_case", fake)
    options = ["--batch-sizes", "100", "200", "--methods", "blocks", "--device", "cpu"]
    cli.main(["bench", "ranks", *options, "--out", str(tmp_path)])
    assert "| blocks |" in capsys.readouterr().out
    stored = json.loads((tmp_path / "ranks-cpu.json").read_text())
    assert len(stored["cases"]) == 8
    assert stored["device"]
    assert (tmp_path / "ranks-cpu.png").stat().st_size > 5000


def test_noise_moves_a_class_apart():
    def own(noise):
        embeddings, labels = bench.class_batch(Case("dense", 40, dim=64, noise=noise))
        return (embeddings @ embeddings.T)[labels[:, None] == labels].mean()

    assert own(0.3) > own(1.0) > own(None)


def test_the_sentences_of_the_page_hold():
    stored = read_json(embedded("results") / "bench" / "ranks-cpu.json")["cases"]
    alike = [c for c in stored if c["per_class"] == 4 and not c["simix"] and "failed" not in c]
    ratios = {(case["method"], case["batch_size"]): case["ratio"] for case in alike}
    theirs = [place for place in ratios if place[0] not in ("auto", "blocks", "SmoothAP, blocks")]
    for method, size in theirs:
        if size > 64:
            assert ratios["auto", size] < ratios[method, size]
    assert ratios["auto", 64] < 8 / 7 * ratios["naive, compiled", 64]
    assert ratios["auto", 64] < ratios["naive", 64]
