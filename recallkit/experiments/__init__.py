"""Sweeps that compare settings, stored results as a table, and what the two say together."""

from recallkit.experiments.results import load_histories, load_results, project_results
from recallkit.experiments.statistics import (
    Comparison,
    Interval,
    compare,
    contrast,
    interval,
    summarise,
    sweep_runs,
    sweep_summary,
    tuning_runs,
    verdict,
)
from recallkit.experiments.sweeps import SWEEPS, Sweep, find_sweep

__all__ = [
    "SWEEPS",
    "Comparison",
    "Interval",
    "Sweep",
    "compare",
    "contrast",
    "find_sweep",
    "interval",
    "load_histories",
    "load_results",
    "project_results",
    "summarise",
    "sweep_runs",
    "sweep_summary",
    "tuning_runs",
    "verdict",
]
