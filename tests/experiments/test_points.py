"""From stored runs to points and figures: every number is that of the runs, in its place."""

import math
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
from helpers.made_up_runs import made_up_runs

from recallkit.config import PRESETS
from recallkit.experiments.figures import (
    as_csv,
    draw_costs,
    draw_equal_updates,
    draw_rates,
    draw_results,
    draw_sweep,
    has_rates,
    say_equal_updates,
    say_rates,
)
from recallkit.experiments.plan import Stored, make_plan
from recallkit.experiments.points import (
    at_updates,
    collect,
    label,
    look_rows,
    points_table,
    remarks,
    tried_rows,
)
from recallkit.experiments.sweeps import Sweep, grid

SWEEP = Sweep(
    "toy", "?", "emoji", grid(batch_size=(256, 64, 128), simix=(True, False)),
    tuned={"learning_rate": (0.001, 0.002, 0.004)},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def recall(config):
    return 0.3 + config.batch_size / 1000 + 0.1 * config.simix + 0.01 * config.seed % 1


def stored_runs(sweep, rise=0.001, lacking=()):
    return made_up_runs(sweep, recall, rise, lambda config: config.batch_size in lacking)


def test_a_point_has_the_mean_and_interval_of_its_seeds():
    point = collect(SWEEP, stored_runs(SWEEP))[0]
    assert point.values == {"batch_size": 256, "simix": True}
    assert point.tuned == {"learning_rate": 0.002}
    found = point.metrics["R@1"]
    assert (found.mean, found.count) == (pytest.approx(0.3 + 0.256 + 0.1 + 0.01), 3)
    assert found.margin == pytest.approx(4.303 * 0.01 / math.sqrt(3))
    last = point.looks[-1]
    assert (last.updates, last.seconds) == (260_000 // 256, pytest.approx(11.0))
    assert last.images == last.updates * 256


@pytest.mark.parametrize(("rise", "flat"), [(0.0049, True), (-0.02, True), (0.0051, False)])
def test_flat_is_no_more_than_half_a_point_at_the_last_look(rise, flat):
    points = collect(SWEEP, stored_runs(SWEEP, rise))
    assert {point.flat for point in points} == {flat}
    assert any("still rising" in said for said in remarks(points)) == (not flat)


def test_what_lacks_is_said():
    points = collect(SWEEP, stored_runs(SWEEP, lacking=(64,)))
    statuses = {p.values["batch_size"]: p.status for p in points}
    assert statuses == {256: "3 seeds", 64: "not run", 128: "3 seeds"}
    assert "not run: batch_size 64, simix on; batch_size 64, simix off" in remarks(points)
    assert points_table(points).count("not run") == 2
    lone = replace(SWEEP, seeds=(0,))
    points = collect(lone, stored_runs(lone))
    assert {point.status for point in points} == {"one seed"}
    assert any(said.startswith("no interval") for said in remarks(points))
    assert not math.isfinite(points[0].metrics["R@1"].margin)
    assert "inf" not in as_csv(look_rows(points))


def test_finals_that_diverged_are_counted_and_a_setting_without_a_rate_is_named():
    stored = stored_runs(SWEEP)
    gone = next(config for config in stored.final if config.batch_size == 64)
    stored.diverged[gone] = stored.final.pop(gone)
    statuses = [point.status for point in collect(SWEEP, stored)]
    assert sorted(statuses) == ["2 seeds, 1 diverged", *["3 seeds"] * 5]
    for config in list(stored.tuning):
        if config.batch_size == 256:
            stored.diverged[config] = stored.tuning.pop(config)
    points = collect(SWEEP, stored)
    while due := [r for r in make_plan(SWEEP, stored).due if r.stage == "tuning"]:
        stored.diverged.update({run.config: {} for run in due})
    points = collect(SWEEP, stored)
    assert [p.status for p in points if p.values["batch_size"] == 256] == ["diverged"] * 2


def test_results_are_drawn_in_the_order_of_the_axis_whatever_the_order_declared():
    points = collect(SWEEP, stored_runs(SWEEP, lacking=(64,)))
    ax = draw_results(SWEEP, points).axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["64", "128", "256"]
    series = {bar.get_label(): bar.lines[0] for bar in ax.containers}
    assert set(series) == {"simix off", "simix on"}
    for name, line in series.items():
        assert list(line.get_xdata()) == [1, 2]
        expected = [100 * (0.31 + size / 1000 + 0.1 * (name == "simix on")) for size in (128, 256)]
        assert list(line.get_ydata()) == pytest.approx(expected)
        assert line.get_linestyle() != "None"
    assert [text.get_text() for text in ax.texts] == ["not run"]


def test_words_are_not_joined_by_lines_and_say_only_what_differs():
    compared = ({}, {"simix": False}, {"ks": (1,), "simix": False}, {"flip": True})
    sweep = Sweep("words", "?", "emoji", compared, tuned={}, seeds=(0, 1))
    ax = draw_results(sweep, collect(sweep, stored_runs(sweep))).axes[0]
    texts = [text.get_text() for text in ax.get_xticklabels()]
    assert texts == ["preset", "simix off", "simix off,\nks 1", "flip on"]
    assert ax.containers[0].lines[0].get_linestyle() == "None"


def test_three_views_of_cost_show_the_same_recalls():
    points = collect(SWEEP, stored_runs(SWEEP))
    axes = draw_costs(SWEEP, points).axes
    assert [ax.get_xlabel() for ax in axes[:3]] == ["images seen", "updates", "seconds of training"]
    assert [ax.get_title() for ax in axes] == ["", "simix off", "", "", "simix on", ""]
    first = [ax.lines[0] for ax in axes[:3]]
    assert [line.get_label() for line in axes[0].lines] == ["64", "128", "256"]
    assert len({tuple(line.get_ydata()) for line in first}) == 1
    images, updates, seconds = (list(line.get_xdata()) for line in first)
    assert images == [64 * count for count in updates]
    assert seconds == [5.0, 11.0]


def note_processor(stored, device="cpu"):
    for result in stored.final.values():
        result["device_type"] = device
        for line in result["validation"]:
            line["processor_seconds"] = 2 * line["seconds"]
    return stored


@pytest.mark.parametrize(
    ("device", "label", "seconds"),
    [("cpu", "processor seconds of training", 22.0), ("cuda", "seconds of training", 11.0)],
)
def test_cost_is_the_processors_time_on_a_cpu_that_noted_it(device, label, seconds):
    points = collect(SWEEP, note_processor(stored_runs(SWEEP), device))
    ax = draw_costs(SWEEP, points).axes[2]
    assert ax.get_xlabel() == label
    assert ax.lines[0].get_xdata()[-1] == pytest.approx(seconds)


def test_cost_is_seconds_if_one_run_has_not_noted_the_processors_time():
    stored = note_processor(stored_runs(SWEEP))
    del next(iter(stored.final.values()))["validation"][0]["processor_seconds"]
    axes = draw_costs(SWEEP, collect(SWEEP, stored)).axes
    assert axes[2].get_xlabel() == "seconds of training"


def test_seconds_of_different_devices_are_neither_drawn_nor_passed_over_in_silence():
    stored = stored_runs(SWEEP)
    for config, result in stored.final.items():
        result["device"] = "a card" if config.batch_size == 256 else "a processor"
    points = collect(SWEEP, stored)
    labels = [ax.get_xlabel() for ax in draw_costs(SWEEP, points).axes]
    assert labels == ["images seen", "updates"] * 2
    assert "seconds are not compared: runs were made on a card and a processor" in remarks(points)
    for result in stored.final.values():
        result["device"] = "a card"
    points = collect(SWEEP, stored)
    assert draw_costs(SWEEP, points).axes[2].get_xlabel() == "seconds of training"
    assert not any("not compared" in remark for remark in remarks(points))
    for result in stored.final.values():
        result |= {"device_type": "cuda", "side_by_side": 8}
    assert "seconds are not compared: several runs shared the card" in remarks(
        collect(SWEEP, stored)
    )


def test_rates_show_each_run_that_tuned_and_no_test_metric():
    stored = stored_runs(SWEEP)
    stored.final.clear()
    points = collect(SWEEP, stored)
    ax = draw_rates(SWEEP, points).axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    assert set(lines) == {"0.001 for all", "0.002 for all", "0.004 for all", "each its best"}
    tried = {
        (r["tried learning_rate"], r["batch_size"], r["simix"]): r
        for r in tried_rows(SWEEP, points)
    }
    assert len(tried) == 18
    for rate in (0.001, 0.002, 0.004):
        heights = [
            100 * tried[rate, size, "off"]["validation R@1"] for size in ("64", "128", "256")
        ]
        assert list(lines[f"{rate} for all"].get_ydata()) == pytest.approx(heights)
    assert list(lines["each its best"].get_ydata()) == list(lines["0.002 for all"].get_ydata())
    assert not has_rates(SWEEP, collect(SWEEP, made_up_runs(SWEEP, recall, 0, lambda config: True)))


def test_a_rate_that_diverged_is_not_drawn():
    stored = stored_runs(SWEEP)
    gone = next(config for config in stored.tuning if config.learning_rate == 0.004)
    stored.diverged[gone] = stored.tuning.pop(gone)
    assert len(tried_rows(SWEEP, collect(SWEEP, stored))) == 17


def test_a_line_stops_where_nothing_was_tried():
    stored = stored_runs(SWEEP)
    for config in list(stored.tuning):
        if config.learning_rate == 0.004 and config.batch_size == 128:
            stored.diverged[config] = stored.tuning.pop(config)
    ax = draw_rates(SWEEP, collect(SWEEP, stored)).axes[0]
    [line] = [line for line in ax.lines if line.get_label() == "0.004 for all"]
    assert [math.isnan(height) for height in line.get_ydata()] == [False, True, False]


def test_equal_updates_are_read_on_a_straight_line_between_two_looks():
    points = collect(SWEEP, stored_runs(SWEEP, rise=0.1))
    [small] = [p for p in points if p.values == {"batch_size": 64, "simix": False}]
    first, last = small.looks
    assert at_updates(small, first.updates) == pytest.approx(first.recall.mean)
    assert at_updates(small, last.updates) == pytest.approx(last.recall.mean)
    assert at_updates(small, first.updates - 1) is None
    assert at_updates(small, last.updates + 1) is None
    quarter = first.updates + (last.updates - first.updates) // 4
    share = (quarter - first.updates) / (last.updates - first.updates)
    assert at_updates(small, quarter) == pytest.approx(first.recall.mean + 0.1 * share)

    ax = draw_equal_updates(SWEEP, points).axes[0]
    lines = {line.get_label(): line for line in ax.lines}
    [end_of_128] = [p.looks[-1].updates for p in points if p.values["batch_size"] == 128][:1]
    pair = lines[f"{end_of_128:,} updates each"]
    assert list(pair.get_xdata()) == [0, 1]
    assert pair.get_ydata()[0] == pytest.approx(100 * at_updates(small, end_of_128))
    ends = lines["equal images (the ends)"].get_ydata()
    assert ends[0] == pytest.approx(100 * last.recall.mean)


def test_readings_in_words():
    points = collect(SWEEP, stored_runs(SWEEP, rise=0.3))  # larger is better, and more is better
    assert say_equal_updates(SWEEP, points).startswith(
        "the larger of two batches is ahead in 4 of 4"
    )
    assert say_equal_updates(SWEEP, points).endswith("in 4 of the same pairs at equal images")
    smaller = made_up_runs(SWEEP, lambda c: 0.9 - c.batch_size / 5000, rise=0.3)
    said = say_equal_updates(SWEEP, collect(SWEEP, smaller))
    assert "in 4 of 4 pairs at equal updates, and in 0 of the same" in said
    lines = say_rates(SWEEP, collect(SWEEP, smaller)).splitlines()
    assert len(lines) == 6
    assert lines[0] == "simix off, 0.001 for all: best is 64"
    assert "no rate" in say_rates(SWEEP, collect(SWEEP, Stored()))


def test_what_is_drawn_of_a_sweep_depends_on_what_it_compares(tmp_path):
    def stems(sweep):
        files = draw_sweep(sweep, collect(sweep, made_up_runs(sweep, recall)), tmp_path, "x")
        assert all(file.stat().st_size for file in files)
        return {file.stem for file in files}

    assert stems(SWEEP) == {"x", "x-cost", "x-rates", "x-updates"}
    assert stems(replace(SWEEP, compared=grid(per_class=(2, 4)))) == {"x", "x-cost", "x-rates"}
    assert stems(replace(SWEEP, compared=grid(simix=(True, False)))) == {"x", "x-cost"}


def test_own_points_stand_among_the_stored_ones():
    points = collect(SWEEP, stored_runs(SWEEP))
    ax = draw_results(SWEEP, points, {32: 0.2, 128: 0.3}, "mine").axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["32", "64", "128", "256"]
    [mine] = [line for line in ax.lines if line.get_label() == "mine"]
    assert (list(mine.get_xdata()), list(mine.get_ydata())) == ([0, 2], [20, 30])


def test_a_remark_of_all_does_not_name_each():
    points = collect(SWEEP, stored_runs(SWEEP, rise=0.1))
    assert remarks(points) == ["still rising (by more than 0.5 points at the last look): all"]


def test_the_preset_alone_is_a_sweep_too():
    sweep = Sweep("alone", "How good?", "emoji", ({},), seeds=(0, 1))
    points = collect(sweep, stored_runs(sweep))
    assert draw_results(sweep, points).axes[0].get_xticklabels()[0].get_text() == "preset"
    assert label(points[0]) == "preset"
    assert sweep.config({}) == PRESETS["emoji"]
