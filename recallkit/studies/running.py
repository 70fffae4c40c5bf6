"""Run a study: what is due, several runs at a time; stop and go on at any moment."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from joblib import Parallel, delayed
from tqdm import tqdm

from recallkit.errors import RecallkitError
from recallkit.files import write_json
from recallkit.studies.results import load_studies, place, stored_choices
from recallkit.studies.study import Plan, Run, Study, make_plan
from recallkit.training.environment import environment


def run_study(
    study: Study, results: Path, jobs: int = 1, budget: float | None = None, progress: bool = True
) -> Plan:
    """Run what a study lacks; stored runs are skipped.

    Runs count as stored in the project's results, in yours, and in ``results``. Each is written
    when it ends, so that Ctrl-C or an error loses only those on their way.

    Args:
        study: what is compared.
        results: the folder to store in.
        jobs: runs at a time, each on one thread.
        budget: seconds after which no run is started; None: no end.
        progress: show a bar over the runs.

    Returns:
        The plan at the end: nothing is due if all is done.

    Raises:
        RecallkitError: if a run fails, naming it.
    """
    began = time.monotonic()
    plan = current_plan(study, results)
    with tqdm(desc=study.name, unit=" runs", disable=not progress) as bar:
        while plan.due:
            bar.total = len(plan.stored) + len(plan.due) + plan.later
            bar.update(len(plan.stored) - bar.n)
            tasks = _in_time(plan.due, None if budget is None else began + budget)
            parallel = Parallel(jobs, return_as="generator_unordered", pre_dispatch="n_jobs")
            for _ in parallel(delayed(do_run)(study, run, results) for run in tasks):
                bar.update()
            if budget is not None and time.monotonic() - began >= budget:
                break
            plan = current_plan(study, results)
    return current_plan(study, results)


def current_plan(study: Study, results: Path) -> Plan:
    """Return the plan of a study by what is stored now."""
    choices = stored_choices(study, load_studies())
    return make_plan(study, choices | stored_choices(study, load_studies(results)))


def _in_time(runs: tuple[Run, ...], end: float | None) -> Iterator[Run]:
    for run in runs:
        if end is not None and time.monotonic() >= end:
            return
        yield run


def do_run(study: Study, run: Run, results: Path) -> None:
    """Do one run of a study on one thread, and store it.

    Raises:
        RecallkitError: if it fails, naming study, method, candidate and seed.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    wall, processor = time.perf_counter(), time.process_time()
    try:
        outcome = study.run(*run)
    except Exception as error:
        raise RecallkitError(f"{study.name}: the run {tuple(run)} failed: {error}") from error
    costs = {
        "seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - processor,
    }
    about = {"study": study.name, **run._asdict()} | outcome._asdict()
    about["choice"] = None if math.isnan(outcome.choice) else outcome.choice  # JSON has no NaN
    write_json(place(results, study.name, run), about | costs | environment(torch.device("cpu")))
    torch.set_num_threads(threads)
