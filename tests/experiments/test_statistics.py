"""Means, intervals and verdicts: against other computations, and of runs that nobody ran."""

import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.made_up_runs import made_up_result, made_up_runs
from scipy import stats

from recallkit.config import PRESETS
from recallkit.errors import RecallkitError
from recallkit.experiments import (
    SWEEPS,
    Sweep,
    compare,
    comparisons,
    contrasts,
    holm,
    interval,
    load_histories,
    load_results,
    past_sweeps,
    project_results,
    summarise,
    sweep_changes,
    sweep_history,
    sweep_runs,
    sweep_summary,
    verdict,
    with_values,
)
from recallkit.experiments.sweep_tables import compared_runs
from recallkit.experiments.sweeps import grid
from recallkit.files import read_json, write_json

SWEEP = Sweep(
    "toy", "?", "emoji", grid(batch_size=(256, 64, 128), simix=(True, False)),
    tuned={"learning_rate": (0.001, 0.002, 0.004)},
)  # fmt: skip


def recall(config):
    return 0.3 + config.batch_size / 1000 + 0.1 * config.simix + 0.01 * config.seed % 1


def row_of(table, **values):
    [row] = [r for r in table.to_dict("records") if all(r[k] == v for k, v in values.items())]
    return row


# Student's t for 95 %, two-sided, of any table: by degrees of freedom.
T95 = {1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 9: 2.2622, 11: 2.2010, 23: 2.0687}


@pytest.mark.parametrize("count", [2, 3, 5, 12, 24])
def test_an_interval_is_that_of_students_t(count):
    values = np.random.default_rng(count).normal(0.5, 0.1, count).tolist()
    mean, margin = interval(values)
    assert mean == pytest.approx(statistics.fmean(values))
    expected = T95[count - 1] * statistics.stdev(values) / math.sqrt(count)
    assert margin == pytest.approx(expected, rel=1e-4)


def test_one_value_has_no_interval_and_none_has_no_mean():
    assert interval([0.5]).mean == 0.5
    assert math.isnan(interval([0.5]).margin)
    assert interval([0.5, 0.5]).margin == 0
    with pytest.raises(ValueError, match="at least one number"):
        interval([])


def test_what_was_not_measured_does_not_count():
    assert interval([0.5, math.nan, 0.6]) == interval([0.5, 0.6])
    assert math.isnan(interval([math.nan, 0.6]).margin)
    assert all(map(math.isnan, interval([math.nan, math.nan])))
    assert compare([0.5, 0.6, math.nan], [math.nan, 0.7]) == compare([0.5, 0.6], [0.7])


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 3), (3, 12), (12, 2)])
def test_a_difference_is_that_of_welch(n, m):
    random = np.random.default_rng(n + m)
    before, after = random.normal(0.5, 0.01, n), random.normal(0.51, 0.05, m)
    found = compare(before.tolist(), after.tolist())
    test = stats.ttest_ind(after, before, equal_var=False)
    low, high = test.confidence_interval(0.95)
    assert found.change == pytest.approx(after.mean() - before.mean())
    assert found.margin == pytest.approx((high - low) / 2)
    assert found.p == pytest.approx(test.pvalue)
    assert (found.verdict == "no difference seen") == (test.pvalue > 0.05)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ([0.5, 0.51, 0.49], [0.6, 0.61, 0.59], "rises"),
        ([0.6, 0.61, 0.59], [0.5, 0.51, 0.49], "falls"),
        ([0.5, 0.51, 0.49], [0.5, 0.52, 0.5], "no difference seen"),
        ([0.5, 0.5], [0.6, 0.6], "rises"),
        ([0.5, 0.5], [0.5, 0.5], "no difference seen"),
        ([0.5], [0.6, 0.61], "one seed"),
        ([], [0.6, 0.61], "not run"),
        ([math.nan, math.nan], [0.6, 0.61], "not run"),
        ([0.5, math.nan], [0.6, 0.61], "one seed"),
        ([0.5, 0.51, 0.49], [0.6, math.nan, 0.61, 0.59], "rises"),
    ],
)
def test_a_verdict_needs_a_small_p_value(before, after, said):
    assert compare(before, after).verdict == said


