"""The tables of the paper, data set by data set: what was published, and what was run here."""

from collections.abc import Mapping, Sequence
from typing import Any

from recallkit.experiments.published import NOT_RUN, Published, as_printed, runs_beside
from recallkit.tables import text_table

NOT_REPORTED = "–"


LEGEND = (
    "published: read in public text. unverified: from memory, compared with no text.\n"
    "reproduction: by others than the authors. run here: a stored run of this project, with seed\n"
    f"and commit. {NOT_RUN}: no stored run has these settings. {NOT_REPORTED}: not in the source.\n"
    "All values in percent; stored runs are at their last epoch."
)


def comparison(
    rows: Sequence[Published],
    results: Sequence[Mapping[str, Any]],
    datasets: Sequence[str] = (),
) -> dict[str, str]:
    """A Markdown table for each data set, every cell with the status of its number.

    Args:
        rows: as :func:`.load_published` returns.
        results: as :func:`.load_results` returns.
        datasets: which, as ``rows`` call them, capitals or not; empty: all.

    Returns:
        Data set → table. Below each method comes what was run here with its settings.

    Raises:
        ValueError: a data set of which nothing was published.
    """
    known = list(dict.fromkeys(row.dataset for row in rows))
    by_name = {name.lower(): name for name in known}
    if unknown := [name for name in datasets if name.lower() not in by_name]:
        raise ValueError(f"datasets must be among {', '.join(known)}, not {', '.join(unknown)}")
    chosen = [by_name[name.lower()] for name in datasets] or known
    return {
        name: _table(name, [row for row in rows if row.dataset == name], results) for name in chosen
    }


def _table(dataset: str, rows: list[Published], results: Sequence[Mapping[str, Any]]) -> str:
    metrics = list(dict.fromkeys(name for row in rows for name in row.metrics))
    methods: dict[tuple[str, str], list[Published]] = {}
    for row in rows:
        methods.setdefault((row.method, row.network), []).append(row)
    lines = []
    for (method, network), entries in methods.items():
        lines.append([method, network, *(_published_cell(entries, name) for name in metrics)])
        lines += [["  here", network, *cells] for cells in _own_cells(entries, metrics, results)]
    return text_table([dataset, "network", *metrics], lines)


def _published_cell(entries: Sequence[Published], metric: str) -> str:
    row = next((entry for entry in entries if metric in entry.metrics), None)
    return NOT_REPORTED if row is None else f"{as_printed(row.metrics[metric])} {row.status}"


def _own_cells(
    entries: Sequence[Published], metrics: Sequence[str], results: Sequence[Mapping[str, Any]]
) -> list[list[str]]:
    """The cells of each stored run with these settings; of none if there can be none."""
    if all(entry.settings is None for entry in entries):
        return []
    runs = [run for run in results if any(runs_beside(entry, [run]) for entry in entries)]
    if not runs:
        return [[NOT_RUN] * len(metrics)]
    return [[_own_cell(run, metric) for metric in metrics] for run in runs]


def _own_cell(run: Mapping[str, Any], metric: str) -> str:
    measured = run["test"]["trained"]
    if metric not in measured:
        return NOT_RUN
    where = f"seed {run['seed']}, commit {run['commit'][:7]}"
    return f"{100 * measured[metric]:.1f} run here ({where})"
