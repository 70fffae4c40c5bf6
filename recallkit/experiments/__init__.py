"""Sweeps that compare settings, stored results as a table, and their statistics."""

from recallkit.errors import needs_extra

with needs_extra("recallkit.experiments"):
    from recallkit.experiments.jobs import SweepOptions
    from recallkit.experiments.plan import EXTENSIONS, extended
    from recallkit.experiments.results import (
        load_histories,
        load_results,
        project_results,
        run_key,
    )
    from recallkit.experiments.run import ablate, known_results
    from recallkit.experiments.statistics import (
        Comparison,
        compare,
        correct,
        holm,
        interval,
        summarise,
    )
    from recallkit.experiments.sweep_files import (
        SWEEPS,
        find_sweep,
        keep_sweep,
        kept_sweeps,
        write_example,
    )
    from recallkit.experiments.sweep_tables import (
        comparisons,
        contrasts,
        past_sweeps,
        sweep_changes,
        sweep_history,
        sweep_runs,
        sweep_summary,
        verdict,
        with_values,
    )
    from recallkit.experiments.sweeps import TUNING_SEED, Sweep, scaled

__all__ = [
    "EXTENSIONS",
    "SWEEPS",
    "TUNING_SEED",
    "Comparison",
    "Sweep",
    "SweepOptions",
    "ablate",
    "compare",
    "comparisons",
    "contrasts",
    "correct",
    "extended",
    "find_sweep",
    "holm",
    "interval",
    "keep_sweep",
    "kept_sweeps",
    "known_results",
    "load_histories",
    "load_results",
    "past_sweeps",
    "project_results",
    "run_key",
    "scaled",
    "summarise",
    "sweep_changes",
    "sweep_history",
    "sweep_runs",
    "sweep_summary",
    "verdict",
    "with_values",
    "write_example",
]
