"""Where commands store results: with the user, or with --project in the checkout."""

import json

import pytest

from recallkit import cli
from recallkit.bench import reports
from recallkit.cli import shared
from recallkit.files import checkout, embedded


@pytest.fixture
def bench(monkeypatch):
    """Make ``bench precision`` quick, and return a function that runs it."""
    report = reports.Report({"rows": [1]}, "a table")
    monkeypatch.setitem(reports.REPORTS, "precision", lambda options: report)
    return lambda *flags: cli.main(["bench", "precision", "--device", "cpu", *flags])


def listing(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_bench_stores_with_the_user(bench, tmp_path, monkeypatch, capsys):
    before = listing(embedded("results"))
    bench()
    assert "a table" in capsys.readouterr().out
    stored = tmp_path / "results" / "bench" / "precision-cpu.json"
    assert json.loads(stored.read_text()) == {"rows": [1]}
    monkeypatch.setenv("RECALLKIT_RESULTS", str(tmp_path / "mine"))
    bench()
    assert (tmp_path / "mine" / "bench" / "precision-cpu.json").exists()
    bench("--out", "here")
    assert (tmp_path / "here" / "precision-cpu.json").exists()
    assert listing(embedded("results")) == before


def test_project_is_the_checkout(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "checkout", lambda: tmp_path / "checkout")
    bench("--project")
    assert (tmp_path / "checkout/data/results/bench/precision-cpu.json").exists()
    assert not (tmp_path / "results").exists()


def test_project_without_a_checkout_is_an_error_before_anything_runs(monkeypatch, failing):
    monkeypatch.setattr(shared, "checkout", lambda: None)
    monkeypatch.setattr(reports, "REPORTS", {})
    assert "--project stores results in a checkout" in failing("bench", "precision", "--project")
    assert "--project" in failing("train", "--store", "mine", "--project")


def test_the_results_of_a_checkout_are_its_own():
    assert shared.results_to_write(project=True) == checkout() / "data" / "results"
    assert embedded("results") == checkout() / "data" / "results"
