"""README says what the stored results say."""

import statistics
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from helpers.made_up_runs import made_up_runs

from recallkit.config import PRESETS
from recallkit.experiments import readme
from recallkit.experiments.sweeps import SWEEPS


def test_readme_is_what_the_stored_results_give():
    text = (readme.ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.filled(text) == text


def test_a_missing_block_is_named():
    with pytest.raises(ValueError, match="the block 'first-light' once, not 0 times"):
        readme.filled("nothing")


def test_the_benchmark_table_is_made_of_stored_runs(monkeypatch):
    stored = readme.load_results()
    rows = readme.benchmarks().splitlines()
    for first in (run for run in stored if run["seed"] == 0):
        runs = [r for r in stored if r["config"] == first["config"] | {"seed": r["seed"]}]
        mean = statistics.fmean(r["test"]["trained"]["R@1"] for r in runs)
        seeds = ", ".join(str(r["seed"]) for r in runs)
        found = [row for row in rows if f"| {100 * mean:.1f} ±" in row and f" {seeds} |" in row]
        assert len(found) == 1
        assert f"| {first['config']['dataset']} " in found[0]
    sop = stored[0] | {"config": stored[0]["config"] | {"dataset": "sop", "epochs": 55}}
    monkeypatch.setattr(readme, "load_results", lambda: [*stored, sop])
    [row] = [line for line in readme.benchmarks().splitlines() if line.startswith("| sop")]
    assert "55 epochs" in row
    assert f"{100 * sop['test']['trained']['mAP@R']:.1f} |" in row
    monkeypatch.setattr(readme, "load_results", list)
    monkeypatch.setattr(readme, "ABLATIONS", Path("nowhere"))
    assert readme.benchmarks() == "No run is stored."


def test_runs_of_presets_are_taken_from_sweeps_unless_stored_by_name(monkeypatch):
    sweep = replace(SWEEPS["batch-size-frozen"], tuned={"learning_rate": (0.001, 0.002, 0.004)})
    stored = made_up_runs(sweep, lambda config: 0.5)
    preset = PRESETS["emoji-frozen"]
    finals = [replace(preset, seed=seed) for seed in range(3)]
    for config in finals:
        stored.final[config] = {"config": asdict(config), "seed": config.seed}
    monkeypatch.setattr(readme.Stored, "read", lambda root: stored)
    monkeypatch.setattr(readme, "load_results", list)
    assert [run["seed"] for run in readme.runs_of_presets()] == [0, 1, 2]
    named = {"config": asdict(finals[1]), "seed": 1, "by": "name"}
    monkeypatch.setattr(readme, "load_results", lambda: [named])
    assert [run.get("by") for run in readme.runs_of_presets()] == ["name", None, None]
