"""The run folder: what a training writes, and how it is read again.

The folder holds:

    config.json           the settings
    data.json             where the images were, how they were read, and the classes of each split
    metrics.jsonl         a line an evaluation
    tensorboard/          the same and the loss of each step, for TensorBoard
    best.safetensors      the network with the best R@1 on validation classes so far
    weights.safetensors   the network at the end of the run
    state.pt              while the run is unfinished: everything needed to continue it
    state.previous.pt     the state before that, in case the last one is damaged
    diverged.json         if loss or gradient was not finite: the step and its images
    result.json           written last: a folder that has it is a finished run
    figures/              learning curve and retrievals
    .lock                 while a process trains
"""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from recallkit.config import Config
from recallkit.data.catalogue import is_known, load, own_source
from recallkit.data.folder import list_images, read_splits
from recallkit.data.image_set import Splits
from recallkit.data.listing import quoted
from recallkit.data.prefetch import OnBadImage, Reading
from recallkit.data.split import PARTS
from recallkit.errors import RecallkitError
from recallkit.files import (
    cannot_write,
    expanded,
    read_json_object,
    remove_unfinished,
    write_atomically,
    write_json,
)
from recallkit.networks import RetrievalNetwork
from recallkit.run_files import LAST, PREVIOUS, check_settings, check_unfinished, read_config
from recallkit.training.build import make_network
from recallkit.training.claim import check_unclaimed
from recallkit.training.environment import choose_device
from recallkit.training.run_data import (
    DATA,
    RunData,
    all_parts,
    data_before,
    data_of,
    read_data,
    run_parts,
    write_data,
)

Line = dict[str, float]  # of metrics.jsonl
Weights = Literal["weights", "best"]  # at the end of the run; at the best R@1


DataSplit = Literal["test", "validation", "train", "all"]  # what is read of the data of a run


_REPLACED = (DATA, "metrics.jsonl", "best.safetensors", "weights.safetensors", "diverged.json")


def check_new(folder: Path) -> None:
    """Refuse a folder that holds a run, or files of the user's that a run would replace.

    Raises:
        RecallkitError: if it does.
    """
    if any((folder / name).exists() for name in (LAST, PREVIOUS, "result.json")):
        raise RecallkitError(
            f"{folder} already holds a run. Continue it with --resume, or choose another --out."
        )
    there = [name for name in ("config.json", *_REPLACED) if (folder / name).exists()]
    if there and not _has_config(folder):
        raise RecallkitError(
            f"{folder} holds {there[0]}, which no run of this version wrote and a run "
            f"would replace. Choose another --out."
        )


def _has_config(folder: Path) -> bool:
    try:
        read_config(folder)
    except RecallkitError:
        return False
    return True


def begin_run(folder: Path, config: Config) -> None:
    """Write the settings into the run folder, which :func:`.claimed` keeps to this process.

    What a run left that ended before its first save is replaced.

    Raises:
        RecallkitError: if it holds a run already, or cannot be written.
    """
    check_new(folder)
    remove_unfinished(folder)
    write_json(folder / "config.json", asdict(config))
    for name in ("metrics.jsonl", DATA):
        (folder / name).unlink(missing_ok=True)


def resume_run(folder: Path, config: Config) -> None:
    """Prepare the run folder for another session.

    Raises:
        UnusableStateError: if it has other settings, or damaged ones.
        RecallkitError: if it holds no run, a finished one, or one without a state.
    """
    check_settings(folder, config)
    check_unfinished(folder)
    remove_unfinished(folder)
    (folder / "diverged.json").unlink(missing_ok=True)


def load_run(folder: Path, device: str = "auto") -> tuple[Config, RetrievalNetwork]:
    """Load the settings and the trained network of a run.

    Args:
        folder: of the run.
        device: where the network goes; "auto" takes a GPU if there is one.

    Returns:
        The settings, and the network in evaluation mode.

    Raises:
        RecallkitError: if the run is not finished, or its files are damaged.
    """
    config = read_config(folder)
    weights = read_weights(folder)
    network = make_network(replace(config, pretrained=False, weights=""))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise RecallkitError(f"the weights in {folder} are not of its network: {error}") from None
    return config, network.to(choose_device(device)).eval()


def load_data_of_run(
    folder: Path,
    dataset: str = "",
    root: str = "",
    *,
    split: DataSplit | None = None,
    reading: Reading | None = None,
) -> Splits:
    """Load the images of a run, or other images for it, by the classes that it stored.

    A class that the run trained on is a training class for ever. Classes that the run does not know
    count as test classes. The result's ``describe()`` says what was used, what was left out and
    why, which classes are new and which are gone.

    Args:
        folder: of the run.
        dataset: where its images are now, or other images: a folder, a list file, or a data set.
            "": where the run had them.
        root: the folder that holds a benchmark. "": where the run had it.
        split: read one split alone, the others are empty; "all" puts every image into the test
            set. None: all three.
        reading: how image files are read. None: in memory, with bad images as in the run.

    Raises:
        RecallkitError: if it is not a run, if the images are not where they were or cannot be read.
        ValueError: if there is no such data set, or "all" is asked of a benchmark.
    """
    config = read_config(folder)
    data = read_data(folder) or _data_before(folder, config, dataset)
    name, root = dataset or data.dataset, root or ("" if dataset else data.root)
    _check_places(folder, data, name, root)
    reading = Reading(on_bad_image=data.on_bad_image) if reading is None else reading
    source = own_source(name)
    if source is None or root:
        return _chosen(load(name, config.image_size, root, reading), split)
    images = list_images(source, reading)
    elsewhere = split == "test" and str(images.source) != data.dataset
    parts, notes = all_parts(images, data) if split == "all" else run_parts(images, data, elsewhere)
    if split in PARTS:
        parts = [part if part == split else "" for part in parts]
    return read_splits(images, parts, data.side, reading, (*data.notes, *notes))


