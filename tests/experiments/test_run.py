"""A sweep from nothing to its figures: skipped, stopped, resumed; test classes kept from tuning."""

import csv
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.processes import command, interrupt, wait_until
from helpers.trees import write_images

from recallkit import cli, data
from recallkit import config as presets
from recallkit.errors import RecallkitError
from recallkit.experiments import (
    SweepOptions,
    ablate,
    find_sweep,
    load_results,
)
from recallkit.experiments.jobs import STOPPED, do_run
from recallkit.experiments.plan import Stored, make_plan
from recallkit.files import embedded, read_json, write_json
from recallkit.training import Diverged, Stopped, Training
from recallkit.training.claim import claimed

TOY = presets.Config(
    images=160, batch_size=16, evaluations=2, image_size=16, embedding_dim=4, simix=False
)
TOML = """
name = "toy-ks"
question = "Which k?"
preset = "toy"
compared = [{ ks = [1] }, { ks = [1, 2] }]
seeds = [0, 1]
[tuned]
learning_rate = [0.001, 0.01]
"""


@pytest.fixture(autouse=True)
def _toy(monkeypatch, tmp_path):
    monkeypatch.setitem(presets.PRESETS, "toy", TOY)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1}, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.toml").write_text(TOML)


@pytest.fixture
def sweep():
    return find_sweep("toy.toml")


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
            if task.run.stage == "tuning":
                data = replace(data, test=Untouchable())
            do_run(task, data)

        def poll(self):
            return 0

        def stop(self):
            pass

    Inline.tasks = []
    return Inline


def elsewhere(task, folder):
    """The same task, of which nothing is stored."""
    again = {name: folder / "again" / name for name in ("results", "work")}
    return replace(task, options=replace(task.options, **again))


def options(tmp_path, **others):
    return SweepOptions(tmp_path / "results", tmp_path / "work", device="cpu", **others)


def test_a_sweep_stores_tuning_without_test_classes_and_finals_with(tmp_path, inline, sweep):
    plan = ablate(sweep, options(tmp_path), inline, progress=False)
    assert plan.due == plan.later == ()
    runs = load_results(tmp_path / "results")
    finals, tuning = (runs[runs["stage"] == stage] for stage in ("final", "tuning"))
    assert len(finals) == 4
    assert finals["R@1"].notna().all()
    assert tuning["R@1"].isna().all()
    assert set(finals["side_by_side"]) == {1}
    assert set(finals["steps"]) == {10}
    stages = [task.run.stage for task in inline.tasks]
    assert stages == sorted(stages, reverse=True)


def test_tuning_is_the_same_whatever_the_test_classes(tmp_path, inline, toy_splits, sweep):
    """And a final run does look at them: the proof above could fail."""
    ablate(sweep, options(tmp_path), inline, progress=False)
    final = next(task for task in inline.tasks if task.run.stage == "final")
    with pytest.raises(AssertionError, match="test classes were touched"):
        do_run(elsewhere(final, tmp_path), replace(toy_splits, test=Untouchable()))


def test_stored_runs_are_skipped(tmp_path, inline, sweep):
    ablate(sweep, options(tmp_path), inline, progress=False)
    count = len(inline.tasks)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("results/**/*.json")}
    ablate(sweep, options(tmp_path), inline, progress=False)
    assert len(inline.tasks) == count
    ablate(replace(sweep, seeds=(0, 1, 2)), options(tmp_path), inline, progress=False)
    assert [task.run.config.seed for task in inline.tasks[count:]] == [2, 2]
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())


def test_no_run_is_started_when_time_is_up(tmp_path, inline, sweep, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("recallkit.experiments.run.time.monotonic", lambda: now[0])
    plan = ablate(sweep, options(tmp_path, budget=0.0), inline, progress=False)
    assert inline.tasks == []
    assert len(plan.due) == 4

    class Slow(inline):
        def __init__(self, task):
            super().__init__(task)
            now[0] += 1

    ablate(sweep, options(tmp_path, budget=0.9), Slow, progress=False)
    assert len(inline.tasks) == 1


def interrupt_in_step(monkeypatch, number):
    original, calls = Training.step, []

    def step(self):
        calls.append(self)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self)

    monkeypatch.setattr(Training, "step", step)


