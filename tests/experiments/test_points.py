"""From stored runs to points and figures: every number is that of the runs, in its place."""

import math
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest

from recallkit.experiments.figures import as_csv, draw_costs, draw_results
from recallkit.experiments.plan import Stored, make_plan
from recallkit.experiments.points import collect, label, look_rows, points_table, remarks
from recallkit.experiments.sweeps import Sweep, grid
from recallkit.presets import PRESETS

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
    """Every run of a sweep, with recalls that follow from the settings; some left out."""
    stored = Stored()
    while due := [r for r in make_plan(sweep, stored).due if r.config.batch_size not in lacking]:
        for run in due:
            last = recall(run.config) - abs(run.config.learning_rate - 0.002)
            steps = run.config.images // run.config.batch_size
            tested = {"trained": {"R@1": last, "mAP@R": last / 2}}
            looks = [(steps // 2, 5.0, last - rise), (steps, 10.0 + run.config.seed, last)]
            getattr(stored, run.stage)[run.config] = {
                "config": vars(run.config),
                "seed": run.config.seed,
                "test": tested if run.stage == "final" else {},
                "validation": [
                    {"step": n, "images": n * run.config.batch_size, "seconds": s, "R@1": r}
                    for n, s, r in looks
                ],
            }
    return stored


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


def test_the_preset_alone_is_a_sweep_too():
    sweep = Sweep("alone", "How good?", "emoji", ({},), seeds=(0, 1))
    points = collect(sweep, stored_runs(sweep))
    assert draw_results(sweep, points).axes[0].get_xticklabels()[0].get_text() == "preset"
    assert label(points[0]) == "preset"
    assert sweep.config({}) == PRESETS["emoji"]
