"""The figures of the notebooks: data in, ``fig, ax`` out. Nothing else is computed here."""

from recallkit.course.figures.batch_size import plot_competition, plot_three_views
from recallkit.course.figures.benchmarks import (
    plot_best_of,
    plot_precision_recall,
    plot_protocols,
    plot_recall_curves,
)
from recallkit.course.figures.classes import plot_class_recalls, plot_class_sizes, plot_class_use
from recallkit.course.figures.definitions import (
    plot_arc,
    plot_arc_losses,
    plot_item_pulls,
    plot_lone_pair,
    plot_loss_by_k,
    plot_paired_seeds,
)
from recallkit.course.figures.domains import (
    plot_domain_losses,
    plot_image_rows,
    plot_mixtures,
    plot_two_domains,
)
from recallkit.course.figures.gradients import (
    plot_against_rank,
    plot_circles,
    plot_heard,
    plot_lists,
    plot_pairs,
    plot_paths,
)
from recallkit.course.figures.interpolation import plot_along
from recallkit.course.figures.large_batch import (
    plot_kept_graphs,
    plot_memory_against_batch,
    plot_memory_traces,
    plot_step_memory,
)
from recallkit.course.figures.other_ranks import plot_rank_answers, plot_rank_bound
from recallkit.course.figures.page import search_page
from recallkit.course.figures.pairs_or_ranks import plot_pair_plane, plot_push_shares
from recallkit.course.figures.pixels import (
    plot_class_curves,
    plot_pixel_weights,
    plot_scenes,
)
from recallkit.course.figures.queries import plot_query_gradients, plot_rivals
from recallkit.course.figures.ranking import (
    plot_images_on_line,
    plot_limits,
    plot_line,
    plot_moved_item,
    plot_steps,
)
from recallkit.course.figures.retrieval import (
    plot_classes,
    plot_image_search_by_embedding,
    plot_neighbours_by_embedding,
)
from recallkit.course.figures.simix import (
    plot_chords,
    plot_gallery,
    plot_mixing,
    plot_parent_pulls,
    plot_seconds,
    plot_solved_batch,
    plot_virtual_sphere,
)
from recallkit.course.figures.temperatures import plot_rank_pull, plot_slices, plot_surfaces

__all__ = [
    "plot_against_rank",
    "plot_along",
    "plot_arc",
    "plot_arc_losses",
    "plot_best_of",
    "plot_chords",
    "plot_circles",
    "plot_class_curves",
    "plot_class_recalls",
    "plot_class_sizes",
    "plot_class_use",
    "plot_classes",
    "plot_competition",
    "plot_domain_losses",
    "plot_gallery",
    "plot_heard",
    "plot_image_rows",
    "plot_image_search_by_embedding",
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
    "plot_mixtures",
    "plot_moved_item",
    "plot_neighbours_by_embedding",
    "plot_pair_plane",
    "plot_paired_seeds",
    "plot_pairs",
    "plot_parent_pulls",
    "plot_paths",
    "plot_pixel_weights",
    "plot_precision_recall",
    "plot_protocols",
    "plot_push_shares",
    "plot_query_gradients",
    "plot_rank_answers",
    "plot_rank_bound",
    "plot_rank_pull",
    "plot_recall_curves",
    "plot_rivals",
    "plot_scenes",
    "plot_seconds",
    "plot_slices",
    "plot_solved_batch",
    "plot_step_memory",
    "plot_steps",
    "plot_surfaces",
    "plot_three_views",
    "plot_two_domains",
    "plot_virtual_sphere",
    "search_page",
]