def test_an_interrupted_run_goes_on_to_the_same_result(
    tmp_path, inline, monkeypatch, toy_splits, sweep
):
    ablate(sweep, options(tmp_path), inline, progress=False)
    task = inline.tasks[-1]
    again = elsewhere(task, tmp_path)
    with monkeypatch.context() as patch:
        interrupt_in_step(patch, 7)
        with pytest.raises(Stopped):
            do_run(again, toy_splits)
    assert not again.result().exists()
    steps, original = [], Training.step
    monkeypatch.setattr(Training, "step", lambda self: steps.append(1) or original(self))
    do_run(again, toy_splits)
    assert len(steps) == 10 - 7
    whole, resumed = read_json(task.result()), read_json(again.result())
    assert whole["test"] == resumed["test"]


@pytest.fixture
def stopped_task(tmp_path, inline, monkeypatch, toy_splits, sweep):
    """A run of which nothing is stored but its state, after three steps."""
    ablate(replace(sweep, compared=({"ks": (1,)},)), options(tmp_path), inline, progress=False)
    task = elsewhere(inline.tasks[-1], tmp_path)
    with monkeypatch.context() as patch:
        interrupt_in_step(patch, 3)
        with pytest.raises(Stopped):
            do_run(task, toy_splits)
    return task


def test_a_state_that_cannot_be_used_is_set_aside_and_the_run_starts_again(
    stopped_task, toy_splits, capsys
):
    (stopped_task.folder / "state.pt").write_bytes(b"cut")
    do_run(stopped_task, toy_splits)
    assert "starts again" in capsys.readouterr().err
    assert Path(f"{stopped_task.folder}.damaged").is_dir()
    assert stopped_task.result().exists()


def kept(task, splits, error, match):
    """Whether the run raises, and its folder is left as it was."""
    before = (task.folder / "state.pt").read_bytes()
    with pytest.raises(error, match=match):
        do_run(task, splits)
    assert not Path(f"{task.folder}.damaged").exists()
    return (task.folder / "state.pt").read_bytes() == before


def test_a_sound_state_is_kept_where_there_is_no_such_device(stopped_task, toy_splits):
    abacus = replace(stopped_task, options=replace(stopped_task.options, device="abacus"))
    assert kept(abacus, toy_splits, RecallkitError, "there is no device 'abacus'")


def test_a_sound_state_is_kept_where_another_process_has_its_folder(stopped_task, toy_splits):
    with claimed(stopped_task.folder):
        assert kept(stopped_task, toy_splits, RecallkitError, "another process trains")


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), torch.OutOfMemoryError()])
def test_a_sound_state_is_kept_where_the_machine_cannot_load_it(
    stopped_task, toy_splits, monkeypatch, error
):
    def load(*arguments, **options):
        raise error

    monkeypatch.setattr(torch, "load", load)
    assert kept(stopped_task, toy_splits, RecallkitError, "Resume the run when that is mended")


def test_a_state_with_other_settings_is_set_aside(stopped_task, toy_splits, capsys):
    write_json(stopped_task.folder / "config.json", {"flux": 1})
    do_run(stopped_task, toy_splits)
    assert "does not hold settings" in capsys.readouterr().err
    assert Path(f"{stopped_task.folder}.damaged").is_dir()


def test_a_run_that_diverges_is_kept_as_such_and_the_sweep_goes_on(
    tmp_path, inline, monkeypatch, sweep
):
    original = Training.step

    def step(self):
        if self.config.learning_rate > 0.005:
            raise Diverged("the loss is nan", 0, ["a"])
        return original(self)

    monkeypatch.setattr(Training, "step", step)
    plan = ablate(sweep, options(tmp_path), inline, progress=False)
    assert plan.due == ()
    runs = load_results(tmp_path / "results").set_index("stage")
    assert set(runs.loc["diverged", "learning_rate"]) == {0.01}
    assert len(runs.loc["final"]) == 4


