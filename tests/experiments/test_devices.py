"""The same settings and seeds on two devices are set side by side, and nothing else is."""

import json
from dataclasses import replace

import pytest
from helpers.made_up_runs import made_up_runs

from recallkit.errors import RecallkitError
from recallkit.experiments.devices import DEVICES, device_pairs, say_devices
from recallkit.experiments.plan import ABLATIONS, Stored
from recallkit.experiments.store import load_results
from recallkit.experiments.sweeps import SWEEPS, grid

SWEEP = replace(
    SWEEPS["batch-size-glyphs"],
    compared=grid(batch_size=(64, 512)),
    tuned={"learning_rate": (0.001, 0.002, 0.004)},
)


def runs_on(device, gain=0.0):
    stored = made_up_runs(SWEEP, lambda c: 0.5 + gain + 0.001 * c.seed * (c.seed < 3))
    for result in stored.final.values():
        result |= {"device": device, "seconds": 1.0, "commit": "0" * 12}
        result |= {"images_per_second": 1.0, "peak_memory_mb": 1.0, "threads": 1, "python": "3"}
        result |= {"libraries": {"torch": "2"}}
    return stored


def keep(folder, results):
    folder.mkdir(exist_ok=True)
    for place, result in enumerate(results):
        (folder / f"{place}.json").write_text(json.dumps(result), encoding="utf-8")


def test_runs_are_matched_by_setting_and_seed(tmp_path):
    here, there = runs_on("a processor"), runs_on("a card", gain=0.02)
    keep(tmp_path, [r for c, r in there.final.items() if c.batch_size == 512 and c.seed > 0])
    [(ours, others)] = device_pairs(here, tmp_path)
    assert [run["seed"] for run in ours] == [run["seed"] for run in others] == [1, 2]
    assert {run["config"]["batch_size"] for run in ours} == {512}
    [said] = say_devices(here, tmp_path)
    assert "(glyphs, batch 512, 200,000 images, 2 seeds): R@1 50.2 ± 0.6 on a processor" in said
    assert "52.2 ± 0.6 on a card; +2.0 ± 0.3, rises." in said


def test_what_no_sweep_has_run_is_left_out(tmp_path):
    keep(tmp_path, runs_on("a card").final.values())
    assert say_devices(Stored(), tmp_path) == []
    assert say_devices(runs_on("a processor"), tmp_path / "none") == []


def test_a_broken_file_is_named(tmp_path):
    keep(tmp_path, [{"seed": 0}])
    with pytest.raises(RecallkitError, match=r"0\.json is not a stored run"):
        device_pairs(Stored(), tmp_path)


def test_the_kept_runs_repeat_final_runs_on_another_device():
    pairs = device_pairs(Stored.read(ABLATIONS))
    assert sum(len(others) for _, others in pairs) == len(load_results(DEVICES)) > 0
    for ours, others in pairs:
        assert {run["device"] for run in ours}.isdisjoint(run["device"] for run in others)
