"""Stored runs as one table: a row a run, with every setting, its metrics, costs and device.

A folder of results has files of these places, and the place is the stage of the run:

    *.json                           named      single runs, kept under a name
    ablations/SWEEP/*.json           final      measured on test classes
    ablations/SWEEP/tuning/*.json    tuning     evaluated on validation classes alone
    ablations/SWEEP/diverged/*.json  diverged   came to no end
    devices/*.json                   device     final runs repeated on another device
"""

import hashlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from recallkit.config import Config, config_from
from recallkit.errors import RecallkitError
from recallkit.files import embedded, read_json, results_folder
from recallkit.training import AMONG_TRAINING

Stage = Literal["named", "final", "tuning", "diverged", "device"]
Row = Literal["trained", "untrained", "pixels", "features"]

PLACES: dict[str, Stage] = {
    "*.json": "named",
    "ablations/*/*.json": "final",
    "ablations/*/tuning/*.json": "tuning",
    "ablations/*/diverged/*.json": "diverged",
    "devices/*.json": "device",
}

SETTINGS = tuple(setting.name for setting in fields(Config))
METRICS = ("R@1", "R@2", "R@4", "R@8", "P@1", "mAP@R", "mAP")

_ABOUT = ("sweep", "stage", "key")
_ENDS = ("validation R@1", "validation alone R@1", "validation rise")
_COSTS = ("seconds", "processor_seconds", "steps", "images_seen", "peak_memory_mb")
_MACHINE = ("device", "device_type", "threads", "side_by_side", "torch", "commit", "file")

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


@dataclass(frozen=True)
class StoredRun:
    """A file of a stored run.

    Attributes:
        path: of the file.
        stage: by its place.
        config: its settings.
        result: what the file holds.
    """

    path: Path
    stage: Stage
    config: Config
    result: dict[str, Any]

    @property
    def about(self) -> dict[str, Any]:
        """Its sweep ("" for none), stage and key."""
        depth = {"final": 1, "tuning": 2, "diverged": 2}.get(self.stage)
        sweep = "" if depth is None else self.path.parts[-1 - depth]
        return {"sweep": sweep, "stage": self.stage, "key": run_key(self.config)}


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
        validation images, and its "validation rise" since the evaluation before; "seconds" and
        "processor_seconds" of training, "steps", "images_seen", "peak_memory_mb"; "device",
        "device_type", "threads", "side_by_side" (runs at a time on the device), "torch", "commit",
        and the "file".

    Raises:
        RecallkitError: naming a file that is damaged or no stored run.
    """
    rows = [_row(run, row) for run in read_runs(*folders)]
    metrics = dict.fromkeys([*METRICS, *(name for values in rows for name in values)])
    ends = (*_ENDS, *_COSTS, *_MACHINE)
    others = {*_ABOUT, *SETTINGS, *ends}
    names = [*_ABOUT, *SETTINGS, *(name for name in metrics if name not in others), *ends]
    return pd.DataFrame(rows, columns=names)


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
    columns = [*_ABOUT, "seed", "step", "images", *_COSTS[:2], "learning_rate", "loss"]
    metrics = dict.fromkeys([*METRICS, *(name for line in lines for name in line)])
    return pd.DataFrame(lines, columns=[*columns, *(m for m in metrics if m not in columns)])


@cache
def project_results() -> pd.DataFrame:
    """Load the runs that come with the project, and none of yours; once in a process."""
    return load_results(embedded("results"))


def read_runs(*folders: Path) -> list[StoredRun]:
    """Read stored runs as they are; see :func:`load_results` for folders and errors."""
    runs: list[StoredRun] = []
    for folder in folders or (embedded("results"), results_folder()):
        new = list(_read_folder(folder, strict=bool(folders)))
        replaced = {(run.stage, run.config) for run in new}
        runs = [run for run in runs if (run.stage, run.config) not in replaced] + new
    return runs


def _read_folder(folder: Path, strict: bool) -> Iterator[StoredRun]:
    """Read a folder; unless ``strict``, a file that has nothing of a run is left out.

    The default folder of a user's results is called ``results``, and may hold files of others.
    """
    for pattern, stage in PLACES.items():
        for path in sorted(folder.glob(pattern)):
            content = read_json(path)
            is_run = isinstance(content, dict) and "config" in content
            if not (strict or stage != "named" or is_run):
                warnings.warn(f"{path} is not a stored run, and is left out", stacklevel=3)
                continue
            result = _checked(content, path, stage)
            yield StoredRun(path, stage, _config(result, path), result)


def _checked(result: Any, path: Path, stage: Stage) -> dict[str, Any]:
    if not isinstance(result, dict):
        raise RecallkitError(f"{path} is not a stored run: it holds no object")
    needed = {"config": dict} if stage == "diverged" else _FIELDS
    for name, kind in needed.items():
        if not isinstance(result.get(name), kind):
            raise RecallkitError(f"{path} is not a stored run: {name!r} is missing or wrong")
    if stage in ("named", "final", "device") and "trained" not in result["test"]:
        raise RecallkitError(f"{path} is not a stored run: 'test' has no 'trained'")
    if stage != "diverged" and not result["validation"]:
        raise RecallkitError(f"{path} is not a stored run: 'validation' is empty")
    return result


def _config(result: dict[str, Any], path: Path) -> Config:
    try:
        return config_from(result["config"])
    except (TypeError, ValueError, AttributeError) as error:
        raise RecallkitError(f"{path}: 'config' does not hold settings: {error}") from error


def _row(run: StoredRun, row: Row) -> dict[str, Any]:
    result = run.result
    values = {**run.about, **vars(run.config), **result.get("test", {}).get(row, {})}
    values |= _end_of(result.get("validation", []))
    values |= {name: result[name] for name in (*_COSTS, *_MACHINE) if name in result}
    values |= {"torch": result.get("libraries", {}).get("torch"), "file": str(run.path)}
    first_version = {"device_type": "cpu", "side_by_side": 1}  # whose files lack these
    return first_version | values


def _end_of(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Read the last evaluations; files of older versions name steps and images only there."""
    if not history:
        return {}
    last, before = history[-1], history[-2] if len(history) > 1 else {}
    alone = last.get("R@1", np.nan)
    recalls = (last.get(f"{AMONG_TRAINING} R@1", alone), alone, alone - before.get("R@1", np.nan))
    ends = dict(zip(_ENDS, recalls, strict=True))
    return ends | {"steps": last.get("step"), "images_seen": last.get("images")}
