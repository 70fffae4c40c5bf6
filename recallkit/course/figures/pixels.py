"""Scenes, labels and predictions, the weight of each pixel, and each class over a training."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import Tensor

from recallkit.plots.style import CYCLE, LINES, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CLASSES = ("#E4E4E4", *CYCLE, "#000000")  # the ground, then the others in their order


def plot_scenes(images: Tensor, maps: Mapping[str, Tensor], names: Sequence[str]) -> "Figure":
    """Scenes in columns, under each its maps of classes.

    Args:
        images: (N, 3, H, W) uint8.
        maps: title → (N, H, W) classes, such as labels and predictions.
        names: of the classes, at most nine.
    """
    rows, columns = 1 + len(maps), len(images)
    fig, axes = panels(rows, columns, (0.5 + 1.2 * columns, 0.5 + 1.25 * rows))
    for column, image in enumerate(images):
        axes[0, column].imshow(image.movedim(0, -1).numpy())
        for row, classes in enumerate(maps.values(), 1):
            axes[row, column].imshow(classes[column].numpy(), **_class_colours(len(names)))
    for row, title in enumerate(("image", *maps)):
        axes[row, 0].set_ylabel(title)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    _name_classes(fig, names)
    return fig


def _class_colours(count: int) -> dict[str, Any]:
    from matplotlib.colors import ListedColormap

    style = {"vmin": -0.5, "vmax": count - 0.5, "interpolation": "nearest"}
    return {"cmap": ListedColormap(_CLASSES[:count]), **style}


def _name_classes(fig: "Figure", names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    marks = [Patch(color=colour, label=name) for colour, name in zip(_CLASSES, names, strict=False)]
    fig.legend(handles=marks, loc="outside lower center", ncols=min(5, len(names)), fontsize=9)


def plot_pixel_weights(
    labels: Tensor, predicted: Tensor, weights: Mapping[str, Tensor], names: Sequence[str]
) -> "Figure":
    """Labels, a prediction, and the weight of each pixel under several losses.

    Args:
        labels: (H, W) classes.
        predicted: (H, W) classes.
        weights: title → (H, W), as of :func:`.pixel_weights`; each map has its own scale of greys,
            from 0, white, to its largest weight, black, which its title gives.
        names: of the classes.
    """
    columns = 2 + len(weights)
    fig, [axes] = panels(1, columns, (1.3 * columns, 2.2))
    maps = {"labels": labels, "prediction": predicted}
    for ax, (title, classes) in zip(axes[:2], maps.items(), strict=True):
        ax.imshow(classes.numpy(), **_class_colours(len(names)))
        ax.set_title(title, fontsize=9)
    for ax, (title, weight) in zip(axes[2:], weights.items(), strict=True):
        ax.imshow(weight.numpy(), cmap="gray_r", vmin=0, vmax=weight.max().item())
        ax.set_title(f"{title}\nup to {weight.max().item():.3g}", fontsize=9)
    for ax in axes:
        ax.set(xticks=[], yticks=[])
    _name_classes(fig, names)
    return fig


def plot_class_curves(
    history: pd.DataFrame, share: str, names: Sequence[str], methods: Sequence[str] | None = None
) -> "Figure":
    """A share of each class over the training, a panel a class, a line a loss.

    Args:
        history: a row a checkpoint, with the columns "method", "step", and "SHARE CLASS" for each
            class; where several seeds have the same method and step, their mean is drawn.
        share: "recall" or "precision".
        names: of the classes.
        methods: in the order in which they get a colour and a line: a method that stands at the
            same place looks the same in two figures. Default: as they come.
    """
    columns = [f"{share} {name}" for name in names]
    methods = methods or list(dict.fromkeys(history["method"]))
    means = history.groupby(["method", "step"])[columns].mean()
    rows = -(-len(names) // 3)
    fig, axes = panels(rows, 3, (9, 0.6 + 1.7 * rows), sharex=True, sharey=True)
    for ax, name, column in zip(axes.flat, names, columns, strict=False):
        for i, method in enumerate(methods):
            values = means.loc[method][column]
            style = {"color": CYCLE[i], "linestyle": LINES[i], "label": method}
            ax.plot(values.index, 100 * values, **style)
        ax.set_title(name, fontsize=9)
        ax.set_ylim(-3, 103)
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel("updates")
    for ax in axes[:, 0]:
        ax.set_ylabel(f"{share} (%)")
    lines, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(lines, labels, loc="outside lower center", ncols=len(methods), fontsize=9)
    return fig
