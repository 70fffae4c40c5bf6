"""The gallery that is searched: a folder, an index file, or the images that a run was made of.

It is planned before anything is loaded, so that a wrong argument is told at once, and then opened:
images that are not in the index yet are embedded. The index of a folder, and that of the run's own
images, are kept in the run folder:

    RUN/galleries/data.npz        the images of the run
    RUN/galleries/NAME-HASH.npz   another folder
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from recallkit.data.image_files import read_image
from recallkit.data.image_set import Splits
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding_files import UNFINISHED
from recallkit.files import expanded
from recallkit.gallery.extending import Embedding, extend_index
from recallkit.gallery.index import Index, check_same_run
from recallkit.gallery.index_files import read_index, write_index
from recallkit.gallery.listing import FoundImages, find_images
from recallkit.gallery.run_data import (
    chosen_paths,
    data_of_run,
    embedded_data,
    files_of_data,
    image_of_data,
    name_of_data,
    paths_of_data,
)
from recallkit.gallery.searching import rows_of_file
from recallkit.run_files import read_config
from recallkit.training.run_folder import DataSplit

if TYPE_CHECKING:
    from recallkit.gallery.run import TrainedRun

__all__ = ["Gallery", "GalleryPlan", "digest_of_path", "open_gallery", "plan_gallery"]

FIGURE_SIDE = 96  # pixels of an image in a figure


@dataclass(frozen=True)
class GalleryPlan:
    """A gallery to search: image files, an index that was read, or images that are no files.

    Attributes:
        name: for messages.
        kept: where the index is kept; None if it is not.
        found: the image files, or None.
        index: that was read, or None.
        splits: images that are no files, or None.
        chosen: the paths of those that are searched; None: all of them.
        message: what is used and what is left out.
    """

    name: str
    kept: Path | None = None
    found: FoundImages | None = None
    index: Index | None = None
    splits: Splits | None = None
    chosen: frozenset[str] | None = None
    message: str = ""

    def size(self) -> int:
        """Return how many images will be searched: at most, if some cannot be read."""
        if self.chosen is not None:
            return len(self.chosen)
        if self.splits is not None:
            return len(paths_of_data(self.splits))
        return len(self.index or self.found or ())

    def holds_any(self, files: Sequence[Path]) -> bool:
        """Tell whether one of these files will be searched: it will not find itself."""
        if self.index is not None:
            return any(rows_of_file(self.index, file) for file in files)
        searched = {str(file) for file in self.found.files()} if self.found else set()
        names = [name(file) for name in (os.path.abspath, os.path.realpath) for file in files]
        return any(name in searched for name in names)


@dataclass(frozen=True)
class Gallery:
    """An index that can be searched, and its images.

    Attributes:
        index: of the images.
        image: gives the image of a path of the index, (3 or 4, S, S) uint8.
        messages: what there is to say, a sentence each.
    """

    index: Index
    image: Callable[[str], Tensor] = field(repr=False)
    messages: tuple[str, ...] = ()


def plan_gallery(
    run: Path,
    gallery: str | Path | Index | None = None,
    *,
    dataset: str = "",
    root: str = "",
    split: DataSplit = "all",
) -> GalleryPlan:
    """Find out what is to be searched, before an image is decoded or the network is loaded.

    Args:
        run: the folder of the run.
        gallery: a folder, an index file, an index, or None for the images of the run.
        dataset: where the images of the run are now; "": where they were.
        root: the folder that holds a benchmark now; "": the one that it had.
        split: which of the images of the run.

    Raises:
        RecallkitError: a folder or file that is missing, or holds no images; or not a run.
        ValueError: ``dataset``, ``root`` or ``split`` with a gallery, or no image in that split.
    """
    if gallery is None:
        return _plan_of_run(run, dataset, root, split)
    if dataset or root or split != "all":
        raise ValueError(
            "--dataset, --root and --split choose images of the run: leave them out with --gallery"
        )
    if isinstance(gallery, Index):
        return GalleryPlan(gallery.root, index=gallery)
    path = expanded(gallery)
    if path.is_dir():
        found = find_images(path)
        return GalleryPlan(str(gallery), _kept_for(run, path), found, message=found.describe())
    return GalleryPlan(str(gallery), index=read_index(path))


def _plan_of_run(run: Path, dataset: str, root: str, split: DataSplit) -> GalleryPlan:
    splits = data_of_run(run, dataset, root)
    found, chosen = files_of_data(splits), chosen_paths(run, splits, split, dataset, root)
    name = dataset or read_config(run).dataset if found else name_of_data(run, dataset)
    if chosen is not None and not chosen:
        raise ValueError(f"the split {split} of {name} holds no images")
    message = splits.describe().removesuffix(".") if splits.source else ""
    kept = run / "galleries" / "data.npz"
    return GalleryPlan(name, kept, found, None, None if found else splits, chosen, message)


def _kept_for(run: Path, folder: Path) -> Path:
    """Return where the index of a folder is kept; folders of one name do not share one."""
    name = Path(os.path.realpath(folder)).name or "root"
    return run / "galleries" / f"{name}-{digest_of_path(folder)}.npz"


def digest_of_path(path: Path) -> str:
    """Return 8 hexadecimal digits that tell a path from others of the same name."""
    real = os.path.realpath(path)
    return hashlib.blake2b(os.fsencode(real), digest_size=4).hexdigest()


def open_gallery(run: "TrainedRun", plan: GalleryPlan, options: Embedding | None = None) -> Gallery:
    """Read the index of a gallery, and embed the images that it lacks.

    Args:
        run: whose network embeds.
        plan: of :func:`plan_gallery`, for the same run.
        options: how images are embedded.

    Raises:
        RecallkitError: an index of another run; images that cannot be read, unless such are
            skipped.
    """
    if plan.index is not None:
        check_same_run(plan.index, run, plan.name)
        said = remarks_on_index(plan.name, plan.index)
        return Gallery(plan.index, partial(_image_below, Path(plan.index.root)), said)
    if plan.found is not None:
        index, messages = _extended(run, plan, plan.found, options)
        return Gallery(_chosen(index, plan), partial(_image_below, plan.found.root), messages)
    assert plan.splits is not None
    index = _data_index(run, plan, plan.splits)
    return Gallery(_chosen(index, plan), partial(image_of_data, plan.splits))


def _image_below(root: Path, path: str) -> Tensor:
    return read_image(root / path, FIGURE_SIDE)


def remarks_on_index(name: str, index: Index) -> tuple[str, ...]:
    """Say if an index is incomplete, and how to finish it."""
    return () if index.complete else (f"{name} is {UNFINISHED}",)


def _extended(
    run: "TrainedRun", plan: GalleryPlan, found: FoundImages, options: Embedding | None
) -> tuple[Index, tuple[str, ...]]:
    problems: list[str] = []

    def keep(index: Index) -> None:
        try:
            if plan.kept is not None:
                write_index(plan.kept, index)
        except RecallkitError as error:  # the search needs no file
            problems.append(f"the index is not kept: {error}")

    index, changes = extend_index(run, found, _kept_index(run, plan), options, keep)
    return index, (plan.message, changes.describe(), *dict.fromkeys(problems))


def _kept_index(run: "TrainedRun", plan: GalleryPlan) -> Index | None:
    """Read the kept index; None if there is none of this run: it can be made again."""
    if plan.kept is None:
        return None
    with suppress(RecallkitError):
        index = read_index(plan.kept)
        return index if index.run == run.identity else None
    return None


def _chosen(index: Index, plan: GalleryPlan) -> Index:
    if plan.chosen is None:
        return index
    return index.rows([row for row, path in enumerate(index.paths) if path in plan.chosen])


def _data_index(run: "TrainedRun", plan: GalleryPlan, splits: Splits) -> Index:
    """Read or make the index of a data set whose images are no files."""
    kept = _kept_index(run, plan)
    if kept is not None and (kept.root, kept.paths) == (plan.name, paths_of_data(splits)):
        return kept
    index = embedded_data(run, splits, plan.name)
    with suppress(RecallkitError):  # the search needs no file
        write_index(plan.kept or Path(), index)
    return index
