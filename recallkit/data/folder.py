"""The user's own images, from a folder or a list file to the splits that a training takes."""

from collections.abc import Sequence, Set
from pathlib import Path

import torch
from torch import Tensor

from recallkit.data.image_files import read_images
from recallkit.data.image_set import Images, ImageSet, Protocol, Splits, text_of_left_out
from recallkit.data.list_file import LIST_SUFFIXES, read_list
from recallkit.data.listing import ImageList, inner_classes, list_folder
from recallkit.data.prefetch import Reading
from recallkit.data.split import PARTS, hold_out_validation, split_classes
from recallkit.errors import RecallkitError

__all__ = [
    "assign_parts",
    "classes_of",
    "list_images",
    "load_folder",
    "note_on_known",
    "read_splits",
]

FEWEST_CLASSES = 6  # three for test; of the other three, two for training and one for validation
FEWEST_TO_TRAIN = 3  # in a train folder: two for training and one for validation


def load_folder(
    source: Path, side: int = 64, seed: int = 0, reading: Reading | None = None
) -> Splits:
    """Load a folder of images, or a list file, and split it.

    Splits of its own are kept as they are: the folders ``train/CLASS`` and ``test/CLASS`` (and
    ``val/CLASS``, else some classes of ``train`` validate), or the column ``split``. Else classes
    are split by a hash of their names; see :mod:`recallkit.data.split`.

    Args:
        source: a folder as :mod:`recallkit.data.listing` describes it, or a list file as
            :func:`.read_list` does.
        side: images are fitted into squares of this size (pixels).
        seed: of the split.
        reading: how image files are read; see :func:`.read_images`. Without workers all are
            decoded now and kept in memory, if they fit; with workers they stay on the disk, and
            are decoded for each batch. Those that are skipped are named in its ``bad``. None: in
            memory, and a bad one is an error.

    Returns:
        The splits. Their ``describe()`` says what was used, and what was left out and why.

    Raises:
        RecallkitError: if the folder is missing or holds too few classes, if no class of a split
            has two images, or if images cannot be read (all of them are named).
    """
    reading = Reading() if reading is None else reading
    images = list_images(source, reading)
    parts = assign_parts(images, seed)
    _check_pairs(images, parts)
    tested, trained = (classes_of(images, parts, part) for part in ("test", "train"))
    return read_splits(images, parts, side, reading, note_on_known(tested, trained))


def list_images(source: Path, reading: Reading) -> ImageList:
    """List the images of a folder or of a list file.

    Raises:
        RecallkitError: if there are none, or the source is neither.
    """
    if not source.is_file():
        return list_folder(source)
    if source.suffix.lower() not in LIST_SUFFIXES:
        raise RecallkitError(
            f"{source} is no folder and no list file ({', '.join(LIST_SUFFIXES)}). Unpack an "
            f"archive first, and name the folder."
        )
    return read_list(source.absolute(), skip_missing=reading.on_bad_image == "skip")


def assign_parts(images: ImageList, seed: int = 0) -> list[str]:
    """Assign each image to "train", "validation" or "test".

    Raises:
        RecallkitError: if there are too few classes, or a split of the source's own is empty.
    """
    if images.parts:
        return _own_parts(images, seed)
    sizes = images.sizes()
    if len(sizes) < FEWEST_CLASSES:
        raise RecallkitError(_too_few(images, len(sizes)))
    part_of = split_classes(sizes, seed)
    return [part_of[name] for name in images.classes]


def _own_parts(images: ImageList, seed: int) -> list[str]:
    """Keep the splits of the source; without validation classes some of train are taken."""
    for part in ("train", "test"):
        if part not in images.parts:
            raise RecallkitError(
                f"{images.source} has no {part} images: a split of your own needs train and test"
            )
    if "validation" in images.parts:
        return list(images.parts)
    sizes = images.sizes("train")
    if len(sizes) < FEWEST_TO_TRAIN:
        raise RecallkitError(
            f"the train images of {images.source} must be of at least {FEWEST_TO_TRAIN} classes, "
            f"not {len(sizes)}: one of them validates. Or add validation images of your own."
        )
    held_out = hold_out_validation(sizes, seed)
    return [
        "validation" if part == "train" and name in held_out else part
        for name, part in zip(images.classes, images.parts, strict=True)
    ]


