"""What the device changes: the same settings and seeds, trained on another one.

A comparison whose two sides ran on different devices holds a second difference beside the one that
is asked for. How large that is can be measured: runs of a sweep are repeated elsewhere and kept in
``data/results/devices``, where no sweep takes them for its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from recallkit.config import Config
from recallkit.experiments.contrasts import in_points, verdict
from recallkit.experiments.plan import Result, Stored
from recallkit.experiments.points import percent_of
from recallkit.experiments.store import FOLDER, config_of, load_results
from recallkit.experiments.summary import difference, over_seeds

DEVICES = FOLDER / "devices"


def device_pairs(stored: Stored, folder: Path = DEVICES) -> list[tuple[list[Result], list[Result]]]:
    """Runs kept in ``folder``, each group of one setting beside the final runs that it repeats.

    Args:
        stored: where the final runs of sweeps are.
        folder: of the repeated ones.

    Returns:
        (final runs, runs of ``folder``) of the same seeds, for each setting that both have.
    """
    groups: dict[Config, list[Result]] = {}
    for result in load_results(folder):
        if config_of(result) in stored.final:
            groups.setdefault(replace(config_of(result), seed=0), []).append(result)
    return [([stored.final[config_of(r)] for r in group], group) for group in groups.values()]


def say_devices(stored: Stored, folder: Path = DEVICES) -> list[str]:
    """A sentence for each of :func:`device_pairs`: R@1 here and there, and the difference."""
    return [_said(*pair) for pair in device_pairs(stored, folder)]


def _said(here: Sequence[Result], there: Sequence[Result]) -> str:
    config = config_of(here[0])
    ours, others = (over_seeds(results, "trained")["R@1"] for results in (here, there))
    change = difference(ours, others)
    return (
        f"The same settings on two devices ({config.dataset}, batch {config.batch_size:,}, "
        f"{config.images:,} images, {ours.count} seeds): R@1 {percent_of(ours)} on "
        f"{_names(here)}, {percent_of(others)} on {_names(there)}; {in_points(change)}, "
        f"{verdict(change)}."
    )


def _names(results: Sequence[Result]) -> str:
    return " and ".join(sorted({result["device"] for result in results}))
