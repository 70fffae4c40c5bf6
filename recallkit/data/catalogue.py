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

LOADERS: dict[str, Callable[[], Splits]] = {
    "emoji": load_emoji,
    "glyphs": load_glyphs,
    "glyphs-distorted": load_distorted_glyphs,
}


def load(name: str, image_size: int = 32, root: str = "", reading: Reading | None = None) -> Splits:
    """Load a data set: train, validation and test, which share no class.

    Args:
        name: of an embedded data set (see ``LOADERS``), of a benchmark (see ``BENCHMARKS``), or the
            path of a folder with one sub-folder for each class. The folder may also be one that
            ``recallkit prepare glyphs --fonts`` wrote.
        image_size: side of the square that a network will see, in pixels; the images of a folder
            are kept in squares at least as large.
        root: the folder that holds a benchmark.
        reading: how image files are read; see :func:`.load_folder`.

    Raises:
        ValueError: if there is no such data set or folder, or a benchmark is without ``root``.
        RecallkitError: if its files are missing or damaged.
    """
    if name in LOADERS:
        return LOADERS[name]()
    if name in BENCHMARKS:
        if not root:
            raise ValueError(
                f"root must name the folder that holds {name}: add --root DIR. "
                f"Run `recallkit prepare {name} --root DIR` to see which files it needs."
            )
        return load_benchmark(name, Path(root).expanduser(), image_size, reading=reading)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        known = [*sorted(LOADERS), *BENCHMARKS]
        hint = did_you_mean(name, known) or f"known data sets are: {', '.join(known)}"
        raise ValueError(f"there is no data set or folder {name!r}; {hint}")
    if (folder / GLYPHS_FILE).is_file():  # made by `recallkit prepare glyphs --fonts`
        return load_glyphs(folder)
    # In memory images are kept a little larger: turned and scaled, they then lose less.
    side = image_size if reading is not None and reading.workers else max(64, image_size)
    return load_folder(folder, side, reading=reading)