def _data_before(folder: Path, config: Config, dataset: str) -> RunData:
    """Compute what a run of an older version knew of its data; a newer one has lost its file."""
    settings = read_json_object(folder / "config.json")
    newer = "classes" in settings  # older ones lacked it
    if newer and not is_known(config.dataset):
        raise RecallkitError(
            f"{folder / DATA} is missing: it names the classes that trained, which must not be "
            f"tested. Copy it from the folder in which the run was trained."
        )
    return data_before(config, dataset)


def _check_places(folder: Path, data: RunData, name: str, root: str) -> None:
    """Check that what the run stored is still there. What was asked for its loader checks."""
    if name == data.dataset and not is_known(name) and not expanded(name).exists():
        raise RecallkitError(
            f"the run {folder} was trained on {name}, which is not there any more. Say where its "
            f"images are now: --dataset FOLDER"
        )
    if root and root == data.root and not Path(root).is_dir():
        raise RecallkitError(
            f"the run {folder} was trained on {name} in {root}, which is not there any more. Say "
            f"where it is now: --root DIR"
        )


def _chosen(splits: Splits, split: DataSplit | None) -> Splits:
    if split is None:
        return splits
    return splits.all_as_test() if split == "all" else splits.only(split)


def check_classes_left(folder: Path, splits: Splits) -> None:
    """Refuse images to go on with that have none of the classes of the run.

    Raises:
        RecallkitError: if all classes are gone that it trained on, or all that it validated on.
    """
    data = read_data(folder)
    for part in ("train", "validation"):
        if data and data.classes[part] and not len(splits.part(part)):
            raise RecallkitError(
                f"{splits.source or data.dataset} has none of the {part} classes of the run "
                f"{folder} any more ({quoted(data.classes[part])}). Put their images back, or say "
                f"where they are now: --dataset FOLDER"
            )


def store_data_of_run(folder: Path, config: Config, splits: Splits, reading: Reading) -> None:
    """Store what the run will have to know of its data, or where the data is now.

    A run that is resumed keeps its classes.

    Raises:
        RecallkitError: if it cannot be written.
    """
    data = read_data(folder)
    if data is None:
        data = data_of(config, splits, reading)
    now = {"dataset": splits.source or data.dataset, "left_out": list(splits.left_out)}
    write_data(folder, replace(data, on_bad_image=reading.on_bad_image, **now))


def reading_of_run(
    folder: Path | None, workers: int = 0, on_bad_image: OnBadImage | None = None
) -> Reading:
    """Return how the run in ``folder`` reads its images, unless ``on_bad_image`` says otherwise.

    For a run that begins (None), or of an older version, a bad image is an error by default.
    """
    data = None if folder is None else read_data(folder)
    return Reading(workers, on_bad_image or ("raise" if data is None else data.on_bad_image))


def write_weights(folder: Path, network: torch.nn.Module, name: Weights = "weights") -> None:
    """Write the weights of ``network`` into the run folder.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written.
    """
    from safetensors.torch import save

    packed = save({key: value.contiguous() for key, value in network.state_dict().items()})
    write_atomically(folder / f"{name}.safetensors", lambda path: path.write_bytes(packed))


def read_weights(folder: Path, name: Weights = "weights") -> dict[str, Tensor]:
    """Read weights of the run in ``folder``: the last, or the best on validation classes.

    Raises:
        RecallkitError: if they are missing, truncated, or not finite, or the run is on its way.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / f"{name}.safetensors"
    if not path.is_file():
        check_unclaimed(folder)
        raise RecallkitError(
            f"{path} is missing: the run did not finish. Continue it with --resume."
        )
    if not os.access(path, os.R_OK):
        raise RecallkitError(f"{path} may not be read by you: ask its owner for the right to.")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise RecallkitError(f"{path} is damaged ({error}). Train again.") from error
    for key, value in weights.items():
        if not value.isfinite().all():
            raise RecallkitError(
                f"{path} holds weights that are not finite, in {key}. Train again."
            )
    return weights


def append_metrics(folder: Path, line: Line) -> None:
    """Add a line to the run's ``metrics.jsonl``.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written.
    """
    path = folder / "metrics.jsonl"
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except OSError as error:
        raise cannot_write(path, error) from error
