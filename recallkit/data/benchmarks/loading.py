"""The splits of a training, from a benchmark on the disk."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from recallkit.data.benchmarks.checks import checked_lists
from recallkit.data.benchmarks.landmarks import Landmarks
from recallkit.data.benchmarks.list_files import Listing, Lists
from recallkit.data.benchmarks.registry import BENCHMARKS, Benchmark
from recallkit.data.image_files import ImageFiles
from recallkit.data.image_set import ImageSet, Protocol, Splits
from recallkit.data.prefetch import Reading
from recallkit.errors import RecallkitError

MARGIN = 1 / 16  # left out at the test: 16 of 256 pixels on each edge
HELD_OUT = 0.02  # of the training classes: enough to see a training go wrong, little to lose
LANDMARKS = ("roxford5k", "rparis6k")  # searched, never trained on

_SPLIT_SEED = 0


def load_benchmark(
    name: str,
    root: Path,
    image_size: int = 224,
    held_out: float = HELD_OUT,
    reading: Reading | None = None,
) -> Splits:
    """Load a benchmark with classes; its images are decoded when they are asked for.

    Args:
        name: a key of ``BENCHMARKS``.
        root: the folder that holds it.
        image_size: side of the square that a network will see, in pixels. Training images are the
            middle squares of the photographs, 8/7 as large (256 for 224), to be cropped at random.
            Validation and test images are the middle 7/8 of those, as the paper tests.
        held_out: share of the training classes, at least two of them, that is not trained on but
            kept for validation. Default 0.02. The paper trains on all classes, and chooses its
            epoch on the test set.
        reading: how image files are read; see :class:`.Reading`.

    Returns:
        Train, validation and test, which share no class; test with the benchmark's protocol.

    Raises:
        ValueError: an unknown name, one without training classes, or a share not between 0 and 1.
        RecallkitError: naming all that is wrong with the files, before any image is opened.
    """
    if name not in BENCHMARKS:
        raise ValueError(f"name must be one of {', '.join(BENCHMARKS)}, not {name!r}")
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must be a share between 0 and 1, not {held_out}")
    lists = checked_lists(BENCHMARKS[name], root)
    if not isinstance(lists, Lists):
        raise ValueError(f"{name} has no training classes: it is only searched, never trained on")
    reading = Reading() if reading is None else reading
    train = _image_set(lists.train, root, round(image_size * 8 / 7), 0.0, 0, reading)
    assert isinstance(train.images, ImageFiles)
    as_tested = replace(train, images=replace(train.images, side=image_size, margin=MARGIN))
    validation_classes = _draw_classes(train.labels, held_out)
    kept = train.labels.unique()[~torch.isin(train.labels.unique(), validation_classes)]
    return Splits(
        train=train.of_classes(kept),
        validation=as_tested.of_classes(validation_classes),
        test=_test_set(lists, BENCHMARKS[name], root, image_size, len(train.class_names), reading),
    )


def _draw_classes(labels: Tensor, share: float) -> Tensor:
    """Draw some of the classes, always the same."""
    classes = labels.unique()
    count = max(2, round(share * len(classes)))
    if len(classes) < count + 2:
        raise RecallkitError(f"there are too few training classes to hold out two: {len(classes)}")
    generator = torch.Generator().manual_seed(_SPLIT_SEED)
    return classes[torch.randperm(len(classes), generator=generator)[:count]]


def _image_set(
    listing: Listing, root: Path, side: int, margin: float, first_label: int, reading: Reading
) -> ImageSet:
    names = {name: first_label + i for i, name in enumerate(dict.fromkeys(listing.classes))}
    paths = [root / path for path in listing.paths]
    return ImageSet(
        images=ImageFiles(paths, side, margin=margin, reading=reading),
        labels=torch.tensor([names[name] for name in listing.classes]),
        class_names={label: name for name, label in names.items()},
        sources=listing.paths,
    )


def _test_set(
    lists: Lists,
    benchmark: Benchmark,
    root: Path,
    side: int,
    first_label: int,
    reading: Reading,
) -> ImageSet:
    """Gather the images of all searches, each once, and describe the searches among them."""
    listings = [listing for name, listing in lists.listings().items() if name != "train"]
    shown = {  # path → class
        path: name for one in listings for path, name in zip(one.paths, one.classes, strict=True)
    }
    place = {path: i for i, path in enumerate(shown)}
    union = Listing(listings[0].file, tuple(shown), tuple(shown.values()), range(len(shown)))
    images = _image_set(union, root, side, MARGIN, first_label, reading)

    def places(listing: Listing) -> Tensor:
        return torch.tensor([place[path] for path in listing.paths])

    searches = {
        name: (places(one.queries), None if one.gallery is None else places(one.gallery))
        for name, one in lists.searches.items()
    }
    one_for_all = len(listings) == 1  # all images searched with all: what an empty protocol means
    return replace(images, protocol=Protocol(benchmark.ks, {} if one_for_all else searches))


def load_landmarks(
    name: str, root: Path, side: int
) -> tuple[ImageFiles, ImageFiles, tuple[dict[str, list[int]], ...]]:
    """Load queries (cropped to their boxes), gallery and judgements of a set of landmarks.

    Args:
        name: "roxford5k" or "rparis6k".
        root: the folder that holds it.
        side: of the squares that images become, in pixels.

    Raises:
        ValueError: another name.
        RecallkitError: naming all that is wrong with the files.
    """
    if name not in LANDMARKS:
        raise ValueError(f"name must be one of {', '.join(LANDMARKS)}, not {name!r}")
    landmarks = checked_lists(BENCHMARKS[name], root)
    assert isinstance(landmarks, Landmarks)
    queries, gallery = (
        [root / path for path in listing.paths] for listing in (landmarks.queries, landmarks.images)
    )
    return (
        ImageFiles(queries, side, boxes=landmarks.boxes),
        ImageFiles(gallery, side),
        landmarks.judgements,
    )
