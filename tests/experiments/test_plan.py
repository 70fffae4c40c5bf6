"""What comes next is decided by what is stored: order, tuning, edges."""

import math
from dataclasses import replace

import pytest
from helpers.made_up_runs import made_up_result

from recallkit.config import Config
from recallkit.experiments import load_results
from recallkit.experiments.plan import Run, Stored, make_plan, place, tune
from recallkit.experiments.sweeps import TUNING_SEED, Sweep, grid
from recallkit.files import write_json

RATES = (0.001, 0.002, 0.004)
SWEEP = Sweep(
    "toy", "?", "emoji", grid(batch_size=(64, 128)), tuned={"learning_rate": RATES}, seeds=(0, 1, 2)
)


def follow(sweep, score):
    """Do what the plan says is next until nothing is; return the runs in their order."""
    stored, order = Stored(), []
    while due := make_plan(sweep, stored).due:
        value = score(due[0].config)
        stored[due[0].stage, due[0].key] = -math.inf if value is None else value
        order.append(due[0])
    return order, stored


def peak_at(best):
    return lambda config: 0.9 - abs(config.learning_rate - best)


def test_order_tuning_of_all_then_seed_by_seed():
    order, stored = follow(SWEEP, peak_at(0.002))
    tuning = [(64, rate) for rate in RATES] + [(128, rate) for rate in RATES]
    assert [(r.config.batch_size, r.config.learning_rate) for r in order[:6]] == tuning
    assert {(r.stage, r.config.seed) for r in order[:6]} == {("tuning", TUNING_SEED)}
    finals = [(seed, size) for seed in (0, 1, 2) for size in (64, 128)]
    assert [(r.config.seed, r.config.batch_size) for r in order[6:]] == finals
    assert {(r.stage, r.config.learning_rate) for r in order[6:]} == {("final", 0.002)}
    assert make_plan(SWEEP, stored).later == ()
    assert len(make_plan(SWEEP, stored).stored) == 12


def test_later_counts_what_waits_for_its_tuning():
    plan = make_plan(SWEEP, Stored())
    assert (len(plan.due), len(plan.later), plan.stored) == (6, 6, ())


def test_the_choice_is_by_validation_and_test_metrics_cannot_change_it(tmp_path):
    """Metrics on test classes, though in the files, are not what chooses."""
    for setting in SWEEP.compared:
        for rate in RATES:
            run = Run("tuning", replace(SWEEP.config(setting), learning_rate=rate, seed=1000))
            result = made_up_result(run.config, peak_at(0.002)(run.config), float(rate == 0.004))
            write_json(place(tmp_path, SWEEP, run), result)
    stored = Stored.of(load_results(tmp_path))
    assert tune(SWEEP, SWEEP.compared[0], stored).config.learning_rate == 0.002


@pytest.mark.parametrize(
    ("best", "tried", "chosen", "edges"),
    [
        (0.002, RATES, 0.002, ()),
        (0.008, (*RATES, 0.008, 0.016), 0.008, ()),
        (0.0005, (0.00025, 0.0005, *RATES), 0.0005, ()),
        (1.0, (*RATES, 0.008, 0.016), 0.016, ("learning_rate",)),
    ],
)
def test_a_best_rate_at_the_edge_moves_the_edge(best, tried, chosen, edges):
    order, stored = follow(replace(SWEEP, compared=({},)), peak_at(best))
    assert sorted(r.config.learning_rate for r in order if r.stage == "tuning") == sorted(tried)
    tuning = tune(SWEEP, {}, stored)
    assert (tuning.config.learning_rate, tuning.edges) == (chosen, edges)


@pytest.mark.parametrize("values", [(0.5, 1.0), (0.4, 0.7, 0.9)])
def test_no_candidate_leaves_the_range_of_its_setting(values):
    sweep = replace(SWEEP, compared=({},), tuned={"crop": values})
    order, stored = follow(sweep, lambda config: config.crop)
    assert [r.config.crop for r in order if r.stage == "tuning"] == list(values)
    tuning = tune(sweep, {}, stored)
    assert (tuning.config.crop, tuning.edges) == (values[-1], ("crop",))
    assert order[-1].config.crop == values[-1]