class Failing:
    """A run that ends with a status of its own."""

    tasks = ()

    def __init__(self, task):
        Failing.tasks += (task,)

    def poll(self):
        return 1

    def stop(self):
        pass


def test_failures_are_named_and_a_first_one_ends_the_sweep(tmp_path, sweep):
    Failing.tasks = ()
    with pytest.raises(RecallkitError, match=r"1 runs of toy-ks failed(.|\n)*ended with status 1"):
        ablate(sweep, options(tmp_path), Failing, progress=False)
    assert len(Failing.tasks) == 1


def test_others_go_on_after_a_failure(tmp_path, inline, sweep):
    class Second(inline):
        def __init__(self, task):
            self.status = 0
            if task.run.config.learning_rate == 0.01:
                self.status = STOPPED
            else:
                super().__init__(task)

        def poll(self):
            return self.status

    with pytest.raises(RecallkitError, match=r"2 runs of toy-ks failed(.|\n)*next session"):
        ablate(sweep, options(tmp_path), Second, progress=False)
    assert len(inline.tasks) == 2


def test_ctrl_c_stops_running_jobs_and_says_what_is_stored(tmp_path, sweep):
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
        ablate(sweep, options(tmp_path, jobs=2), Endless, progress=False)
    assert stopped == ["asked", "stopped", "stopped"]


def test_jobs_run_side_by_side_and_no_more_than_asked(tmp_path, sweep):
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
        ablate(sweep, options(tmp_path, jobs=3), Slow, progress=False)
    assert max(most) == 3


def test_cores_are_shared(monkeypatch):
    def use(cores):
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))

    def shared(**options):
        chosen = SweepOptions(device="cpu", **options)
        return chosen.jobs, chosen.threads

    use(16)
    assert shared() == (4, 4)
    assert shared(jobs=1) == (1, None)
    assert shared(jobs=4, threads=2) == (4, 2)
    assert shared(executor="slurm") == (8, None)  # each on a machine of its own
    use(2)
    assert shared() == (1, None)
    assert shared(jobs=8) == (8, 1)
    with pytest.raises(ValueError, match="--slurm has no effect without --executor slurm"):
        shared(slurm=("time=60",))


def test_the_bar_shows_runs_and_time_left(tmp_path, inline, capsys, sweep):
    ablate(sweep, options(tmp_path), inline)
    shown = capsys.readouterr().err
    assert "toy-ks, " in shown
    assert "runs are stored" in shown
    assert "images/s" in shown


def test_runs_of_the_project_and_of_the_user_are_skipped(inline, user_results, monkeypatch, sweep):
    done = replace(sweep, compared=sweep.compared[:1])
    ablate(done, SweepOptions(device="cpu"), inline, progress=False)
    assert len(list(user_results.glob("ablations/toy-ks/*.json"))) == 2
    plan = ablate(sweep, SweepOptions(results=Path("other"), device="cpu", budget=0.0), inline)
    assert {tuple(run.config.ks) for run in plan.due} == {(1, 2)}
    presets = find_sweep("batch-size-finetuned")  # all of it is stored with the project
    plan = ablate(presets, SweepOptions(device="cpu"), inline, progress=False)
    assert plan.due == plan.later == ()
    assert all(task.run.config.dataset == "emoji" for task in inline.tasks)
    assert not any("batch-size-finetuned" in str(task.folder) for task in inline.tasks)


