"""Data sets by their names: the embedded ones, the benchmarks, and any folder of images."""

from collections.abc import Callable
from pathlib import Path

from recallkit.data.benchmarks import BENCHMARKS, load_benchmark
from recallkit.data.emoji import load_emoji
from recallkit.data.folder import load_folder
from recallkit.data.glyphs import load_distorted_glyphs, load_glyphs
from recallkit.data.glyphs.archive import FILE as GLYPHS_FILE
from recallkit.data.image_set import Splits
from recallkit.data.prefetch import Reading
from recallkit.errors import did_you_mean
from recallkit.files import expanded

LOADERS: dict[str, Callable[[], Splits]] = {
    "emoji": load_emoji,
    "glyphs": load_glyphs,
    "glyphs-distorted": load_distorted_glyphs,
}


def load(name: str, image_size: int = 32, root: str = "", reading: Reading | None = None) -> Splits:
    """Load a data set: train, validation and test.

    Args:
        name: of an embedded data set (see ``LOADERS``), of a benchmark (see ``BENCHMARKS``), or the
            path of a folder with one sub-folder for each class, or of a list file; see
            :func:`.load_folder`. The folder may also be one that ``recallkit prepare glyphs
            --fonts`` wrote.
        image_size: side of the square that a network will see, in pixels; the images of a folder
            are kept in squares at least as large.
        root: the folder that holds a benchmark.
        reading: how image files are read; see :func:`.load_folder`.

    Raises:
        ValueError: if there is no such data set or folder, or a benchmark is without ``root``, or
            another data set has one.
        RecallkitError: if its files are missing or damaged.
    """
    if name in BENCHMARKS:
        if not root:
            raise ValueError(
                f"root must name the folder that holds {name}: add --root DIR. "
                f"Run `recallkit prepare {name} --root DIR` to see which files it needs."
            )
        return load_benchmark(name, expanded(root), image_size, reading=reading)
    if root:
        raise ValueError(
            f"root names the folder of a benchmark ({', '.join(BENCHMARKS)}), and {name!r} is "
            f"none: leave out --root. A folder of your own is named by --dataset."
        )
    if name in LOADERS:
        return LOADERS[name]()
    source = own_source(name)
    if source is None:
        return load_glyphs(expanded(name))
    return load_folder(source, kept_side(image_size, reading), reading=reading)


def is_known(name: str) -> bool:
    """Tell whether this is the name of an embedded data set or of a benchmark."""
    return name in LOADERS or name in BENCHMARKS


def own_source(name: str) -> Path | None:
    """Return the folder or list file of images that ``name`` is; None for another data set.

    Raises:
        ValueError: if there is no such data set, folder or file.
    """
    if is_known(name):
        return None
    source = expanded(name)
    if not source.exists():
        known = [*sorted(LOADERS), *BENCHMARKS]
        hint = did_you_mean(name, known) or f"known data sets are: {', '.join(known)}"
        raise ValueError(f"there is no data set or folder {name!r}; {hint}")
    is_made = (source / GLYPHS_FILE).is_file()  # by `recallkit prepare glyphs --fonts`
    return None if is_made else source


def kept_side(image_size: int, reading: Reading | None) -> int:
    """Return the side of the squares in which the images of a folder are kept.

    In memory images are kept a little larger: turned and scaled, they then lose less.
    """
    return image_size if reading is not None and reading.workers else max(64, image_size)
