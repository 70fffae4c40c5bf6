"""Sweeps that compare settings, stored results as a table, and what the two say together."""

from recallkit.errors import needs_extra

with needs_extra("recallkit.experiments"):
    from recallkit.experiments.claims import CLAIMS, changes_here, changes_published, draw_claim
    from recallkit.experiments.duration import describe_plan
    from recallkit.experiments.figures import (
        TOGETHER,
        draw_batch_gain,
        draw_results,
        draw_side_by_side,
        draw_simix_gain,
        draw_together,
        save_figure,
    )
    from recallkit.experiments.gains import batch_gains, simix_gains
    from recallkit.experiments.jobs import SweepOptions
    from recallkit.experiments.published import LEGEND, comparison, load_published
    from recallkit.experiments.report_tables import summary_table
    from recallkit.experiments.results import (
        load_histories,
        load_results,
        project_results,
        run_key,
    )
    from recallkit.experiments.run import ablate, known_results
    from recallkit.experiments.run_folders import run_table
    from recallkit.experiments.solved import footnotes
    from recallkit.experiments.statistics import compare, holm, interval, summarise
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
    from recallkit.experiments.sweeps import Sweep, in_words, scaled

__all__ = [
    "CLAIMS",
    "LEGEND",
    "SWEEPS",
    "TOGETHER",
    "Sweep",
    "SweepOptions",
    "ablate",
    "batch_gains",
    "changes_here",
    "changes_published",
    "compare",
    "comparison",
    "comparisons",
    "contrasts",
    "describe_plan",
    "draw_batch_gain",
    "draw_claim",
    "draw_results",
    "draw_side_by_side",
    "draw_simix_gain",
    "draw_together",
    "find_sweep",
    "footnotes",
    "holm",
    "in_words",
    "interval",
    "keep_sweep",
    "kept_sweeps",
    "known_results",
    "load_histories",
    "load_published",
    "load_results",
    "past_sweeps",
    "project_results",
    "run_key",
    "run_table",
    "save_figure",
    "scaled",
    "simix_gains",
    "summarise",
    "summary_table",
    "sweep_changes",
    "sweep_history",
    "sweep_runs",
    "sweep_summary",
    "verdict",
    "with_values",
    "write_example",
]
