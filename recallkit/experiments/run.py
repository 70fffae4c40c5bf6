"""Run a sweep: what is due, in its order, several runs at a time; stop and go on at any moment.

Several processes, on several machines too, can run one sweep on one folder of results: each run is
claimed before it is trained, so that nobody trains it twice.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd
from filelock import SoftFileLease, Timeout
from tqdm import tqdm

from recallkit.errors import RecallkitError
from recallkit.experiments.duration import total_images
from recallkit.experiments.jobs import STOPPED, STORED, TAKEN, Job, ProcessJob, Task, claim
from recallkit.experiments.plan import Plan, Run, Stored, make_plan, place
from recallkit.experiments.results import load_results
from recallkit.experiments.run_folders import last_line
from recallkit.experiments.sweeps import Sweep
from recallkit.files import embedded, results_folder
from recallkit.training import Stopped, choose_device

WORK = Path("runs") / "ablations"
WAIT_SECONDS = 5.0  # until we read again what others have stored


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
        executor: "local" and "slurm" run jobs by submitit, see :func:`.cluster_launcher`. None:
            runs are processes that end with this one.
        slurm: parameters of Slurm, each as "key=value".

    Raises:
        RecallkitError: if there is no such device.
        ValueError: for parameters of Slurm without it.
    """

    results: Path = field(default_factory=results_folder)
    work: Path = WORK
    jobs: int = 0
    threads: int | None = None
    device: str = "auto"
    budget: float | None = None
    executor: Literal["local", "slurm"] | None = None
    slurm: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.slurm and self.executor != "slurm":
            raise ValueError("--slurm has no effect without --executor slurm")
        jobs, threads = self.jobs or self._usual_jobs(), self.threads
        if threads is None and jobs > 1 and self.executor != "slurm":
            threads = max(1, _cores() // jobs)
        vars(self).update(jobs=jobs, threads=threads)

    def _usual_jobs(self) -> int:
        if self.executor == "slurm":
            return 8
        return 1 if choose_device(self.device).type != "cpu" else max(1, _cores() // 4)

    @property
    def side_by_side(self) -> int:
        """Runs at a time on one device, as results say it."""
        return 1 if self.executor == "slurm" else self.jobs

    def known(self) -> pd.DataFrame:
        """Load all stored runs: the project's, yours, and those of ``results``."""
        return load_results(embedded("results"), results_folder(), self.results)

    def launcher(self) -> Callable[[Task], Job]:
        """Return what begins a run."""
        if self.executor is None:
            return ProcessJob
        from recallkit.experiments.cluster import cluster_launcher  # it needs the extra [cluster]

        return cluster_launcher(self.executor, self.work / "jobs", self.slurm)


def _cores() -> int:
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Session:
    """A sweep while it runs.

    Attributes:
        stored: what was stored anywhere when the session began, and in its folder since then.
        plan: what is stored, and what comes next.
        running: runs on their way.
        failed: why runs failed.
        finished: number of runs that this session has stored.
        waits: whether a run is due that another process trains.
    """

    def __init__(self, sweep: Sweep, options: SweepOptions, launch: Callable[[Task], Job]) -> None:
        self.sweep, self.options, self.launch = sweep, options, launch
        self.running: dict[Run, Job] = {}
        self.failed: dict[Run, str] = {}
        self.claims: dict[Run, SoftFileLease] = {}  # each watches for how long it did not change
        self.finished, self.waits = 0, False
        self.stored = Stored.of(options.known())
        self.plan = make_plan(sweep, self.stored)
        self.began = time.monotonic()

    def start_due(self) -> bool:
        """Start what comes next, as far as there is room and time; return whether to wait."""
        self.waits = False
        for run in self.plan.due:
            if len(self.running) >= self.options.jobs or self.is_over():
                break
            if run in self.running or run in self.failed:
                continue
            if self.is_taken(run):
                self.waits = True
            else:
                self.running[run] = self.launch(self.task(run))
        return bool(self.running) or (self.waits and not self.is_over())

    def wait(self, bar: tqdm) -> None:
        """Wait until a run has ended, here or, as far as we can know, elsewhere."""
        began = time.monotonic()
        while not self.collect():
            if self.waits and time.monotonic() - began > WAIT_SECONDS:
                self.read()
                return
            time.sleep(0.2)
            self.show(bar)

    def read(self) -> None:
        """Read what is stored by now, by this session and by others beside it."""
        self.stored.update(Stored.of(load_results(self.options.results)))
        self.plan = make_plan(self.sweep, self.stored)

    def is_over(self) -> bool:
        """Whether no run shall start: time is up, or all failed so far, and the next ones will."""
        budget = self.options.budget
        is_late = budget is not None and time.monotonic() - self.began >= budget
        return is_late or (bool(self.failed) and not self.finished)

    def is_taken(self, run: Run) -> bool:
        """Whether another process trains a run."""
        if run not in self.claims:
            self.claims[run] = claim(self.task(run).claim)
        try:
            with self.claims[run]:
                return False
        except Timeout:
            return True

    def task(self, run: Run) -> Task:
        options, name = self.options, f"{run.stage}-{run.key}"
        return Task(
            run,
            folder=options.work / self.sweep.name / name,
            result=place(options.results, self.sweep, run),
            diverged=place(options.results, self.sweep, run, diverged=True),
            claim=options.results / "claims" / name,
            device=options.device,
            threads=options.threads,
            side_by_side=options.side_by_side,
        )

    def collect(self) -> bool:
        """Take note of runs that have ended; return whether there was one."""
        ended = {run: job.poll() for run, job in self.running.items()}
        ended = {run: status for run, status in ended.items() if status is not None}
        for run, status in ended.items():
            del self.running[run]
            if status == STORED:
                self.finished += 1
            elif status != TAKEN:
                self.failed[run] = _reason(self.task(run).log, status)
        if ended:
            self.read()
        return bool(ended)

    def stop(self) -> None:
        """End runs on their way, and wait until they have saved their state."""
        for job in self.running.values():
            job.stop()
        while self.running:
            if not self.collect():
                time.sleep(0.05)

    def images(self) -> tuple[int, int]:
        """Count the images that are done, of runs on their way up to the last evaluation; and all.

        Those of runs that nobody knows yet are not among them.
        """
        plan = self.plan
        done = sum(total_images(run.config) for run in plan.stored)
        due = sum(map(total_images, [*(run.config for run in plan.due), *plan.later]))
        logs = [self.task(run).folder / "metrics.jsonl" for run in self.running]
        return done + sum(int(last_line(log).get("images", 0)) for log in logs), done + due

    def show(self, bar: tqdm) -> None:
        """Show how far the sweep is."""
        done, bar.total = self.images()
        bar.set_description(f"{self.sweep.name}, {_standing(self.plan)}", False)
        bar.update(max(0, done - bar.n))


def _reason(log: Path, status: int) -> str:
    """Say why a run is not stored."""
    if status == STOPPED:
        return "it was stopped, and the next session continues it"
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    return f"{lines[-1] if lines else f'it ended with status {status}'} (all of it: {log})"


def ablate(
    sweep: Sweep,
    options: SweepOptions | None = None,
    launch: Callable[[Task], Job] | None = None,
    progress: bool = True,
) -> Plan:
    """Run what a sweep lacks; stored runs are skipped, unfinished ones go on.

    Runs count as stored in the project's results, in yours, and in ``options.results``. Runs that
    another process trains are waited for. In a script of yours call it below
    ``if __name__ == "__main__":``, because its processes import the script.

    Args:
        sweep: what is compared.
        options: how; None: the defaults.
        launch: begins a run; None: as the options say.
        progress: show a bar over the whole sweep, with the time left.

    Returns:
        The plan at the end: nothing is due if all is done.

    Raises:
        RecallkitError: naming each run that failed, when all others are done. If the first to end
            has failed, no other is started.
        Stopped: on Ctrl-C, when runs on their way have saved their state.
    """
    options = options or SweepOptions()
    session = _Session(sweep, options, launch or options.launcher())
    done, total = session.images()
    with tqdm(
        initial=done, total=total, unit=" images", unit_scale=True, disable=not progress
    ) as bar:
        try:
            session.show(bar)
            while session.start_due():
                session.wait(bar)
                session.show(bar)
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


def _standing(plan: Plan) -> str:
    in_all = len(plan.stored) + len(plan.due) + len(plan.later)
    return f"{len(plan.stored)} of {in_all} runs are stored"
