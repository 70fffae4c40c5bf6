"""Every figure: data in, ``fig, ax`` out. Nothing is computed here that is not drawn."""

from recallkit.plots.ablation import (
    plot_comparison,
    plot_competition,
    plot_costs,
    plot_lengths,
    plot_three_views,
)
from recallkit.plots.bench import plot_engines
from recallkit.plots.bench_step import plot_step_cost
from recallkit.plots.benchmarks import (
    plot_best_of,
    plot_precision_recall,
    plot_protocols,
    plot_recall_curves,
)
from recallkit.plots.browse import (
    plot_answers,
    plot_class_recalls,
    plot_class_sizes,
    plot_classes,
    plot_searches,
    plot_use,
)
from recallkit.plots.definitions import (
    plot_arc,
    plot_arc_losses,
    plot_item_pulls,
    plot_lone_pair,
    plot_loss_by_k,
    plot_paired_seeds,
)
from recallkit.plots.gradients import (
    plot_against_rank,
    plot_circles,
    plot_heard,
    plot_lists,
    plot_pairs,
    plot_paths,
    plot_pushed,
)
from recallkit.plots.large_batch import (
    plot_kept_graphs,
    plot_memory_against_batch,
    plot_memory_traces,
    plot_step_memory,
)
from recallkit.plots.page import search_page
from recallkit.plots.ranking import (
    plot_images_on_line,
    plot_limits,
    plot_line,
    plot_steps,
    plot_sweep,
)
from recallkit.plots.retrieval import (
    plot_found,
    plot_learning_curve,
    plot_neighbours,
    random_queries,
)
from recallkit.plots.simix import (
    plot_chords,
    plot_cost,
    plot_gallery,
    plot_mixing,
    plot_parent_pulls,
    plot_virtual_sphere,
)
from recallkit.plots.temperatures import plot_rank_pull, plot_slices, plot_surfaces
from recallkit.plots.tuning import plot_equal_updates, plot_rates

__all__ = [
    "plot_against_rank",
    "plot_answers",
    "plot_arc",
    "plot_arc_losses",
    "plot_best_of",
    "plot_chords",
    "plot_circles",
    "plot_class_recalls",
    "plot_class_sizes",
    "plot_classes",
    "plot_comparison",
    "plot_competition",
    "plot_cost",
    "plot_costs",
    "plot_engines",
    "plot_equal_updates",
    "plot_found",
    "plot_gallery",
    "plot_heard",
    "plot_images_on_line",
    "plot_item_pulls",
    "plot_kept_graphs",
    "plot_learning_curve",
    "plot_lengths",
    "plot_limits",
    "plot_line",
    "plot_lists",
    "plot_lone_pair",
    "plot_loss_by_k",
    "plot_memory_against_batch",
    "plot_memory_traces",
    "plot_mixing",
    "plot_neighbours",
    "plot_paired_seeds",
    "plot_pairs",
    "plot_parent_pulls",
    "plot_paths",
    "plot_precision_recall",
    "plot_protocols",
    "plot_pushed",
    "plot_rank_pull",
    "plot_rates",
    "plot_recall_curves",
    "plot_searches",
    "plot_slices",
    "plot_step_cost",
    "plot_step_memory",
    "plot_steps",
    "plot_surfaces",
    "plot_sweep",
    "plot_three_views",
    "plot_use",
    "plot_virtual_sphere",
    "random_queries",
    "search_page",
]
