"""The stored runs in ``data/results``, one JSON file each: what tables and plots are made of."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from recallkit.errors import RecallkitError
from recallkit.presets import Config, config_from
from recallkit.runs import read_json

FIELDS: dict[str, type | tuple[type, ...]] = {
    "config": dict,  # all settings
    "seed": int,
    "test": dict,  # metrics on test classes: pixels, untrained, trained
    "validation": list,  # a line an evaluation
    "seconds": (int, float),  # of training
    "device": str,
    "commit": str,  # of the code that ran
}
FOLDER = Path(__file__).resolve().parents[2] / "data" / "results"


def load_results(folder: Path | None = None) -> list[dict[str, Any]]:
    """All stored runs, in the order of their files' names.

    Each is what :func:`recallkit.training.train` returns.

    Args:
        folder: of the ``*.json``; by default ``data/results``. One that is not there holds none.

    Raises:
        RecallkitError: naming the file that is not JSON, or lacks a field.
    """
    folder = FOLDER if folder is None else folder
    return [_checked(read_json(path), path) for path in sorted(folder.glob("*.json"))]


def _checked(result: Any, path: Path) -> dict[str, Any]:
    if not isinstance(result, dict):
        raise RecallkitError(f"{path} is not a stored run: it holds no object")
    for name, kind in FIELDS.items():
        if not isinstance(result.get(name), kind):
            raise RecallkitError(
                f"{path} is not a stored run: {name!r} is missing or of wrong type"
            )
    if "trained" not in result["test"]:
        raise RecallkitError(f"{path} is not a stored run: 'test' has no 'trained'")
    try:
        config_of(result)
    except (TypeError, ValueError, KeyError) as error:
        raise RecallkitError(f"{path}: 'config' does not hold settings: {error}") from error
    return result


def config_of(result: dict[str, Any]) -> Config:
    """The settings of a stored run."""
    return config_from(result["config"])


def select(
    results: Sequence[dict[str, Any]], base: Config, free: Sequence[str]
) -> list[dict[str, Any]]:
    """The runs that differ from ``base`` in nothing but the settings named in ``free``.

    Raises:
        ValueError: if there is no setting of that name.
    """

    def same(result: dict[str, Any]) -> bool:
        own = config_of(result)
        return own == replace(base, **{name: getattr(own, name) for name in free})

    if unknown := set(free) - set(vars(base)):
        raise ValueError(f"free must name settings, not {sorted(unknown)}")
    return [result for result in results if same(result)]


def by_setting(results: Sequence[dict[str, Any]], setting: str) -> dict[Any, list[dict[str, Any]]]:
    """Runs sorted into groups by one setting, smallest value first."""
    values = sorted({getattr(config_of(result), setting) for result in results})
    return {
        value: [result for result in results if getattr(config_of(result), setting) == value]
        for value in values
    }


def tuned(
    results: Sequence[dict[str, Any]], setting: str = "learning_rate", metric: str = "R@1"
) -> list[dict[str, Any]]:
    """Of runs that differ in ``setting`` and seed: those with its best value.

    Best is the value with the highest mean, over its seeds, of ``metric`` at the last look at the
    *validation* classes; test classes are not looked at.

    Raises:
        ValueError: if there is no run.
    """
    if not results:
        raise ValueError("results must hold at least one run")
    groups = by_setting(results, setting).values()
    return max(groups, key=lambda runs: _mean([run["validation"][-1][metric] for run in runs]))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
