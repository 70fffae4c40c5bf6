"""The subcommand ``train``."""

import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from recallkit.config import PRESETS, Config
from recallkit.tables import metrics_table, text_table

if TYPE_CHECKING:
    from torch import Tensor

    from recallkit.data.image_set import ImageSet
from recallkit.cli.shared import RUNS, save_figure


def preset_in(arguments: list[str]) -> str:
    """The preset asked for, looked up before parsing: its values are the defaults of --help."""
    for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
        name = value if flag == "--preset" else flag.removeprefix("--preset=")
        if name != flag and name in PRESETS:
            return name
    return "emoji"


def train_command(chosen: str) -> Callable[..., None]:
    """Make the subcommand ``train`` with the preset ``chosen`` as its defaults."""

    def train(
        config: Config = PRESETS[chosen],
        preset: Literal[tuple(PRESETS)] = chosen,  # type: ignore[valid-type]
        out: Path | None = None,
        resume: Path | None = None,
        store: str | None = None,
        device: str = "auto",
        workers: int = 0,
        on_bad_image: Literal["raise", "skip"] = "raise",
        tensorboard: bool = True,
        show: bool = False,
    ) -> None:
        """Train a network, and compare it with raw pixels and with itself untrained.

        Writes a run folder: settings, metrics, weights, learning curve, and a picture of
        queries with what was found for them. Ctrl-C finishes the step and saves; after a crash,
        at most five minutes are lost. --resume goes on, on the CPU to the very same weights.

        Examples:
          recallkit train
          recallkit train --batch-size 512 --learning-rate 0.002 --out runs/large
          recallkit train --preset emoji-frozen       (a head on pretrained features, in seconds)
          recallkit train --dataset ~/my-pictures     (one sub-folder a class)
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
            out: the run folder; by default runs/DATASET-TIME.
            resume: continue the run in this folder, with its own settings.
            store: also keep the result as STORE-seedN.json in $RECALLKIT_RESULTS, or in ./results.
            device: "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".
            workers: processes that decode pictures, batch by batch; 0 keeps those of a folder in
                memory.
            on_bad_image: a picture that cannot be read ends the training, or is left out and named
                at the end.
            tensorboard: also log for TensorBoard: tensorboard --logdir runs
            show: print every setting, with what the flags changed, and train nothing.
        """
        from recallkit.data.prefetch import Reading

        if show:
            print(f"preset {preset}\n{_settings_table(config)}")
            return
        options = {
            "device": device,
            "reading": Reading(workers, on_bad_image),
            "tensorboard": tensorboard,
        }
        folder = _train(config, preset, out, resume, options)
        if store is not None and folder is not None:
            _store(folder, store)

    return train


def _train(
    config: Config, preset: str, out: Path | None, resume: Path | None, options: dict[str, Any]
) -> Path | None:
    """Train, draw and print; the run folder, or None in all processes but the first."""
    from recallkit.training import read_config, train

    if resume is not None:
        config, folder = read_config(resume), resume
    else:
        name = Path(config.dataset).name
        folder = out or RUNS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    first = os.environ.get("RANK", "0") == "0"
    if first:
        print(f"preset {preset}, run folder {folder}")
    drawn = partial(_draw_retrievals, folder=folder)
    result = train(config, folder, resume=resume is not None, on_test=drawn, **options)
    if not first:
        return None
    _draw_learning_curve(result["validation"], folder)
    columns = [name for name in result["test"]["trained"] if not name.endswith(("P@1", "mAP"))]
    print(metrics_table(result["test"], columns, title="test classes, %"))
    print(f"trained in {result['seconds']:.0f} s; pictures in {folder / 'figures'}")
    if result["skipped"]:
        print(f"{len(result['skipped'])} pictures could not be read and were left out:")
        print("\n".join(f"  {problem}" for problem in result["skipped"]))
    return folder


def _settings_table(config: Config) -> str:
    return text_table(["setting", "value"], [[k, str(v)] for k, v in vars(config).items()])


def _store(folder: Path, name: str) -> None:
    """Copy a run's result to the stored ones; of seed 0 its pictures too."""
    from recallkit.files import read_json, results_folder, write_atomically, write_json

    result = read_json(folder / "result.json")
    write_json(results_folder() / f"{name}-seed{result['seed']}.json", result)
    for picture in (folder / "figures").glob("*.png") if result["seed"] == 0 else ():
        copy = results_folder() / "figures" / f"{name}-{picture.stem.replace('_', '-')}.png"
        write_atomically(copy, lambda path, picture=picture: shutil.copyfile(picture, path))


def _draw_learning_curve(history: list[dict[str, Any]], folder: Path) -> None:
    from recallkit import plots

    fig, _ = plots.plot_learning_curve(history)
    save_figure(fig, folder / "figures" / "learning_curve.png")


def _draw_retrievals(images: "ImageSet", embeddings: "Tensor", folder: Path) -> None:
    """Draw some queries of the test images and their nearest; only these queries are searched."""
    import torch

    from recallkit import metrics, plots

    chosen, k = plots.random_queries(images, min(8, len(images))), min(8, len(images) - 1)
    similarities, neighbours = metrics.search(
        embeddings[chosen], embeddings, k, left_out=torch.tensor(chosen)
    )
    fig, _ = plots.plot_neighbours(images, chosen, images, neighbours, similarities)
    save_figure(fig, folder / "figures" / "retrieval.png")
