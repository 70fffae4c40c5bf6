"""Gradients on every pair, on a circle and along a list, and the paths of descent.

All figures show −dL/ds, the direction of a step of descent: + raises a similarity and draws a pair
together, − lowers it and drives the pair apart.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, MARKERS, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


SIGNED_FROM = 0.15  # share of the largest entry from which on a cell has its sign printed


def plot_pairs(gradients: Mapping[str, Tensor], labels: Tensor) -> "tuple[Figure, Any]":
    """The push on every pair, a panel for each name, classes framed.

    Args:
        gradients: title → (B, B) dL/dS; each panel has its own scale.
        labels: (B,), classes side by side.

    Returns:
        The figure, and its axes.
    """
    fig, axes = _grid(len(gradients), 3, 2.9)
    for ax, (name, gradient) in zip(axes, gradients.items(), strict=False):
        shown = _draw_pairs(ax, gradient, labels)
        ax.set_title(name, fontsize=9)
    bar = fig.colorbar(shown, ax=list(axes), ticks=[-1, 0, 1], shrink=0.8)
    bar.ax.set_yticklabels(["− apart", "0", "+ together"], fontsize=9)
    axes[0].set(xlabel="in the gallery", ylabel="as query")
    return fig, axes


def plot_circles(
    embeddings: Mapping[str, Tensor], labels: Tensor, tangents: Mapping[str, Tensor] | None = None
) -> "tuple[Figure, Any]":
    """Points on the unit circle, a panel for each name, with arrows where given.

    Args:
        embeddings: title → (B, 2).
        labels: (B,).
        tangents: title → (B, 2) dL/dE along the circle. The longest arrow has the same length in
            each panel.

    Returns:
        The figure, and its axes.
    """
    fig, axes = _grid(len(embeddings), 3, 2.7)
    for ax, (name, points) in zip(axes, embeddings.items(), strict=False):
        _draw_circle(ax, points, labels, None if tangents is None else tangents[name])
        ax.set_title(name, fontsize=9)
    return fig, axes


def plot_lists(
    gradients: Mapping[str, Tensor], positive: Tensor, ylabel: str = "share of the push"
) -> "tuple[Figure, Any]":
    """The push on each item of one query's list, in order of rank.

    Args:
        gradients: title → (N,) dL/ds, the nearest item first.
        positive: (N,) bool.
        ylabel: what a height means; the caller has brought the gradients to a common scale.

    Returns:
        The figure, and its axes.
    """
    panel = (6.5, 2.6) if len(gradients) == 1 else (3.0, 2.2)
    fig, axes = _grid(len(gradients), 3, panel, sharex=True, sharey=True)
    rank = torch.arange(1, len(positive) + 1)
    for ax, (name, gradient) in zip(axes, gradients.items(), strict=False):
        ax.axhline(0, color=GREY, linewidth=0.8)
        for chosen, colour, marker in ((positive, BLUE, "o"), (~positive, VERMILION, "s")):
            ax.vlines(rank[chosen], 0, -gradient[chosen], color=colour, linewidth=1.5)
            ax.plot(rank[chosen], -gradient[chosen], marker, color=colour, markersize=4)
        ax.set_title(name, fontsize=9)
        ax.locator_params(axis="x", nbins=5, integer=True)
        ax.locator_params(axis="y", nbins=4)
        ax.ticklabel_format(axis="y", scilimits=(-2, 3))
    _label_outside(axes, "rank of the item", ylabel)
    axes[0].plot([], [], "o", color=BLUE, label="positive")
    axes[0].plot([], [], "s", color=VERMILION, label="other class")
    axes[0].legend(fontsize=9)
    return fig, axes


def plot_against_rank(
    pulls: Mapping[str, Tensor], marks: Sequence[int] = ()
) -> "tuple[Figure, Any]":
    """The pull on a positive, against its rank.

    Args:
        pulls: name → (N,), the pull at rank 1, 2, …, N, on a common scale.
        marks: ranks marked by a thin line, such as the ks of the loss.

    Returns:
        The figure, and its axes, one for each name.
    """
    fig, axes = _grid(len(pulls), 3, (3.0, 2.2), sharex=True, sharey=True)
    for ax, (name, pull), colour in zip(axes, pulls.items(), CYCLE, strict=False):
        for mark in marks:
            ax.axvline(mark, color=GREY, linewidth=0.6, linestyle=":")
        ax.plot(range(1, len(pull) + 1), pull, color=colour, marker=".", markersize=4)
        ax.set_xscale("log", base=2)
        ax.xaxis.set_major_formatter("{x:.0f}")
        ax.set_title(name, fontsize=9)
    _label_outside(axes, "rank of the positive", "pull ÷ its largest")
    return fig, axes


def plot_heard(
    difference: Tensor, slopes: Mapping[str, Tensor], ylabel: str
) -> "tuple[Figure, Any]":
    """The weight of each item's comparison with a positive, for several temperatures.

    Args:
        difference: (N,) s(z) − s(p), in order.
        slopes: name → (N,).
        ylabel: of the axis.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (7, 3))
    styles = zip(CYCLE, LINES, MARKERS, strict=True)
    for (name, slope), (colour, line, marker) in zip(slopes.items(), styles, strict=False):
        style = {"color": colour, "linestyle": line, "marker": marker, "markersize": 3}
        ax.plot(difference, slope, label=name, **style)
    ax.set(xlabel="s(z) − s(p)", ylabel=ylabel)
    ax.legend(fontsize=9)
    return fig, ax


