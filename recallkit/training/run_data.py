"""A run's record of its data: where it was, how it was read, and which classes trained.

The classes of a run are those that are stored in its folder, whatever has become of the images
since: a class that trained is never tested.
"""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import torch

from recallkit.config import Config
from recallkit.data.catalogue import is_known, kept_side
from recallkit.data.folder import classes_of, note_on_known
from recallkit.data.image_set import Splits
from recallkit.data.listing import ImageList, canonical_name, quoted
from recallkit.data.prefetch import OnBadImage, Reading
from recallkit.data.split import PARTS
from recallkit.errors import RecallkitError
from recallkit.files import expanded, read_json, write_json

__all__ = [
    "DATA",
    "RunData",
    "all_parts",
    "data_before",
    "data_of",
    "read_data",
    "run_parts",
    "write_data",
]

DATA = "data.json"  # in the run folder

_STORED = ("dataset", "root", "on_bad_image", "side", "classes", "left_out")

# The suffixes of images before runs stored their classes.
_SUFFIXES_BEFORE = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class RunData:
    """A run's record of its data.

    Attributes:
        dataset: the name of a data set, or the absolute path of a folder or list file.
        root: the absolute path of the folder that holds a benchmark, or "".
        on_bad_image: what was done with images that cannot be read.
        side: of the squares in which the images were kept, in pixels.
        classes: "train", "validation", "test" → the names of their classes.
        left_out: what was left out and why, a phrase each.
        notes: what else there is to know, a sentence each; not stored.
    """

    dataset: str
    root: str
    on_bad_image: OnBadImage
    side: int
    classes: dict[str, list[str]]
    left_out: list[str]
    notes: tuple[str, ...] = ()


def data_of(config: Config, splits: Splits, reading: Reading) -> RunData:
    """Describe the data of a training that begins."""
    source = expanded(config.dataset)
    return RunData(
        dataset=splits.source or (_absolute(source) if source.exists() else config.dataset),
        root=_absolute(expanded(config.root)) if config.root else "",
        on_bad_image=reading.on_bad_image,
        side=splits.train.images.shape[-1],
        classes={part: _names(splits.part(part).class_names.values()) for part in PARTS},
        left_out=list(splits.left_out),
    )


def _absolute(path: Path) -> str:
    return os.path.abspath(path)


def _names(names: Iterable[str]) -> list[str]:
    return sorted(map(canonical_name, names))


def write_data(folder: Path, data: RunData) -> None:
    """Write what a run knows of its data into its folder.

    Raises:
        RecallkitError: if it cannot be written.
    """
    values = asdict(data)
    write_json(folder / DATA, {key: values[key] for key in _STORED})


def read_data(folder: Path) -> RunData | None:
    """Read what the run in ``folder`` knows of its data; None for a run of an older version.

    Raises:
        RecallkitError: if the file is damaged.
    """
    if not (folder / DATA).is_file():
        return None
    values = read_json(folder / DATA)
    try:
        data = RunData(**{key: values[key] for key in _STORED})
        sound = _is_sound(data)
    except (TypeError, KeyError) as error:
        raise _damaged(folder, str(error)) from error
    if not sound:
        raise _damaged(folder, "its values are not as they were written")
    return data


def _is_sound(data: RunData) -> bool:
    """Tell whether what was read is of the types that are written."""
    classes = [name for part in PARTS for name in data.classes[part]]
    texts = (data.dataset, data.root, *classes, *data.left_out)
    of_types = isinstance(data.side, int) and all(isinstance(text, str) for text in texts)
    known = data.on_bad_image in get_args(OnBadImage) and set(data.classes) == set(PARTS)
    return of_types and known


def _damaged(folder: Path, why: str) -> RecallkitError:
    return RecallkitError(
        f"{folder / DATA} does not hold the data of a run ({why}): it is damaged. Copy it again "
        f"from the folder in which the run was trained."
    )


