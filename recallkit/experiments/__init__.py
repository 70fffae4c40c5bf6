"""Sweeps that compare settings, stored results as a table, and what the two say together."""

from recallkit.errors import needs_extra

with needs_extra("recallkit.experiments"):
    from recallkit.experiments.batch_sizes import (
        batch_summary,
        batch_sweeps,
        equal_updates,
        length_effects,
        simix_effects,
    )
    from recallkit.experiments.duration import describe_plan
    from recallkit.experiments.figures import (
        TOGETHER,
        draw_batch_sizes,
        draw_costs,
        draw_equal_updates,
        draw_learning_rates,
        draw_lengths,
        draw_results,
        draw_simix,
        draw_sweep,
        draw_together,
        footnotes,
        is_stored,
    )
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
    from recallkit.experiments.statistics import (
        compare,
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
        sweep_changes,
        sweep_history,
        sweep_runs,
        sweep_summary,
        tuning_runs,
        verdict,
        with_values,
    )
    from recallkit.experiments.sweeps import Sweep, in_words, scaled

__all__ = [
    "LEGEND",
    "SWEEPS",
    "TOGETHER",
    "Sweep",
    "SweepOptions",
    "ablate",
    "batch_summary",
    "batch_sweeps",
    "compare",
    "comparison",
    "comparisons",
    "contrasts",
    "describe_plan",
    "draw_batch_sizes",
    "draw_costs",
    "draw_equal_updates",
    "draw_learning_rates",
    "draw_lengths",
    "draw_results",
    "draw_simix",
    "draw_sweep",
    "draw_together",
    "equal_updates",
    "find_sweep",
    "footnotes",
    "holm",
    "in_words",
    "interval",
    "is_stored",
    "keep_sweep",
    "kept_sweeps",
    "known_results",
    "length_effects",
    "load_histories",
    "load_published",
    "load_results",
    "project_results",
    "run_key",
    "run_table",
    "scaled",
    "simix_effects",
    "summarise",
    "summary_table",
    "sweep_changes",
    "sweep_history",
    "sweep_runs",
    "sweep_summary",
    "tuning_runs",
    "verdict",
    "with_values",
    "write_example",
]