def by_definition(p_values):
    """Holm's procedure as he wrote it: the smallest level at which each hypothesis is rejected.

    At a level, go through the values in order, and stop at the first above level / number left.
    """

    def rejected(level):
        left = len(p_values)
        for place in sorted(range(left), key=p_values.__getitem__):
            if p_values[place] > level / left:
                return
            yield place
            left -= 1

    levels = np.linspace(0, 1, 20_001)[1:]
    return [min((a for a in levels if i in rejected(a)), default=1) for i in range(len(p_values))]


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # by hand
        ([0.02, 0.02, 0.02], [0.06, 0.06, 0.06]),
        ([0.3, 0.001, 0.7], [0.6, 0.003, 0.7]),
        ([0.6, 0.7], [1, 1]),
        ([0.04], [0.04]),
        ([], []),
        ([0.01, math.nan, 0.04], [0.02, math.nan, 0.04]),  # what has no p does not count
    ],
)
def test_holm_against_values_by_hand(p_values, expected):
    assert holm(p_values).tolist() == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_holm_is_what_its_definition_rejects(count):
    p_values = (np.random.default_rng(count).uniform(0, 0.5, count) ** 2).tolist()
    assert holm(p_values).tolist() == pytest.approx(by_definition(p_values), abs=1e-4)


def test_holm_finds_a_false_difference_in_at_most_one_family_of_twenty():
    random = np.random.default_rng(0)
    families = random.uniform(size=(2000, 6))  # where nothing differs
    plain, corrected = (families.min(axis=1) <= 0.05).mean(), [holm(f).min() for f in families]
    assert plain > 0.2
    assert np.mean(np.array(corrected) <= 0.05) < 0.065


def test_the_comparisons_of_a_sweep_are_with_the_presets_and_of_simix():
    pairs = comparisons(SWEEP)
    sizes = {(a["batch_size"], a["simix"], b["batch_size"], b["simix"]) for a, b in pairs}
    assert len(pairs) == len(sizes)
    assert sizes == {
        (128, False, 64, False), (128, True, 64, True), (128, False, 256, False),
        (128, True, 256, True), (128, True, 128, False), (64, False, 64, True),
        (256, False, 256, True),
    }  # fmt: skip
    apart = replace(SWEEP, compared=grid(batch_size=(64, 256)))
    # the preset's batch size is not among them: the first declared takes its place
    assert comparisons(apart) == [({"batch_size": 64}, {"batch_size": 256})]


def test_a_sweep_has_one_correction(tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.02, 2000)

    def value(config):
        place = 7 * config.seed + config.batch_size // 64 + 100 * config.simix
        return config.batch_size / 2000 + noise[place % 2000] / 2

    sweep = replace(SWEEP, seeds=(0, 1, 2, 3, 4))
    runs = made_up_runs(tmp_path, sweep, value)
    finals = runs[runs["stage"] == "final"].groupby(["batch_size", "simix"])["R@1"].agg(list)
    pairs = comparisons(sweep)
    plain = [compare(*(finals[s["batch_size"], s["simix"]] for s in pair)) for pair in pairs]
    found = contrasts(sweep, pairs, runs)
    assert [c.p for c in found] == pytest.approx(holm([c.p for c in plain]).tolist())
    assert [c.change for c in found] == pytest.approx([c.change for c in plain])
    assert [c.margin for c in found] == pytest.approx([c.margin for c in plain])
    assert {c.of for c in found} == {7}
    assert [c.verdict for c in found] == [
        "no difference seen" if c.p > 0.05 else "rises" if c.change > 0 else "falls" for c in found
    ]
    assert {c.verdict for c in found} > {"no difference seen"}
    [alone], [turned] = (contrasts(sweep, [pair], runs) for pair in (pairs[0], pairs[0][::-1]))
    assert alone == found[0]
    assert (turned.p, turned.of, turned.change) == (alone.p, 7, pytest.approx(-alone.change))
    outside = ({"batch_size": 64, "simix": True}, {"batch_size": 256, "simix": True})
    assert contrasts(sweep, [outside], runs)[0].of == 8  # it joins them


