"""Stored runs as one table: a row a run, with every setting, its metrics, costs and device.

The place of a file in a folder of results is the stage of its run: see :data:`PLACES`.
"""

import hashlib
import json
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from recallkit.config import Config, config_from
from recallkit.errors import RecallkitError
from recallkit.files import embedded, finished_files, read_json, results_folder
from recallkit.training import AMONG_TRAINING
from recallkit.training.floor import class_sizes_of, training_floor

Stage = Literal["named", "final", "tuning", "diverged"]
Row = Literal["trained", "untrained", "pixels", "features"]

PLACES: dict[str, Stage] = {
    "*.json": "named",  # single runs, kept under a name
    "ablations/*/*.json": "final",  # of a sweep, measured on test classes
    "ablations/*/tuning/*.json": "tuning",  # evaluated on validation classes alone
    "ablations/*/diverged/*.json": "diverged",  # came to no end
}

SETTINGS = tuple(setting.name for setting in fields(Config))
METRICS = ("R@1", "R@2", "R@4", "R@8", "P@1", "mAP@R", "mAP")

_ABOUT = ("sweep", "stage", "key")
_ENDS = ("validation R@1", "validation alone R@1", "validation rise")
_LOSS = ("training loss", "floor", "excess", "training classes")
_COSTS = ("seconds", "processor_seconds", "steps", "images_seen", "peak_memory_mb")
_MACHINE = ("device", "device_type", "threads", "side_by_side", "torch", "commit", "file")
_RUN = (*_ABOUT, *SETTINGS, *METRICS, *_ENDS, *_LOSS, *_COSTS, *_MACHINE)
_LINE = (*_ABOUT, "seed", "step", "images", *_COSTS[:2], "learning_rate", "loss", *METRICS)

_LARGEST = 10**12  # images, as many as a training may see; steps, seconds and metrics are below

_FIELDS: dict[str, type | tuple[type, ...]] = {
    "config": dict,  # all settings
    "seed": int,
    "test": dict,  # metrics on test classes: pixels, untrained, trained
    "validation": list,  # a line an evaluation
    "seconds": (int, float),  # of training
    "device": str,
    "commit": str,  # of the code that ran
}

# The settings of the first version: a key counts them always. Any later setting counts only where
# it is not at its default, so the keys of older files stay valid.
_FIRST = frozenset(
    [
        "dataset", "network", "pretrained", "embedding_dim", "image_size", "ks", "k_temperature",
        "rank_temperature", "query_in_database", "simix", "batch_size", "per_class", "images",
        "learning_rate", "weight_decay", "warmup", "rotation", "scale", "shift", "colour", "flip",
        "evaluations", "seed",
    ]
)  # fmt: skip


