"""How long a sweep will take: from stored runs that did the same work, else from a few steps."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tqdm import tqdm

from recallkit.config import Config
from recallkit.data import load
from recallkit.data.image_set import Splits
from recallkit.experiments.plan import Plan, Stored, make_plan
from recallkit.experiments.store import config_of
from recallkit.experiments.sweeps import Sweep
from recallkit.training.environment import choose_device, environment
from recallkit.training.frozen_features import feature_splits
from recallkit.training.trainer import Training

# What decides how long an image takes; the others do not, or hardly.
_WORK = ("dataset", "network", "frozen", "embedding_dim", "image_size", "precision")


_WORK += ("simix", "loss", "batch_size", "per_class")


STEPS_SECONDS = 1.5  # of measured steps, after one that warms up


@dataclass(frozen=True)
class Duration:
    """How long the runs to come will take.

    Attributes:
        seconds: of training, all runs together, one at a time; looks and starts come on top.
        from_stored: kinds of work whose speed is that of stored runs.
        measured: kinds of work whose speed is that of steps taken now.
    """

    seconds: float
    from_stored: int
    measured: int


def _work(config: Config) -> tuple[Any, ...]:
    return tuple(getattr(config, name) for name in _WORK)


def stored_speeds(stored: Stored, device: str, threads: int) -> dict[tuple[Any, ...], float]:
    """Images a second of each kind of work, over all stored runs of it on such a device."""
    found: dict[tuple[Any, ...], tuple[float, float]] = {}
    for result in (*stored.tuning.values(), *stored.final.values()):
        if (result["device"], result.get("threads")) == (device, threads):
            work = _work(config_of(result))
            images, seconds = found.get(work, (0, 1e-9))
            found[work] = images + result["config"]["images"], seconds + result["seconds"]
    return {work: images / seconds for work, (images, seconds) in found.items()}


def measured_speed(config: Config, splits: Splits, device: str) -> float:
    """Images a second of a few steps: one to warm up, then for a second and a half."""
    chosen = choose_device(device)
    images = splits.train
    if config.frozen:  # what a step costs does not depend on how many views there are
        images = feature_splits(replace(config, views=1), splits, chosen).train
    training = Training(config, images, chosen)
    training.step()
    begin, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - begin < STEPS_SECONDS:
        training.step()
        steps += 1
    return steps * training.batch_size / (time.perf_counter() - begin)


def estimate_duration(
    plan: Plan, stored: Stored, device: str, threads: int | None, splits: Splits | None = None
) -> Duration:
    """How long the runs that are due, and those that wait for their tuning, will take.

    Args:
        plan: of the sweep.
        stored: what is stored.
        device: where they are to run.
        threads: of each run; None: as torch chooses.
        splits: the data of all; None: as the settings name it.
    """
    configs = [*(run.config for run in plan.due), *plan.later]
    here = environment(choose_device(device))
    speeds = stored_speeds(stored, here["device"], threads or here["threads"])
    known = len({_work(config) for config in configs} & speeds.keys())
    new = _measure({_work(c): c for c in configs if _work(c) not in speeds}, device, splits)
    seconds = sum(config.images / (speeds | new)[_work(config)] for config in configs)
    return Duration(seconds, known, len(new))


def _measure(
    configs: Mapping[tuple[Any, ...], Config], device: str, splits: Splits | None
) -> dict[tuple[Any, ...], float]:
    found = {}
    bar: Iterable = tqdm(configs.items(), desc="measuring steps", leave=False, disable=not configs)
    for work, config in bar:
        data = load(config.dataset, config.image_size) if splits is None else splits
        found[work] = measured_speed(replace(config, seed=0), data, device)
    return found


def describe(
    sweep: Sweep,
    stored: Stored,
    jobs: int = 1,
    device: str = "auto",
    threads: int | None = None,
    splits: Splits | None = None,
) -> str:
    """What ``recallkit ablate --dry-run`` says: how many runs, how many stored, how long."""
    plan = make_plan(sweep, stored)
    tuned = " × ".join(f"{len(values)} of {name}" for name, values in sweep.tuned.items())
    due = len(plan.due) + len(plan.later)
    lines = [
        f"{sweep.name}: {sweep.question}",
        f"{len(sweep.compared)} settings; each: tuning on validation classes over "
        f"{tuned or 'nothing'}, then {len(sweep.seeds)} seeds, measured once on test classes",
        f"{len(plan.stored)} runs stored, {due} due; one or two more wherever a best rate lies "
        f"at the edge of its candidates",
    ]
    if sweep.note:
        lines.append(f"note: {sweep.note}")
    if due:
        duration = estimate_duration(plan, stored, device, threads, splits)
        lines.append(
            f"about {as_time(duration.seconds / jobs)} of training with --jobs {jobs}, looks and "
            f"starts on top; images a second from stored runs for {duration.from_stored} kinds of "
            f"work, from steps taken now for {duration.measured}"
        )
    return "\n".join(lines)


def as_time(seconds: float) -> str:
    """Seconds as people say them."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