def test_settings_that_were_not_run_do_not_count(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall, lacks=lambda c: c.batch_size == 64)
    assert {c.of for c in contrasts(SWEEP, comparisons(SWEEP), runs) if c.p == c.p} == {4}
    changes = sweep_changes(SWEEP, runs)
    assert changes["batch_size"].tolist() == [128, 128, 256, 256]
    assert changes["reference"].tolist()[3] == {"batch_size": 128, "simix": True}
    assert changes["verdict"].isna().tolist() == [False, True, False, False]
    assert set(changes["of"].dropna()) == {4}


def test_every_stored_mean_and_interval_is_that_of_another_computation():
    """Every setting of every sweep: all that the tables of the pages stand on."""
    runs, checked = project_results(), 0
    for sweep in SWEEPS.values():
        finals = sweep_runs(sweep, runs).to_dict("records")
        for row in sweep_summary(sweep, runs).to_dict("records"):
            own = [run for run in finals if all(run[name] == row[name] for name in sweep.axes)]
            assert len({run["learning_rate"] for run in own}) <= 1
            assert row["seeds"] == len(own)
            if own:
                seeds = sorted(run["seed"] for run in own)
                assert seeds == [*sweep.seeds[: len(own)]]
            if len(own) > 1:
                for metric in ("R@1", "mAP@R", "validation R@1"):
                    values = [run[metric] for run in own]
                    margin = T95[len(own) - 1] * statistics.stdev(values) / math.sqrt(len(own))
                    assert row[metric] == pytest.approx(statistics.fmean(values), abs=1e-12)
                    assert row[f"{metric} ±"] == pytest.approx(margin, rel=1e-4)
                checked += 1
    assert checked >= 17


def test_every_stored_final_run_belongs_to_a_sweep():
    runs = project_results()
    finals = set(runs.loc[runs["stage"] == "final", "key"])
    declared = {key for s in SWEEPS.values() for key in sweep_runs(s, runs)["key"]}
    past = runs["sweep"].isin(past_sweeps(runs)) & (runs["stage"] == "final")
    assert finals == declared | {*runs.loc[past, "key"]}


def test_twelve_seeds_are_no_limit(tmp_path):
    sweep = replace(SWEEP, seeds=tuple(range(12)), compared=SWEEP.compared[:2])
    noise = np.random.default_rng(0).normal(0, 0.01, 2000)
    runs = made_up_runs(tmp_path, sweep, lambda c: 0.5 + 0.1 * c.simix + noise[c.seed])
    summary = sweep_summary(sweep, runs)
    assert summary["seeds"].tolist() == [12, 12]
    margin = T95[11] * np.std(noise[:12], ddof=1) / math.sqrt(12)
    assert summary["R@1 ±"].to_numpy() == pytest.approx(margin, rel=1e-4)
    off, on = ({"batch_size": 256, "simix": mixed} for mixed in (False, True))
    assert verdict(sweep, off, on, runs) == "rises"


def test_a_summary_over_seeds(tmp_path):
    config = PRESETS["emoji"]
    for number, (size, value) in enumerate([(128, 0.4), (128, 0.6), (64, 0.3)]):
        run = replace(config, batch_size=size, seed=number)
        device = {"device": f"machine {number % 2}"}
        write_json(tmp_path / f"{number}.json", made_up_result(run, 0.5, value, **device))
    write_json(tmp_path / "ablations/x/tuning/a.json", made_up_result(config, 0.9))
    table = summarise(load_results(tmp_path), "batch_size")
    assert table.index.tolist() == [64, 128]
    assert table["mean"].tolist() == pytest.approx([0.3, 0.5])
    assert table["count"].tolist() == [1, 2]
    assert math.isnan(table["margin"][64])
    assert table["margin"][128] == pytest.approx(T95[1] * 0.1, rel=1e-4)
    assert table["device"].tolist() == ["machine 0", "machine 0 and machine 1"]
    by_both = summarise(load_results(tmp_path), ["batch_size", "ks"], metric="validation R@1")
    assert by_both.loc[(128, (1, 2, 4, 8, 16)), "count"] == 3


