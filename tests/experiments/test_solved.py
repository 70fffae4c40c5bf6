"""Runs that ended at the floor: in the table, and below a sweep that cannot tell."""

import math
from dataclasses import replace

import pytest
from helpers.made_up_runs import made_up_result, made_up_runs

from recallkit.config import Config
from recallkit.experiments import (
    SWEEPS,
    Sweep,
    draw_batch_sizes,
    draw_results,
    footnotes,
    load_results,
    project_results,
    sweep_summary,
)
from recallkit.experiments.report_tables import sweeps as sweep_tables
from recallkit.experiments.solved import AT_FLOOR, CANNOT_TELL, cannot_tell, loss_columns
from recallkit.experiments.sweeps import grid
from recallkit.files import read_json, write_json

SWEEP = Sweep("toy", "?", "emoji", grid(batch_size=(64, 128), simix=(False,)),
              tuned={"learning_rate": (0.001, 0.002, 0.004)})  # fmt: skip
FLOOR, STEP = 0.10208, 0.1830  # of groups of four


def with_losses(folder, sweep, excess):
    """Store a sweep whose runs end so many steps above the floor."""

    made_up_runs(folder, sweep, lambda config: 0.5, others=lambda c: {"class_sizes": {"4": 100}})
    for path in folder.rglob("*.json"):
        result = read_json(path)
        above = STEP * excess[result["config"]["batch_size"]]
        result["validation"][-1]["loss"] = FLOOR + above
        write_json(path, result)
    return load_results(folder)


def test_a_row_has_loss_floor_and_excess():
    config, line = Config(simix=False), {"loss": FLOOR + STEP / 4}
    row = loss_columns(config, {"validation": [{}, line], "class_sizes": {"4": 9}})
    expected = {"training loss": line["loss"], "floor": FLOOR, "excess": 0.25}
    assert row == pytest.approx(expected, abs=1e-3)
    assert all(map(math.isnan, loss_columns(replace(config, dataset="/mine"), {}).values()))
    pairs = loss_columns(replace(config, loss="triplet"), {"validation": [{"loss": 0.1}]})
    assert (pairs["training loss"], math.isnan(pairs["floor"])) == (0.1, True)


def test_the_table_of_runs_has_them(tmp_path):
    result = made_up_result(Config(simix=False), 0.5, 0.4)
    result["validation"][-1]["loss"] = 0.3
    write_json(tmp_path / "a.json", result)
    [row] = load_results(tmp_path).to_dict("records")
    assert (row["training loss"], row["loss"]) == (0.3, "recall@k")
    assert row["floor"] == pytest.approx(0.1061, abs=5e-5)  # emoji has groups of two and three
    assert row["excess"] == pytest.approx((0.3 - 0.1061) / (0.2845 - 0.1061), abs=1e-3)


@pytest.mark.parametrize(
    ("excess", "expected"),
    [
        ([0.02, 0.09], True),
        ([-0.1, 0.1], True),
        ([0.02, 0.11], False),
        ([0.02, math.nan], False),
        ([0.02], False),
        ([], False),
    ],
)
def test_a_sweep_cannot_tell_if_all_its_settings_are_solved(excess, expected):
    assert cannot_tell(excess) == expected


def test_the_figure_of_a_solved_sweep_says_that_it_cannot_tell(tmp_path):
    runs = with_losses(tmp_path, SWEEP, {64: 0.01, 128: 0.05})
    assert footnotes(SWEEP, sweep_summary(SWEEP, runs)) == [CANNOT_TELL]
    assert CANNOT_TELL in draw_results(SWEEP, runs).get_supxlabel()


def test_solved_settings_among_others_are_named(tmp_path):
    runs = with_losses(tmp_path, SWEEP, {64: 0.01, 128: 0.5})
    notes = footnotes(SWEEP, sweep_summary(SWEEP, runs))
    assert notes == [f"{AT_FLOOR}: batch 64, SiMix off"]


def test_the_table_and_sweeps_side_by_side_say_which_cannot_tell(tmp_path):
    sweep = SWEEPS["batch-size-glyphs"]
    text = draw_batch_sizes(with_losses(tmp_path, sweep, {64: 0, 512: 0.01, 4096: 0.02}))
    assert f"glyphs, 200,000 images seen: {CANNOT_TELL}" in text.get_supxlabel()
    assert f"*{CANNOT_TELL}*" in " ".join(sweep_tables(tmp_path).split())  # on two lines
    far = draw_batch_sizes(with_losses(tmp_path / "x", sweep, {64: 0, 512: 0.01, 4096: 0.9}))
    assert CANNOT_TELL not in far.get_supxlabel()


def test_of_the_stored_sweeps_only_the_longest_on_glyphs_cannot_tell():
    runs = project_results()
    silent = [
        name
        for name, sweep in SWEEPS.items()
        if CANNOT_TELL in footnotes(sweep, sweep_summary(sweep, runs))
    ]
    assert silent == ["batch-size-glyphs-4m"]
