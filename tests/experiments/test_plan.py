"""What comes next is decided by what is stored: order, tuning, edges; and keys stay the same."""

import json
import random
from dataclasses import asdict, field, make_dataclass, replace

import pytest

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.experiments import plan as planning
from recallkit.experiments.plan import Run, Stored, make_plan, place, tune
from recallkit.experiments.store import FOLDER, config_of, load_results, run_key
from recallkit.experiments.sweeps import TUNING_SEED, Sweep, grid
from recallkit.files import read_json

RATES = (0.001, 0.002, 0.004)
SWEEP = Sweep(
    "toy", "?", "emoji", grid(batch_size=(64, 128)), tuned={"learning_rate": RATES}, seeds=(0, 1, 2)
)


def result(config, validation, test=None):
    return {
        "config": asdict(config),
        "seed": config.seed,
        "test": {} if test is None else {"trained": {"R@1": test, "mAP@R": test / 2}},
        "validation": [
            {"step": 5, "images": 640, "seconds": 1.0, "R@1": validation - 0.1},
            {"step": 10, "images": 1280, "seconds": 2.0, "R@1": validation},
        ],
        "seconds": 2.0,
        "threads": 1,
        "device": "a processor",
        "commit": "abc",
    }


def follow(sweep, score, stored=None):
    """Do what the plan says is next until nothing is; return the runs in their order."""
    stored, order = Stored() if stored is None else stored, []
    while due := make_plan(sweep, stored).due:
        run = due[0]
        value = score(run.config)
        if value is None:
            stored.diverged[run.config] = {"diverged": "the loss is nan"}
        else:
            done = result(run.config, value, None if run.stage == "tuning" else value)
            getattr(stored, run.stage)[run.config] = done
        order.append(run)
    return order, stored


def peak_at(best):
    return lambda config: 0.9 - abs(config.learning_rate - best)


def test_a_key_is_of_the_values_and_not_of_their_order_or_type():
    config = Config(k_temperature=2.0, ks=(1, 3))
    names = list(vars(config))
    random.Random(0).shuffle(names)
    shuffled = make_dataclass("Shuffled", [(n, object, field(default=None)) for n in names])
    for f in shuffled.__dataclass_fields__.values():
        f.default = Config.__dataclass_fields__[f.name].default
    assert run_key(shuffled(**vars(config))) == run_key(config)
    assert run_key(replace(config, k_temperature=2)) == run_key(config)
    assert run_key(config_of(json.loads(json.dumps(result(config, 0.5))))) == run_key(config)


def test_every_setting_counts_in_a_key():
    keys = {run_key(Config())}
    for name in vars(Config()):
        other = Config()
        object.__setattr__(other, name, "another")  # past what is checked: any value will do
        keys.add(run_key(other))
    assert len(keys) == 1 + len(vars(Config()))


def test_a_field_that_comes_later_leaves_old_keys_alone():
    later = make_dataclass(
        "Later", [("weather", str, field(default="fair"))], bases=(Config,), frozen=True
    )
    assert run_key(later()) == run_key(Config())
    assert run_key(later(weather="foul")) != run_key(Config())


def test_a_key_of_today_is_that_of_tomorrow():
    """Written down: if this fails, stored runs are no longer found by their names."""
    known = read_json(FOLDER / "first-light-seed0.json")["config"]
    assert run_key(config_of({"config": known})) == "462c2d7ab883"
    assert run_key(config_of({"config": known | {"ks": [1], "simix": False}})) == "75eaca583566"


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


def test_the_choice_is_by_validation_and_test_metrics_cannot_change_it():
    """Metrics on test classes, though in the files, are not what chooses."""
    _, stored = follow(SWEEP, peak_at(0.002))
    for config, value in stored.tuning.items():
        value["test"] = {"trained": {"R@1": float(config.learning_rate == 0.004)}}
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


def test_what_another_sweep_has_stored_is_not_run_again(tmp_path):
    """Settings are what counts, not the folder they are stored in."""
    order, _ = follow(SWEEP, peak_at(0.002))
    other = replace(SWEEP, name="other", compared=SWEEP.compared[:1])
    for run in order:
        path = place(tmp_path, SWEEP, run)
        path.parent.mkdir(parents=True, exist_ok=True)
        test = None if run.stage == "tuning" else 0.5
        path.write_text(json.dumps(result(run.config, peak_at(0.002)(run.config), test)))
    stored = Stored.read(tmp_path)
    assert make_plan(other, stored).due == ()
    assert len(make_plan(replace(other, seeds=(0, 7)), stored).due) == 1
    assert len(load_results(tmp_path / "toy")) == 6  # the form of every stored run


def test_places_are_apart_for_tuning_finals_and_what_diverged(tmp_path):
    run = Run("tuning", Config())
    paths = {
        place(tmp_path, SWEEP, run),
        place(tmp_path, SWEEP, run, diverged=True),
        place(tmp_path, SWEEP, Run("final", Config())),
    }
    assert len(paths) == 3
    assert {path.name for path in paths} == {f"{run.key}.json"}


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "toy" / "diverged").mkdir(parents=True)
    (tmp_path / "toy" / "diverged" / "a.json").write_text('{"config": {"ks": [1], "sky": 1}}')
    with pytest.raises(RecallkitError, match=r"a\.json is not a run that diverged.*sky"):
        Stored.read(tmp_path)
    assert planning.Stored.read(tmp_path / "gone") == Stored()
