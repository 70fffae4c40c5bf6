"""The end of ``train``: a table, two figures, a stored result."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recallkit.cli.shared import save_figure
from recallkit.config import config_from
from recallkit.files import (
    as_argument,
    finished_files,
    read_json_object,
    write_atomically,
    write_json,
)
from recallkit.tables import metrics_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from recallkit.data.image_set import ImageSet


def print_result(result: dict[str, Any], folder: Path) -> None:
    """Print metrics on test classes, if there are any, the training loss, and images left out."""
    if "trained" in result["test"]:
        columns = [name for name in result["test"]["trained"] if not name.endswith(("P@1", "mAP"))]
        print(metrics_table(result["test"], columns, title="test classes, %"))
        for search, line in result.get("measured", {}).items():
            print(f"{search}: {line}" if search else line)
    else:
        print("there are no test classes: nothing was evaluated but the validation classes")
    if result.get("validation"):
        print(_loss(result))
    if behind := _behind(result["test"], result["config"]):
        print(behind)
    print(f"trained in {result['seconds']:.0f} s; figures in {folder / 'figures'}")
    if result["skipped"]:
        print(f"{len(result['skipped'])} images could not be read and were left out:")
        print("\n".join(f"  {problem}" for problem in result["skipped"]))


def _loss(result: dict[str, Any]) -> str:
    """Say the training loss at the end, and what a perfect ranking has."""
    from recallkit.training.floor import class_sizes_of, training_floor

    config = config_from(result["config"])
    floor = training_floor(config, class_sizes_of(config, result))
    return floor.describe(result["validation"][-1]["loss"])


def _behind(test: dict[str, dict[str, float]], config: dict[str, Any]) -> str:
    """Say if the trained network retrieves worse than what needs no training; else ""."""
    others = {name: test.get(name, {}).get("R@1", 0.0) for name in ("features", "pixels")}
    name, best = max(others.items(), key=lambda item: item[1])
    trained = test.get("trained", {}).get("R@1", best)
    if trained >= best:
        return ""
    name = "pretrained features" if name == "features" else name
    return (
        f"the trained network (R@1 {100 * trained:.1f}) is behind the {name} alone "
        f"({100 * best:.1f}), which need no training: {_remedy(name, config)}"
    )


def _remedy(ahead: str, config: dict[str, Any]) -> str:
    """Say what to change if ``ahead`` is ahead of the trained network."""
    length = "--epochs" if config["epochs"] else "--images"
    if ahead == "pixels":
        data = config["root"] or config["dataset"]
        pretrained = f"--preset photos --dataset {as_argument(data)}"
        return f"train for more {length}, or start from pretrained weights: {pretrained}"
    if config["frozen"]:
        return (
            f"the head has learned its few classes by heart. Take fewer {length}, or more classes"
        )
    return f"take a lower --learning-rate or fewer {length}, or train the head alone: --frozen"


def store_result(folder: Path, name: str, target: Path) -> None:
    """Copy the result of a run, and for seed 0 its figures, to the stored results."""
    result = read_json_object(folder / "result.json")
    write_json(target / f"{name}-seed{result['seed']}.json", result)
    for figure in finished_files(folder / "figures", "*.png") if result["seed"] == 0 else ():
        copy = target / "figures" / f"{name}-{figure.stem.replace('_', '-')}.png"
        write_atomically(copy, lambda path, figure=figure: shutil.copyfile(figure, path))
    print(f"stored {target / name}-seed{result['seed']}.json")


def draw_figures(history: list[dict[str, Any]], tested: Sequence[Any], folder: Path) -> None:
    """Draw the learning curve, and some queries of the test images with their nearest.

    A figure that cannot be drawn costs nothing else: its name and the cause are one line.

    Args:
        history: the evaluations on validation classes.
        tested: the test images and their embeddings (N, D), or nothing.
        folder: of the run.
    """
    from recallkit import plots

    figures = {"learning_curve": lambda: plots.plot_learning_curve(history)[0]}
    if tested:
        figures["retrieval"] = lambda: _retrievals(*tested)
    for name, draw in figures.items():
        with warning_without(f"the figure {name}.png"):
            save_figure(draw(), folder / "figures" / f"{name}.png")


@contextmanager
def warning_without(what: str) -> Iterator[None]:
    """Turn an error inside into one line on stderr that says what is missing, and why."""
    try:
        yield
    except Exception as error:  # of any kind: the numbers are worth more than a figure of them
        cause = " ".join(str(error).split()) or type(error).__name__
        print(f"recallkit: warning: {what} could not be drawn: {cause}", file=sys.stderr)


def _retrievals(images: "ImageSet", embeddings: "Tensor") -> "Figure":
    """Draw some queries of the test images and their nearest; only these queries are searched."""
    import torch

    from recallkit import metrics, plots

    chosen, k = plots.random_queries(images, min(8, len(images))), min(8, len(images) - 1)
    similarities, neighbours = metrics.search(
        embeddings[chosen], embeddings, k, left_out=torch.tensor(chosen)
    )
    return plots.plot_neighbours(images, chosen, images, neighbours, similarities)[0]
