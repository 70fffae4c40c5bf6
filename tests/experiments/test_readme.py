"""README says what the stored results say."""

import pytest

from recallkit.experiments import readme


def test_readme_is_what_the_stored_results_give():
    text = (readme.ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.filled(text) == text


def test_a_missing_block_is_named():
    with pytest.raises(ValueError, match="the block 'first-light' once, not 0 times"):
        readme.filled("nothing")


def test_the_benchmark_table_is_made_of_stored_runs(monkeypatch):
    stored = readme.load_results()
    lines = readme.benchmarks().splitlines()
    rows = [line for line in lines if line.startswith("| emoji")]
    seeds = [r["seed"] for r in stored if r["config"] == stored[0]["config"] | {"seed": r["seed"]}]
    assert sum(row.count(", ".join(map(str, seeds))) for row in rows) == 1
    mean = sum(r["test"]["trained"]["R@1"] for r in stored if r["seed"] in seeds) / len(stored)
    if len(seeds) == len(stored):
        assert f"{100 * mean:.1f} ±" in rows[0]
    sop = stored[0] | {"config": stored[0]["config"] | {"dataset": "sop", "epochs": 55}}
    monkeypatch.setattr(readme, "load_results", lambda: [*stored, sop])
    [row] = [line for line in readme.benchmarks().splitlines() if line.startswith("| sop")]
    assert "55 epochs" in row
    assert f"{100 * sop['test']['trained']['mAP@R']:.1f} |" in row
    monkeypatch.setattr(readme, "load_results", list)
    assert readme.benchmarks() == "No run is stored."
