"""The figure of a study: a panel a metric, a line a method."""

from typing import TYPE_CHECKING

import pandas as pd

from recallkit.plots.style import BLUE, GREY, panels
from recallkit.studies.results import final_table, study_summary
from recallkit.studies.study import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_study(study: Study, runs: pd.DataFrame) -> "Figure":
    """Draw the metrics of a study: means with 95 % intervals, and behind them every seed.

    Args:
        study: what was compared.
        runs: of :func:`.load_studies`. Methods that were not run are named as such.
    """
    summary, finals = study_summary(study, runs), final_table(study, runs)
    methods = list(study.candidates)
    size = (3.0 + 2.4 * len(study.shown), 1.1 + 0.34 * len(methods))
    fig, axes = panels(1, len(study.shown), size, sharey=True)
    for metric, ax in zip(study.shown, axes[0], strict=True):
        for place, method in enumerate(methods):
            if method not in summary.index:
                ax.text(0.5, place, "not run", transform=ax.get_yaxis_transform(), ha="center")
                continue
            seeds = 100 * finals.loc[finals["method"] == method, metric]
            ax.plot(seeds, [place] * len(seeds), "|", color=GREY, markersize=8)
            mean, margin = (float(summary[name][method]) for name in (metric, f"{metric} ±"))
            style = {"fmt": "o", "color": BLUE, "capsize": 3}
            ax.errorbar(100 * mean, place, xerr=100 * margin if margin == margin else 0, **style)
        _finish(ax, metric, methods)
    return fig


def _finish(ax: "Axes", metric: str, methods: list[str]) -> None:
    ax.set_yticks(range(len(methods)), methods)
    ax.set_ylim(len(methods) - 0.5, -0.5)
    ax.set_xlabel(f"{metric} (%)")
    ax.grid(alpha=0.3, axis="x")
