"""Where the embedded data lies, where caches go, and how a file is replaced whole."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recallkit.errors import RecallkitError

_PACKAGE = Path(__file__).resolve().parents[1]


def embedded(name: str) -> Path:
    """The folder of the embedded data set ``name``: in a checkout ``data/NAME``.

    Raises:
        RecallkitError: if there is no such folder beside or inside the package.
    """
    places = [_PACKAGE.parent / "data" / name, _PACKAGE / "embedded" / name]
    for place in places:
        if place.is_dir():
            return place
    raise RecallkitError(
        f"the embedded data set {name!r} is missing: there is no folder {places[0]}. "
        f"Check the repository out again, or run `recallkit prepare {name}`."
    )


def cache_folder() -> Path:
    """A folder for files that can be made again; delete it whenever you like.

    ``$RECALLKIT_CACHE`` if set, else ``$XDG_CACHE_HOME/recallkit`` or ``~/.cache/recallkit``.
    """
    if own := os.environ.get("RECALLKIT_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recallkit"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place at the end, if all went well.

    Raises:
        RecallkitError: if it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise RecallkitError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
