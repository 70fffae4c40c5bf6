"""One name for what is loaded: a trained run from its folder, or a data set by its name."""

from pathlib import Path
from typing import Any

from recallkit.data import LOADERS
from recallkit.data import load as load_data_set
from recallkit.data.prefetch import Reading
from recallkit.files import expanded
from recallkit.gallery.run import load_trained_run

__all__ = ["load"]


def load(
    what: str | Path,
    image_size: int = 32,
    root: str = "",
    reading: Reading | None = None,
    *,
    device: str = "auto",
) -> Any:
    """Load a trained run from its folder, or a data set by its name.

    A folder that holds ``config.json`` is a run, unless an embedded data set has its name::

        run = recallkit.load("runs/mine")
        run.embed("photos")                      # (N, D) unit vectors
        run.search("new.jpg", "photos").table()  # the nearest, with paths and similarities

        splits = recallkit.load("emoji")         # .train, .validation and .test

    Args:
        what: the folder of a finished run; or what :func:`recallkit.data.load` takes: the name of
            a data set, or a folder of images.
        image_size: of a data set; see :func:`recallkit.data.load`.
        root: of a data set, likewise.
        reading: of a data set, likewise.
        device: of a run: where its network goes. "auto" takes a GPU if there is one.

    Returns:
        :class:`.TrainedRun` or :class:`.Splits`.

    Raises:
        ValueError: if there is no such run, data set or folder; an argument that is for the other.
        RecallkitError: if a run is not finished, or files are missing or damaged.
    """
    folder = expanded(what)
    if str(what) in LOADERS or not (folder / "config.json").is_file():
        if device != "auto":
            raise ValueError(f"device is for a run, and {what} is none: it has no config.json")
        return load_data_set(str(what), image_size, root, reading)
    if (image_size, root, reading) != (32, "", None):
        raise ValueError(f"image_size, root and reading are for data sets, and {what} is a run")
    return load_trained_run(folder, device)
