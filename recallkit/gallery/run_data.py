"""The images that a run was made of, as a gallery: image files, or tensors of a data set."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from recallkit.data.catalogue import is_known
from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet, Splits
from recallkit.data.split import PARTS
from recallkit.evaluation import embed
from recallkit.files import expanded
from recallkit.gallery.index import Index
from recallkit.gallery.listing import FoundImages, relative_to
from recallkit.run_files import read_config
from recallkit.training.run_data import read_data
from recallkit.training.run_folder import DataSplit, load_data_of_run, reading_of_run

if TYPE_CHECKING:
    from recallkit.gallery.run import TrainedRun

__all__ = [
    "chosen_paths",
    "data_of_run",
    "embedded_data",
    "files_of_data",
    "image_of_data",
    "name_of_data",
    "paths_of_data",
]


def data_of_run(folder: Path, dataset: str = "", root: str = "") -> Splits:
    """List all images of a run; image files are not decoded."""
    reading = reading_of_run(folder, workers=1)  # with workers, files stay on the disk
    splits = load_data_of_run(folder, dataset, root, reading=reading)
    if not splits.source:
        return splits
    return load_data_of_run(folder, dataset, root, split="all", reading=reading)


def name_of_data(folder: Path, dataset: str = "") -> str:
    """Name the images of a run, or others in their place: a data set, or an absolute path."""
    data = None if dataset else read_data(folder)
    name = dataset or (data.dataset if data else read_config(folder).dataset)
    return name if is_known(name) else os.path.abspath(expanded(name))


def chosen_paths(
    folder: Path, splits: Splits, split: DataSplit, dataset: str = "", root: str = ""
) -> frozenset[str] | None:
    """Name the images of one split of a run; None for all of them.

    Args:
        folder: of the run.
        splits: all its images, of :func:`data_of_run`.
        split: "test", "validation", "train" or "all".
        dataset: as for :func:`data_of_run`.
        root: likewise.
    """
    if split == "all":
        return None
    found = files_of_data(splits)
    if found is None:
        return frozenset(path for path in paths_of_data(splits) if path.startswith(f"{split}/"))
    if splits.source:
        reading = reading_of_run(folder, workers=1)
        splits = load_data_of_run(folder, dataset, root, split=split, reading=reading)
    images = splits.part(split).images
    return frozenset(
        relative_to(found.root, images.paths) if isinstance(images, ImageFiles) else ()
    )


def _parts(splits: Splits) -> Iterator[tuple[str, ImageSet]]:
    """Give the splits that hold images, by name."""
    for name in PARTS:
        if len(part := splits.part(name)):
            yield name, part


def files_of_data(splits: Splits) -> FoundImages | None:
    """List the image files of a data set; None if its images are no files."""
    files: list[Path] = []
    labels: list[str] = []
    for _, part in _parts(splits):
        if not isinstance(part.images, ImageFiles):
            return None
        files += map(Path, part.images.paths)
        labels += _labels(part)
    root = Path(splits.source)
    if not splits.source or not root.is_dir():
        root = Path(os.path.commonpath([os.path.dirname(os.path.abspath(file)) for file in files]))
    return FoundImages(root, relative_to(root, files), tuple(labels), splits.left_out)


def _labels(images: ImageSet) -> list[str]:
    return [images.class_names[label] for label in images.labels.tolist()]


def paths_of_data(splits: Splits) -> tuple[str, ...]:
    """Name the images of a data set that are no files, each by its split and number."""
    return tuple(
        f"{name}/{i:06}" + (f" {part.sources[i]}" if part.sources else "")
        for name, part in _parts(splits)
        for i in range(len(part))
    )


def embedded_data(run: "TrainedRun", splits: Splits, name: str) -> Index:
    """Embed the images of the data set ``name`` that are no files."""
    paths, size = paths_of_data(splits), run.config.image_size
    return Index(
        torch.cat([embed(run.network, part.images, size).cpu() for _, part in _parts(splits)]),
        paths,
        name,
        tuple(label for _, part in _parts(splits) for label in _labels(part)),
        np.full((len(paths), 2), -1, dtype=np.int64),
        ("",) * len(paths),
        run.identity,
        str(run.folder.absolute()),
    )


def image_of_data(splits: Splits, path: str) -> Tensor:
    """Return the image that :func:`paths_of_data` named so, (C, S, S) uint8."""
    split, _, rest = path.partition("/")
    return splits.part(split).images[int(rest[:6])]