def test_two_settings_are_tuned_one_after_the_other():
    tuned = {"learning_rate": RATES, "weight_decay": (0.01, 0.1, 1.0)}
    sweep = replace(SWEEP, compared=({},), tuned=tuned)

    def score(config):
        rate, decay = config.learning_rate, config.weight_decay
        return 0.9 - abs(rate - 0.002) - abs(decay - 0.1)

    order, stored = follow(sweep, score)
    tuning = [(r.config.learning_rate, r.config.weight_decay) for r in order[:6]]
    assert tuning[:3] == [(rate, 1e-4) for rate in RATES]
    assert tuning[3:] == [(0.002, decay) for decay in (0.01, 0.1, 1.0)]
    assert tune(sweep, {}, stored).config.weight_decay == 0.1


def test_a_rate_that_diverges_is_no_choice_and_one_for_all_ends_the_setting():
    best = peak_at(0.002)
    order, stored = follow(SWEEP, lambda c: best(c) if c.learning_rate < 0.003 else None)
    assert {r.config.learning_rate for r in order if r.stage == "final"} == {0.002}
    order, stored = follow(SWEEP, lambda c: None if c.batch_size == 64 else best(c))
    assert {r.config.batch_size for r in order if r.stage == "final"} == {128}
    assert tune(SWEEP, {"batch_size": 64}, stored).failed


def test_without_anything_to_tune_only_final_runs_are_due():
    plan = make_plan(replace(SWEEP, tuned={}), Stored())
    assert [run.stage for run in plan.due] == ["final"] * 6


def test_what_has_no_effect_on_a_loss_is_not_tuned_for_it():
    scales = {"circle_gamma": (20.0, 80.0, 320.0), "rank_temperature": (0.001, 0.01, 0.1)}
    losses = Sweep(
        "toy", "?", "emoji", grid(loss=("recall@k", "circle")), tuned=scales | SWEEP.tuned
    )
    plan = make_plan(losses, Stored())
    assert [run.config.loss for run in plan.due] == ["recall@k"] * 3 + ["circle"] * 3
    assert len(plan.later) == 2 * (3 + 3)  # three learning rates each, and three seeds

    def score(config):
        return peak_at(0.002)(config) - abs(math.log(config.circle_gamma / 80)) / 100

    order, _ = follow(losses, score)
    assert len(order) == len(plan.due) + len(plan.later) + 2  # all τ₂ are alike: the first is best
    gammas = {run.config.loss: set() for run in order}
    for run in order:
        gammas[run.config.loss].add(run.config.circle_gamma)
    assert gammas == {"recall@k": {80.0}, "circle": {20.0, 80.0, 320.0}}


def test_what_another_sweep_has_stored_is_not_run_again(tmp_path):
    """Settings are what counts, not the folder they are stored in."""
    order, _ = follow(SWEEP, peak_at(0.002))
    other = replace(SWEEP, name="other", compared=SWEEP.compared[:1])
    for run in order:
        test = None if run.stage == "tuning" else 0.5
        result = made_up_result(run.config, peak_at(0.002)(run.config), test)
        write_json(place(tmp_path, SWEEP, run), result)
    stored = Stored.of(load_results(tmp_path))
    assert make_plan(other, stored).due == ()
    assert len(make_plan(replace(other, seeds=(0, 7)), stored).due) == 1


def test_a_run_that_diverged_is_done(tmp_path):
    runs = [Run(stage, Config()) for stage in ("tuning", "final")]
    assert not any(map(Stored().has, runs))
    path = place(tmp_path, SWEEP, runs[0], diverged=True)
    write_json(path, {"config": vars(Config()), "seed": 0, "diverged": "the loss is nan"})
    stored = Stored.of(load_results(tmp_path))
    assert stored == {(stage, runs[0].key): -math.inf for stage in ("tuning", "final")}


def test_places_are_apart_for_tuning_finals_and_what_diverged(tmp_path):
    run = Run("tuning", Config())
    paths = {
        place(tmp_path, SWEEP, run),
        place(tmp_path, SWEEP, run, diverged=True),
        place(tmp_path, SWEEP, Run("final", Config())),
    }
    assert len(paths) == 3
    assert {path.name for path in paths} == {f"{run.key}.json"}
