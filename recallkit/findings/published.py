"""Published numbers, data set by data set, beside the stored runs that have their settings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from recallkit.experiments.statistics import NOT_RUN
from recallkit.experiments.sweep_tables import with_values
from recallkit.files import embedded, read_json
from recallkit.tables import text_table

STATUSES = ("published", "unverified", "reproduction")
NOT_REPORTED = "–"
LEGEND = (
    "published: read in public text. unverified: from memory, compared with no text.\n"
    "reproduction: by others than the authors. run here: a stored run, with seed and commit.\n"
    f"{NOT_RUN}: no stored run has these settings. {NOT_REPORTED}: not in the source.\n"
    "All values in percent; stored runs are at their last epoch."
)


@dataclass(frozen=True)
class Published:
    """A row of a published table of results.

    Attributes:
        dataset: as the source calls it.
        method: likewise.
        network: likewise.
        metrics: name → value in percent.
        status: "published" (read in public text), "unverified" (from memory) or "reproduction"
            (measured by others than the authors).
        source: whose number it is.
        settings: those that a run must have to stand beside this row; None: no run can.
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


def load_published() -> list[Published]:
    """Load all published rows, in the order of ``data/paper/published.json``."""
    return [Published(**entry) for entry in read_json(embedded("paper") / "published.json")]


def runs_beside(row: Published, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the stored runs that have the settings of a row; none if no run can have them."""
    measured = runs[runs["stage"].isin(["named", "final"])]
    return measured.iloc[:0] if row.settings is None else with_values(measured, row.settings)


def comparison(
    rows: Sequence[Published], runs: pd.DataFrame, datasets: Sequence[str] = ()
) -> dict[str, str]:
    """Make a Markdown table for each data set: what was published, and what was run here.

    Every cell says what its number is, as :data:`LEGEND` explains. The stored runs that have the
    settings of a method stand below it.

    Args:
        rows: of :func:`load_published`.
        runs: of :func:`.load_results`.
        datasets: which, as ``rows`` call them, capitals or not; empty: all.

    Returns:
        Data set → table.

    Raises:
        ValueError: for a data set of which nothing was published.
    """
    by_name = {row.dataset.lower(): row.dataset for row in rows}
    if unknown := [name for name in datasets if name.lower() not in by_name]:
        known = ", ".join(by_name.values())
        raise ValueError(f"datasets must be among {known}, not {', '.join(unknown)}")
    chosen = [by_name[name.lower()] for name in datasets] or by_name.values()
    return {
        name: _table(name, [row for row in rows if row.dataset == name], runs) for name in chosen
    }


def _table(dataset: str, rows: Sequence[Published], runs: pd.DataFrame) -> str:
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    lines = []
    for method, network in dict.fromkeys((row.method, row.network) for row in rows):
        entries = [row for row in rows if (row.method, row.network) == (method, network)]
        printed = {
            name: f"{value:.2f}".removesuffix("0") + f" {row.status}"
            for row in reversed(entries)
            for name, value in row.metrics.items()
        }
        lines.append([method, network, *(printed.get(name, NOT_REPORTED) for name in metrics)])
        lines += [["  here", network, *cells] for cells in _cells_here(entries, metrics, runs)]
    return text_table([dataset, "network", *metrics], lines)


def _cells_here(
    entries: Sequence[Published], metrics: Sequence[str], runs: pd.DataFrame
) -> list[list[str]]:
    """Return the cells of each stored run with these settings; none if no run can have them."""
    if all(entry.settings is None for entry in entries):
        return []
    here = pd.concat([runs_beside(entry, runs) for entry in entries]).drop_duplicates("file")
    cells = [[_cell_here(run, name) for name in metrics] for run in here.to_dict("records")]
    return cells or [[NOT_RUN] * len(metrics)]


def _cell_here(run: Mapping[Any, Any], metric: str) -> str:
    value = run.get(metric, math.nan)
    where = f"seed {run['seed']}, commit {run['commit'][:7]}"
    return NOT_RUN if math.isnan(value) else f"{100 * value:.1f} run here ({where})"
