"""A sweep from nothing to its figures: skipped, stopped, resumed; test classes kept from tuning."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest
import torch
from PIL import Image

from recallkit import cli
from recallkit import config as presets
from recallkit.errors import RecallkitError
from recallkit.experiments import ablate as running
from recallkit.experiments import sweeps
from recallkit.experiments.ablate import Options, ablate
from recallkit.experiments.estimate import describe
from recallkit.experiments.one_run import STOPPED, do_run
from recallkit.experiments.plan import Stored, make_plan
from recallkit.experiments.sweeps import Sweep
from recallkit.files import read_json
from recallkit.training import Stopped
from recallkit.training.trainer import Diverged, Training

TOY = presets.Config(
    images=160, batch_size=16, evaluations=2, image_size=16, embedding_dim=4, simix=False
)
SWEEP = Sweep(
    "toy-ks",
    "Which k?",
    "toy",
    ({"ks": (1,)}, {"ks": (1, 2)}),
    seeds=(0, 1),
    tuned={"learning_rate": (0.001, 0.01)},
)


@pytest.fixture(autouse=True)
def _toy(monkeypatch, tmp_path):
    monkeypatch.setitem(presets.PRESETS, "toy", TOY)
    monkeypatch.setitem(sweeps.SWEEPS, "toy-ks", SWEEP)
    monkeypatch.setattr(running, "_cores", lambda: 2)
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


class Untouchable:
    """In the place of test classes: whoever asks for anything fails."""

    def __getattribute__(self, name):
        raise AssertionError(f"test classes were touched: {name}")

    __len__ = __iter__ = __getitem__ = lambda self, *_: self.touched


@pytest.fixture
def inline(toy_splits):
    """Launch runs in this process, one at once; note their tasks."""

    class Inline:
        tasks, splits = [], toy_splits

        def __init__(self, task):
            Inline.tasks.append(task)
            data = Inline.splits
            if task["stage"] == "tuning":
                data = replace(data, test=Untouchable())
            do_run(task, data)

        def poll(self):
            return 0

        def stop(self):
            pass

    Inline.tasks = []
    return Inline


def options(tmp_path, **others):
    return Options(tmp_path / "results", tmp_path / "work", device="cpu", **others)


def test_a_sweep_stores_tuning_without_test_classes_and_finals_with(tmp_path, inline):
    plan = ablate(SWEEP, options(tmp_path), inline, progress=False)
    assert plan.due == plan.later == ()
    stored = Stored.read(tmp_path / "results")
    assert len(stored.final) == 4
    assert all(value["test"] == {} for value in stored.tuning.values())
    assert all("R@1" in value["test"]["trained"] for value in stored.final.values())
    assert all(len(value["validation"]) == 2 for value in stored.final.values())
    assert {value["side_by_side"] for value in stored.final.values()} == {1}
    stages = [task["stage"] for task in inline.tasks]
    assert stages == sorted(stages, reverse=True)


def test_tuning_is_the_same_whatever_the_test_classes(tmp_path, inline, toy_splits):
    """And a final run does look at them: the proof above could fail."""
    ablate(SWEEP, options(tmp_path), inline, progress=False)
    final = next(task for task in inline.tasks if task["stage"] == "final")
    with pytest.raises(AssertionError, match="test classes were touched"):
        do_run(final | {"folder": str(tmp_path / "again")}, replace(toy_splits, test=Untouchable()))


def test_stored_runs_are_skipped(tmp_path, inline):
    ablate(SWEEP, options(tmp_path), inline, progress=False)
    count = len(inline.tasks)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("results/**/*.json")}
    ablate(SWEEP, options(tmp_path), inline, progress=False)
    assert len(inline.tasks) == count
    ablate(replace(SWEEP, seeds=(0, 1, 2)), options(tmp_path), inline, progress=False)
    assert [task["config"]["seed"] for task in inline.tasks[count:]] == [2, 2]
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


def test_no_run_is_started_when_time_is_up(tmp_path, inline, monkeypatch):
    plan = ablate(SWEEP, options(tmp_path, budget=0.0), inline, progress=False)
    assert inline.tasks == []
    assert len(plan.due) == 4
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(running._Sitting, "elapsed", lambda self: next(clock))
    ablate(SWEEP, options(tmp_path, budget=15.0), inline, progress=False)
    assert len(inline.tasks) == 1


def interrupt_in_step(monkeypatch, number):
    original, calls = Training.step, []

    def step(self):
        calls.append(self)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self)

    monkeypatch.setattr(Training, "step", step)


def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path, inline, monkeypatch, toy_splits):
    ablate(SWEEP, options(tmp_path), inline, progress=False)
    task = inline.tasks[-1]
    again = task | {name: str(tmp_path / "again" / name) for name in ("folder", "result")}
    with monkeypatch.context() as patch:
        interrupt_in_step(patch, 7)
        with pytest.raises(Stopped):
            do_run(again, toy_splits)
    assert not (tmp_path / "again" / "result").exists()
    steps, original = [], Training.step
    monkeypatch.setattr(Training, "step", lambda self: steps.append(1) or original(self))
    do_run(again, toy_splits)
    assert len(steps) == 10 - 7
    whole, resumed = read_json(tmp_path / task["result"]), read_json(tmp_path / "again" / "result")
    assert whole["test"] == resumed["test"]


def test_a_state_that_cannot_be_used_is_set_aside_and_the_run_begins_anew(
    tmp_path, inline, monkeypatch, toy_splits, capsys
):
    task = inline.tasks
    ablate(replace(SWEEP, compared=({"ks": (1,)},)), options(tmp_path), inline, progress=False)
    task = inline.tasks[-1] | {n: str(tmp_path / "b" / n) for n in ("folder", "result")}
    with monkeypatch.context() as patch:
        interrupt_in_step(patch, 3)
        with pytest.raises(Stopped):
            do_run(task, toy_splits)
    (tmp_path / "b" / "folder" / "state.pt").write_bytes(b"cut")
    do_run(task, toy_splits)
    assert "begins anew" in capsys.readouterr().err
    assert (tmp_path / "b" / "folder.damaged").is_dir()
    assert (tmp_path / "b" / "result").exists()


def test_a_run_that_diverges_is_kept_as_such_and_the_sweep_goes_on(tmp_path, inline, monkeypatch):
    original = Training.step

    def step(self):
        if self.config.learning_rate > 0.005:
            raise Diverged("the loss is nan", 0, ["a"])
        return original(self)

    monkeypatch.setattr(Training, "step", step)
    plan = ablate(SWEEP, options(tmp_path), inline, progress=False)
    assert plan.due == ()
    stored = Stored.read(tmp_path / "results")
    assert {config.learning_rate for config in stored.diverged} == {0.01}
    assert len(stored.final) == 4


class Failing:
    """A run that ends with a status of its own."""

    tasks = ()

    def __init__(self, task):
        Failing.tasks += (task,)

    def poll(self):
        return 1

    def stop(self):
        pass


def test_failures_are_named_and_a_first_one_ends_the_sweep(tmp_path):
    Failing.tasks = ()
    with pytest.raises(RecallkitError, match=r"1 runs of toy-ks failed(.|\n)*ended with status 1"):
        ablate(SWEEP, options(tmp_path), Failing, progress=False)
    assert len(Failing.tasks) == 1


def test_others_go_on_after_a_failure(tmp_path, inline):
    class Second(inline):
        def __init__(self, task):
            self.status = 0
            if task["config"]["learning_rate"] == 0.01:
                self.status = STOPPED
            else:
                super().__init__(task)

        def poll(self):
            return self.status

    with pytest.raises(RecallkitError, match=r"2 runs of toy-ks failed(.|\n)*next sitting"):
        ablate(SWEEP, options(tmp_path), Second, progress=False)
    assert len(inline.tasks) == 2


def test_ctrl_c_stops_running_jobs_and_says_what_is_stored(tmp_path):
    stopped = []

    class Endless:
        def __init__(self, task):
            self.status = None

        def poll(self):
            if self.status is None and not stopped:
                stopped.append("asked")
                raise KeyboardInterrupt
            return self.status

        def stop(self):
            self.status = STOPPED
            stopped.append("stopped")

    with pytest.raises(Stopped, match=r"0 of 8 runs are stored; the same command goes on"):
        ablate(SWEEP, options(tmp_path, jobs=2), Endless, progress=False)
    assert stopped == ["asked", "stopped", "stopped"]


def test_jobs_run_side_by_side_and_no_more_than_asked(tmp_path):
    most, alive = [], []

    class Slow:
        def __init__(self, task):
            alive.append(self)
            most.append(len(alive))
            self.polls = 0

        def poll(self):
            self.polls += 1
            if self.polls == 3:
                alive.remove(self)
            return 1 if self.polls >= 3 else None

        def stop(self):
            pass

    with pytest.raises(RecallkitError, match="3 runs of toy-ks failed"):
        ablate(SWEEP, options(tmp_path, jobs=3), Slow, progress=False)
    assert max(most) == 3


def test_cores_are_shared(monkeypatch):
    assert running.threads_of_each(1) is None
    monkeypatch.setattr(running, "_cores", lambda: 16)
    assert [running.default_jobs("cpu"), running.default_jobs("cuda")] == [4, 1]
    assert running.threads_of_each(4) == 4
    monkeypatch.setattr(running, "_cores", lambda: 2)
    assert running.default_jobs("cpu") == 1
    assert running.threads_of_each(8) == 1


def test_the_bar_shows_runs_and_time_left(tmp_path, inline, capsys):
    ablate(SWEEP, options(tmp_path), inline)
    shown = capsys.readouterr().err
    assert "toy-ks, " in shown
    assert "runs are stored" in shown
    assert "images/s" in shown


def test_dry_run_says_how_many_and_how_long_and_from_what(tmp_path, inline, toy_splits):
    text = describe(SWEEP, Stored(), device="cpu", splits=toy_splits)
    assert "2 settings" in text
    assert "2 of learning_rate, then 2 seeds" in text
    assert "0 runs stored, 8 due" in text
    assert "stored runs for 0 kinds of work, from steps taken now for 1" in text
    ablate(replace(SWEEP, compared=SWEEP.compared[:1]), options(tmp_path), inline, progress=False)
    stored = Stored.read(tmp_path / "results")
    text = describe(SWEEP, stored, device="cpu")
    assert f"{len(stored.tuning) + 2} runs stored, 4 due" in text
    assert "from stored runs for 1 kinds of work, from steps taken now for 0" in text
    assert "--jobs 1" in text
    seconds = [r["seconds"] for r in (*stored.tuning.values(), *stored.final.values())]
    assert f"about {4 * sum(seconds) / len(seconds):.0f} s" in text


def test_dry_run_trains_nothing(monkeypatch, capsys, tmp_path, toy_splits):
    from recallkit import data

    monkeypatch.setitem(data.LOADERS, "emoji", lambda: toy_splits)
    cli.main(["ablate", "toy-ks", "--dry-run", "--results", "r", "--device", "cpu"])
    assert "0 runs stored, 8 due" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_plot_draws_from_stored_runs_alone(tmp_path, inline, monkeypatch, capsys):
    ablate(SWEEP, options(tmp_path), inline, progress=False)
    monkeypatch.setattr(Training, "__init__", lambda *a, **k: pytest.fail("trained"))
    arguments = ["plot", "toy-ks", "--results", "results", "--out", "figures"]
    cli.main(arguments)
    shown = capsys.readouterr().out
    assert "drew figures/toy-ks.svg" in shown
    names = {f"toy-ks{part}.{kind}" for part in ("", "-cost") for kind in ("svg", "png", "csv")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == names
    stored = Stored.read(tmp_path / "results")
    for row in rows(tmp_path / "figures" / "toy-ks.csv"):
        finals = [r for c, r in stored.final.items() if ", ".join(map(str, c.ks)) == row["ks"]]
        assert {r["config"]["learning_rate"] for r in finals} == {float(row["tuned learning_rate"])}
        recalls = [r["test"]["trained"]["R@1"] for r in finals]
        assert float(row["test R@1"]) == pytest.approx(sum(recalls) / 2, abs=1e-6)
        spread = abs(recalls[0] - recalls[1]) / 2
        assert float(row["test R@1 ± 95 %"]) == pytest.approx(12.706 * spread, abs=1e-5)
    looks = rows(tmp_path / "figures" / "toy-ks-cost.csv")
    assert [(row["images"], row["updates"]) for row in looks] == [("80", "5"), ("160", "10")] * 2
    first = {p: p.read_bytes() for p in (tmp_path / "figures").glob("*.svg")}
    cli.main(arguments)
    assert all(path.read_bytes() == content for path, content in first.items())


def test_plot_says_what_was_not_run(tmp_path, capsys):
    cli.main(["plot", "toy-ks", "--results", "nothing", "--out", "figures"])
    assert capsys.readouterr().out.count("not run") == 2
    assert {row["status"] for row in rows(tmp_path / "figures" / "toy-ks.csv")} == {"not run"}
    assert "not run" in (tmp_path / "figures" / "toy-ks.svg").read_text()
    assert not (tmp_path / "figures" / "toy-ks-cost.svg").exists()


def test_bad_names_end_with_a_remedy():
    for command in ("ablate", "plot"):
        with pytest.raises(SystemExit, match=r"no sweep 'size'. There are batch-size"):
            cli.main([command, "size"])
    with pytest.raises(SystemExit, match="jobs must be at least 1"):
        cli.main(["ablate", "toy-ks", "--jobs", "0"])


OWN = """
name = "own"
question = "Does it turn?"
preset = "emoji"
seeds = [0]
[base]
dataset = "pictures"
images = 96
batch_size = 16
image_size = 16
embedding_dim = 4
evaluations = 2
[grid]
flip = [false]
[tuned]
learning_rate = [0.001]
"""


def test_a_real_sweep_is_interrupted_and_goes_on(tmp_path):
    """Ctrl-C to the command while a run is on its way, in processes of their own."""
    generator = torch.Generator().manual_seed(0)
    for c in range(12):
        (tmp_path / "pictures" / f"class {c}").mkdir(parents=True)
        for i in range(3):
            pixels = torch.randint(0, 256, (8, 9, 3), generator=generator, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(tmp_path / "pictures" / f"class {c}" / f"{i}.png")
    endless = OWN.replace("images = 96", "images = 16000000")
    (tmp_path / "own.toml").write_text(endless.replace("ions = 2", "ions = 500000"))
    command = [sys.executable, "-m", "recallkit", "ablate", "own.toml", "--results", "results"]
    process = subprocess.Popen(
        [*command, "--device", "cpu"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    config = tmp_path / "runs" / "ablations" / "own"
    while not list(config.glob("*/metrics.jsonl")) and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert "0 of 2 runs are stored; the same command goes on" in said.splitlines()[-1]
    assert list(config.glob("*/state.pt"))
    [log] = config.glob("*.log")
    assert "steps; nothing is lost" in log.read_text()
    assert not list(tmp_path.glob("results/**/*.json"))

    (tmp_path / "own.toml").write_text(OWN)
    done = subprocess.run(
        [*command, "--device", "cpu"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "one seed" in done.stdout
    assert len(list(tmp_path.glob("results/own/*.json"))) == 1
    [tuning] = tmp_path.glob("results/own/tuning/*.json")
    assert json.loads(tuning.read_text())["test"] == {}
    assert make_plan(sweeps.find_sweep("own.toml"), Stored.read(tmp_path / "results")).due == ()
