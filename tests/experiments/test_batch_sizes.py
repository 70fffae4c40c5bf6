"""Sweeps over batch sizes together: what SiMix adds, what a longer training changes."""

import pandas as pd
import pytest
from helpers.made_up_runs import made_up_runs

from recallkit.experiments import (
    SWEEPS,
    batch_summary,
    batch_sweeps,
    equal_updates,
    length_effects,
    load_results,
    simix_effects,
)


def noise(config):
    return 0.002 * (config.seed % 3 - 1)


def store(folder, name, value, **options):
    return made_up_runs(folder, SWEEPS[name], lambda c: value(c) + noise(c), **options)


def test_nothing_is_stored(tmp_path):
    runs = load_results(tmp_path)
    assert all(len(f(runs)) == 0 for f in (batch_summary, simix_effects, length_effects))


def test_batch_sweeps_are_ordered_by_what_they_train_and_how_long():
    sweeps = batch_sweeps()
    assert {sweep.axes[0] for sweep in sweeps} == {"batch_size"}
    of_emoji = [s.config({}).images for s in sweeps if s.preset == "emoji"]
    of_glyphs = [s.config({}).images for s in sweeps if s.config({}).dataset == "glyphs"]
    assert of_emoji == [100_000, 260_000]
    assert of_glyphs == [200_000, 1_000_000, 4_000_000, 30_000_000]
    assert sweeps[-1].config({}).dataset == "glyphs-distorted"


def test_the_summary_has_every_stored_sweep(tmp_path):
    store(tmp_path, "two-minutes", lambda c: 0.5)
    summary = batch_summary(store(tmp_path, "batch-size", lambda c: 0.4))
    assert summary["sweep"].tolist() == ["batch-size"] * 8 + ["two-minutes"] * 2
    assert summary["images"].tolist() == [100_000] * 8 + [260_000] * 2
    assert summary["simix"].tolist() == [False, True] * 4 + [True] * 2


def test_simix_is_compared_at_each_batch_size(tmp_path):
    def value(config):
        return 0.5 + 0.1 * config.simix * (1 if config.batch_size < 512 else -1)

    runs = store(tmp_path, "batch-size", value, lacks=lambda c: c.batch_size == 2048 and c.simix)
    effects = simix_effects(runs)
    assert effects["batch_size"].tolist() == [32, 128, 512]
    assert effects["change"].tolist() == pytest.approx([0.1, 0.1, -0.1])
    assert effects["verdict"].tolist() == ["rises", "rises", "falls"]
    assert set(effects["trained"]) == {"emoji"}


def test_lengths_compare_the_sizes_that_all_have_in_common(tmp_path):
    def value(config):
        steps = {200_000: -0.05, 1_000_000: 0.0, 4_000_000: 0.05}[config.images]
        return 0.8 + steps * (config.batch_size == 4096)

    def others(config):
        return {"device": "a GPU" if config.batch_size == 4096 else "a CPU"}

    for name in ("batch-size-glyphs", "batch-size-glyphs-1m", "batch-size-glyphs-4m"):
        runs = store(tmp_path, name, value, others=others, lacks=lambda c: c.simix)
    effects = length_effects(runs)
    assert effects["images"].tolist() == [200_000, 1_000_000, 4_000_000]
    assert set(zip(effects["smaller"], effects["larger"], strict=True)) == {(512, 4096)}
    assert effects["verdict"].tolist() == ["falls", "no difference seen", "rises"]
    assert effects["change"].tolist() == pytest.approx([-0.05, 0, 0.05])
    assert set(effects["smaller on"]) == {"a CPU"}
    assert set(effects["larger on"]) == {"a GPU"}


def test_one_length_has_no_effect_of_length(tmp_path):
    assert len(length_effects(store(tmp_path, "batch-size", lambda c: 0.5))) == 0


def test_equal_updates_are_read_on_a_straight_line_between_two_evaluations():
    history = pd.DataFrame(
        {
            "batch_size": [64, 64, 64, 256, 256],
            "updates": [100, 200, 400, 50, 150],
            "R@1": [0.2, 0.3, 0.5, 0.3, 0.4],
        }
    )
    readings = equal_updates(history).to_dict("records")
    assert readings == [
        {"updates": 150, "batch_size": 64, "R@1": pytest.approx(0.25), "at its end": 0.5},
        {"updates": 150, "batch_size": 256, "R@1": pytest.approx(0.4), "at its end": 0.4},
    ]
    assert len(equal_updates(history[history["batch_size"] == 64])) == 0
