"""Two domains: their images, their mixtures with labels, and where networks put them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from recallkit.plots.style import BLUE, GREEN, PURPLE, SCALE, VERMILION, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_image_rows(
    rows: Mapping[str, Tensor], columns: Sequence[str] = ()
) -> "tuple[Figure, Any]":
    """Rows of small images, each with its name at the left.

    Args:
        rows: name → (N, 3, H, W) uint8, or floating in 0 … 1; all of one N.
        columns: a name above each image, or none.

    Returns:
        The figure, and its axes (rows, N).
    """
    count = len(next(iter(rows.values())))
    fig, axes = panels(len(rows), count, (0.72 * count + 1.6, 0.78 * len(rows) + 0.3))
    for of_row, (name, images) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(of_row, images, strict=True):
            _draw_image(ax, image)
        style: dict[str, Any] = {"rotation": 0, "ha": "right", "va": "center"}
        of_row[0].set_ylabel(name, **style)
    for ax, name in zip(axes[0], columns, strict=False):
        ax.set_title(name, fontsize=9)
    return fig, axes


def plot_mixtures(
    rows: Mapping[str, tuple[Tensor, Tensor]], shares: Sequence[float], slots: Sequence[str]
) -> "tuple[Figure, Any]":
    """Mixtures of two images for several shares, and under each its label as a bar.

    Args:
        rows: name → images (S, 3, H, W), and their labels (S, C), each of the sum 1.
        shares: (S) weights of the first image.
        slots: the names of the C parts of a label.

    Returns:
        The figure, and its axes: two rows, of images and of bars, for each of ``rows``.
    """
    heights = [1.0, 0.22] * len(rows)
    size = (1.15 * len(shares) + 1.6, 1.5 * len(rows) + 0.5)
    fig, axes = panels(2 * len(rows), len(shares), size, height_ratios=heights)
    for number, (name, (images, labels)) in enumerate(rows.items()):
        above, below = axes[2 * number], axes[2 * number + 1]
        for ax, image in zip(above, images, strict=True):
            _draw_image(ax, image)
        for ax, label in zip(below, labels, strict=True):
            _draw_label(ax, label)
        above[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, share in zip(axes[0], shares, strict=True):
        ax.set_title(f"λ = {share:g}", fontsize=10)
    bars = [axes[1][0].patches[slot] for slot in range(len(slots))]
    fig.legend(bars, slots, loc="outside lower center", ncols=len(slots), fontsize=9)
    return fig, axes


def plot_domain_losses(
    logits: Tensor, losses: Mapping[str, Tensor], at: float, slopes: Mapping[str, float]
) -> "tuple[Figure, Axes]":
    """The loss of one mixture under several labels, against what the domain classifier says.

    Args:
        logits: (L,), above 0 for the source.
        losses: name of the label → (L,).
        at: the logit of the mixture.
        slopes: name → the slope there. An arrow shows the way of the features, which a reversed
            gradient sends up the slope.

    Returns:
        The figure, and its axes.
    """
    fig, [[ax]] = panels(1, 1, (6, 3.4))
    styles = ((GREEN, "-"), (PURPLE, "--"), (BLUE, "-."))
    for (name, values), (colour, line) in zip(losses.items(), styles, strict=False):
        ax.plot(logits, values, color=colour, linestyle=line, label=name)
        here = float(np.interp(at, logits.numpy(), values.numpy()))
        ax.plot(at, here, "D", color="white", markeredgecolor=colour, markersize=8)
        tip = at + 2 * slopes[name]
        if abs(tip - at) > 0.1:  # a shorter arrow would be all head
            ax.annotate("", (tip, here), (at, here), arrowprops={"color": colour, "width": 1.5})
    ax.axvline(0, color="0.8", zorder=0)
    ax.set(xlabel="says “target”  ←  logit  →  says “source”", ylabel="loss of the mixture")
    ax.legend(loc="upper center")
    return fig, ax


def plot_two_domains(
    placed: Mapping[str, tuple[Tensor, Tensor, Tensor]],
    names: tuple[str, str] = ("source", "target"),
) -> "tuple[Figure, Any]":
    """The places of images of two domains in embeddings: a digit for each, those of the target with
    a line above.

    Args:
        placed: title of a panel → places (N, 2), labels (N,), and (N,) bool, True for the source.
        names: of the two domains, for the legend.

    Returns:
        The figure, and its axes.
    """
    fig, [axes] = panels(1, len(placed), (4.3 * len(placed), 4.6))
    domains = ((True, "${}$", 6.0, BLUE), (False, r"$\overline{{{}}}$", 8.0, VERMILION))
    for ax, (title, (places, labels, is_source)) in zip(axes, placed.items(), strict=True):
        for of_source, sign, size, colour in domains:
            for digit in labels.unique().tolist():
                here = places[(labels == digit) & (is_source == of_source)]
                style: dict[str, Any] = {"marker": sign.format(digit), "markersize": size}
                ax.plot(*here.T.numpy(), ls="", color=colour, **style)
        ax.set_title(title, fontsize=10)
        ax.set(xticks=[], yticks=[])
    first = axes[0].lines
    shown = first[0], first[len(first) // 2]  # a digit of each domain
    fig.legend(shown, names, loc="outside lower center", ncols=2, fontsize=10)
    return fig, axes


def _draw_image(ax: "Axes", image: Tensor) -> None:
    ax.imshow(image.movedim(0, -1).numpy(), interpolation="nearest")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def _draw_label(ax: "Axes", label: Tensor) -> None:
    """Draw a label as a bar of its parts."""
    left, colours, hatches = 0.0, (BLUE, VERMILION, SCALE[0]), ("", "//", "..")
    for part, colour, hatch in zip(label.tolist(), colours, hatches, strict=False):
        ax.barh(0, part, left=left, color=colour, hatch=hatch, edgecolor="white")
        left += part
    ax.set(xlim=(0, 1), ylim=(-0.4, 0.4), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
