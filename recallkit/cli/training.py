"""The subcommand ``train``."""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from recallkit.cli.outputs import draw_figures, print_result, store_result
from recallkit.cli.shared import RUNS, call, results_to_write
from recallkit.config import PRESETS, Config
from recallkit.errors import RecallkitError, did_you_mean
from recallkit.files import expanded, file_name
from recallkit.ranges import Range, SettingError
from recallkit.run_files import check_unfinished, read_config
from recallkit.tables import text_table

if TYPE_CHECKING:
    from recallkit.data.image_set import Splits
    from recallkit.data.prefetch import Reading

DEFAULT_PRESET = "emoji"
FOLDER_PRESET = "photos"  # of images of the user's


def train(arguments: list[str]) -> None:
    """Train as ``arguments`` say."""
    preset = preset_in(arguments)
    call(train_command(preset, defaults_of(preset, arguments)), "train", arguments)


def preset_in(arguments: Sequence[str]) -> str:
    """Return the preset in ``arguments``. It comes first: its settings are the others' defaults.

    Without ``--preset`` a run on images of the user's takes that for photographs.

    Raises:
        ValueError: if there is no preset of that name.
    """
    default = FOLDER_PRESET if _names_own_images(arguments) else DEFAULT_PRESET
    preset = _flag(arguments, "preset") or default
    if preset not in PRESETS:
        hint = did_you_mean(preset, PRESETS) or f"known presets are: {', '.join(PRESETS)}"
        raise ValueError(f"there is no preset {preset!r}; {hint}")
    return preset


def defaults_of(preset: str, arguments: Sequence[str]) -> Config:
    """Return the settings of a preset, without its epochs where ``--images`` gives the length.

    Raises:
        SettingError: if ``--epochs`` would leave ``--images`` without effect.
    """
    images, epochs = (_flag(arguments, name) for name in ("images", "epochs"))
    if images is not None and epochs not in (None, "0"):
        raise SettingError("images", "has no effect with --epochs: leave one of them out")
    if images is None or not PRESETS[preset].epochs:
        return PRESETS[preset]
    return replace(PRESETS[preset], epochs=0, milestones=())


def _names_own_images(arguments: Sequence[str]) -> bool:
    """Tell whether a run begins on a folder or list file of the user's."""
    dataset = _flag(arguments, "dataset")
    if dataset is None or _flag(arguments, "resume") or not expanded(dataset).exists():
        return False
    from recallkit.data.catalogue import own_source

    return own_source(dataset) is not None


def _flag(arguments: Sequence[str], name: str) -> str | None:
    """Return the value of a flag in ``arguments``; None if it is not there, or without a value."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(f"--{name}", nargs="?")  # tyro complains of a value that is missing
    return getattr(parser.parse_known_args(arguments)[0], name)


def train_command(chosen: str, defaults: Config | None = None) -> Callable[..., None]:
    """Make the subcommand ``train`` with the preset ``chosen`` as its defaults."""

    def train(
        config: Config = defaults or PRESETS[chosen],
        preset: Literal[tuple(PRESETS)] = chosen,  # type: ignore[valid-type]
        out: Path | None = None,
        resume: Path | None = None,
        store: str | None = None,
        project: bool = False,
        device: str = "auto",
        workers: Annotated[int, Range(0, 1024)] = 0,
        on_bad_image: Literal["raise", "skip"] | None = None,
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
          recallkit train --dataset ~/my-images       (one sub-folder a class; preset photos)
          recallkit train --dataset list.csv          (columns path and label)
          recallkit train --resume runs/large
          recallkit train --resume runs/mine --dataset /new/place/of/my-images
          recallkit train --dataset ~/photos --workers 8 --on-bad-image skip
          recallkit train --chunk-size auto --keep-graphs-gb 20 --precision bfloat16
          torchrun --nproc-per-node=8 -m recallkit train     (a GPU for each process)
          recallkit train --preset sop-resnet50 --root ~/data/Stanford_Online_Products
          recallkit train --preset cub-vit-b16 --show
          recallkit train --preset landmarks --dataset ~/landmarks --loss smooth-ap
          recallkit train --loss circle --circle-margin 0.25 --circle-gamma 128
          recallkit train --loss uniloss --uniloss-metric average-precision --no-simix

        Args:
            config: every setting of the training.
            preset: a named set of settings; flags change single ones. The default: "photos" for
                images of your own, else "emoji".
            out: the run folder. The default: runs/DATASET-TIME.
            resume: continue the run in this folder, with its own settings; --dataset or --root
                say where its images are now.
            store: also store the result as STORE-seedN.json in $RECALLKIT_RESULTS, or in
                ./results.
            project: store in data/results of the checkout instead (for maintainers).
            device: "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".
            workers: processes that decode images, batch by batch. 0: keep the images of a folder
                in memory.
            on_bad_image: an image that cannot be read ends the training ("raise", the default), or
                is left out and listed at the end ("skip"). A resumed run does what it did.
            tensorboard: also log for TensorBoard: tensorboard --logdir runs
            show: print every setting, with the changes that flags make, and train nothing.
        """
        if show:
            print(f"preset {preset}\n{_settings_table(config)}")
            return
        _check_store(store, project)
        if resume is not None:
            _check_resumed(config, preset, out)
            _check_unfinished(resume)
        target = None if store is None else results_to_write(project)
        options = {
            "device": device,
            "workers": workers,
            "on_bad_image": on_bad_image,
            "tensorboard": tensorboard,
        }

        def keep(folder: Path) -> None:
            if target is not None and store is not None:
                store_result(folder, store, target)

        _train(config, preset, out, resume, options, keep)

    return train


