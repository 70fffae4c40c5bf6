"""What ``train`` shows and leaves at the end: a table, two figures, a stored result."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recallkit.cli.shared import save_figure
from recallkit.files import read_json, write_atomically, write_json
from recallkit.tables import metrics_table

if TYPE_CHECKING:
    from torch import Tensor

    from recallkit.data.image_set import ImageSet


def print_result(result: dict[str, Any], folder: Path) -> None:
    """Print the metrics on test classes, and the images that were left out."""
    columns = [name for name in result["test"]["trained"] if not name.endswith(("P@1", "mAP"))]
    print(metrics_table(result["test"], columns, title="test classes, %"))
    print(f"trained in {result['seconds']:.0f} s; figures in {folder / 'figures'}")
    if result["skipped"]:
        print(f"{len(result['skipped'])} images could not be read and were left out:")
        print("\n".join(f"  {problem}" for problem in result["skipped"]))


def store_result(folder: Path, name: str, target: Path) -> None:
    """Copy the result of a run, and for seed 0 its figures, to the stored results."""
    result = read_json(folder / "result.json")
    write_json(target / f"{name}-seed{result['seed']}.json", result)
    for figure in (folder / "figures").glob("*.png") if result["seed"] == 0 else ():
        copy = target / "figures" / f"{name}-{figure.stem.replace('_', '-')}.png"
        write_atomically(copy, lambda path, figure=figure: shutil.copyfile(figure, path))
    print(f"stored {target / name}-seed{result['seed']}.json")


def draw_learning_curve(history: list[dict[str, Any]], folder: Path) -> None:
    """Draw the evaluations on validation classes."""
    from recallkit import plots

    fig, _ = plots.plot_learning_curve(history)
    save_figure(fig, folder / "figures" / "learning_curve.png")


def draw_retrievals(images: "ImageSet", embeddings: "Tensor", folder: Path) -> None:
    """Draw some queries of the test images and their nearest; only these queries are searched."""
    import torch

    from recallkit import metrics, plots

    chosen, k = plots.random_queries(images, min(8, len(images))), min(8, len(images) - 1)
    similarities, neighbours = metrics.search(
        embeddings[chosen], embeddings, k, left_out=torch.tensor(chosen)
    )
    fig, _ = plots.plot_neighbours(images, chosen, images, neighbours, similarities)
    save_figure(fig, folder / "figures" / "retrieval.png")
