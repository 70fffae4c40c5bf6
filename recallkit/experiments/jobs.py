"""One run of a sweep: claimed, trained or continued, and stored; in a process of its own."""

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, NoReturn, Protocol

import torch
from filelock import SoftFileLease, Timeout

from recallkit.data import load
from recallkit.data.image_set import Splits
from recallkit.errors import RecallkitError
from recallkit.experiments.plan import Run, place
from recallkit.experiments.sweeps import Sweep
from recallkit.files import read_json_object, results_folder, write_json
from recallkit.run_files import LAST, PREVIOUS, UnusableStateError
from recallkit.training import Diverged, Stopped, choose_device, train

STORED, FAILED, STOPPED, TAKEN = 0, 1, 3, 4
"""How a run ends: STOPPED has saved its state, and can go on; TAKEN is trained elsewhere."""

SAVE_SECONDS = 60.0
CLAIM_SECONDS = 180.0  # network file systems show a change up to a minute late


@dataclass(frozen=True)
class SweepOptions:
    """Options of the run of a sweep.

    Attributes:
        results: the folder where results are stored; by default yours (``$RECALLKIT_RESULTS``, or
            ``results`` in the working directory).
        work: with a run folder for each run: weights, and states to go on from.
        jobs: runs at a time. 0: one on a GPU, one for four cores on a CPU, eight on Slurm.
        threads: of each run. None: the cores shared among the jobs; for one job, and on Slurm, as
            torch chooses.
        device: of all runs.
        budget: seconds after which no run is started; None: no end.
        executor: "local" and "slurm" make jobs by submitit, see :func:`.cluster_launcher`. None:
            runs are processes that end with this one.
        slurm: parameters of Slurm, each as "key=value".

    Raises:
        RecallkitError: if there is no such device.
        ValueError: for parameters of Slurm without it.
    """

    results: Path = field(default_factory=results_folder)
    work: Path = Path("runs") / "ablations"
    jobs: int = 0
    threads: int | None = None
    device: str = "auto"
    budget: float | None = None
    executor: Literal["local", "slurm"] | None = None
    slurm: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        on_slurm, cores = self.executor == "slurm", _cores()
        if self.slurm and not on_slurm:
            raise ValueError("--slurm has no effect without --executor slurm")
        if self.jobs == 0:
            on_cpu = not on_slurm and choose_device(self.device).type == "cpu"
            jobs = 8 if on_slurm else max(1, cores // 4) if on_cpu else 1
            object.__setattr__(self, "jobs", jobs)
        if self.threads is None and self.jobs > 1 and not on_slurm:
            object.__setattr__(self, "threads", max(1, cores // self.jobs))


def _cores() -> int:
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Task:
    """A run of a sweep, and how to do it: all that a process needs to know."""

    sweep: Sweep
    run: Run
    options: SweepOptions

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.options.work / self.sweep.name / f"{self.run.stage}-{self.run.key}"

    @property
    def log(self) -> Path:
        """The file of its messages."""
        return Path(f"{self.folder}.log")

    def result(self, diverged: bool = False) -> Path:
        """Return where the result is stored, or that there is none."""
        return place(self.options.results, self.sweep, self.run, diverged)

    def claim(self) -> SoftFileLease:
        """Return the claim on the run: a file that its holder touches every minute until it ends.

        It works on a shared folder, whether the file system has locks or not. A holder is dead if
        its process is gone, as seen on the same machine, or if the file did not change for three
        minutes, as seen from another one. Then the next process takes the claim over. A holder that
        only slept notices it, and stops. Where another process holds it, ``acquire`` raises
        ``filelock.Timeout``.
        """
        folder = self.options.results / "claims"
        folder.mkdir(parents=True, exist_ok=True)
        return SoftFileLease(
            folder / self.folder.name,
            lease_duration=CLAIM_SECONDS,
            timeout=0,
            on_compromise=lambda lost: signal.raise_signal(signal.SIGTERM),
        )


class Job(Protocol):
    """A run on its way."""

    def poll(self) -> int | None:
        """Return how it ended, or None while it runs."""
        ...

    def stop(self) -> None:
        """Ask it to save its state and end."""
        ...


def do_run(task: Task, splits: Splits | None = None) -> None:
    """Train, or continue what an earlier session left, and store the result.

    A run that tunes is given no test classes.

    Args:
        task: what to do.
        splits: the data; None: as the settings name it.
    """
    config = task.run.config
    splits = load(config.dataset, config.image_size, config.root) if splits is None else splits
    if task.run.stage == "tuning":
        splits = splits.without_test()
    try:
        result = _trained(task, splits)
    except Diverged as error:
        settings = {"config": asdict(config), "seed": config.seed}
        write_json(task.result(diverged=True), settings | {"diverged": str(error)})
    else:  # on Slurm each has a machine of its own
        side_by_side = 1 if task.options.executor == "slurm" else task.options.jobs
        write_json(task.result(), result | {"side_by_side": side_by_side})


def _trained(task: Task, splits: Splits) -> dict[str, Any]:
    folder = task.folder
    if (folder / "result.json").exists():  # it was killed after the run, before its storing
        return read_json_object(folder / "result.json")
    options: dict[str, Any] = {"device": task.options.device, "save_seconds": SAVE_SECONDS}
    options["baselines"] = False  # they are the same for all runs, and not compared
    run = partial(train, task.run.config, folder, splits=splits, progress=False, **options)
    if not any((folder / name).exists() for name in (LAST, PREVIOUS)):
        return run()
    try:
        return run(resume=True)
    except UnusableStateError as error:  # damaged, or of another version
        print(f"{folder} starts again: {error}", file=sys.stderr)
        aside = folder.with_name(f"{folder.name}.damaged")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    return run()


def run_task(task: Task) -> int:
    """Claim a run and do it in this process; write its messages to its log; say how it ended."""
    before = signal.signal(signal.SIGTERM, _stop_now)
    try:
        with task.claim():
            if task.result().exists() or task.result(diverged=True).exists():
                return STORED  # by another process, just now
            return _run_claimed(task)
    except Timeout:
        return TAKEN
    except _StopNow as stop:
        print(stop, file=sys.stderr)
        return STOPPED
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_claimed(task: Task) -> int:
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    if task.options.threads is not None:
        torch.set_num_threads(task.options.threads)
    try:
        do_run(task)
        return STORED
    except Stopped as error:
        print(error, file=sys.stderr)
        return STOPPED
    except (RecallkitError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
    except Exception:
        traceback.print_exc()
    return FAILED


class _StopNow(BaseException):
    """The run is to stop where nothing is to be saved; no handler of other errors may take it."""


def _stop_now(number: int, frame: object) -> NoReturn:
    raise _StopNow("stopped before the training, or after it; it goes on from its last save")


class ProcessJob:
    """A run in a process of its own, which ends with this one.

    So the peak of memory is its own, and what ends it ends no other. Where the system can,
    processes are forked from one that has loaded torch: each starts seconds earlier.
    """

    def __init__(self, task: Task) -> None:
        forks = "forkserver" in multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("forkserver" if forks else "spawn")
        if forks:
            context.set_forkserver_preload([__name__])
        child, self.connection = context.Pipe(duplex=False)
        self.process = context.Process(target=_run_process, args=(task, child))
        self.process.start()
        child.close()

    def poll(self) -> int | None:
        """Return how it ended, or None while it runs."""
        return self.process.exitcode

    def stop(self) -> None:
        """Ask it to save its state and end, as the end of this process does."""
        self.connection.close()


def _run_process(task: Task, parent: Connection) -> NoReturn:
    if hasattr(os, "setsid"):  # so that a terminal's Ctrl-C does not reach it
        os.setsid()
    threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
    sys.exit(run_task(task))


def _stop_with(parent: Connection) -> None:
    parent.poll(None)  # nothing is ever sent: it is closed
    signal.raise_signal(signal.SIGTERM)  # Windows would end at once by os.kill
