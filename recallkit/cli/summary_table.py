"""The table of a sweep that ``recallkit ablate`` and ``plot`` print."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from recallkit.experiments import Sweep
from recallkit.experiments.statistics import NOT_RUN, ONE_SEED
from recallkit.findings.page_tables import percent_of, tuned_header, tuned_values
from recallkit.tables import text_table
from recallkit.words import in_words


def summary_table(sweep: Sweep, summary: pd.DataFrame) -> str:
    """Tabulate :func:`.sweep_summary` for a terminal: each setting, also where it is not run."""
    header = ["setting", tuned_header(sweep)]
    rows = []
    for row in summary.to_dict("records"):
        setting = in_words({name: row[name] for name in sweep.axes})
        metrics = [percent_of(row, name) if row["seeds"] else "" for name in ("R@1", "mAP@R")]
        rows.append([setting, tuned_values(sweep, row), *metrics, _status(row)])
    return text_table([*header, "R@1 test, %", "mAP@R test, %", "runs"], rows)


def _status(row: Mapping[Any, Any]) -> str:
    """Say how many final runs are stored."""
    seeds, diverged = row["seeds"], row["diverged"]
    if not seeds:
        return "diverged" if diverged or row["failed"] else NOT_RUN
    words = f"{seeds} seeds" if seeds > 1 else ONE_SEED
    return f"{words}, {diverged} diverged" if diverged else words
