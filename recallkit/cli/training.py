"""The subcommand ``train``."""

import argparse
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recallkit.cli.shared import RUNS, call, results_to_write, save_figure
from recallkit.config import PRESETS, Config
from recallkit.errors import did_you_mean
from recallkit.files import read_json, write_atomically, write_json
from recallkit.tables import metrics_table, text_table

if TYPE_CHECKING:
    from recallkit.data.prefetch import Reading


def train(arguments: list[str]) -> None:
    """Train as ``arguments`` say."""
    call(train_command(preset_in(arguments)), "train", arguments)


def preset_in(arguments: Sequence[str]) -> str:
    """Return the preset in ``arguments``. It comes first: its settings are the others' defaults.

    Raises:
        ValueError: if there is no preset of that name.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset", nargs="?", default="emoji", const="emoji")  # tyro wants a name
    preset = parser.parse_known_args(arguments)[0].preset
    if preset not in PRESETS:
        hint = did_you_mean(preset, PRESETS) or f"known presets are: {', '.join(PRESETS)}"
        raise ValueError(f"there is no preset {preset!r}; {hint}")
    return preset


def train_command(chosen: str) -> Callable[..., None]:
    """Make the subcommand ``train`` with the preset ``chosen`` as its defaults."""

    def train(
        config: Config = PRESETS[chosen],
        preset: Literal[tuple(PRESETS)] = chosen,  # type: ignore[valid-type]
        out: Path | None = None,
        resume: Path | None = None,
        store: str | None = None,
        project: bool = False,
        device: str = "auto",
        workers: int = 0,
        on_bad_image: Literal["raise", "skip"] = "raise",
        tensorboard: bool = True,
        show: bool = False,
    ) -> None:
        """Train a network, and evaluate it on unseen classes.

        The table at the end compares it with raw pixels and with the untrained network. The run
        folder holds settings, metrics, weights, the learning curve, and a figure of queries with
        their nearest images. Ctrl-C finishes the step and saves. A crash loses at most five
        minutes. --resume goes on; on the CPU the weights are then bit for bit the same.

        Examples:
          recallkit train
          recallkit train --batch-size 512 --learning-rate 0.002 --out runs/large
          recallkit train --preset emoji-frozen       (a head on pretrained features, in seconds)
          recallkit train --dataset ~/my-images       (one sub-folder a class)
          recallkit train --resume runs/large
          recallkit train --dataset ~/photos --image-size 224 --workers 8 --on-bad-image skip
          recallkit train --chunk-size auto --keep-graphs-gb 20 --precision bfloat16
          torchrun --nproc-per-node=8 -m recallkit train     (a GPU for each process)
          recallkit train --preset sop-resnet50 --root ~/data/Stanford_Online_Products
          recallkit train --preset cub-vit-b16 --show
          recallkit train --preset landmarks --dataset ~/landmarks --loss smooth-ap

        Args:
            config: every setting of the training.
            preset: a named set of settings; flags change single ones.
            out: the run folder. The default: runs/DATASET-TIME.
            resume: continue the run in this folder, with its own settings.
            store: also store the result as STORE-seedN.json in $RECALLKIT_RESULTS, or in
                ./results.
            project: store in data/results of the checkout instead (for maintainers).
            device: "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".
            workers: processes that decode images, batch by batch. 0: keep the images of a folder
                in memory.
            on_bad_image: an image that cannot be read ends the training ("raise"), or is left
                out and listed at the end ("skip").
            tensorboard: also log for TensorBoard: tensorboard --logdir runs
            show: print every setting, with the changes that flags make, and train nothing.
        """
        from recallkit.data.prefetch import Reading

        if show:
            print(f"preset {preset}\n{_settings_table(config)}")
            return
        target = None if store is None else results_to_write(project)
        options = {
            "device": device,
            "reading": Reading(workers, on_bad_image),
            "tensorboard": tensorboard,
        }
        folder = _train(config, preset, out, resume, options)
        if target is not None and store is not None and folder is not None:
            _store(folder, store, target)

    return train


def _train(
    config: Config, preset: str, out: Path | None, resume: Path | None, options: dict[str, Any]
) -> Path | None:
    """Train, draw and print; return the run folder, or None in all processes but the first."""
    first = os.environ.get("RANK", "0") == "0"
    folder = resume or out or _new_folder(config)
    if first:
        print(_first_line(preset, folder, resume), flush=True)  # before what takes seconds to load
    from recallkit.training import loop
    from recallkit.training.run_folder import read_config

    if resume is not None:
        config = read_config(resume)
    result = loop.train(config, folder, resume=resume is not None, **options)
    if not first:
        return None
    _draw_run(config, folder, result, options["reading"])
    _print_result(result, folder)
    return folder


def _new_folder(config: Config) -> Path:
    return RUNS / f"{Path(config.dataset).name}-{time.strftime('%Y%m%d-%H%M%S')}"


def _first_line(preset: str, folder: Path, resume: Path | None) -> str:
    if resume is not None:
        return f"resuming the run in {folder}"
    return (
        f"preset {preset}, run folder {folder}\n"
        "evaluating raw pixels and the untrained network before the training, for comparison"
    )


def _print_result(result: dict[str, Any], folder: Path) -> None:
    columns = [name for name in result["test"]["trained"] if not name.endswith(("P@1", "mAP"))]
    print(metrics_table(result["test"], columns, title="test classes, %"))
    print(f"trained in {result['seconds']:.0f} s; figures in {folder / 'figures'}")
    if result["skipped"]:
        print(f"{len(result['skipped'])} images could not be read and were left out:")
        print("\n".join(f"  {problem}" for problem in result["skipped"]))


def _settings_table(config: Config) -> str:
    return text_table(["setting", "value"], [[k, str(v)] for k, v in vars(config).items()])


def _store(folder: Path, name: str, target: Path) -> None:
    """Copy the result of a run, and for seed 0 its figures, to the stored results."""
    result = read_json(folder / "result.json")
    write_json(target / f"{name}-seed{result['seed']}.json", result)
    for figure in (folder / "figures").glob("*.png") if result["seed"] == 0 else ():
        copy = target / "figures" / f"{name}-{figure.stem.replace('_', '-')}.png"
        write_atomically(copy, lambda path, figure=figure: shutil.copyfile(figure, path))
    print(f"stored {target / name}-seed{result['seed']}.json")


def _draw_learning_curve(history: list[dict[str, Any]], folder: Path) -> None:
    from recallkit import plots

    fig, _ = plots.plot_learning_curve(history)
    save_figure(fig, folder / "figures" / "learning_curve.png")


def _draw_retrievals(images: "ImageSet", embeddings: "Tensor", folder: Path) -> None:
    """Draw some queries of the test images and their nearest; only these queries are searched."""
    from recallkit import plots

    chosen = plots.random_queries(images, min(8, len(images)))
    similarities, neighbours = _nearest_others(embeddings, chosen, min(8, len(images) - 1))
    fig, _ = plots.plot_neighbours(images, chosen, images, neighbours, similarities)
    save_figure(fig, folder / "figures" / "retrieval.png")


def _nearest_others(embeddings: "Tensor", chosen: list[int], k: int) -> "tuple[Tensor, Tensor]":
    """Search all embeddings for the k nearest of the chosen ones, without themselves."""
    import torch

    from recallkit import metrics

    similarities, neighbours = metrics.search(embeddings[chosen], embeddings, k + 1)
    itself = neighbours == torch.tensor(chosen, device=neighbours.device)[:, None]  # (Q, k + 1)
    others = itself.int().argsort(dim=1, stable=True)[:, :k]  # itself last; else the k + 1st
    return similarities.gather(1, others), neighbours.gather(1, others)
