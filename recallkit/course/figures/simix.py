"""Virtual examples: their places, their similarities, and the parents that feel their gradient."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from recallkit.plots.style import (
    BLUE,
    GREEN,
    GREY,
    LINES,
    MARKERS,
    PURPLE,
    VERMILION,
    batch_axis,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from mpl_toolkits.mplot3d import Axes3D

KINDS = {  # of gallery items: marker, face, edge
    "positive": ("o", GREEN, GREEN),
    "virtual positive": ("D", "white", GREEN),
    "negative": ("s", GREY, GREY),
    "virtual negative": ("X", "white", GREY),
}


def plot_mixing(first: Tensor, second: Tensor, query: Tensor, alpha: float) -> "tuple[Figure, Any]":
    """A virtual example on the chord of its parents, and its similarity to a query against α.

    The similarity to a query of unit length is the signed length of the shadow on its line.

    Args:
        first: (2,) unit vector, weighted by α.
        second: (2,) unit vector, weighted by 1 − α.
        query: (2,) unit vector.
        alpha: α.

    Returns:
        The figure, and its two axes.
    """
    margins = {"left": 0.01, "bottom": 0.14, "right": 0.99, "top": 0.87, "wspace": 0.16}
    fig, [axes] = panels(1, 2, (8.5, 3.8), margins, width_ratios=(1, 1.3))
    _draw_chord(axes[0], first, second, query, (alpha,))
    length = torch.lerp(second, first, alpha).norm().item()
    axes[0].set_title(f"|v| = {length:.2f}", fontsize=10)
    _draw_similarities(axes[1], first, second, query, alpha)
    return fig, axes


def plot_chords(
    parents: Mapping[str, tuple[Tensor, Tensor]], query: Tensor, alphas: Sequence[float]
) -> "tuple[Figure, Any]":
    """Small multiples: parents near and far, with virtual examples for several α on their chord.

    Args:
        parents: title → two unit vectors (2,).
        query: (2,) unit vector.
        alphas: the α of the virtual examples.

    Returns:
        The figure, and its axes, one for each pair of parents.
    """
    fig, [axes] = panels(1, len(parents), (9, 3.3))
    for ax, (title, (first, second)) in zip(axes, parents.items(), strict=True):
        _draw_chord(ax, first, second, query, alphas)
        ax.set_title(title, fontsize=10)
    return fig, axes


def _draw_chord(
    ax: "Axes", first: Tensor, second: Tensor, query: Tensor, alphas: Sequence[float]
) -> None:
    _draw_circle(ax)
    ax.plot([-query[0], query[0]], [-query[1], query[1]], color=BLUE, linewidth=1)
    ax.plot(0, 0, marker=".", color=BLUE)
    ax.plot([first[0], second[0]], [first[1], second[1]], color=GREEN, linewidth=1.5)
    virtual = [torch.lerp(second, first, alpha) for alpha in alphas]
    for point in (first, second, *virtual):
        shadow = (point @ query) * query
        line = [point[0], shadow[0]], [point[1], shadow[1]]
        ax.plot(*line, color=GREY, linewidth=0.8, linestyle=":")
    for point, name in ((first, "x"), (second, "z"), (query, "w")):
        colour, marker = (BLUE, "s") if name == "w" else (GREEN, "o")
        ax.plot(*point.tolist(), marker=marker, color=colour, markersize=8)
        ax.annotate(name, tuple((1.13 * point).tolist()), ha="center", va="center")
    for point in virtual:
        ax.plot(*point.tolist(), marker="D", color="white", markeredgecolor=GREEN, markersize=8)


def _draw_circle(ax: "Axes") -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    ax.plot(np.cos(angle), np.sin(angle), color=GREY, linewidth=0.8)
    ax.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal")
    ax.axis("off")


def _draw_similarities(
    ax: "Axes", first: Tensor, second: Tensor, query: Tensor, alpha: float
) -> None:
    steps = torch.linspace(0, 1, 41, dtype=first.dtype)[:, None]
    chord = torch.lerp(second, first, steps)  # (41, 2)
    ax.plot(steps.numpy(), (chord @ query).numpy(), color=GREEN, label="s(w, v), v on the chord")
    arc = torch.nn.functional.normalize(chord, dim=1, eps=1e-3)
    ax.plot(
        steps.numpy(), (arc @ query).numpy(), color=GREY, ls="--", label="if v were of unit length"
    )
    here = (torch.lerp(second, first, alpha) @ query).item()
    ax.plot(alpha, here, marker="D", color="white", markeredgecolor=GREEN, markersize=9)
    side, edge = (8, "left") if alpha < 0.9 else (-8, "right")
    ax.annotate(f"{here:.2f}", (alpha, here), (side, -14), textcoords="offset points", ha=edge)
    ax.set(xlabel="α, the weight of x", ylabel="similarity to w", ylim=(-1.05, 1.05))
    ax.set(xticks=(0, 0.5, 1), yticks=(-1, 0, 1))  # each tick takes a slider 2 ms
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, frameon=False, fontsize=9)


def plot_virtual_sphere(embeddings: Tensor, virtual: Tensor) -> "tuple[Figure, Axes3D]":
    """The images of one class on the sphere, their chords, and the virtual examples on the chords.

    Args:
        embeddings: (n, 3) unit vectors.
        virtual: (n (n − 1) / 2, 3).

    Returns:
        The figure, and its axes.
    """
    import matplotlib.pyplot as plt

    fig = plt.figure(figsize=(5.2, 4.4))
    ax: Any = fig.add_axes((0, 0, 1, 0.97), projection="3d", computed_zorder=False)
    u, v = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    sphere = np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v)
    ax.plot_wireframe(*sphere, color=GREY, linewidth=0.3, alpha=0.6)
    for one, other in combinations(embeddings, 2):
        ax.plot(*torch.stack([one, other]).T.numpy(), color=GREEN, linewidth=1)
    ax.plot(*embeddings.T.numpy(), "o", color=GREEN, markersize=9, label="image")
    ax.plot(*virtual.T.numpy(), "D", color="white", markeredgecolor=GREEN, label="virtual example")
    ax.set(box_aspect=(1, 1, 1), xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), zlim=(-0.8, 0.8))
    ax.view_init(elev=22, azim=35)
    ax.set_axis_off()
    ax.legend(loc="upper left")
    return fig, ax


def plot_gallery(
    galleries: Mapping[str, tuple[Tensor, Sequence[str]]],
    ranks: Mapping[str, Sequence[float]],
) -> "tuple[Figure, Any]":
    """One query's gallery on a line of similarity, with the rank of each real positive.

    Args:
        galleries: title of a panel → similarities (N,) and the kind of each item, one of ``KINDS``.
        ranks: title → the ranks of the real positives, in their order.

    Returns:
        The figure, and its axes, one for each panel.
    """
    count = len(galleries)
    fig, grid = panels(count, 1, (8.5, 1.5 * count + 0.7), sharex=True)
    axes = grid[:, 0]
    for ax, (title, (similarities, kinds)) in zip(axes, galleries.items(), strict=True):
        _draw_gallery(ax, similarities, kinds, ranks[title])
        ax.set_title(title, fontsize=10, loc="left")
    axes[-1].set_xlabel("similarity to the query")
    handles, labels = axes[-1].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=9)
    return fig, axes


def _draw_gallery(
    ax: "Axes", similarities: Tensor, kinds: Sequence[str], ranks: Sequence[float]
) -> None:
    for kind, (marker, face, edge) in KINDS.items():
        here = [s for s, k in zip(similarities.tolist(), kinds, strict=True) if k == kind]
        if here:
            height = [0.0 if kind.endswith("positive") else -0.5] * len(here)
            style: dict[str, Any] = {"markerfacecolor": face, "markeredgecolor": edge}
            ax.plot(here, height, marker=marker, ls="", markersize=8, label=kind, **style)
        if kind == "positive":
            for s, rank in zip(here, ranks, strict=True):
                ax.annotate(f"{rank:.1f}", (s, 0), (0, 9), textcoords="offset points", ha="center")
    ax.set(ylim=(-0.9, 0.75), yticks=[])
    ax.spines[["left", "top", "right"]].set_visible(False)


def plot_parent_pulls(
    points: Tensor, labels: Tensor, virtual: Tensor, own: Tensor, pulls: Tensor, passed_on: Tensor
) -> "tuple[Figure, Any]":
    """Arrows on a circle: the pull on images themselves, and that passed on by virtual examples.

    Args:
        points: (B, 2) images.
        labels: (B,) two classes.
        virtual: (M, 2) virtual examples.
        own: (B, 2) minus the gradient of the images, as if they had no virtual examples.
        pulls: (M, 2) minus the gradient of the virtual examples.
        passed_on: (B, 2) the share of ``pulls`` that each parent receives.

    Returns:
        The figure, and its two axes: the pull on images themselves; the pull through virtual
        examples.
    """
    fig, [axes] = panels(1, 2, (8.6, 4.4))
    longest = max(arrows.norm(dim=1).max().item() for arrows in (own, pulls, passed_on))
    scale = 0.45 / longest
    for ax in axes:
        _draw_circle(ax)
        for (x, y), label in zip(points.tolist(), labels.tolist(), strict=True):
            first = label == labels[0]
            ax.plot(x, y, "o" if first else "s", color=GREEN if first else GREY, markersize=8)
    axes[1].plot(*virtual.T.numpy(), "D", color="white", markeredgecolor="black", markersize=7)
    _draw_arrows(axes[0], points, own * scale, "an image's own pull", BLUE)
    _draw_arrows(axes[1], virtual, pulls * scale, "pull on a virtual example", VERMILION)
    _draw_arrows(axes[1], points, passed_on * scale, "what its parents receive", PURPLE)
    fig.legend(loc="outside upper center", ncols=3, fontsize=9)
    return fig, axes


def _draw_arrows(ax: "Axes", origins: Tensor, arrows: Tensor, name: str, colour: str) -> None:
    ax.quiver(
        *origins.T.numpy(), *arrows.T.numpy(), color=colour, label=name,
        angles="xy", scale_units="xy", scale=1, width=0.01, zorder=3,
    )  # fmt: skip


def plot_solved_batch(
    shares: Sequence[float],
    measured: Mapping[str, Sequence[tuple[float, float]]],
    floors: Mapping[str, float],
) -> "tuple[Figure, Any]":
    """Loss and gradient of a toy batch against how far it is solved, with the floor of each loss.

    Args:
        shares: N shares, 0 at the start and 1 where all is solved.
        measured: name → N pairs of loss and gradient, as
            :func:`recallkit.course.solved_batch.loss_and_push` returns them.
        floors: name → the loss of a perfect ranking.

    Returns:
        The figure, and its two axes. The gradient's is logarithmic.
    """
    fig, [axes] = panels(1, 2, (9, 3.4))
    styles = zip((BLUE, VERMILION), LINES, strict=False)
    for (name, pairs), (colour, line) in zip(measured.items(), styles, strict=False):
        losses, pushes = zip(*pairs, strict=True)
        axes[0].plot([100 * share for share in shares], losses, color=colour, ls=line, label=name)
        axes[1].semilogy([100 * share for share in shares], pushes, color=colour, ls=line)
        axes[0].axhline(floors[name], color=colour, linestyle=":", linewidth=1)
    axes[0].set(ylabel="loss RS@k (dotted: its floor)", ylim=(0, None))
    axes[1].set(ylabel="mean gradient on an image")
    for ax in axes:
        ax.set(xlabel="how far the batch is solved (%)")
    axes[0].legend(fontsize=9)
    return fig, axes


def plot_seconds(
    batch_sizes: Sequence[int], seconds: Mapping[str, Sequence[float]]
) -> "tuple[Figure, Axes]":
    """Seconds against batch size, both axes logarithmic, a line for each task.

    Args:
        batch_sizes: N sizes.
        seconds: name → N times.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (6.5, 3.8))
    colours = (GREEN, VERMILION, GREY, BLUE)
    for (name, values), colour, line, marker in zip(
        seconds.items(), colours, LINES, MARKERS, strict=False
    ):
        ax.plot(batch_sizes, values, color=colour, ls=line, marker=marker, label=name)
    batch_axis(ax, batch_sizes, "images in a batch")
    ax.set(ylabel="seconds", yscale="log")
    ax.legend(fontsize=9)
    return fig, ax
