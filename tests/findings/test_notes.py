"""Runs that ended at the floor: in the table, and below a sweep that cannot tell."""

import math
from dataclasses import replace

import pytest
from helpers.made_up_runs import made_up_result, made_up_runs

from recallkit.config import Config
from recallkit.experiments import SWEEPS, Sweep, load_results, project_results, sweep_summary
from recallkit.experiments.results import loss_columns
from recallkit.experiments.sweeps import grid
from recallkit.files import read_json, write_json
from recallkit.findings import draw_results, draw_side_by_side, footnotes
from recallkit.findings.notes import AT_FLOOR, CANNOT_TELL, cannot_tell
from recallkit.findings.page_tables import sweeps as sweep_tables

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
    expected = {
        "training loss": line["loss"],
        "floor": FLOOR,
        "excess": 0.25,
        "training classes": 9,
    }
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
    assert CANNOT_TELL in " ".join(draw_results(SWEEP, runs).get_supxlabel().split())


def test_solved_settings_among_others_are_named(tmp_path):
    runs = with_losses(tmp_path, SWEEP, {64: 0.01, 128: 0.5})
    notes = footnotes(SWEEP, sweep_summary(SWEEP, runs))
    assert notes == [f"{AT_FLOOR}: “batch 64, SiMix off”"]


def test_the_table_and_sweeps_side_by_side_say_which_cannot_tell(tmp_path):
    sweep = SWEEPS["batch-size-finetuned"]
    runs = with_losses(tmp_path, sweep, {32: 0, 128: 0.01, 512: 0.02})
    note = " ".join(draw_side_by_side([sweep], runs).get_supxlabel().split())
    assert f"batch-size-finetuned: {CANNOT_TELL}" in note
    assert CANNOT_TELL in " ".join(sweep_tables(tmp_path).split())  # on two lines
    far = draw_side_by_side([sweep], with_losses(tmp_path / "x", sweep, {32: 0, 128: 0, 512: 0.9}))
    assert CANNOT_TELL not in " ".join(far.get_supxlabel().split())


def test_of_the_declared_sweeps_that_were_run_each_can_tell():
    runs = project_results()
    notes = [footnotes(sweep, sweep_summary(sweep, runs)) for sweep in SWEEPS.values()]
    assert not any(CANNOT_TELL in note for note in notes)


@pytest.mark.parametrize(("rise", "rising"), [(0.0049, False), (-0.02, False), (0.0051, True)])
def test_flat_is_no_more_than_half_a_point_at_the_last_evaluation(tmp_path, rise, rising):
    runs = made_up_runs(tmp_path, SWEEP, lambda config: 0.5, rise)
    expected = ["still rising (by more than 0.5 points at the last evaluation): all settings"]
    assert footnotes(SWEEP, sweep_summary(SWEEP, runs)) == (expected if rising else [])


@pytest.mark.parametrize(("failed", "told"), [(0.29, True), (0.31, False)])
def test_a_run_far_below_the_others_is_told_and_drawn(tmp_path, failed, told):
    def recall(config):
        return failed if (config.batch_size, config.seed) == (64, 1) else 0.5

    runs = made_up_runs(tmp_path, SWEEP, recall)
    notes = footnotes(SWEEP, sweep_summary(SWEEP, runs))
    assert notes == ["a run more than 20 points below the others: “batch 64, SiMix off”"] * told
    points = [
        line
        for line in draw_results(SWEEP, runs).axes[0].lines
        if line.get_linestyle() == "None" and line.get_markerfacecolor() == "white"
    ]
    drawn = [sorted(line.get_ydata()) for line in points]
    assert drawn == [pytest.approx([100 * failed, 50, 50])] * told


def test_footnotes_name_what_a_reader_must_know(tmp_path):
    sweep = replace(SWEEP, compared=grid(batch_size=(64, 128, 256)), seeds=(0, 1))

    def value(config):
        return None if config.batch_size == 64 else 0.5 + config.seed % 3 / 100

    def lacks(config):
        return config.batch_size == 128 or (config.batch_size == 256 and config.seed == 1)

    runs = made_up_runs(tmp_path, sweep, value, lacks=lacks)
    assert footnotes(sweep, sweep_summary(sweep, runs)) == [
        "a single run, so no interval: “batch 256”",
        "diverged: “batch 64”",
        "not run: “batch 128”",
    ]
    edge = replace(SWEEP, compared=SWEEP.compared[:1], tuned={"per_class": (2, 4)})
    runs = made_up_runs(tmp_path, edge, lambda c: 0.5 + c.per_class / 100)
    [note] = footnotes(edge, sweep_summary(edge, runs))
    assert note == "per class at the edge of its candidates: “batch 64, SiMix off”"
    many = replace(SWEEP, compared=grid(rotation=tuple(map(float, range(10)))), seeds=(0, 1))
    runs = made_up_runs(tmp_path, many, lambda c: 0.5, lacks=lambda c: c.rotation > 0)
    assert footnotes(many, sweep_summary(many, runs)) == [
        "not run: all settings except “rotation 0”"
    ]
    many = replace(many, compared=grid(rotation=tuple(map(float, range(12)))))
    runs = made_up_runs(tmp_path, many, lambda c: 0.5, lacks=lambda c: c.rotation > 2)
    assert footnotes(many, sweep_summary(many, runs)) == ["not run: 9 of the 12 settings"]
    runs = made_up_runs(tmp_path, many, lambda c: 0.5, lacks=lambda c: c.rotation > 8)
    three = ["not run: “rotation 9”, “rotation 10” and “rotation 11”"]
    assert footnotes(many, sweep_summary(many, runs)) == three


def test_settings_of_several_devices_are_named(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, lambda c: 0.5,
                        others=lambda c: {"device": f"machine {c.batch_size}"})  # fmt: skip
    assert footnotes(SWEEP, sweep_summary(SWEEP, runs)) == [
        "run on machine 128: “batch 128, SiMix off”",
        "run on machine 64: “batch 64, SiMix off”",
    ]