def plot_paths(paths: Mapping[str, Tensor], labels: Tensor) -> "tuple[Figure, Any]":
    """The angle of every point against the step of descent.

    The lower edge of a panel is its upper edge: 180° and −180° are one place, and say "±180".

    Args:
        paths: title → (T, B, 2), points on the unit circle at each step.
        labels: (B,), a colour and a line style for each class.

    Returns:
        The figure, and its axes.
    """
    fig, axes = _grid(len(paths), 3, (3.0, 2.4), sharex=True, sharey=True)
    for ax, (name, path) in zip(axes, paths.items(), strict=False):
        angle = torch.rad2deg(torch.atan2(path[..., 1], path[..., 0]))  # (T, B)
        for i, label in enumerate(labels.tolist()):
            style = {"color": CYCLE[label % 7], "linestyle": LINES[label % 7]}
            ax.plot(_broken_at_turn(angle[:, i]), linewidth=1, **style)
            ax.plot(len(path) - 1, angle[-1, i], MARKERS[label % 7], color=CYCLE[label % 7], ms=4)
        ax.set(ylim=(-180, 180))
        ax.set_yticks([-180, -90, 0, 90, 180], ["±180", "−90", "0", "90", "±180"])  # one place
        ax.set_xscale("symlog", linthresh=1)
        ax.set_title(name, fontsize=9)
    _label_outside(axes, "step", "angle (°)")
    for ax in axes:
        ax.tick_params(labelsize=8)
    return fig, axes


def _broken_at_turn(angle: Tensor) -> Tensor:
    """The angles, with a gap where −180° becomes 180°: the point did not cross the figure."""
    jump = angle.diff().abs() > 180
    return torch.where(torch.cat([jump, jump.new_zeros(1)]), torch.nan, angle)


def _draw_pairs(ax: "Axes", gradient: Tensor, labels: Tensor) -> "AxesImage":
    from matplotlib.colors import LinearSegmentedColormap

    push = -gradient / gradient.abs().max().clamp(min=1e-300)
    colours = LinearSegmentedColormap.from_list("push", [VERMILION, "white", BLUE])
    image = ax.imshow(push.numpy(), cmap=colours, vmin=-1, vmax=1)
    for row, column in (push.abs() > SIGNED_FROM).nonzero().tolist():
        sign = "+" if push[row, column] > 0 else "−"
        ax.text(column, row, sign, ha="center", va="center", fontsize=9)
    for edge in (labels.diff().nonzero().squeeze(1) + 0.5).tolist():
        ax.axhline(edge, color=GREY, linewidth=0.7)
        ax.axvline(edge, color=GREY, linewidth=0.7)
    ax.set(xticks=[], yticks=[])
    return image


def _draw_circle(ax: "Axes", points: Tensor, labels: Tensor, tangent: Tensor | None) -> None:
    from matplotlib.patches import Circle

    ax.add_patch(Circle((0, 0), 1, fill=False, edgecolor=GREY, linewidth=0.6))
    if tangent is not None:
        arrows = -tangent / tangent.norm(dim=1).max().clamp(min=1e-300) * 0.6
        size: dict[str, Any] = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.008}
        ax.quiver(*points.T, *arrows.T, color=GREY, **size)
    for label in labels.unique().tolist():
        x, y = points[labels == label].T
        ax.plot(x, y, MARKERS[label % 7], color=CYCLE[label % 7], markersize=6)
    ax.set(xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), xticks=[], yticks=[], aspect="equal")


def _label_outside(axes: Any, xlabel: str, ylabel: str) -> None:
    """Name the axes once: on the left column and the lowest row."""
    for ax in axes:
        place = ax.get_subplotspec()
        ax.set_xlabel(xlabel if place.is_last_row() else "", fontsize=9)
        ax.set_ylabel(ylabel if place.is_first_col() else "", fontsize=9)
        ax.tick_params(labelsize=7)


def _grid(
    count: int, columns: int, panel: float | tuple[float, float], **options: Any
) -> "tuple[Figure, Any]":
    """Make as many rows of ``columns`` panels as needed; remove panels that stay empty."""
    columns = min(columns, count)
    rows = -(-count // columns)
    width, height = panel if isinstance(panel, tuple) else (panel, panel)
    size = (width * columns, height * rows)
    across, up = 1 / size[0], 1 / size[1]  # an inch, in shares of the figure
    margins = {"left": 0.65 * across, "bottom": 0.5 * up, "wspace": 0.08, "hspace": 0.2}
    margins |= {"right": 1 - 0.1 * across, "top": 1 - 0.3 * up}
    fig, axes = panels(rows, columns, size, margins, **options)
    for ax in axes.ravel()[count:]:
        ax.remove()
    return fig, axes.ravel()[:count]
