"""Where the embedded data lies, where caches go, and how a file is replaced whole."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from recallkit.errors import RecallkitError


def write_atomically(
    path: Path, write: Callable[[Path], object], previous: Path | None = None
) -> None:
    """Let ``write`` make a file, and put it at ``path`` only when it is whole and on the disk.

    With ``previous``, the file that was at ``path`` is moved there first.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written; ``path`` is as before.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
        )
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        flush_to_disk(temporary)
        temporary.chmod(0o644)
        if previous is not None and path.exists():
            path.replace(previous)
        temporary.replace(path)
        if os.name == "posix":
            flush_to_disk(path.parent)  # the names
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


_WRITTEN = ("config.json", "metrics.jsonl", "diverged.json", "result.json", "state.pt")
_WRITTEN += ("best.safetensors", "weights.safetensors")


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left in a run ``folder``."""
    for name in _WRITTEN:
        for path in folder.glob(f".{name}.*"):
            path.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> RecallkitError:
    """Describe why ``path`` could not be written, and what to do."""
    return RecallkitError(
        f"cannot write {path}: {error.strerror or error}. "
        f"Free some space, or choose another folder with --out."
    )


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    access = os.O_RDONLY if path.is_dir() else os.O_RDWR  # Windows flushes no other handle
    handle = os.open(path, access)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """Read JSON.

    Raises:
        RecallkitError: if the file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecallkitError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise RecallkitError(f"{path} cannot be read as JSON: {error}") from error


_PACKAGE = Path(__file__).resolve().parents[0]


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


def results_folder() -> Path:
    """Return the folder of the user's own results.

    It is what ``RECALLKIT_RESULTS`` names, by default ``results`` in the working directory. The
    results that come with the project lie in ``embedded("results")`` and are only read.
    """
    return Path(os.environ.get("RECALLKIT_RESULTS") or "results").expanduser()


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