def data_before(config: Config, dataset: str) -> RunData:
    """Compute what a run of an older version, which stored none of it, knew of its data.

    Classes were then shuffled by their places among the sub-folders; so they come out right if no
    class was added or removed since.

    Args:
        config: of the run.
        dataset: where the folder is now; "": where the run had it.
    """
    source = expanded(config.dataset)
    if dataset and not source.is_dir():
        source = expanded(dataset)
    side = kept_side(config.image_size, None)
    none: dict[str, list[str]] = {part: [] for part in PARTS}
    data = RunData(config.dataset, config.root, "raise", side, none, [])
    if is_known(config.dataset) or not source.is_dir():
        return data
    note = (
        f"this run is of an older version, which stored no classes; they are computed from "
        f"{source} as it is now, and wrong if classes were added or removed since"
    )
    return replace(data, classes=_split_before(source), notes=(note,))


def _split_before(root: Path) -> dict[str, list[str]]:
    """Split the classes of a folder as before their names were hashed."""
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    names = [path.name for path in folders if any(map(_was_image, path.iterdir()))]
    order = torch.randperm(len(names), generator=torch.Generator().manual_seed(0)).tolist()
    test, rest = order[: len(order) // 2], order[len(order) // 2 :]
    held_out = max(1, len(rest) // 7)
    places = {"train": rest[held_out:], "validation": rest[:held_out], "test": test}
    return {part: _names(names[i] for i in places[part]) for part in PARTS}


def _was_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES_BEFORE and not path.name.startswith(".")


def run_parts(images: ImageList, data: RunData, elsewhere: bool) -> tuple[list[str], list[str]]:
    """Assign images to the splits of a run, by the classes that it stored.

    Classes that the run does not know were never trained on: they count as test classes. In a
    source with splits of its own those hold; but only classes that trained are its training images.

    Args:
        images: what is there now.
        data: of the run.
        elsewhere: whether these may be other images than those of the run, and are to be tested.
            The sentences then name the classes that are not.

    Returns:
        "train", "validation", "test", or "" for one that is left out, for each image; and what
        there is to say, a sentence each.
    """
    if images.parts:
        return _parts_of_own(images, data)
    part_of = {name: part for part in PARTS for name in data.classes[part]}
    parts = [part_of.get(name, "test") for name in images.classes]
    return parts, _changes(images, part_of, elsewhere)


def _parts_of_own(images: ImageList, data: RunData) -> tuple[list[str], list[str]]:
    held_out = set() if "validation" in images.parts else set(data.classes["validation"])
    trained = set(data.classes["train"])
    parts, new = [], set()
    for name, part in zip(images.classes, images.parts, strict=True):
        if part == "train" and name not in trained:
            part = "validation" if name in held_out else ""
            new |= {name} - held_out
        parts.append(part)
    notes = note_on_known(classes_of(images, parts, "test"), trained)
    if new:
        names = quoted(sorted(new))
        notes.append(f"the run was not trained on {len(new):,} train classes ({names}): left out")
    return parts, notes


def _changes(images: ImageList, part_of: dict[str, str], elsewhere: bool) -> list[str]:
    """Say which classes are new, which are gone, and which are not tested."""
    there = set(images.classes)
    new, gone = sorted(there - set(part_of)), sorted(set(part_of) - there)
    if len(new) == len(there):
        return ["the run was trained on none of these classes: all of them are test classes"]
    seen = sorted(name for name in there if part_of.get(name) in ("train", "validation"))
    notes = []
    if new:
        notes.append(
            f"{_classes(len(new))} new since the run, which was not trained on {quoted(new)}: "
            f"counted as test"
        )
    if gone:
        notes.append(f"{_classes(len(gone))} not there any more: {quoted(gone)}")
    if elsewhere and seen:
        notes.append(
            f"{_classes(len(seen))} not tested, because the run has trained or validated on "
            f"{quoted(seen)}; --split all measures every class"
        )
    return notes


def _classes(count: int) -> str:
    return "1 class is" if count == 1 else f"{count:,} classes are"


def all_parts(images: ImageList, data: RunData) -> tuple[list[str], list[str]]:
    """Take every image as a test image; say how many of the classes trained."""
    trained = len(set(images.classes) & set(data.classes["train"]))
    notes = [f"{_classes(trained)} among them that the run was trained on"] if trained else []
    return ["test"] * len(images), notes
