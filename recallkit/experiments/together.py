"""Figures of several sweeps at once: batch sizes side by side, what SiMix and length change."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recallkit import plots
from recallkit.experiments.contrasts import Contrast
from recallkit.experiments.figures import draw_results, save_figure
from recallkit.experiments.findings import (
    Collected,
    batch_lengths,
    batch_sweeps,
    by_simix,
    simix_by_data,
)
from recallkit.experiments.lengths import Lengths, family_name
from recallkit.experiments.points import Point, Row, result_rows
from recallkit.experiments.sweeps import Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def stored_batch_sweeps(found: Collected) -> list[Sweep]:
    """The sweeps over batch sizes of which a final run is stored."""
    return [s for s in batch_sweeps(found) if any(point.metrics for point in found[s.name])]


def draw_batch_sizes(found: Collected) -> "Figure":
    """The results of all stored sweeps over batch sizes, side by side, each on its own scale."""
    import matplotlib.pyplot as plt

    sweeps = stored_batch_sweeps(found) or batch_sweeps()[:1]  # one at least, that says "not run"
    columns = min(len(sweeps), 3)
    rows = math.ceil(len(sweeps) / columns)
    size = (1 + 3.4 * columns, 0.4 + 3.3 * rows)
    fig, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for ax in axes.flat[len(sweeps) :]:
        ax.remove()
    for ax, sweep in zip(axes.flat, sweeps, strict=False):
        draw_results(sweep, found[sweep.name], ax=ax)
        [*series] = by_simix(sweep, found[sweep.name])
        title = ", ".join([sweep.preset, *(series if len(series) == 1 else [])])
        ax.set_title(f"{title}\n{sweep.config({}).images:,} images seen", fontsize=10)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    fig.suptitle("Batch size at equal images, each at its own rate", fontsize=11)
    _small_print(fig, filter(None, (_devices(s, found[s.name]) for s in sweeps)))
    return fig


def _devices(sweep: Sweep, points: Sequence[Point]) -> str:
    """Those of a panel whose points do not share one; nothing if they do."""
    names = sorted(frozenset().union(*(point.devices for point in points)))
    where = f"{sweep.preset}, {sweep.config({}).images:,} images: runs were made on"
    return f"{where} {' and '.join(names)}" if len(names) > 1 else ""


def _small_print(fig: "Figure", lines: Iterable[str]) -> None:
    fig.supxlabel("\n".join(lines), fontsize=7, x=0.02, ha="left", color="#444444")


def _batch_rows(found: Collected) -> list[Row]:
    return [
        {"sweep": sweep.name, **row}
        for sweep in stored_batch_sweeps(found)
        for row in result_rows(found[sweep.name])
    ]


def draw_simix(found: Collected) -> "Figure":
    """R@1 with SiMix less that without, at each batch size of each stored sweep."""
    by_data = _simix_by_data(found)
    stored = {
        data.replace("`", ""): {_size(c): c.change for c in steps}
        for data, steps in by_data.items()
    }
    declared = {setting["batch_size"] for sweep in batch_sweeps() for setting in sweep.compared}
    values = sorted({size for points in stored.values() for size in points} or declared)
    texts = {"xlabel": "batch size", "ylabel": "R@1 with SiMix − without (points)"}
    fig, ax = plots.plot_comparison(stored, {}, values=values, **texts)
    ax.axhline(0, color="black", linewidth=0.8)
    fig.suptitle("What SiMix adds, on test classes (95 % intervals)", fontsize=11)
    return fig


def _simix_by_data(found: Collected) -> dict[str, list[Contrast]]:
    return {data: steps for data, steps in simix_by_data(found).items() if steps}


def _size(found: Contrast) -> Any:
    return found.after.values["batch_size"]


def _simix_rows(found: Collected) -> list[Row]:
    return [
        {"preset": data, "batch_size": _size(step), "verdict": step.verdict}
        | {"difference of test R@1": round(step.change.mean, 6)}
        | ({} if step.change.count == 1 else {"± 95 %": round(step.change.margin, 6)})
        for data, steps in _simix_by_data(found).items()
        for step in steps
    ]


def draw_lengths(found: Collected) -> "Figure":
    """R@1 of the larger of two batches less that of the smaller, by the length of training."""
    stored = {}
    for family, lengths in batch_lengths(found).items():
        sizes = " − ".join(f"{size:,}" for size in _sizes(lengths)[::-1])
        stored[f"{family_name(family)}: {sizes}"] = {n: c.change for n, c in lengths.items()}
    fig, _ = plots.plot_lengths(stored)
    caveats = [
        f"{images:,} images: {each.caveat}"
        for lengths in batch_lengths(found).values()
        for images, each in lengths.items()
        if each.caveat
    ]
    _small_print(fig, caveats)
    fig.suptitle(
        "What the larger of two batches adds, on test classes (95 % intervals)", fontsize=11
    )
    return fig


def _sizes(lengths: Lengths) -> tuple[int, int]:
    first = next(iter(lengths.values()))
    return first.before.values["batch_size"], first.after.values["batch_size"]


def _length_rows(found: Collected) -> list[Row]:
    return [
        {"data set": dataset, "network": network, "SiMix": simix, "images": images}
        | dict(zip(("smaller batch", "larger batch"), _sizes(lengths), strict=True))
        | {"difference of test R@1": round(each.change.mean, 6), "verdict": each.verdict}
        | ({} if each.change.count == 1 else {"± 95 %": round(each.change.margin, 6)})
        | ({"devices": each.caveat} if each.caveat else {})
        for (dataset, network, simix), lengths in batch_lengths(found).items()
        for images, each in lengths.items()
    ]


_Drawn = tuple[Callable[[Collected], "Figure"], Callable[[Collected], Sequence[Row]]]


TOGETHER: Mapping[str, _Drawn] = {
    "batch-sizes": (draw_batch_sizes, _batch_rows),
    "simix": (draw_simix, _simix_rows),
    "lengths": (draw_lengths, _length_rows),
}
"""Name of a figure of several sweeps → what draws it, and its rows."""


def draw_together(name: str, found: Collected, folder: Path) -> list[Path]:
    """Draw one of :data:`TOGETHER` into ``folder``; return the files, none if nothing is stored."""
    draw, rows_of = TOGETHER[name]
    rows = rows_of(found)
    return save_figure(draw(found), folder / name, rows) if rows else []
