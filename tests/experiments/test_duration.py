"""How long a sweep takes: from stored speeds alone, over epochs too."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from helpers.made_up_runs import made_up_runs

from recallkit import cli, data
from recallkit.config import PRESETS
from recallkit.experiments import SWEEPS, Sweep, describe_plan
from recallkit.experiments.duration import as_time, duration, total_images
from recallkit.experiments.sweeps import grid
from recallkit.training import Training
from recallkit.training.environment import environment

SWEEP = Sweep(
    "toy", "Which size?", "emoji", grid(batch_size=(64, 128)), note="A note.",
    tuned={"learning_rate": (0.001, 0.002, 0.004)},
)  # fmt: skip
EMOJI = PRESETS["emoji"]


@pytest.fixture(autouse=True)
def _nothing_is_computed(monkeypatch):
    monkeypatch.setattr(Training, "__init__", lambda *a, **k: pytest.fail("trained"))
    monkeypatch.setattr("recallkit.training.frozen_features.feature_splits", None)


def speeds(*rows):
    """Runs of the given settings, seconds and images."""
    return pd.DataFrame(
        [
            {
                **vars(config),
                "device": device,
                "threads": 2,
                "seconds": seconds,
                "images_seen": seen,
            }
            for config, seconds, seen, device in rows
        ]
    )


def test_the_speed_is_that_of_all_runs_of_the_same_work_on_the_same_device():
    runs = speeds((EMOJI, 10, 1000, "here"), (EMOJI, 30, 1000, "here"), (EMOJI, 1, 1000, "there"))
    configs = [replace(EMOJI, images=4000, seed=seed, learning_rate=0.1) for seed in range(2)]
    found = duration(configs, runs, "here", threads=2)
    assert (found.seconds, found.images, found.similar) == (pytest.approx(160), 0, False)
    assert duration(configs, runs, "there", threads=2).seconds == pytest.approx(8)
    assert duration(configs, runs, "here", threads=1).images == 8000


def test_another_batch_size_or_loss_of_the_same_network_is_similar_work():
    other = replace(EMOJI, batch_size=32, loss="circle", simix=False)
    found = duration([EMOJI], speeds((other, 10, 1000, "here")), "here", threads=2)
    assert (found.seconds, found.similar) == (pytest.approx(2600), True)
    both = speeds((other, 10, 1000, "here"), (EMOJI, 20, 1000, "here"))
    assert duration([EMOJI], both, "here", threads=2).seconds == pytest.approx(5200)


def test_other_work_is_not_known():
    frozen = PRESETS["emoji-frozen"]
    found = duration([EMOJI, frozen], speeds((EMOJI, 10, 1000, "here")), "here", threads=2)
    assert (found.seconds, found.images) == (pytest.approx(2600), frozen.images)


def test_epochs_are_counted_on_the_training_images(monkeypatch, toy_splits):
    monkeypatch.setitem(data.LOADERS, "emoji", lambda: toy_splits)
    by_epochs = replace(EMOJI, epochs=50, image_size=17)  # sizes are kept: of no other test
    assert total_images(by_epochs) == 50 * len(toy_splits.train)
    assert total_images(EMOJI) == 260_000
    runs = speeds((by_epochs, 10, 1000, "here"))
    assert duration([by_epochs], runs, "here", threads=2).seconds == pytest.approx(20)


def test_a_dry_run_says_what_is_due_and_how_long(tmp_path):
    where = environment(torch.device("cpu"))
    here = {"device": where["device"], "threads": 1}
    runs = made_up_runs(
        tmp_path, SWEEP, lambda c: 0.5, lacks=lambda c: c.seed == 2, others=lambda c: here
    )
    lines = describe_plan(SWEEP, runs, jobs=2, device="cpu", threads=1).splitlines()
    assert lines[0] == "toy: Which size?"
    assert lines[1].startswith(
        "2 settings; each: tuning on validation classes over 3 of learning rate"
    )
    assert lines[2].startswith("10 runs stored, 2 due")
    assert lines[3] == "note: A note."
    seconds = {size: [10.0, 11.0, *[1010.0] * 3] for size in (64, 128)}  # the tuning has seed 1000
    expected = sum(sum(values) / len(values) for values in seconds.values()) / 2
    assert f"{as_time(expected)} of training and 5 s of starts with --jobs 2, by" in lines[4]
    assert "of the same work" in lines[4]
    assert f"that is {(2 * expected + 10) / 3600:.2f} core-hours" in lines[4]  # of both jobs
    assert len(lines) == 5
    alone = describe_plan(SWEEP, runs, jobs=1, device="cpu", threads=1).splitlines()[4]
    assert f"that is {(2 * expected + 10) / 3600:.2f} core-hours" in alone
    [*_, last] = describe_plan(SWEEP, runs, device="cpu", threads=99).splitlines()
    assert last.startswith("duration not known for 520,000 images to train")
    done = made_up_runs(tmp_path, SWEEP, lambda c: 0.5)
    assert len(describe_plan(SWEEP, done, device="cpu").splitlines()) == 4


def test_edges_are_counted_where_the_tuning_is_not_done(tmp_path):
    where = environment(torch.device("cpu"))
    here = {"device": where["device"], "threads": 1}
    runs = made_up_runs(
        tmp_path, SWEEP, lambda c: 0.5, lacks=lambda c: c.batch_size == 64, others=lambda c: here
    )
    lines = describe_plan(SWEEP, runs, device="cpu", threads=1).splitlines()
    assert lines[2] == (
        "6 runs stored, 6 due, and at most 2 more where the best candidate is the first or last"
    )
    assert "of training and 30 s of starts with --jobs 1, at most " in lines[4]
    assert "of similar work" in lines[4]


def test_the_command_computes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep = SWEEPS["batch-size-finetuned"]
    due = len(sweep.compared) * (3 + len(sweep.seeds))
    cli.main(["ablate", sweep.name, "--images", "30000000", "--dry-run", "--device", "cpu"])
    assert f"0 runs stored, {due} due, and at most 6 more" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_seconds_as_people_say_them():
    assert [as_time(seconds) for seconds in (89, 91, 5399, 5401)] == [
        "89 s",
        "2 min",
        "90 min",
        "1.5 h",
    ]
