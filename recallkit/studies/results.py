"""Stored runs of studies as tables, and the comparisons of their methods."""

from pathlib import Path
from typing import Any

import pandas as pd

from recallkit.errors import RecallkitError
from recallkit.experiments import Comparison, compare, correct, interval
from recallkit.files import embedded, file_name, finished_files, read_json, results_folder
from recallkit.studies.names import find_study
from recallkit.studies.study import Outcome, Run, Study, Tuning, final_runs, tune

_ABOUT = ("study", "stage", "method", "candidate", "seed")
_COSTS = ("seconds", "processor_seconds", "device", "threads", "commit", "file")


def place(results: Path, study: str, run: Run) -> Path:
    """Return where a run is stored: RESULTS/studies/STUDY/METHOD-CANDIDATE-SEED.json."""
    name = file_name(f"{run.method}-{run.candidate:g}-{run.seed}".replace(" ", "_"))
    return results / "studies" / study / f"{name}.json"


def load_studies(*folders: Path) -> pd.DataFrame:
    """Load the stored runs of all studies as a table: a row a run.

    Args:
        folders: of results; what a later one holds replaces the same run of those before. None: the
            project's, then yours (``$RECALLKIT_RESULTS``, by default ``results``).

    Returns:
        The columns "study", "stage" ("tuning" or "final"), "method", "candidate" (of what was
        tuned), "seed", "choice" (by which candidates are chosen), a column for each metric on test
        data, "seconds" and "processor_seconds", "device", "threads", "commit", "file".

    Raises:
        RecallkitError: naming a file that is no stored run.
    """
    rows = [_row(result, path) for path, result in _read(folders)]
    columns = [*_ABOUT, "choice", *_COSTS]
    metrics = dict.fromkeys(name for row in rows for name in row if name not in columns)
    table = pd.DataFrame(rows, columns=[*columns[:6], *metrics, *columns[6:]])
    return table.drop_duplicates(list(_ABOUT), keep="last", ignore_index=True)


def load_study_histories(*folders: Path) -> pd.DataFrame:
    """Load what stored runs wrote on their way: a row a line of a history.

    Args:
        folders: as for :func:`load_studies`.

    Returns:
        The columns "study", "stage", "method", "candidate", "seed", and those of the histories.
    """
    rows = [
        {**_about(result), **line} for _, result in _read(folders) for line in result["history"]
    ]
    others = dict.fromkeys(name for row in rows for name in row if name not in _ABOUT)
    table = pd.DataFrame(rows, columns=[*_ABOUT, *others])
    return table.drop_duplicates(ignore_index=True)


def _read(folders: tuple[Path, ...]) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for folder in folders or (embedded("results"), results_folder()):
        for path in finished_files(folder, "studies/*/*.json"):
            result = read_json(path)
            needed = {*_ABOUT[:1], *_ABOUT[2:], "choice", *Outcome._fields}
            if not isinstance(result, dict) or not needed <= set(result):
                raise RecallkitError(f"{path} is not a stored run of a study")
            found.append((path, result))
    return found


def _about(result: dict[str, Any]) -> dict[str, Any]:
    run = Run(result["method"], result["candidate"], result["seed"])
    return {"study": result["study"], "stage": run.stage, **run._asdict()}


def _row(result: dict[str, Any], path: Path) -> dict[str, Any]:
    costs = {name: result[name] for name in _COSTS if name in result}
    choice = float("nan") if result["choice"] is None else result["choice"]
    about = {**_about(result), "choice": choice}
    return {**about, **result["metrics"], **costs, "file": str(path)}


def stored_choices(study: Study, runs: pd.DataFrame) -> dict[Run, float]:
    """Return what a plan needs of the stored runs of a study."""
    own = runs[runs["study"] == study.name]
    names = zip(own["method"], own["candidate"], own["seed"], strict=True)
    return dict(zip((Run(*name) for name in names), own["choice"], strict=True))


def final_table(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the final runs of a study: the seeds of each method, at its tuned candidate."""
    wanted = set(final_runs(_tuned(study, runs), study.seeds))
    own = runs[(runs["study"] == study.name) & (runs["stage"] == "final")]
    names = zip(own["method"], own["candidate"], own["seed"], strict=True)
    kept = [Run(*name) in wanted for name in names]
    return own[pd.Series(kept, own.index, dtype=bool)]  # also if there is no run


def _tuned(study: Study, runs: pd.DataFrame) -> dict[str, Tuning]:
    choices = stored_choices(study, runs)
    tunings = {method: tune(study, method, choices) for method in study.candidates}
    return {method: tuning for method, tuning in tunings.items() if not tuning.due}


def study_summary(study: Study, runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise a study: a row a method, in the order of their declaration.

    Args:
        study: what was compared.
        runs: of :func:`load_studies`.

    Returns:
        Indexed by method; methods without a final run are left out. What was tuned, under its name;
        for each metric the mean over the seeds, and half of its 95 % interval, "METRIC ±"; the
        number of "seeds"; "edge", whether the tuned value is the outermost candidate.
    """
    finals, tuned = final_table(study, runs), _tuned(study, runs)
    rows = {}
    for method in study.candidates:
        own = finals[finals["method"] == method]
        if len(own):
            rows[method] = {study.tuned: tuned[method].best}
            for metric in study.shown:
                mean, margin = interval(own[metric])
                rows[method] |= {metric: mean, f"{metric} ±": margin}
            rows[method] |= {"seeds": len(own), "edge": tuned[method].at_edge}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def study_changes(
    study: Study, runs: pd.DataFrame, metric: str, reference: str
) -> dict[str, Comparison]:
    """Compare all methods with one of them, corrected for the number of comparisons.

    Args:
        study: what was compared.
        runs: of :func:`load_studies`.
        metric: one of the study's.
        reference: a method.

    Returns:
        By method: its metric less that of ``reference``, by Welch's t with Holm's correction.

    Raises:
        ValueError: if there is no such metric or method.
    """
    if metric not in study.shown:
        raise ValueError(f"metric must be one of {', '.join(study.shown)}, not {metric!r}")
    if reference not in study.candidates:
        raise ValueError(f"reference must be one of {', '.join(study.candidates)}: {reference!r}")
    finals = final_table(study, runs)
    values = {m: finals.loc[finals["method"] == m, metric] for m in study.candidates}
    others = [method for method in values if method != reference]
    changes = [compare(values[reference], values[method]) for method in others]
    return dict(zip(others, correct(changes), strict=True))


def study_verdicts(
    name: str, metric: str, reference: str, runs: pd.DataFrame | None = None
) -> dict[str, str]:
    """Say what a metric does from one method of a study to each of the others.

    Args:
        name: of the study.
        metric: one of the study's.
        reference: the method with which all others are compared.
        runs: of :func:`load_studies`. None: all that are stored.

    Returns:
        By method "rises", "falls" or "no difference seen", see :func:`study_changes`.

    Raises:
        RecallkitError: if there is no such study.
        ValueError: if there is no such metric or method.
    """
    runs = load_studies() if runs is None else runs
    changes = study_changes(find_study(name), runs, metric, reference)
    return {method: change.verdict for method, change in changes.items()}
