"""The data sets, each in its own module; ``load`` by name."""

from collections.abc import Callable
from pathlib import Path

from recallkit.data.benchmarks import BENCHMARKS, load_benchmark
from recallkit.data.emoji import load_emoji
from recallkit.data.folder import load_folder
from recallkit.data.glyphs import FILE as GLYPHS_FILE
from recallkit.data.glyphs import load_distorted_glyphs, load_glyphs
from recallkit.data.image_set import ImageSet, Splits
from recallkit.data.prefetch import Reading

LOADERS: dict[str, Callable[[], Splits]] = {
    "emoji": load_emoji,
    "glyphs": load_glyphs,
    "glyphs-distorted": load_distorted_glyphs,
}


__all__ = ["LOADERS", "ImageSet", "Splits", "load"]


def load(name: str, image_size: int = 32, root: str = "", reading: Reading | None = None) -> Splits:
    """The data set called ``name``, or the folder of that path with one sub-folder a class.

    A folder may also be one that ``recallkit prepare glyphs --fonts`` wrote.

    Args:
        name: of an embedded data set, of a benchmark (see ``BENCHMARKS``), or of a folder.
        image_size: side of the square that a network will see; pictures of a folder are kept in
            squares at least as large.
        root: the folder that holds a benchmark.
        reading: how pictures in files are read; see :func:`.load_folder`.

    Raises:
        ValueError: if there is neither.
        RecallkitError: if its files are missing or damaged.
    """
    if name in LOADERS:
        return LOADERS[name]()
    if name in BENCHMARKS:
        if not root:
            raise ValueError(
                f"root must name the folder that holds {name}: add --root DIR. What must lie there "
                f"says: recallkit prepare {name} --root DIR"
            )
        return load_benchmark(name, Path(root).expanduser(), image_size, reading=reading)
    folder = Path(name).expanduser()
    if not folder.is_dir():
        known = ", ".join([*sorted(LOADERS), *BENCHMARKS])
        raise ValueError(f"there is no data set or folder {name!r}; known data sets are: {known}")
    if (folder / GLYPHS_FILE).is_file():  # made by `recallkit prepare glyphs --fonts`
        return load_glyphs(folder)
    # In memory pictures are kept a little larger, to be turned and scaled with less loss.
    side = image_size if reading is not None and reading.workers else max(64, image_size)
    return load_folder(folder, side, reading=reading)