def test_a_row_of_a_sweep_has_what_was_tuned_and_the_mean_of_its_seeds(tmp_path):
    table = sweep_summary(SWEEP, made_up_runs(tmp_path, SWEEP, recall))
    assert table["batch_size"].tolist() == [64, 64, 128, 128, 256, 256]
    assert table["simix"].tolist() == [False, True] * 3
    row = row_of(table, batch_size=256, simix=True)
    assert (row["learning_rate"], row["seeds"], row["diverged"]) == (0.002, 3, 0)
    assert row["R@1"] == pytest.approx(0.3 + 0.256 + 0.1 + 0.01)
    assert row["mAP@R"] == pytest.approx(row["R@1"] / 2)
    assert row["R@1 ±"] == pytest.approx(T95[2] * 0.01 / math.sqrt(3), rel=1e-4)
    assert row["rise"] == pytest.approx(0.001)
    assert (row["device"], row["edges"]) == ("a processor", "")


def test_a_setting_may_be_none(tmp_path):
    """As no limit of the gradient is: it comes first, and pandas does not make NaN of it."""
    limits = Sweep("limits", "?", "emoji", ({"clip_norm": 1.0}, {}, {"clip_norm": 0.1}), tuned={})
    runs = made_up_runs(tmp_path, limits, lambda c: 0.5 + (c.clip_norm or 0) / 10 + c.seed / 1000)
    table = sweep_changes(limits, runs)
    assert table["clip_norm"].tolist() == [None, 0.1, 1.0]
    assert table["R@1"].tolist() == pytest.approx([0.5, 0.51, 0.6])
    assert table["verdict"].tolist()[1:] == ["rises", "rises"]
    assert table["reference"].tolist() == [{"clip_norm": None}] * 3
    assert verdict(limits, {"clip_norm": 1.0}, {"clip_norm": None}, runs) == "falls"
    history = sweep_history(limits, runs, load_histories(tmp_path))
    assert history["clip_norm"].tolist() == [None, None, 0.1, 0.1, 1.0, 1.0]
    past = runs.assign(sweep="gone")
    assert contrasts("gone", [({"clip_norm": None}, {"clip_norm": 1.0})], past)[0].of == 2


def test_what_lacks_or_diverged_is_seen(tmp_path):
    def value(config):
        if config.batch_size == 64 or (config.batch_size == 128 and config.seed == 2):
            return None
        return recall(config)

    def lacks(config):
        return config.batch_size == 256 and config.seed == 1000

    table = sweep_summary(SWEEP, made_up_runs(tmp_path, SWEEP, value, lacks=lacks))
    for size, seeds, diverged, failed in [(64, 0, 0, True), (128, 2, 1, False), (256, 0, 0, False)]:
        row = row_of(table, batch_size=size, simix=True)
        assert (row["seeds"], row["diverged"], row["failed"]) == (seeds, diverged, failed)
        assert math.isnan(row["R@1"]) == math.isnan(row["learning_rate"]) == (seeds == 0)


