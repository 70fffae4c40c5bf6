"""The duration of a sweep, by the speed of stored runs; nothing is trained or computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

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


@dataclass(frozen=True)
class Duration:
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
    """Return what ``recallkit ablate --dry-run`` prints: runs due, runs stored, duration.

    Args:
        sweep: what is compared.
        runs: of :func:`.load_results`.
        jobs: runs at a time.
        device: where they are to run.
        threads: of each run; None: as torch chooses.
    """
    plan = make_plan(sweep, Stored.of(runs))
    tuned = " × ".join(f"{len(v)} of {name.replace('_', ' ')}" for name, v in sweep.tuned.items())
    due = [*(run.config for run in plan.due), *plan.later]
    beyond = most_steps_beyond(sweep, plan)
    lines = [
        f"{sweep.name}: {sweep.question}",
        f"{len(sweep.compared)} settings; each: tuning on validation classes over "
        f"{tuned or 'nothing'}, then {len(sweep.seeds)} seeds, measured once on test classes",
        f"{len(plan.stored)} runs stored, {len(due)} due{_at_most(len(beyond))}",
    ]
    if sweep.note:
        lines.append(f"note: {sweep.note}")
    if due:
        here = environment(choose_device(device))
        count = here["threads"] if threads is None else threads
        times = [duration(configs, runs, here["device"], count) for configs in (due, beyond)]
        starts = [START_SECONDS * len(configs) for configs in (due, beyond)]
        lines += _in_words(times, starts, jobs, f"on {here['device']} with {say_threads(count)}")
    return "\n".join(lines)


def _at_most(count: int) -> str:
    return f", and at most {count} more where the best candidate is the first or last" * (count > 0)


def _in_words(times: Sequence[Duration], starts: Sequence[int], jobs: int, where: str) -> list[str]:
    """Describe two durations: of what is due, and of what may be added at the edges."""
    (due, beyond), lines = times, []
    if due.seconds:
        source = "similar work" if due.similar else "the same work"
        longest = as_time((due.seconds + beyond.seconds + sum(starts)) / jobs)
        lines.append(
            f"about {as_time(due.seconds / jobs)} of training and {as_time(starts[0] / jobs)} of "
            f"starts with --jobs {jobs}{f', at most {longest}' if beyond.seconds else ''}, by the "
            f"speed of stored runs of {source} {where}; evaluations come on top"
        )
    if due.images:
        lines.append(
            f"duration not known for {due.images:,} images to train: no stored run trained "
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
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
