"""A dry run: what is due, how long that takes, and what it costs; nothing is computed."""

import pytest
import torch
from helpers.made_up_runs import made_up_runs

from recallkit import cli
from recallkit.cli.dry_run import describe_plan
from recallkit.experiments import SWEEPS, Sweep
from recallkit.experiments.sweeps import grid
from recallkit.training import Training
from recallkit.training.environment import environment
from recallkit.words import as_time

SWEEP = Sweep(
    "toy", "Which size?", "emoji", grid(batch_size=(64, 128)), note="A note.",
    tuned={"learning_rate": (0.001, 0.002, 0.004)},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_is_computed(monkeypatch):
    monkeypatch.setattr(Training, "__init__", lambda *a, **k: pytest.fail("trained"))
    monkeypatch.setattr("recallkit.training.frozen_features.feature_splits", None)


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
