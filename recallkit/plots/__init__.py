"""The figures that commands draw: data in, ``fig, ax`` out. Nothing else is computed here."""

from recallkit.plots.cost import plot_engines, plot_step_cost
from recallkit.plots.names import legible, name_style
from recallkit.plots.retrieval import (
    plot_image_search,
    plot_learning_curve,
    plot_neighbours,
    random_queries,
)
from recallkit.plots.sweeps import (
    plot_comparison,
    plot_costs,
    plot_lengths,
    plot_lines,
    series_styles,
)

__all__ = [
    "legible",
    "name_style",
    "plot_comparison",
    "plot_costs",
    "plot_engines",
    "plot_image_search",
    "plot_learning_curve",
    "plot_lengths",
    "plot_lines",
    "plot_neighbours",
    "plot_step_cost",
    "random_queries",
    "series_styles",
]