def test_the_checkout_stays_as_it_is(inline, sweep, capsys, user_results, monkeypatch, toy_splits):
    """What is run, drawn and kept goes to the user's results."""
    monkeypatch.setitem(data.LOADERS, "emoji", lambda: toy_splits)
    before = {path: path.stat().st_mtime_ns for path in embedded("results").rglob("*")}
    ablate(sweep, SweepOptions(device="cpu"), inline, progress=False)
    cli.main(["plot", "toy.toml"])
    assert "toy-ks.svg" in capsys.readouterr().out
    small = "--images 16 --batch-size 16 --evaluations 1 --image-size 16 --embedding-dim 4"
    cli.main(["train", "--store", "mine", "--device", "cpu", "--out", "run", *small.split()])
    assert (user_results / "mine-seed0.json").exists()
    assert {p: p.stat().st_mtime_ns for p in embedded("results").rglob("*")} == before


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_plot_draws_from_stored_runs_alone(tmp_path, inline, monkeypatch, capsys, sweep):
    ablate(sweep, SweepOptions(device="cpu"), inline, progress=False)
    monkeypatch.setattr(Training, "__init__", lambda *a, **k: pytest.fail("trained"))
    arguments = ["plot", "toy.toml", "--out", "figures"]
    cli.main(arguments)
    shown = capsys.readouterr().out
    assert "drew figures/toy-ks.svg" in shown
    names = {f"toy-ks.{kind}" for kind in ("svg", "png", "csv")}
    assert {path.name for path in (tmp_path / "figures").iterdir()} == names
    runs = load_results()
    for row in rows(tmp_path / "figures" / "toy-ks.csv"):
        of_row = (runs["sweep"] == "toy-ks") & (runs["ks"].map(str) == row["ks"])
        finals = runs[of_row & (runs["stage"] == "final")]
        assert set(finals["learning_rate"]) == {float(row["learning_rate"])}
        first, second = finals["R@1"]
        assert float(row["R@1"]) == pytest.approx((first + second) / 2, abs=1e-6)
        assert float(row["R@1 ±"]) == pytest.approx(12.7062 * abs(first - second) / 2, abs=1e-5)
    first = {p: p.read_bytes() for p in (tmp_path / "figures").glob("*.svg")}
    cli.main(arguments)
    assert all(path.read_bytes() == content for path, content in first.items())


def test_plot_says_what_was_not_run(tmp_path, capsys):
    cli.main(["plot", "toy.toml", "--out", "figures"])
    assert capsys.readouterr().out.count("not run") == 2
    assert {row["seeds"] for row in rows(tmp_path / "figures" / "toy-ks.csv")} == {"0"}
    assert "not run" in (tmp_path / "figures" / "toy-ks.svg").read_text()
    assert not (tmp_path / "figures" / "toy-ks-cost.svg").exists()


def test_bad_names_end_with_a_remedy(sweep):
    for name in ("ablate", "plot"):
        with pytest.raises(SystemExit, match=r"no sweep 'size'; there are batch-size"):
            cli.main([name, "size"])
    with pytest.raises(SystemExit, match="--jobs must be a whole number between 1"):
        cli.main(["ablate", "toy.toml", "--jobs", "0"])


OWN = """
name = "own"
question = "Does it turn?"
preset = "emoji"
seeds = [0]
[base]
dataset = "images"
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
    write_images(tmp_path / "images")
    endless = OWN.replace("images = 96", "images = 16000000")
    (tmp_path / "own.toml").write_text(endless.replace("ions = 2", "ions = 500000"))
    config = tmp_path / "runs" / "ablations" / "own"
    with command("ablate", "own.toml", "--device", "cpu") as process:
        wait_until(lambda: list(config.glob("*/metrics.jsonl")), process)
        said = interrupt(process)[1]
    assert process.returncode == 1
    assert "0 of 2 runs are stored; the same command goes on" in said.splitlines()[-1]
    assert list(config.glob("*/state.pt"))
    [log] = config.glob("*.log")
    assert "steps; nothing is lost" in log.read_text()
    stored = [path.relative_to(tmp_path / "user") for path in tmp_path.glob("user/**/*.json")]
    assert [path.as_posix() for path in stored] == ["sweeps/own.json"]  # the sweep, and no run

    (tmp_path / "own.toml").write_text(OWN)
    with command("ablate", "own.toml", "--device", "cpu") as process:
        shown, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "one seed" in shown
    assert len(list(tmp_path.glob("user/ablations/own/*.json"))) == 1
    [tuning] = tmp_path.glob("user/ablations/own/tuning/*.json")
    assert json.loads(tuning.read_text())["test"] == {}
    assert make_plan(find_sweep("own.toml"), Stored.of(load_results())).due == ()
