"""Run a sweep: what is due, in its order, several runs at a time; stop and go on at any moment.

Several processes, on several machines too, can run one sweep on one folder of results: each run is
claimed before it is trained, so that nobody trains it twice.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from filelock import SoftFileLease, Timeout
from tqdm import tqdm

from recallkit.errors import RecallkitError
from recallkit.experiments.duration import total_images
from recallkit.experiments.jobs import STOPPED, STORED, TAKEN, Job, ProcessJob, SweepOptions, Task
from recallkit.experiments.plan import Plan, Run, Stored, make_plan
from recallkit.experiments.results import load_results
from recallkit.experiments.sweeps import Sweep
from recallkit.files import embedded, results_folder
from recallkit.run_files import read_last_metrics
from recallkit.training import Stopped

WAIT_SECONDS = 5.0  # until we read again what others have stored


def known_results(results: Path) -> pd.DataFrame:
    """Load all stored runs: the project's, yours, and those of a folder ``results``."""
    return load_results(embedded("results"), results_folder(), results)


def _launcher(options: SweepOptions) -> Callable[[Task], Job]:
    if options.executor is None:
        return ProcessJob
    from recallkit.experiments.cluster import cluster_launcher  # it needs the extra [cluster]

    return cluster_launcher(options.executor, options.work / "jobs", options.slurm)


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

    def __init__(
        self,
        sweep: Sweep,
        options: SweepOptions,
        launch: Callable[[Task], Job],
        progress: bool,
    ) -> None:
        self.sweep, self.options, self.launch = sweep, options, launch
        self.running: dict[Run, tuple[Task, Job]] = {}
        self.failed: dict[Run, str] = {}
        self.claims: dict[Run, SoftFileLease] = {}  # each watches for how long it did not change
        self.finished, self.waits = 0, False
        self.stored = Stored.of(known_results(options.results))
        self.plan = make_plan(sweep, self.stored)
        self.began = time.monotonic()
        self.bar = tqdm(
            initial=_images(self.plan)[0], unit=" images", unit_scale=True, disable=not progress
        )

    def start_due(self) -> bool:
        """Start what comes next, as far as there is room and time; return whether to wait."""
        self.waits = False
        for run in self.plan.due:
            if len(self.running) >= self.options.jobs or self.is_over():
                break
            task = Task(self.sweep, run, self.options)
            if run in self.running or run in self.failed:
                continue
            try:
                with self.claims.setdefault(run, task.claim()):
                    pass  # nobody has it; the job itself will hold it
                self.running[run] = (task, self.launch(task))
            except Timeout:
                self.waits = True
        return bool(self.running) or (self.waits and not self.is_over())

    def is_over(self) -> bool:
        """Tell whether no run shall start: time is up, or all have failed, as the next will."""
        budget = self.options.budget
        is_late = budget is not None and time.monotonic() - self.began >= budget
        return is_late or (bool(self.failed) and not self.finished)

    def wait(self) -> None:
        """Wait until a run has ended, here or, as far as we can know, elsewhere."""
        began = time.monotonic()
        while not self.collect():
            if self.waits and time.monotonic() - began > WAIT_SECONDS:
                return self.read()
            time.sleep(0.2)
            self.show()

    def collect(self) -> bool:
        """Take note of runs that have ended; return whether there was one."""
        ended = {run: job.poll() for run, (_, job) in self.running.items()}
        ended = {run: status for run, status in ended.items() if status is not None}
        for run, status in ended.items():
            task, _ = self.running.pop(run)
            if status == STORED:
                self.finished += 1
            elif status != TAKEN:
                self.failed[run] = _reason(task.log, status)
        if ended:
            self.read()
        return bool(ended)

    def read(self) -> None:
        """Read what is stored by now, by this session and by others beside it."""
        self.stored.update(Stored.of(load_results(self.options.results)))
        self.plan = make_plan(self.sweep, self.stored)
        self.show()

    def show(self) -> None:
        """Show the images of stored runs, and of those on their way up to the last evaluation."""
        stored, waiting = _images(self.plan)
        logs = [read_last_metrics(task.folder) for task, _ in self.running.values()]
        done = stored + sum(int(log.get("images", 0)) for log in logs)
        self.bar.total = stored + waiting
        self.bar.set_description(f"{self.sweep.name}, {_standing(self.plan)}", False)
        self.bar.update(max(0, done - self.bar.n))

    def stop(self) -> None:
        """End runs on their way, and wait until they have saved their state."""
        for _, job in self.running.values():
            job.stop()
        while self.running:
            if not self.collect():
                time.sleep(0.05)


def _images(plan: Plan) -> tuple[int, int]:
    """Count the images of stored runs, and of those to come, as far as they are known."""
    stored, due = ([run.config for run in runs] for runs in (plan.stored, plan.due))
    return sum(map(total_images, stored)), sum(map(total_images, [*due, *plan.later]))


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
    session = _Session(sweep, options, launch or _launcher(options), progress)
    with session.bar:
        try:
            session.show()
            while session.start_due():
                session.wait()
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
