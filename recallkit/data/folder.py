"""A folder of one's own: one sub-folder a class."""

import unicodedata
from pathlib import Path

import torch
from tqdm import tqdm

from recallkit.data.image_files import ImageFiles, list_images, read_image
from recallkit.data.image_set import ImageSet, Splits
from recallkit.data.prefetch import Reading
from recallkit.errors import RecallkitError

FEWEST_CLASSES = 6  # three to test; of the other three, two to train and one to validate


def load_folder(
    root: Path, side: int = 64, seed: int = 0, reading: Reading | None = None
) -> Splits:
    """Load ``root/CLASS/IMAGE`` and split it by class.

    Half of the classes are for test; of the other half a seventh, at least one, for validation. The
    split depends on the names of the classes and ``seed`` alone.

    Args:
        root: a folder with a sub-folder for each class; one without pictures is left out.
        side: images are fitted into squares of this size (pixels).
        seed: of the split.
        reading: how pictures are read. Without workers all are decoded now and kept in memory;
            with workers they stay on the disk, and are decoded for each batch. Those that are
            skipped are named in its ``bad``. None: in memory, and a bad one is an error.

    Raises:
        RecallkitError: if the folder is missing, holds too few classes, no class of a part has two
            images, or a picture cannot be read (all such are named).
    """
    classes = _classes(root)
    files = [(path, label) for label, name in enumerate(classes) for path in classes[name]]
    reading = Reading() if reading is None else reading
    if reading.workers:
        paths = [path for path, _ in files]
        pictures = ImageFiles(paths, side, "contain", reading=reading)
    else:
        read = _read_all([path for path, _ in files], side, reading)
        files = [file for file, picture in zip(files, read, strict=True) if picture is not None]
        pictures = torch.stack([picture for picture in read if picture is not None])
    images = ImageSet(
        images=pictures,
        labels=torch.tensor([label for _, label in files]),
        class_names=dict(enumerate(classes)),
        sources=tuple(path.name for path, _ in files),
    )
    return _split(images, root, seed)


def _classes(root: Path) -> dict[str, list[Path]]:
    if not root.is_dir():
        raise RecallkitError(f"there is no folder {root}")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    classes = {path.name: pictures for path in folders if (pictures := list_images(path))}
    _check_distinct(root, list(classes))
    if len(classes) < FEWEST_CLASSES:
        raise RecallkitError(
            f"{root} must hold at least {FEWEST_CLASSES} sub-folders with pictures, one for each "
            f"class; it has {len(classes)}. Classes are split into train, validation and test."
        )
    return classes


def _check_distinct(root: Path, names: list[str]) -> None:
    """No two folders may be one class in two spellings."""
    spelt: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFKC", name).casefold().strip()
        if (other := spelt.setdefault(key, name)) != name:
            raise RecallkitError(
                f"{root} has duplicate classes: {other!r} and {name!r} differ in spelling only. "
                f"Put their pictures into one folder, or rename one of them."
            )


def _read_all(paths: list[Path], side: int, reading: Reading) -> list[torch.Tensor | None]:
    images: list[torch.Tensor | None] = []
    problems: list[str] = []
    for path in tqdm(paths, desc="reading pictures", delay=2, leave=False):
        try:
            images.append(read_image(path, side))
        except RecallkitError as error:
            images.append(None)
            problems.append(str(error))
    if problems and reading.on_bad_image == "raise":
        shown = "\n  ".join(problems[:10])
        raise RecallkitError(
            f"{len(problems)} of {len(paths)} pictures are damaged. Leave them out by "
            f"--on-bad-image skip, or mend them:\n  {shown}"
        )
    reading.note(problems)
    return images


def _split(images: ImageSet, root: Path, seed: int) -> Splits:
    classes = images.labels.unique()
    shuffled = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(seed))]
    test, rest = shuffled[: len(classes) // 2], shuffled[len(classes) // 2 :]
    validation, train = rest[: max(1, len(rest) // 7)], rest[max(1, len(rest) // 7) :]
    splits = Splits(*(images.of_classes(part) for part in (train, validation, test)))
    for name in ("train", "validation", "test"):
        if getattr(splits, name).labels.bincount().max() < 2:
            raise RecallkitError(f"{root}: no class of the {name} part has two pictures")
    return splits
