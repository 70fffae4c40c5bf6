"""Classes in numbers: how hard they are, how large, and how often a sampler takes them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from recallkit.plots.names import line_label, show_names
from recallkit.plots.style import CYCLE, LINES, MARKERS, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_class_recalls(recalls: Mapping[str, Tensor]) -> "tuple[Figure, Axes]":
    """The R@1 of all classes from the easiest to the hardest, a line for each embedding.

    Args:
        recalls: name of the embedding → (C,) R@1 of each class, 0 … 1.

    Returns:
        The figure, and its axes: the classes across, the easiest of each line first.
    """
    fig, [[ax]] = panels(1, 1, (6, 3.2))
    for (name, values), colour, line in zip(recalls.items(), CYCLE, LINES, strict=False):
        ordered = values.sort(descending=True).values
        share = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
        ax.plot(share, 100 * ordered, color=colour, linestyle=line, label=line_label(name))
    ax.set(xlabel="classes, the easiest first (%)", ylabel="R@1 of the class (%)")
    ax.set(xlim=(0, 100), ylim=(-3, 103), title="Easy classes and hard ones")
    show_names(ax.legend(loc="upper right"))
    return fig, ax


def plot_class_sizes(sizes: Mapping[str, Sequence[int]]) -> "tuple[Figure, Axes]":
    """The number of classes of each size, a bar for each split of a data set.

    Args:
        sizes: name of the split → the number of images of each of its classes.

    Returns:
        The figure, and its axes. The bars of a split are one container, in the order of the splits.
    """
    fig, [[ax]] = panels(1, 1, (6, 3.2))
    across = sorted({size for of_split in sizes.values() for size in of_split})
    width = 0.8 / len(sizes)
    for i, (name, of_split) in enumerate(sizes.items()):
        places = [at + (i - (len(sizes) - 1) / 2) * width for at in range(len(across))]
        counts = [list(of_split).count(size) for size in across]
        hatch = ("", "///", "...")[i % 3]
        style: dict[str, Any] = {"color": CYCLE[i], "hatch": hatch, "edgecolor": "white"}
        label = line_label(f"{name}: {len(of_split)} classes")
        bars = ax.bar(places, counts, width, label=label, **style)
        ax.bar_label(bars, [str(n) if n else "" for n in counts], fontsize=9)
    ax.set_xticks(range(len(across)), [str(size) for size in across])
    ax.set(xlabel="images in a class", ylabel="classes", title="How large the classes are")
    show_names(ax.legend())
    return fig, ax


def plot_class_use(
    sizes: Sequence[int], used: Mapping[str, Sequence[float]]
) -> "tuple[Figure, Axes]":
    """The number of images that a sampler takes of each class, over the size of the class.

    Args:
        sizes: (C,) images of each class.
        used: name of a way to sample → (C,) number of images taken of each class.

    Returns:
        The figure, and its axes: the sizes as bars, the ways as markers beside each other.
    """
    fig, [[ax]] = panels(1, 1, (6, 3.2))
    places = range(len(sizes))
    ax.bar(places, sizes, color="#DDDDDD", label="images in the folder")
    for i, (name, counts) in enumerate(used.items()):
        beside = [place + 0.3 * (i - (len(used) - 1) / 2) for place in places]
        style: dict[str, Any] = {"color": CYCLE[i], "marker": MARKERS[i], "linestyle": "none"}
        ax.plot(beside, counts, label=line_label(name), **style)
    ax.set(xlabel="class", ylabel="images", title="Which images a training sees")
    ax.set_xticks(places, [str(place) for place in places], fontsize=9)
    show_names(ax.legend())
    return fig, ax