def _train(
    config: Config,
    preset: str,
    out: Path | None,
    resume: Path | None,
    options: dict[str, Any],
    keep: Callable[[Path], None],
) -> None:
    """Train; in the first process print, draw, and let ``keep`` store what the run folder holds."""
    first = os.environ.get("RANK", "0") == "0"
    folder = resume or out or _new_folder(config, first)
    if first:  # before what takes seconds to load
        what = f"preset {preset}" if resume is None else "resumed"
        if resume is None and preset == FOLDER_PRESET:
            what += " (a head on pretrained features; --preset NAME for others)"
        print(f"{what}, run folder {folder}", flush=True)
    from recallkit.training import train
    from recallkit.training.run_folder import reading_of_run

    options["reading"] = reading_of_run(resume, options.pop("workers"), options.pop("on_bad_image"))
    if resume is not None:
        options["splits"] = _moved_data(resume, config, preset, options["reading"])
        config = read_config(resume)
    tested: list[Any] = []  # the test images, and their embeddings
    options["on_test"] = lambda *test: tested.extend(test)
    result = train(config, folder, resume=resume is not None, **options)
    if not first:
        return
    try:
        print_result(result, folder)
        draw_figures(result["validation"], tested, folder)
    finally:  # Ctrl-C ends the drawing alone: a finished run cannot be resumed to be stored
        keep(folder)


def _moved_data(run: Path, given: Config, preset: str, reading: "Reading") -> "Splits | None":
    """Load the images of a run from where --dataset or --root say that they are now."""
    from recallkit.training.run_folder import load_data_of_run

    usual = PRESETS[preset]
    dataset = given.dataset if given.dataset != usual.dataset else ""
    root = given.root if given.root != usual.root else ""
    if not (dataset or root):
        return None
    return load_data_of_run(run, dataset, root, reading=reading)


def _check_store(store: str | None, project: bool) -> None:
    if project and store is None:
        raise ValueError("--project says where the result is stored: add --store NAME")
    if store is not None and file_name(store) != store:
        raise SettingError("store", f"must be a file's name, such as {file_name(store)!r}")


def _check_resumed(config: Config, preset: str, out: Path | None) -> None:
    """Refuse what has no effect on a run that goes on with its own settings.

    Only ``dataset`` and ``root`` have: they say where its images are now.
    """
    usual, given = vars(PRESETS[preset]), vars(config)
    changed = [n for n in usual if given[n] != usual[n] and n not in ("dataset", "root")]
    names = ["preset"] * (preset != DEFAULT_PRESET) + ["out"] * (out is not None) + changed
    if names:
        raise SettingError(
            names[0], "has no effect with --resume: the run goes on in its folder, as it was begun"
        )


def _check_unfinished(folder: Path) -> None:
    """Refuse a run that cannot be resumed, and say so if another process has just begun it."""
    try:
        check_unfinished(folder)
    except RecallkitError:
        from recallkit.training.claim import check_unclaimed

        check_unclaimed(folder)
        raise


def _new_folder(config: Config, first: bool) -> Path:
    """Make the folder of a new run, which no other has; only the first process writes into it."""
    dataset = file_name(Path(os.path.abspath(config.dataset)).name)
    name = f"{dataset}-{time.strftime('%Y%m%d-%H%M%S')}"
    if not first:
        return RUNS / name
    from recallkit.training.claim import new_folder

    return new_folder(RUNS, name)


def _settings_table(config: Config) -> str:
    return text_table(["setting", "value"], [[k, str(v)] for k, v in vars(config).items()])
