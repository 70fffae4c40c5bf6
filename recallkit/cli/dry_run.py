"""The output of ``recallkit ablate --dry-run``."""

import pandas as pd

from recallkit.config import Config
from recallkit.experiments.duration import duration
from recallkit.experiments.plan import Stored, make_plan, most_steps_beyond
from recallkit.experiments.sweeps import Sweep
from recallkit.training.environment import choose_device, environment
from recallkit.words import as_time, say_threads

START_SECONDS = 5  # until the first step of a run: imports, data, network; seen on two cores


def describe_plan(
    sweep: Sweep,
    runs: pd.DataFrame,
    jobs: int = 1,
    device: str = "auto",
    threads: int | None = None,
) -> str:
    """Return what ``recallkit ablate --dry-run`` prints: runs due, runs stored, duration and cost.

    Args:
        sweep: what is compared.
        runs: of :func:`.load_results`.
        jobs: runs at a time.
        device: where they are to run.
        threads: of each run; None: as torch chooses.
    """
    plan = make_plan(sweep, Stored.of(runs))
    due, beyond = [*(run.config for run in plan.due), *plan.later], most_steps_beyond(sweep, plan)
    tuned = " × ".join(f"{len(v)} of {name.replace('_', ' ')}" for name, v in sweep.tuned.items())
    more = f", and at most {len(beyond)} more where the best candidate is the first or last"
    lines = [
        f"{sweep.name}: {sweep.question}",
        f"{len(sweep.compared)} settings; each: tuning on validation classes over "
        f"{tuned or 'nothing'}, then {len(sweep.seeds)} seeds, measured once on test classes",
        f"{len(plan.stored)} runs stored, {len(due)} due{more if beyond else ''}",
        *([f"note: {sweep.note}"] if sweep.note else []),
    ]
    if due:
        lines += _time_and_cost(due, [*due, *beyond], runs, jobs, device, threads)
    return "\n".join(lines)


def _time_and_cost(
    due: list[Config],
    longest: list[Config],
    runs: pd.DataFrame,
    jobs: int,
    device: str,
    threads: int | None,
) -> list[str]:
    """Describe the time of what is due and of the most that it can become, and the cost."""
    here = environment(choose_device(device))
    count = threads or here["threads"]
    where = f"on {here['device']} with {say_threads(count)}"
    time, most = (duration(c, runs, here["device"], count) for c in (due, longest))
    lines = []
    if time.seconds:
        start, end = START_SECONDS * len(due), most.seconds + START_SECONDS * len(longest)
        at_most = f", at most {as_time(end / jobs)}" if most.seconds > time.seconds else ""
        work = time.seconds + start  # jobs share a GPU; on a CPU each has cores of its own
        on_cpu = here["device_type"] == "cpu"
        cost = f"{work * count / 3600:,.2f} core" if on_cpu else f"{work / jobs / 3600:,.2f} GPU"
        lines.append(
            f"about {as_time(time.seconds / jobs)} of training and {as_time(start / jobs)} of "
            f"starts with --jobs {jobs}{at_most}, by the speed of stored runs of "
            f"{'similar' if time.similar else 'the same'} work {where}; that is {cost}-hours; "
            "evaluations come on top"
        )
    if time.images:
        lines.append(
            f"duration not known for {time.images:,} images to train: no stored run trained "
            f"this network {where}"
        )
    return lines
