"""The figures that commands draw: data in, ``fig, ax`` out. Nothing else is computed here."""

from recallkit.plots.cost import plot_engines, plot_step_cost
from recallkit.plots.differences import Difference, plot_differences
from recallkit.plots.names import legible, name_style
from recallkit.plots.png import reduced_png, write_png
from recallkit.plots.retrieval import (
    plot_image_search,
    plot_learning_curve,
    plot_neighbours,
    random_queries,
)
from recallkit.plots.sweeps import (
    Course,
    Gain,
    plot_comparison,
    plot_course,
    plot_gains,
    plot_gains_apart,
    series_styles,
    share_legend,
)

__all__ = [
    "Course",
    "Difference",
    "Gain",
    "legible",
    "name_style",
    "plot_comparison",
    "plot_course",
    "plot_differences",
    "plot_engines",
    "plot_gains",
    "plot_gains_apart",
    "plot_image_search",
    "plot_learning_curve",
    "plot_neighbours",
    "plot_step_cost",
    "random_queries",
    "reduced_png",
    "series_styles",
    "share_legend",
    "write_png",
]
