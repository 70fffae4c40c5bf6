"""The user's own images: a folder with one sub-folder for each class."""

import unicodedata
from pathlib import Path

import torch
from tqdm import tqdm

from recallkit.data.image_files import ImageFiles, list_images, read_image
from recallkit.data.image_set import ImageSet, Splits
from recallkit.data.prefetch import Reading
from recallkit.errors import RecallkitError

FEWEST_CLASSES = 6  # three for test; of the other three, two for training and one for validation


def load_folder(
    root: Path, side: int = 64, seed: int = 0, reading: Reading | None = None
) -> Splits:
    """Load ``root/CLASS/IMAGE`` and split it by class.

    Half of the classes are for test; of the other half a seventh, at least one, for validation. The
    split depends on the names of the classes and ``seed`` alone.

    Args:
        root: a folder with a sub-folder for each class; a sub-folder without images is left out.
        side: images are fitted into squares of this size (pixels).
        seed: of the split.
        reading: how image files are read. Without workers all are decoded now and kept in memory;
            with workers they stay on the disk, and are decoded for each batch. Those that are
            skipped are named in its ``bad``. None: in memory, and a bad one is an error.

    Raises:
        RecallkitError: if the folder is missing or holds too few classes, if no class of a split
            has two images, or if images cannot be read (all of them are named).
    """
    classes = _classes(root)
    files = [(path, label) for label, name in enumerate(classes) for path in classes[name]]
    reading = Reading() if reading is None else reading
    if reading.workers:
        images = ImageFiles([path for path, _ in files], side, "contain", reading=reading)
    else:
        read = _read_all([path for path, _ in files], side, reading)
        files = [file for file, image in zip(files, read, strict=True) if image is not None]
        images = torch.stack([image for image in read if image is not None])
    whole = ImageSet(
        images=images,
        labels=torch.tensor([label for _, label in files]),
        class_names=dict(enumerate(classes)),
        sources=tuple(path.name for path, _ in files),
    )
    return _split(whole, root, seed)


def _classes(root: Path) -> dict[str, list[Path]]:
    if not root.is_dir():
        raise RecallkitError(f"there is no folder {root}")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    classes = {path.name: images for path in folders if (images := list_images(path))}
    _check_distinct(root, list(classes))
    if len(classes) < FEWEST_CLASSES:
        raise RecallkitError(
            f"{root} must hold at least {FEWEST_CLASSES} sub-folders with images, one for each "
            f"class; it has {len(classes)}. Classes are split into train, validation and test."
        )
    return classes


def _check_distinct(root: Path, names: list[str]) -> None:
    """Check that no two folders are one class in two spellings."""
    spelt: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFKC", name).casefold().strip()
        if (other := spelt.setdefault(key, name)) != name:
            raise RecallkitError(
                f"{root} has duplicate classes: {other!r} and {name!r} differ in spelling only. "
                f"Put their images into one folder, or rename one of them."
            )


def _read_all(paths: list[Path], side: int, reading: Reading) -> list[torch.Tensor | None]:
    images: list[torch.Tensor | None] = []
    problems: list[str] = []
    for path in tqdm(paths, desc="reading images", delay=2, leave=False):
        try:
            images.append(read_image(path, side))
        except RecallkitError as error:
            images.append(None)
            problems.append(str(error))
    if problems and reading.on_bad_image == "raise":
        shown = "\n  ".join(problems[:10])
        raise RecallkitError(
            f"{len(problems)} of {len(paths)} images cannot be read. Repair or delete them, or add "
            f"--on-bad-image skip:\n  {shown}"
        )
    reading.note(problems)
    return images


def _split(images: ImageSet, root: Path, seed: int) -> Splits:
    classes = images.labels.unique()
    shuffled = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(seed))]
    test, rest = shuffled[: len(classes) // 2], shuffled[len(classes) // 2 :]
    validation, train = rest[: max(1, len(rest) // 7)], rest[max(1, len(rest) // 7) :]
    splits = Splits(*(images.of_classes(chosen) for chosen in (train, validation, test)))
    for name, split in vars(splits).items():
        if split.labels.bincount().max() < 2:
            raise RecallkitError(f"{root}: no class of the {name} split has two images")
    return splits