def _too_few(images: ImageList, count: int) -> str:
    """Say that there are too few classes to train, and which folder was perhaps meant."""
    inner = _fullest_folder(images.source) if images.source.is_dir() else None
    hint = "" if inner is None else f" {inner} holds more: give that one."
    return (
        f"{images.source} must hold at least {FEWEST_CLASSES} classes, each a sub-folder with "
        f"images; it has {count}, {text_of_left_out(images.left_out)}. Classes are split into "
        f"train, validation and test.{hint}"
    )


def _fullest_folder(root: Path) -> Path | None:
    """Find the sub-folder that holds the most classes, if any holds several."""
    counts = {path: inner_classes(path, FEWEST_CLASSES) for path in root.iterdir() if path.is_dir()}
    fullest = max(counts, key=lambda path: counts[path], default=None)
    return fullest if fullest is not None and counts[fullest] > 1 else None


def _check_pairs(images: ImageList, parts: Sequence[str]) -> None:
    for part in PARTS:
        chosen = [name for name, own in zip(images.classes, parts, strict=True) if own == part]
        if len(chosen) == len(set(chosen)):
            raise RecallkitError(f"{images.source}: no class of the {part} split has two images")


def read_splits(
    images: ImageList,
    parts: Sequence[str],
    side: int,
    reading: Reading,
    notes: Sequence[str] = (),
) -> Splits:
    """Read the images of each part.

    Args:
        images: what is there.
        parts: "train", "validation" or "test" for each image, or "" for one that is not read.
        side: images are fitted into squares of this size (pixels).
        reading: see :func:`load_folder`.
        notes: more sentences for ``Splits.notes``.

    Raises:
        RecallkitError: if images cannot be read (all of them are named).
    """
    places = {part: [i for i, own in enumerate(parts) if own == part] for part in PARTS}
    order = [i for part in PARTS for i in places[part]]  # so that each part is a view of the whole
    read, kept = read_images([images.paths[i] for i in order], side, reading)
    chosen = [order[i] for i in kept]
    sets = {}
    for part in PARTS:
        of_part = [i for i, place in enumerate(chosen) if parts[place] == part]
        rows = slice(of_part[0], of_part[-1] + 1) if of_part else slice(0)
        sets[part] = _image_set(images, chosen[rows], read[rows], part)
    bad = len(order) - len(chosen)
    return Splits(
        **sets,
        source=str(images.source),
        left_out=(*images.left_out, *([f"{bad:,} that cannot be read"] if bad else [])),
        notes=(*images.notes, *notes),
    )


def classes_of(images: ImageList, parts: Sequence[str], part: str) -> set[str]:
    """Gather the classes of the images that ``parts`` assigns to ``part``."""
    return {name for name, own in zip(images.classes, parts, strict=True) if own == part}


def note_on_known(tested: Set[str], trained: Set[str]) -> list[str]:
    """Say whether classes that are tested have trained: a sentence, or none."""
    count = len(tested & trained)
    if not count:
        return []
    return [
        f"{count:,} of {len(tested):,} test classes are training classes, too: for them the test "
        f"is of new images of known classes, not of unseen classes"
    ]


def _image_set(images: ImageList, places: list[int], pixels: Images, part: str) -> ImageSet:
    numbers = {name: number for number, name in enumerate(sorted(set(images.classes)))}
    labels = [numbers[images.classes[i]] for i in places]
    queries = [images.queries[i] for i in places] if images.queries and part == "test" else []
    return ImageSet(
        images=pixels,
        labels=torch.tensor(labels, dtype=torch.int64),
        class_names={numbers[name]: name for name in sorted({images.classes[i] for i in places})},
        sources=tuple(images.names[i] for i in places),
        protocol=_protocol(torch.tensor(queries)),
        groups=_groups([images.groups[i] for i in places]) if images.groups else None,
    )


def _protocol(queries: Tensor) -> Protocol:
    """Search the other images for queries; all among all if every image is a query, or none."""
    if not len(queries) or queries.all() or not queries.any():
        return Protocol()
    return Protocol(searches={"": (queries.nonzero()[:, 0], (~queries).nonzero()[:, 0])})


def _groups(names: list[str]) -> Tensor:
    """Number the groups; an image without one is a group of its own."""
    numbers: dict[object, int] = {}
    keys = [name or i for i, name in enumerate(names)]
    return torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys], dtype=torch.int64)
