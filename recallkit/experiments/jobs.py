"""One run of a sweep: claimed, trained or continued, and stored; in a process of its own."""

import multiprocessing
import os
import shutil
import signal
import sys
import threading
import traceback
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, Protocol

import torch
from filelock import SoftFileLease, Timeout

from recallkit.data import load
from recallkit.data.image_set import Splits
from recallkit.data.prefetch import BadImageError
from recallkit.errors import RecallkitError
from recallkit.experiments.plan import Run
from recallkit.files import read_json, write_json
from recallkit.training import Diverged, Stopped, train

STORED, FAILED, STOPPED, TAKEN = 0, 1, 3, 4
"""How a run ends: STOPPED has saved its state, and can go on; TAKEN is trained elsewhere."""

SAVE_SECONDS = 60.0
CLAIM_SECONDS = 180.0  # network file systems show a change up to a minute late


@dataclass(frozen=True)
class Task:
    """All that a process needs to do a run.

    Attributes:
        run: settings and stage.
        folder: of the run; its messages go to the file of that name with ".log".
        result: where the result is stored.
        diverged: where it is stored that the run came to no end.
        claim: the file by which processes claim the run.
        device: where it is trained.
        threads: None: as torch chooses.
        side_by_side: runs at a time on the device, stored with the seconds that depend on it.
    """

    run: Run
    folder: Path
    result: Path
    diverged: Path
    claim: Path
    device: str = "auto"
    threads: int | None = None
    side_by_side: int = 1

    @property
    def log(self) -> Path:
        """The file of its messages."""
        return Path(f"{self.folder}.log")


class Job(Protocol):
    """A run on its way."""

    def poll(self) -> int | None:
        """Return how it ended, or None while it runs."""
        ...

    def stop(self) -> None:
        """Ask it to save its state and end."""
        ...


def claim(path: Path) -> SoftFileLease:
    """Return the claim on a run: a file that its holder touches every minute until it ends.

    It works on a shared folder, whether the file system has locks or not. A holder is dead if its
    process is gone, as seen on the same machine, or if the file did not change for three minutes,
    as seen from another one. Then the next process takes the claim over; a holder that was only
    asleep notices it, and stops.

    Raises:
        filelock.Timeout: when it is acquired, if another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)

    def stop(lost: object) -> None:
        signal.raise_signal(signal.SIGTERM)

    return SoftFileLease(path, lease_duration=CLAIM_SECONDS, timeout=0, on_compromise=stop)


def do_run(task: Task, splits: Splits | None = None) -> int:
    """Train, or continue what an earlier session left, and store the result.

    A run that tunes is given no test classes.

    Args:
        task: what to do.
        splits: the data; None: as the settings name it.

    Returns:
        STORED, or TAKEN if another process trains the run at this moment.
    """
    lease = claim(task.claim)
    try:
        lease.acquire()
    except Timeout:
        return TAKEN
    try:
        if not (task.result.exists() or task.diverged.exists()):  # by another process, just now
            _train_and_store(task, splits)
    finally:
        lease.release()
    return STORED


def _train_and_store(task: Task, splits: Splits | None) -> None:
    config = task.run.config
    splits = load(config.dataset, config.image_size, config.root) if splits is None else splits
    if task.run.stage == "tuning":
        splits = splits.without_test()
    try:
        result = _trained(task, splits)
    except Diverged as error:
        settings = {"config": asdict(config), "seed": config.seed}
        write_json(task.diverged, settings | {"diverged": str(error)})
    else:
        write_json(task.result, result | {"side_by_side": task.side_by_side})


def _trained(task: Task, splits: Splits) -> dict[str, Any]:
    folder = task.folder
    if (folder / "result.json").exists():  # it was killed after the run, before its storing
        return read_json(folder / "result.json")

    def run(resume: bool) -> dict[str, Any]:
        options: dict[str, Any] = {"progress": False, "save_seconds": SAVE_SECONDS}
        options["baselines"] = False  # they are the same for all runs, and not compared
        return train(
            task.run.config, folder, splits=splits, device=task.device, resume=resume, **options
        )

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


def run_task(task: Task) -> int:
    """Do a run in this process, write its messages to its log, and return how it ended."""
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("w", encoding="utf-8") as file:
        os.dup2(file.fileno(), sys.stderr.fileno())
    signal.signal(signal.SIGTERM, _stop_now)
    if task.threads is not None:
        torch.set_num_threads(task.threads)
    try:
        return do_run(task)
    except Stopped as error:
        print(error, file=sys.stderr)
        return STOPPED
    except (RecallkitError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
    except Exception:
        traceback.print_exc()
    return FAILED


def _stop_now(number: int, frame: object) -> NoReturn:
    raise Stopped("stopped between loading and storing, outside of its steps")


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
        """Ask it to save its state and end: what closes the connection, its parent's end too."""
        self.connection.close()


def _run_process(task: Task, parent: Connection) -> NoReturn:
    if hasattr(os, "setsid"):  # so that a terminal's Ctrl-C does not reach it
        os.setsid()
    threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
    sys.exit(run_task(task))


def _stop_with(parent: Connection) -> None:
    parent.poll(None)  # nothing is ever sent: it is closed
    signal.raise_signal(signal.SIGTERM)  # Windows would end at once by os.kill
