"""Run a sweep: what is due, in its order, several runs at a time; stop and go on at any moment.

Each training has a process of its own, so that the peak of memory is its own, and what ends it ends
no other. When the other end of its connection is closed, because the sweep stops or was killed, it
saves its state and ends.
"""

import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import torch
from tqdm import tqdm

from recallkit.config import Config, config_from
from recallkit.data import load
from recallkit.data.image_set import Splits
from recallkit.data.prefetch import BadImageError
from recallkit.errors import RecallkitError
from recallkit.experiments.duration import total_images
from recallkit.experiments.plan import Plan, Run, Stored, make_plan, place
from recallkit.experiments.results import load_results
from recallkit.experiments.sweeps import Sweep
from recallkit.files import embedded, read_json, results_folder, write_json
from recallkit.training import Diverged, Stopped, train

WORK = Path("runs") / "ablations"
STOPPED = 3  # exit status of a run that saved its state and can go on
SAVE_SECONDS = 60.0


class Job(Protocol):
    """A run on its way."""

    def poll(self) -> int | None:
        """Return the exit status: 0 stored, ``STOPPED``, else it failed; None while it runs."""
        ...

    def stop(self) -> None:
        """Ask it to save its state and end."""
        ...


@dataclass(frozen=True)
class SweepOptions:
    """Options of the run of a sweep.

    Attributes:
        results: the folder where results are stored; by default yours (``$RECALLKIT_RESULTS``, or
            ``results`` in the working directory).
        work: with a run folder for each run: weights, and states to go on from.
        jobs: runs at a time.
        threads: of each run; None: as torch chooses.
        device: of all runs.
        budget: seconds after which no run is started; None: no end.
    """

    results: Path = field(default_factory=results_folder)
    work: Path = WORK
    jobs: int = 1
    threads: int | None = None
    device: str = "auto"
    budget: float | None = None

    def known(self) -> pd.DataFrame:
        """Load all stored runs: the project's, yours, and those of ``results``."""
        return load_results(embedded("results"), results_folder(), self.results)