def run_key(config: Config) -> str:
    """Return the name of a run: twelve hexadecimal digits of a hash of all its settings.

    The order of the fields does not change it, and 1 counts as 1.0. A field that a later version
    adds does not change it either, as long as it has its default, which does what was done before.
    """
    later = {f.name: f.default for f in fields(config) if f.name not in _FIRST}
    settings = {k: v for k, v in vars(config).items() if k not in later or v != later[k]}
    text = json.dumps({name: _plain(value) for name, value in settings.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    """Return a value in the one form that all values equal to it have."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return repr(float(value)) if is_number else value


class StoredRun(NamedTuple):
    """A stored run: "sweep", "stage" and "key"; its settings; all that the file holds; the file."""

    about: dict[str, str]
    config: Config
    result: dict[str, Any]
    path: Path


def load_results(*folders: Path, row: Row = "trained") -> pd.DataFrame:
    """Load stored runs as a table: a row a run.

    Args:
        folders: of results; what a later one holds replaces the same run (settings, seed, stage)
            of those before. None: the project's, then yours (``$RECALLKIT_RESULTS``, by default
            ``results`` in the working directory). A folder that does not exist holds no run.
        row: whose metrics on test classes: of the trained network, of the untrained one, of raw
            pixels, or of frozen features.

    Returns:
        The columns "sweep" (of final and tuning runs, else ""), "stage", "key"; every setting of
        :class:`.Config`, tuples as tuples; metrics on test classes as shares ("R@1", "mAP@R", …),
        NaN where they were not measured; "validation R@1" at the last evaluation, by which sweeps
        tune: with ``distractors`` among the training images too; "validation alone R@1" among the
        validation images, and its "validation rise" since the evaluation before; "training loss" at
        the end, its "floor" (of a perfect ranking) and the "excess" of :meth:`.Floor.excess`; the
        number of "training classes";
        "seconds" and "processor_seconds" of training, "steps", "images_seen", "peak_memory_mb";
        "device", "device_type", "threads", "side_by_side" (runs at a time on the device), "torch",
        "commit", and the "file".

    Raises:
        RecallkitError: naming a file that is damaged or no stored run.
    """
    return _table([_row(run, row) for run in read_runs(*folders)], _RUN)


def load_histories(*folders: Path) -> pd.DataFrame:
    """Load the evaluations on validation classes of stored runs: a row an evaluation.

    Args:
        folders: as for :func:`load_results`.

    Returns:
        The columns "sweep", "stage", "key", "seed" of the run; "step", "images" (seen so far),
        "seconds" and "processor_seconds" (of training so far), "learning_rate", "loss", and metrics
        on validation classes as shares.

    Raises:
        RecallkitError: naming a file that is damaged or no stored run.
    """
    lines = [
        {**run.about, "seed": run.config.seed, **line}
        for run in read_runs(*folders)
        for line in run.result.get("validation", ())
    ]
    return _table(lines, _LINE)


def _table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    """Make a table of these columns, and those that only some protocols measure."""
    others = dict.fromkeys(name for row in rows for name in row if name not in columns)
    return pd.DataFrame(rows, columns=[*columns, *others])


@cache
def project_results() -> pd.DataFrame:
    """Load the runs that come with the project, and none of yours; once in a process."""
    return load_results(embedded("results"))


def read_runs(*folders: Path) -> list[StoredRun]:
    """Read stored runs as they are; see :func:`load_results` for folders and errors."""
    runs: list[StoredRun] = []
    for folder in folders or (embedded("results"), results_folder()):
        is_project, strict = folder == embedded("results"), bool(folders)
        read = _read_project(_state(folder), strict) if is_project else _read_folder(folder, strict)
        new = list(read)
        replaced = {(run.about["stage"], run.config) for run in new}
        runs = [r for r in runs if (r.about["stage"], r.config) not in replaced] + new
    return runs


def _state(folder: Path) -> tuple[tuple[Path, int, int], ...]:
    """Name all stored runs of a folder, when each was written last, and its bytes."""
    paths = [path for pattern in PLACES for path in finished_files(folder, pattern)]
    states = [path.stat() for path in paths]
    return tuple((p, s.st_mtime_ns, s.st_size) for p, s in zip(paths, states, strict=True))


@lru_cache(maxsize=2)
def _read_project(state: tuple[tuple[Path, int, int], ...], strict: bool) -> tuple[StoredRun, ...]:
    """Read the runs that come with the project, hundreds: again only in another state of them."""
    return tuple(_read_folder(embedded("results"), strict))


def _read_folder(folder: Path, strict: bool) -> Iterator[StoredRun]:
    """Read a folder; unless ``strict``, a file that has nothing of a run is left out.

    The default folder of a user's results is called ``results``, and may hold files of others.
    """
    for pattern, stage in PLACES.items():
        for path in finished_files(folder, pattern):
            result = read_json(path)
            is_run = isinstance(result, dict) and "config" in result
            if not (strict or stage != "named" or is_run):
                warnings.warn(f"{path} is not a stored run, and is left out", stacklevel=3)
                continue
            if problem := _problem(result, stage):
                raise RecallkitError(f"{path} is not a stored run: {problem}")
            config, parts = _config(result, path), path.relative_to(folder).parts
            sweep = parts[1] if parts[0] == "ablations" else ""
            about = {"sweep": sweep, "stage": stage, "key": run_key(config)}
            yield StoredRun(about, config, result, path)


def _are_rows(values: Iterable[Any]) -> bool:
    """Tell whether these are objects of numbers."""
    return all(isinstance(row, dict) and all(map(_is_number, row.values())) for row in values)


def _is_number(value: Any) -> bool:
    """Tell whether this is a number that a run can have, or NaN: not measured."""
    return isinstance(value, (int, float)) and not abs(value) > _LARGEST


def _are_sizes(values: Mapping[str, Any]) -> bool:
    """Tell whether these are numbers of images → numbers of classes."""
    counts = all(isinstance(count, int) and 0 < count <= _LARGEST for count in values.values())
    sizes = all(size.isdecimal() and len(size) < len(str(_LARGEST)) for size in values)
    return counts and sizes and all(int(size) > 0 for size in values)


# What the parts of a file hold, where they are there.
_PARTS: dict[str, Callable[[Any], bool]] = {
    "test": lambda rows: isinstance(rows, dict) and _are_rows(rows.values()),
    "validation": lambda lines: isinstance(lines, list) and _are_rows(lines),
    "class_sizes": lambda sizes: isinstance(sizes, dict) and _are_sizes(sizes),
    "libraries": lambda versions: isinstance(versions, dict),
}


def _problem(result: Any, stage: Stage) -> str:
    """Say what a file lacks of a stored run; "" if nothing."""
    if not isinstance(result, dict):
        return "it holds no object"
    for name, kind in (_FIELDS if stage != "diverged" else {"config": dict}).items():
        if not isinstance(result.get(name), kind):
            return f"{name!r} is missing or wrong"
    for name, is_whole in _PARTS.items():
        if name in result and not is_whole(result[name]):
            return f"{name!r} is not as it was written"
    if stage in ("named", "final") and "trained" not in result["test"]:
        return "'test' has no 'trained'"
    is_empty = stage != "diverged" and not result["validation"]
    return "'validation' is empty" if is_empty else ""


def _config(result: dict[str, Any], path: Path) -> Config:
    try:
        return config_from(result["config"])
    except (TypeError, ValueError, AttributeError) as error:
        raise RecallkitError(f"{path}: 'config' does not hold settings: {error}") from error


def _row(run: StoredRun, row: Row) -> dict[str, Any]:
    """Return the row of a run; files of the first version lack what is set first."""
    result = run.result
    values = {"device_type": "cpu", "side_by_side": 1}
    values |= {**run.about, **vars(run.config), **result.get("test", {}).get(row, {})}
    values |= _end_of(result.get("validation", [])) | loss_columns(run.config, result)
    values |= {name: result[name] for name in (*_COSTS, *_MACHINE) if name in result}
    return values | {"torch": result.get("libraries", {}).get("torch"), "file": str(run.path)}


def _end_of(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Read the last evaluations; files of older versions name steps and images only there."""
    if not history:
        return {}
    before, last = [{}, *history][-2:]
    alone = last.get("R@1", np.nan)
    recalls = (last.get(f"{AMONG_TRAINING} R@1", alone), alone, alone - before.get("R@1", np.nan))
    ends = dict(zip(_ENDS, recalls, strict=True))
    return ends | {"steps": last.get("step"), "images_seen": last.get("images")}


def loss_columns(config: Config, result: Mapping[str, Any]) -> dict[str, float]:
    """Return what :func:`load_results` says of the training loss: the mean since the last but one
    evaluation, its floor and excess, and the training classes.

    NaN where a value is not known, or the loss has no floor.
    """
    loss = (result.get("validation") or [{}])[-1].get("loss", math.nan)
    class_sizes = class_sizes_of(config, result)
    floor = training_floor(config, class_sizes)
    losses = {"training loss": loss, "floor": floor.perfect, "excess": floor.excess(loss)}
    return losses | {"training classes": sum(class_sizes.values()) or math.nan}
