"""The ground of the notebooks: figures, explorables, widgets, toys, and sizes for each machine.

Notebooks import from here whatever is not public in :mod:`recallkit` itself. Each name is imported
from its module when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from recallkit.errors import needs_extra

if TYPE_CHECKING:
    from recallkit.bench.memory import StepMemory, memory_trace, peak_bytes
    from recallkit.constants import PAPERS_KS
    from recallkit.course import explorables, figures, other_ranks, pair_gradients, widgets
    from recallkit.course.assignments.checking import check, problems
    from recallkit.course.circle import on_circle
    from recallkit.course.class_collapse import arc_losses, within_class_similarity
    from recallkit.course.corners import corner_counts, corners_of
    from recallkit.course.loss_surface import (
        PAPERS_SETTINGS,
        loss_and_pull,
        pull,
        query_losses,
        rank_pull,
    )
    from recallkit.course.measurements import stored_gradients, stored_measurement
    from recallkit.course.pair_plane import circle_boundary, pushes_in_plane
    from recallkit.course.pixels import pixel_weights
    from recallkit.course.profiles import profile
    from recallkit.course.quick_runs import train_each
    from recallkit.course.solved_batch import (
        loss_and_push,
        partly_solved,
        perfect_rankings,
        random_alphas,
        random_start,
    )
    from recallkit.course.stored_sweeps import against_preset
    from recallkit.course.toy_descent import expected_error, three_views
    from recallkit.metrics import positive_ranks, segmentation_metrics
    from recallkit.tables import metrics_table, text_table
    from recallkit.training.build import make_network, make_train_transform

__all__ = [
    "PAPERS_KS",
    "PAPERS_SETTINGS",
    "StepMemory",
    "against_preset",
    "arc_losses",
    "check",
    "circle_boundary",
    "corner_counts",
    "corners_of",
    "expected_error",
    "explorables",
    "figures",
    "loss_and_pull",
    "loss_and_push",
    "make_network",
    "make_train_transform",
    "memory_trace",
    "metrics_table",
    "on_circle",
    "other_ranks",
    "pair_gradients",
    "partly_solved",
    "peak_bytes",
    "perfect_rankings",
    "pixel_weights",
    "positive_ranks",
    "problems",
    "profile",
    "pull",
    "pushes_in_plane",
    "query_losses",
    "random_alphas",
    "random_start",
    "rank_pull",
    "segmentation_metrics",
    "stored_gradients",
    "stored_measurement",
    "text_table",
    "three_views",
    "train_each",
    "widgets",
    "within_class_similarity",
]

_NAMES = {
    "recallkit.bench.memory": ["StepMemory", "memory_trace", "peak_bytes"],
    "recallkit.constants": ["PAPERS_KS"],
    "recallkit.course.assignments.checking": ["check", "problems"],
    "recallkit.course.circle": ["on_circle"],
    "recallkit.course.class_collapse": ["arc_losses", "within_class_similarity"],
    "recallkit.course.corners": ["corner_counts", "corners_of"],
    "recallkit.course.loss_surface": [
        "PAPERS_SETTINGS",
        "loss_and_pull",
        "pull",
        "query_losses",
        "rank_pull",
    ],
    "recallkit.course.measurements": ["stored_gradients", "stored_measurement"],
    "recallkit.course.pair_plane": ["circle_boundary", "pushes_in_plane"],
    "recallkit.course.pixels": ["pixel_weights"],
    "recallkit.course.profiles": ["profile"],
    "recallkit.course.quick_runs": ["train_each"],
    "recallkit.course.solved_batch": [
        "loss_and_push",
        "partly_solved",
        "perfect_rankings",
        "random_alphas",
        "random_start",
    ],
    "recallkit.course.stored_sweeps": ["against_preset"],
    "recallkit.course.toy_descent": ["expected_error", "three_views"],
    "recallkit.metrics": ["positive_ranks", "segmentation_metrics"],
    "recallkit.tables": ["metrics_table", "text_table"],
    "recallkit.training.build": ["make_network", "make_train_transform"],
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names}
_PACKAGES = ("explorables", "figures", "other_ranks", "pair_gradients", "widgets")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    Raises:
        AttributeError: if there is none of that name.
        RecallkitError: if the extra "course" is not installed.
    """
    if name not in _MODULES and name not in _PACKAGES:
        raise AttributeError(f"module 'recallkit.course' has no attribute {name!r}")
    with needs_extra(f"recallkit.course.{name}", "course"):
        if name in _PACKAGES:
            return import_module(f"recallkit.course.{name}")
        return getattr(import_module(_MODULES[name]), name)