def test_a_history_is_the_mean_of_each_evaluation(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall, rise=0.1)
    for path in tmp_path.rglob("*.json"):  # emoji without SiMix has a floor of 0.1061
        result = read_json(path)
        for line, loss in zip(result["validation"], (0.5061, 0.3061), strict=True):
            line["loss"] = loss
        write_json(path, result)
    runs = load_results(tmp_path)
    history = sweep_history(SWEEP, runs, load_histories(tmp_path))
    rows = [r for r in history.to_dict("records") if (r["batch_size"], r["simix"]) == (64, False)]
    steps = 260_000 // 64
    assert [row["updates"] for row in rows] == [steps // 2, steps]
    assert [row["images_seen"] for row in rows] == [steps // 2 * 64, steps * 64]
    recalls = [row["validation R@1"] for row in rows]
    assert recalls == [pytest.approx(0.274), pytest.approx(0.374)]
    assert [row["above floor"] for row in rows] == pytest.approx([0.4, 0.2], abs=1e-4)
    assert len(sweep_history(SWEEP, load_results(tmp_path / "x"), load_histories(tmp_path))) == 0


def test_a_verdict_of_each_pair_is_that_of_its_runs(tmp_path):
    runs = made_up_runs(tmp_path, SWEEP, recall)
    settings = [SWEEP.values(setting) for setting in SWEEP.compared]
    for before, after in itertools.permutations(settings, 2):
        change = 0.001 * (after["batch_size"] - before["batch_size"])
        change += 0.1 * (after["simix"] - before["simix"])
        [found] = contrasts(SWEEP, [(before, after)], runs)
        assert found.change == pytest.approx(change)
        assert found.verdict == verdict(SWEEP, before, after, runs)
        assert found.verdict == ("rises" if change > 0 else "falls")


def test_a_verdict_stands_on_the_projects_runs_alone(user_results):
    before, after = ({"batch_size": size, "simix": True} for size in (64, 256))
    assert verdict(SWEEP, before, after) == "not run"
    made_up_runs(user_results, SWEEP, recall)
    assert verdict(SWEEP, before, after) == "not run"
    assert verdict(SWEEP, before, after, load_results()) == "rises"


def test_a_setting_that_a_sweep_does_not_compare_is_an_error():
    message = r"compares no .*512.*name a value of each of batch_size, simix"
    with pytest.raises(ValueError, match=message):
        verdict("batch-size", {"batch_size": 512}, {"batch_size": 128})
    with pytest.raises(ValueError, match="'batch_size': 7"):
        verdict("batch-size-glyphs", {"batch_size": 512}, {"batch_size": 7})
    with pytest.raises(RecallkitError, match="no sweep 'x'"):
        verdict("x", {}, {})


def test_a_sweep_whose_file_is_gone_is_read_from_its_folder(tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.01, 2000)
    runs = made_up_runs(tmp_path, SWEEP, lambda c: recall(c) / 9 + noise[c.seed + c.batch_size])
    assert past_sweeps(runs) == ["toy"]
    axes, finals = compared_runs("toy", runs)
    assert sorted(axes) == ["batch_size", "simix"]
    assert sorted(finals["key"]) == sorted(sweep_runs(SWEEP, runs)["key"])
    small, large = ({"batch_size": size, "simix": True} for size in (64, 256))
    [change] = contrasts("toy", [(small, large)], runs)
    others = [SWEEP.values(s) for s in SWEEP.compared if SWEEP.values(s) != small]
    values = [with_values(finals, s)["R@1"] for s in others]
    plain = [compare(with_values(finals, small)["R@1"], after) for after in values]
    p = holm([c.p for c in plain])[others.index(large)]
    assert (change.p, change.of) == (pytest.approx(p), 5)


def test_lengths_of_training_are_compared_with_the_presets_batch_each():
    sweep = replace(SWEEP, compared=grid(batch_size=(128, 64), images=(1000, 260_000)))
    pairs = [[(s["batch_size"], s["images"]) for s in pair] for pair in comparisons(sweep)]
    assert sorted(pairs) == [
        [(128, 1000), (64, 1000)], [(128, 260_000), (64, 260_000)],
        [(128, 260_000), (128, 1000)],
    ]  # fmt: skip


def test_the_table_of_a_sweep_without_runs_is_whole():
    table = sweep_summary(SWEEP, pd.DataFrame(columns=project_results().columns))
    assert len(table) == 6
    assert table["seeds"].sum() == 0
