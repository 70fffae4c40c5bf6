"""Every figure: data in, ``fig, ax`` out. Nothing is computed here that is not drawn."""

from recallkit.plots.retrieval import (
    plot_found,
    plot_learning_curve,
    plot_neighbours,
    random_queries,
)

__all__ = ["plot_found", "plot_learning_curve", "plot_neighbours", "random_queries"]
