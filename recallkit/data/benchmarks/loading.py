"""A benchmark as the splits that a training takes."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from recallkit.data.benchmarks.checks import checked_lists
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
    """A benchmark with classes, its images decoded when they are asked for.

    Args:
        name: of ``BENCHMARKS``.
        root: the folder that holds it.
        image_size: side of the square that a network will see, in pixels. Training images are the
            middle squares of the photographs, 8/7 as large (256 for 224), to be cropped at random;
            the others are the middle 7/8 of those, as the paper tests.
        held_out: which share of the training classes, at least two of them, is for validation and
            not trained on. The paper trains on all, and chooses its epoch on the test set.
        reading: by how many workers images are decoded, and what of those that cannot be.

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
    contents = checked_lists(BENCHMARKS[name], root)
    if not isinstance(contents, Lists):
        raise ValueError(f"{name} has no training classes: it is only searched, never trained on")
    reading = Reading() if reading is None else reading
    train = _image_set(contents.train, root, round(image_size * 8 / 7), 0.0, 0, reading)
    seen = replace(train, images=replace(train.images, side=image_size, margin=MARGIN))
    validation_classes = _drawn(train.labels, held_out)
    kept = train.labels.unique()[~torch.isin(train.labels.unique(), validation_classes)]
    return Splits(
        train=train.of_classes(kept),
        validation=seen.of_classes(validation_classes),
        test=_test_set(
            contents, BENCHMARKS[name], root, image_size, len(train.class_names), reading
        ),
    )


def _drawn(labels: Tensor, share: float) -> Tensor:
    """Some of the classes, at random but always the same."""
    classes = labels.unique()
    count = max(2, round(share * len(classes)))
    if len(classes) < count + 2:
        raise RecallkitError(f"there are too few training classes to hold out two: {len(classes)}")
    generator = torch.Generator().manual_seed(_SPLIT_SEED)
    return classes[torch.randperm(len(classes), generator=generator)[:count]]


def _image_set(
    part: Listing, root: Path, side: int, margin: float, first_label: int, reading: Reading
) -> ImageSet:
    names = {name: first_label + i for i, name in enumerate(dict.fromkeys(part.classes))}
    return ImageSet(
        images=ImageFiles(
            [root / path for path in part.paths], side, margin=margin, reading=reading
        ),
        labels=torch.tensor([names[name] for name in part.classes]),
        class_names={label: name for name, label in names.items()},
        sources=part.paths,
    )


def _test_set(
    contents: Lists,
    benchmark: Benchmark,
    root: Path,
    side: int,
    first_label: int,
    reading: Reading,
) -> ImageSet:
    """All images of all tests, each once, and the searches among them."""
    listings = [part for name, part in contents.parts().items() if name != "train"]
    shown = {
        path: name for part in listings for path, name in zip(part.paths, part.classes, strict=True)
    }
    place = {path: i for i, path in enumerate(shown)}
    union = Listing(listings[0].file, tuple(shown), tuple(shown.values()), range(len(shown)))
    images = _image_set(union, root, side, MARGIN, first_label, reading)

    def places(part: Listing | None) -> Tensor | None:
        return None if part is None else torch.tensor([place[path] for path in part.paths])

    searches = {
        name: (places(test.queries), places(test.gallery)) for name, test in contents.tests.items()
    }
    everything_once = len(listings) == 1
    return replace(images, protocol=Protocol(benchmark.ks, {} if everything_once else searches))


def load_landmarks(
    name: str, root: Path, side: int
) -> tuple[ImageFiles, ImageFiles, tuple[dict[str, list[int]], ...]]:
    """Queries (cropped to their boxes), gallery and judgements of "roxford5k" or "rparis6k".

    Raises:
        ValueError: another name.
        RecallkitError: naming all that is wrong with the files.
    """
    if name not in LANDMARKS:
        raise ValueError(f"name must be one of {', '.join(LANDMARKS)}, not {name!r}")
    contents = checked_lists(BENCHMARKS[name], root)
    queries, gallery = (
        [root / path for path in part.paths] for part in (contents.queries, contents.images)
    )
    return (
        ImageFiles(queries, side, boxes=contents.boxes),
        ImageFiles(gallery, side),
        contents.judgements,
    )
