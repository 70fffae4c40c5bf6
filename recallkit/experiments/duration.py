"""The duration of a sweep, by the speed of stored runs; nothing is trained or computed."""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import pandas as pd

from recallkit.config import Config
from recallkit.data import load
from recallkit.data.prefetch import Reading
from recallkit.experiments.plan import Stored, make_plan, most_steps_beyond
from recallkit.experiments.sweeps import Sweep
from recallkit.training.environment import choose_device, environment

# What decides the time of an image most, and what changes it too.
_NETWORK = ["network", "frozen", "image_size", "precision"]
_STEP = ["dataset", "embedding_dim", "simix", "loss", "batch_size", "per_class"]

START_SECONDS = 5  # until the first step of a run: imports, data, network; seen on two cores


def total_images(config: Config) -> int:
    """Return how many images a training sees; where epochs decide, the training images are counted.

    Raises:
        RecallkitError: if epochs decide, and the data set is missing.
    """
    size = _train_size(config.dataset, config.image_size, config.root) if config.epochs else 1
    return config.total_images(size)


@cache
def _train_size(dataset: str, image_size: int, root: str) -> int:
    files_stay_on_disk = Reading(workers=1)
    return len(load(dataset, image_size, root, files_stay_on_disk).train)


class Duration(NamedTuple):
    """The duration of trainings.

    Attributes:
        seconds: of training, one at a time; evaluations and starts come on top.
        images: seen in those trainings whose speed is not known, and whose seconds are missing.
        similar: whether some speeds are those of other batch sizes, losses or data sets.
    """

    seconds: float
    images: int
    similar: bool


def duration(configs: Sequence[Config], runs: pd.DataFrame, device: str, threads: int) -> Duration:
    """Return the duration of trainings, from stored runs of the same work on the same device.

    Where none did the very same work, the speed is that of all that trained the same network on
    images of the same size.

    Args:
        configs: of the trainings.
        runs: of :func:`.load_results`.
        device: its name, as in the column "device".
        threads: of each training.
    """
    here = runs[(runs["device"] == device) & (runs["threads"] == threads)]
    same, alike = _speeds(here, _NETWORK + _STEP), _speeds(here, _NETWORK)
    seconds, images, similar = 0.0, 0, False
    for config in configs:
        work = tuple(getattr(config, name) for name in _NETWORK + _STEP)
        speed = same.get(work) or alike.get(work[: len(_NETWORK)])
        if speed is None:
            images += total_images(config)
        else:
            seconds += total_images(config) / speed
            similar |= work not in same
    return Duration(seconds, images, similar)


def _speeds(runs: pd.DataFrame, work: list[str]) -> dict[Any, float]:
    """Return the images a second of each kind of work, over all runs of it."""
    sums = runs.groupby(work)[["images_seen", "seconds"]].sum()
    return (sums["images_seen"] / sums["seconds"]).to_dict()


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


def say_threads(count: int) -> str:
    """Return a number of threads in words."""
    return "1 thread" if count == 1 else f"{count} threads"


def as_time(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
