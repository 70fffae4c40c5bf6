"""The stored runs in ``data/results``, one JSON file each: what tables and plots are made of."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from recallkit.config import Config, config_from
from recallkit.errors import RecallkitError
from recallkit.files import read_json

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


# Settings that every key counts; any other came later, and counts where it is not its default.
_ALWAYS = frozenset(
    [
        "dataset",
        "network",
        "pretrained",
        "embedding_dim",
        "image_size",
        "ks",
        "k_temperature",
        "rank_temperature",
        "query_in_database",
        "simix",
        "batch_size",
        "per_class",
        "images",
        "learning_rate",
        "weight_decay",
        "warmup",
        "rotation",
        "scale",
        "shift",
        "colour",
        "flip",
        "evaluations",
        "seed",
    ]
)


def run_key(config: Config) -> str:
    """A short name for a run: twelve hexadecimal digits of a hash of all its settings.

    Neither the order of the fields nor 1 instead of 1.0 changes it. A field that a later version
    adds counts only where it is not at its default, which does what was done before there was the
    field: older runs keep their keys.
    """
    first = {f.name: f.default for f in fields(config) if f.name not in _ALWAYS}
    settings = {k: v for k, v in vars(config).items() if k not in first or v != first[k]}
    text = json.dumps({name: _plain(value) for name, value in settings.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    """A value as all that are equal to it are written."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return repr(float(value)) if is_number else value


def load_results(folder: Path | None = None, tested: bool = True) -> list[dict[str, Any]]:
    """All stored runs, in the order of their files' names.

    Each is what :func:`recallkit.training.loop.train` returns.

    Args:
        folder: of the ``*.json``; by default ``data/results``. One that is not there holds none.
        tested: whether they must have metrics on test classes. Runs that tuned have none.

    Raises:
        RecallkitError: naming the file that is not JSON, or lacks a field.
    """
    folder = FOLDER if folder is None else folder
    paths = sorted(folder.glob("*.json"))
    return [_checked(read_json(path), path, tested) for path in paths]


def _checked(result: Any, path: Path, tested: bool) -> dict[str, Any]:
    if not isinstance(result, dict):
        raise RecallkitError(f"{path} is not a stored run: it holds no object")
    for name, kind in FIELDS.items():
        if not isinstance(result.get(name), kind):
            raise RecallkitError(
                f"{path} is not a stored run: {name!r} is missing or of wrong type"
            )
    if tested and "trained" not in result["test"]:
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
