"""The figures of the notebooks: data in, ``fig, ax`` out. Nothing else is computed here."""

from recallkit.course.figures.benchmarks import (
    plot_best_of,
    plot_precision_recall,
    plot_protocols,
    plot_recall_curves,
)
from recallkit.course.figures.definitions import (
    plot_arc,
    plot_arc_losses,
    plot_item_pulls,
    plot_lone_pair,
    plot_loss_by_k,
    plot_paired_seeds,
)
from recallkit.course.figures.gradients import (
    plot_against_rank,
    plot_circles,
    plot_heard,
    plot_lists,
    plot_pairs,
    plot_paths,
    plot_pushed,
)
from recallkit.course.figures.large_batch import (
    plot_kept_graphs,
    plot_memory_against_batch,
    plot_memory_traces,
    plot_step_memory,
)
from recallkit.course.figures.ranking import (
    plot_images_on_line,
    plot_limits,
    plot_line,
    plot_steps,
    plot_sweep,
)
from recallkit.course.figures.retrieval import (
    plot_answers,
    plot_class_recalls,
    plot_class_sizes,
    plot_classes,
    plot_searches,
    plot_use,
    search_page,
)
from recallkit.course.figures.simix import (
    plot_chords,
    plot_cost,
    plot_gallery,
    plot_mixing,
    plot_parent_pulls,
    plot_virtual_sphere,
)
from recallkit.course.figures.temperatures import plot_rank_pull, plot_slices, plot_surfaces

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
    "plot_cost",
    "plot_gallery",
    "plot_heard",
    "plot_images_on_line",
    "plot_item_pulls",
    "plot_kept_graphs",
    "plot_limits",
    "plot_line",
    "plot_lists",
    "plot_lone_pair",
    "plot_loss_by_k",
    "plot_memory_against_batch",
    "plot_memory_traces",
    "plot_mixing",
    "plot_paired_seeds",
    "plot_pairs",
    "plot_parent_pulls",
    "plot_paths",
    "plot_precision_recall",
    "plot_protocols",
    "plot_pushed",
    "plot_rank_pull",
    "plot_recall_curves",
    "plot_searches",
    "plot_slices",
    "plot_step_memory",
    "plot_steps",
    "plot_surfaces",
    "plot_sweep",
    "plot_use",
    "plot_virtual_sphere",
    "search_page",
]
