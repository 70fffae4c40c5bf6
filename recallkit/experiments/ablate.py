"""Run a sweep: what is due, in its order, several runs at a time; stop and go on at any moment."""

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from tqdm import tqdm

from recallkit.errors import RecallkitError
from recallkit.experiments import one_run
from recallkit.experiments.plan import Plan, Run, Stored, make_plan, place
from recallkit.experiments.sweeps import Sweep
from recallkit.training import Stopped

WORK = Path("runs") / "ablations"


class Job(Protocol):
    """A run on its way."""

    def poll(self) -> int | None:
        """Exit status: 0 stored, ``one_run.STOPPED``, another if it failed; None while it runs."""

    def stop(self) -> None:
        """Ask it to save its state and end."""


@dataclass(frozen=True)
class Options:
    """How a sweep is run.

    Attributes:
        root: where results are stored, a folder for each sweep.
        work: with a run folder for each run: weights, and states to go on from.
        jobs: runs at a time.
        threads: of each run; None: as torch chooses.
        device: of all runs.
        budget: seconds after which no run is started; None: no end.
    """

    root: Path
    work: Path = WORK
    jobs: int = 1
    threads: int | None = None
    device: str = "auto"
    budget: float | None = None


def default_jobs(device: str) -> int:
    """Runs at a time: one on a GPU or up to two cores, beyond that one for four cores."""
    return 1 if device != "cpu" else max(1, _cores() // 4)


def threads_of_each(jobs: int) -> int | None:
    """Threads of a run among ``jobs``; None, torch's own choice, for one alone."""
    return None if jobs == 1 else max(1, _cores() // jobs)


def _cores() -> int:
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ProcessJob:
    """A run in a process of its own, which ends with this one; what it says goes to a file.

    Where the system can, processes are forked from one that has loaded torch already: each begins
    seconds earlier.
    """

    def __init__(self, task: dict[str, Any]) -> None:
        log = Path(f"{task['folder']}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if forks else "spawn")
        if forks:
            context.set_forkserver_preload([one_run.__name__])
        child, self.connection = context.Pipe(duplex=False)
        self.process = context.Process(target=one_run.main, args=(task, child, log))
        self.process.start()
        child.close()

    def poll(self) -> int | None:
        """Exit status, or None while it runs."""
        return self.process.exitcode

    def stop(self) -> None:
        """Ask it to save its state and end."""
        self.connection.close()


class _Sitting:
    """A sweep while it runs.

    Attributes:
        running: runs on their way.
        failed: key → where it is said why.
    """

    def __init__(self, sweep: Sweep, options: Options, launch: Callable[[dict], Job]) -> None:
        self.sweep, self.options, self.launch = sweep, options, launch
        self.running: dict[Run, Job] = {}
        self.failed: dict[Run, str] = {}
        self.finished = 0
        self.began = time.monotonic()
        self.look()

    def look(self) -> None:
        """Read again what is stored."""
        self.plan = make_plan(self.sweep, Stored.read(self.options.root))

    def start_due(self) -> None:
        """Start what comes next, as far as there is room and time."""
        for run in self.plan.due:
            late = self.options.budget is not None and self.elapsed() >= self.options.budget
            if len(self.running) >= self.options.jobs or late or self._gives_up():
                return
            if run not in self.running and run not in self.failed:
                self.running[run] = self.launch(self._task(run))

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def _gives_up(self) -> bool:
        """What fails at once will fail again."""
        return bool(self.failed) and not self.finished

    def _task(self, run: Run) -> dict[str, Any]:
        options, sweep = self.options, self.sweep
        return {
            "config": asdict(run.config),
            "stage": run.stage,
            "folder": str(self.folder(run)),
            "result": str(place(options.root, sweep, run)),
            "diverged": str(place(options.root, sweep, run, diverged=True)),
            "device": options.device,
            "threads": options.threads,
            "side_by_side": options.jobs,
        }

    def folder(self, run: Run) -> Path:
        return self.options.work / self.sweep.name / f"{run.stage}-{run.key}"

    def collect(self) -> bool:
        """Take note of runs that have ended; whether there was one."""
        ended = {run: job for run, job in self.running.items() if job.poll() is not None}
        for run, job in ended.items():
            del self.running[run]
            if job.poll() == 0:
                self.finished += 1
            else:
                self.failed[run] = self._reason(run, job.poll())
        if ended:
            self.look()
        return bool(ended)

    def _reason(self, run: Run, status: int) -> str:
        log = Path(f"{self.folder(run)}.log")
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        said = [line for line in lines if line.strip()]
        if status == one_run.STOPPED:
            return "it was stopped, and goes on with the next sitting"
        return f"{said[-1] if said else f'it ended with status {status}'} (all of it: {log})"

    def stop(self) -> None:
        """End runs on their way, and wait until they have saved their state."""
        for job in self.running.values():
            job.stop()
        while self.running:
            if not self.collect():
                time.sleep(0.05)

    def images_done(self) -> int:
        """Of the known runs, those on their way by their last look at validation classes."""
        whole = sum(run.config.images for run in self.plan.stored)
        return whole + sum(_images_so_far(self.folder(run)) for run in self.running)

    def images_in_all(self) -> int:
        known = [run.config for run in (*self.plan.stored, *self.plan.due)]
        return sum(config.images for config in (*known, *self.plan.later))


def ablate(
    sweep: Sweep,
    options: Options,
    launch: Callable[[dict[str, Any]], Job] = ProcessJob,
    progress: bool = True,
) -> Plan:
    """Run what a sweep lacks; stored runs are skipped, unfinished ones go on.

    In a script of your own call it below ``if __name__ == "__main__":``, since processes that run
    import the script.

    Args:
        sweep: what is compared.
        options: how.
        launch: begins a run; by default in a process of its own.
        progress: show a bar over the whole sweep, with the time left.

    Returns:
        The plan as it stands at the end: nothing is due if all is done.

    Raises:
        RecallkitError: naming each run that failed, when all others are done. If the first to end
            has failed, no other is started.
        Stopped: on Ctrl-C, when runs on their way have saved their state.
    """
    sitting = _Sitting(sweep, options, launch)
    with tqdm(
        total=sitting.images_in_all(),
        initial=sitting.images_done(),
        unit=" images",
        unit_scale=True,
        disable=not progress,
        desc=sweep.name,
    ) as bar:
        try:
            _run_all(sitting, bar)
        except KeyboardInterrupt:
            sitting.stop()
            raise Stopped(_standing(sitting.plan) + "; the same command goes on") from None
        finally:
            sitting.stop()
    if sitting.failed:
        said = "\n".join(f"  {run.stage} {run.key}: {why}" for run, why in sitting.failed.items())
        raise RecallkitError(
            f"{len(sitting.failed)} runs of {sweep.name} failed; finished ones are stored, and the "
            f"same command tries again:\n{said}"
        )
    return sitting.plan


def _run_all(sitting: _Sitting, bar: tqdm) -> None:
    sitting.start_due()
    while sitting.running:
        if sitting.collect():
            sitting.start_due()
        else:
            time.sleep(0.2)
        _show(sitting, bar)


def _standing(plan: Plan) -> str:
    in_all = len(plan.stored) + len(plan.due) + len(plan.later)
    return f"{len(plan.stored)} of {in_all} runs are stored"


def _show(sitting: _Sitting, bar: tqdm) -> None:
    bar.total = sitting.images_in_all()
    bar.set_description(f"{sitting.sweep.name}, {_standing(sitting.plan)}", False)
    bar.update(max(0, sitting.images_done() - bar.n))


def _images_so_far(folder: Path) -> int:
    try:
        return int(json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["images"])
    except (OSError, ValueError, IndexError, KeyError):
        return 0