def default_jobs(device: str) -> int:
    """Return how many runs at a time: one on a GPU, on a CPU one for four cores."""
    return 1 if device != "cpu" else max(1, _cores() // 4)


def threads_of_each(jobs: int) -> int | None:
    """Return the threads of a run among ``jobs``; None, torch's choice, for one alone."""
    return None if jobs == 1 else max(1, _cores() // jobs)


def _cores() -> int:
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def do_run(task: dict[str, Any], splits: Splits | None = None) -> None:
    """Train, or continue what an earlier session left, and store the result.

    A run that tunes is given no test classes.

    Args:
        task: "config"; "stage", "tuning" or "final"; "folder" of the run; "result" and
            "diverged", where one of the two is stored; "device"; "side_by_side", the number of
            runs at a time, which is stored with the seconds that depend on it.
        splits: the data; None: as the settings name it.
    """
    config, folder = config_from(task["config"]), Path(task["folder"])
    splits = load(config.dataset, config.image_size, config.root) if splits is None else splits
    if task["stage"] == "tuning":
        splits = splits.without_test()
    try:
        result = _trained(config, folder, splits, task["device"])
    except Diverged as error:
        settings = {"config": asdict(config), "seed": config.seed}
        write_json(Path(task["diverged"]), settings | {"diverged": str(error)})
    else:
        write_json(Path(task["result"]), result | {"side_by_side": task["side_by_side"]})


def _trained(config: Config, folder: Path, splits: Splits, device: str) -> dict[str, Any]:
    if (folder / "result.json").exists():  # it was killed after the run, before its storing
        return read_json(folder / "result.json")

    def run(resume: bool) -> dict[str, Any]:
        options: dict[str, Any] = {"progress": False, "save_seconds": SAVE_SECONDS}
        options["baselines"] = False  # they are the same for all runs, and not compared
        return train(config, folder, splits=splits, device=device, resume=resume, **options)

    if not any((folder / name).exists() for name in ("state.pt", "state.previous.pt")):
        return run(resume=False)
    try:
        return run(resume=True)
    except (Stopped, Diverged, BadImageError):  # the state is sound: it is kept
        raise
    except RecallkitError as error:  # damaged, or of another version
        if isinstance(error.__cause__, OSError):  # it cannot be written, such as on a full disk
            raise
        print(f"{folder} starts again: {error}", file=sys.stderr)
        aside = folder.with_name(f"{folder.name}.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    return run(resume=False)


def run_process(task: dict[str, Any], parent: Connection, log: Path) -> None:
    """Run a task in this process, and write its messages to the file ``log``.

    The exit status is 0 if the result is stored, ``STOPPED``, or 1.
    """
    if hasattr(os, "setsid"):  # so that a terminal's Ctrl-C does not reach it
        os.setsid()
    with log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
    if task["threads"] is not None:
        torch.set_num_threads(task["threads"])
    try:
        do_run(task)
    except Stopped as error:
        print(error, file=sys.stderr)
        sys.exit(STOPPED)
    except (RecallkitError, ValueError, OSError) as error:
        sys.exit(f"{error}")


def _stop_with(parent: Connection) -> None:
    parent.poll(None)  # nothing is ever sent: it is closed
    signal.raise_signal(signal.SIGTERM)  # Windows would end at once by os.kill


class ProcessJob:
    """A run in a process of its own, which ends with this one; its messages go to a file.

    Where the system can, processes are forked from one that has loaded torch: each starts seconds
    earlier.

    Args:
        task: of :func:`do_run`, and "threads".
    """

    def __init__(self, task: dict[str, Any]) -> None:
        log = Path(f"{task['folder']}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
        if forks:
            context.set_forkserver_preload([__name__])
        child, self.connection = context.Pipe(duplex=False)
        self.process = context.Process(target=run_process, args=(task, child, log))
        self.process.start()
        child.close()

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        return self.process.exitcode

    def stop(self) -> None:
        """Ask it to save its state and end."""
        self.connection.close()


class _Session:
    """A sweep while it runs.

    Attributes:
        earlier: what was stored anywhere when the session began.
        plan: what is stored, and what comes next.
        running: runs on their way.
        failed: why runs failed.
        finished: number of runs that this session has stored.
    """

    def __init__(self, sweep: Sweep, options: SweepOptions, launch: Callable[[dict], Job]) -> None:
        self.sweep, self.options, self.launch = sweep, options, launch
        self.running: dict[Run, Job] = {}
        self.failed: dict[Run, str] = {}
        self.finished = 0
        self.earlier = Stored.of(options.known())
        self.plan = self.read_plan()
        self.began = time.monotonic()

    def read_plan(self) -> Plan:
        """Read what is stored by now, by this session and by others beside it."""
        return make_plan(self.sweep, self.earlier | Stored.of(load_results(self.options.results)))

    def start_due(self) -> None:
        """Start what comes next, as far as there is room and time."""
        for run in self.plan.due:
            if len(self.running) >= self.options.jobs or self._is_late() or self._gives_up():
                return
            if run not in self.running and run not in self.failed:
                self.running[run] = self.launch(self._task(run))

    def _is_late(self) -> bool:
        budget = self.options.budget
        return budget is not None and time.monotonic() - self.began >= budget

    def _gives_up(self) -> bool:
        """Whether all runs failed so far: the next ones will, too."""
        return bool(self.failed) and not self.finished

    def _task(self, run: Run) -> dict[str, Any]:
        options, sweep = self.options, self.sweep
        return {
            "config": asdict(run.config),
            "stage": run.stage,
            "folder": str(self.folder(run)),
            "result": str(place(options.results, sweep, run)),
            "diverged": str(place(options.results, sweep, run, diverged=True)),
            "device": options.device,
            "threads": options.threads,
            "side_by_side": options.jobs,
        }

    def folder(self, run: Run) -> Path:
        return self.options.work / self.sweep.name / f"{run.stage}-{run.key}"

    def collect(self) -> bool:
        """Take note of runs that have ended; return whether there was one."""
        ended = {run: job.poll() for run, job in self.running.items()}
        ended = {run: status for run, status in ended.items() if status is not None}
        for run, status in ended.items():
            del self.running[run]
            if status == 0:
                self.finished += 1
            else:
                self.failed[run] = self._reason(run, status)
        if ended:
            self.plan = self.read_plan()
        return bool(ended)

    def _reason(self, run: Run, status: int) -> str:
        if status == STOPPED:
            return "it was stopped, and the next session continues it"
        log = Path(f"{self.folder(run)}.log")
        lines = (
            log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        )
        last = [line for line in lines if line.strip()][-1:] or [f"it ended with status {status}"]
        return f"{last[0]} (all of it: {log})"

    def stop(self) -> None:
        """End runs on their way, and wait until they have saved their state."""
        for job in self.running.values():
            job.stop()
        while self.running:
            if not self.collect():
                time.sleep(0.05)

    def images_done(self) -> int:
        """Count images of stored runs, and of those on their way up to their last evaluation."""
        stored = sum(total_images(run.config) for run in self.plan.stored)
        return stored + sum(_images_so_far(self.folder(run)) for run in self.running)

    def images_in_all(self) -> int:
        """Count the images of all runs of the sweep, as far as they are known."""
        known = [run.config for run in (*self.plan.stored, *self.plan.due)]
        return sum(map(total_images, [*known, *self.plan.later]))


def ablate(
    sweep: Sweep,
    options: SweepOptions | None = None,
    launch: Callable[[dict[str, Any]], Job] = ProcessJob,
    progress: bool = True,
) -> Plan:
    """Run what a sweep lacks; stored runs are skipped, unfinished ones go on.

    Runs count as stored in the project's results, in yours, and in ``options.results``. In a script
    of yours call it below ``if __name__ == "__main__":``, because its processes import the script.

    Args:
        sweep: what is compared.
        options: how; None: the defaults.
        launch: begins a run; by default in a process of its own.
        progress: show a bar over the whole sweep, with the time left.

    Returns:
        The plan at the end: nothing is due if all is done.

    Raises:
        RecallkitError: naming each run that failed, when all others are done. If the first to end
            has failed, no other is started.
        Stopped: on Ctrl-C, when runs on their way have saved their state.
    """
    session = _Session(sweep, options or SweepOptions(), launch)
    total, done = session.images_in_all(), session.images_done()
    bar = tqdm(total=total, initial=done, unit=" images", unit_scale=True, disable=not progress)
    with bar:
        try:
            _run_all(session, bar)
        except KeyboardInterrupt:
            session.stop()
            raise Stopped(_standing(session.plan) + "; the same command goes on") from None
        finally:
            session.stop()
    if session.failed:
        reasons = [f"  {run.stage} {run.key}: {why}" for run, why in session.failed.items()]
        raise RecallkitError(
            f"{len(reasons)} runs of {sweep.name} failed; finished ones are stored, and the same "
            "command tries again:\n" + "\n".join(reasons)
        )
    return session.plan


def _run_all(session: _Session, bar: tqdm) -> None:
    _show(session, bar)
    session.start_due()
    while session.running:
        if session.collect():
            session.start_due()
        else:
            time.sleep(0.2)
        _show(session, bar)


def _show(session: _Session, bar: tqdm) -> None:
    bar.total = session.images_in_all()
    bar.set_description(f"{session.sweep.name}, {_standing(session.plan)}", False)
    bar.update(max(0, session.images_done() - bar.n))


def _standing(plan: Plan) -> str:
    in_all = len(plan.stored) + len(plan.due) + len(plan.later)
    return f"{len(plan.stored)} of {in_all} runs are stored"


def _images_so_far(folder: Path) -> int:
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return int(json.loads(lines[-1])["images"])
    except (OSError, ValueError, IndexError, KeyError):
        return 0
