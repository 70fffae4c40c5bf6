"""Published numbers, and the stored runs that may stand beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.files import embedded, read_json
from recallkit.tables import text_table

STATUSES = ("published", "unverified", "reproduction")


NOT_RUN = "not run"


@dataclass(frozen=True)
class Published:
    """A row of somebody's table of results.

    Attributes:
        dataset: as the source calls it.
        method: likewise.
        network: likewise.
        metrics: name → value in percent.
        status: "published" (read in public text), "unverified" (from memory) or "reproduction"
            (measured by others than the authors).
        source: whose number it is.
        settings: what a run's config must say to stand beside this row; None: no run can.
        note: what a reader should know, or nothing.
    """

    dataset: str
    method: str
    network: str
    metrics: dict[str, float]
    status: str
    source: str
    settings: dict[str, Any] | None
    note: str


def load_published(path: Path | None = None) -> list[Published]:
    """All published rows, in the order of the file.

    Args:
        path: of the file; by default the one of ``data/paper``.

    Raises:
        RecallkitError: naming the entry that is not as ``data/paper/README.md`` says.
    """
    path = embedded("paper") / "published.json" if path is None else path
    entries = read_json(path)
    if not isinstance(entries, list) or not entries:
        raise RecallkitError(f"{path} must hold a list of published rows")
    return [_checked(entry, f"{path}, entry {place}") for place, entry in enumerate(entries, 1)]


def _checked(entry: Any, where: str) -> Published:
    names = [field.name for field in fields(Published)]
    if not isinstance(entry, dict) or set(entry) != set(names):
        raise RecallkitError(f"{where} must have the fields {', '.join(names)}, and no other")
    row = Published(**entry)
    texts = (row.dataset, row.method, row.network, row.source)
    if not all(isinstance(text, str) and text for text in texts) or not isinstance(row.note, str):
        raise RecallkitError(f"{where}: dataset, method, network and source must be words")
    if row.status not in STATUSES:
        raise RecallkitError(f"{where}: status must be one of {STATUSES}, not {row.status!r}")
    if not _are_percent(row.metrics):
        raise RecallkitError(f"{where}: metrics must be numbers in percent, not {row.metrics}")
    if row.settings is not None and not _are_settings(row.settings):
        raise RecallkitError(f"{where}: settings must be null or settings of a run")
    return row


def _are_percent(metrics: Any) -> bool:
    return isinstance(metrics, dict) and bool(metrics) and all(map(_is_percent, metrics.values()))


def _is_percent(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 100


def _are_settings(settings: Any) -> bool:
    known = {field.name for field in fields(Config)}
    return isinstance(settings, dict) and bool(settings) and set(settings) <= known


def runs_beside(row: Published, results: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The stored runs whose config says what the row's ``settings`` say.

    Args:
        row: a published row.
        results: as :func:`recallkit.experiments.store.load_results` returns.
    """
    if row.settings is None:
        return []
    return [run for run in results if row.settings.items() <= run["config"].items()]


def comparison_table(rows: Sequence[Published], results: Sequence[Mapping[str, Any]]) -> str:
    """Published rows beside stored runs, with the status of every number, as a Markdown table.

    Values in percent. A row that no stored run may stand beside, or whose metrics the run did not
    measure, says "not run".
    """
    header = ["data set", "method", "network", "metrics", "value", "status", "run here"]
    return text_table(header, [_cells(row, runs_beside(row, results)) for row in rows])


def _cells(row: Published, runs: Sequence[Mapping[str, Any]]) -> list[str]:
    values = " / ".join(map(as_printed, row.metrics.values()))
    here = [_here(row.metrics, run) for run in runs if row.metrics.keys() <= _measured(run).keys()]
    metrics = " / ".join(row.metrics)
    beside = "; ".join(here) or NOT_RUN
    return [row.dataset, row.method, row.network, metrics, values, row.status, beside]


def as_printed(value: float) -> str:
    """A percentage with the one decimal of most tables, or two where there were two."""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:.2f}"


def _here(names: Mapping[str, float], run: Mapping[str, Any]) -> str:
    values = " / ".join(f"{100 * _measured(run)[name]:.1f}" for name in names)
    return f"{values} (seed {run['seed']}, commit {run['commit'][:7]})"


def _measured(run: Mapping[str, Any]) -> Mapping[str, float]:
    return run["test"]["trained"]
