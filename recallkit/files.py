"""Files: written whole or not at all, JSON, and where data, results and caches lie."""

import errno
import json
import os
import secrets
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recallkit.errors import RecallkitError

__all__ = [
    "as_argument",
    "cache_folder",
    "cannot_write",
    "checkout",
    "embedded",
    "encoding_of",
    "expanded",
    "file_name",
    "finished_files",
    "flush_to_disk",
    "read_json",
    "read_json_object",
    "remove_unfinished",
    "results_folder",
    "write_atomically",
    "write_json",
]

PACKAGE = Path(__file__).resolve().parent

_LONGEST = 100  # bytes of a name that we make: systems allow 255, and a time or suffix follows
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{p}{i}" for p in ("COM", "LPT") for i in range(10))}

_UNFINISHED = ".unfinished-"  # begins the name of a file that is being written


def write_atomically(
    path: Path, write: Callable[[Path], object], previous: Path | None = None
) -> None:
    """Let ``write`` make a file, and put it at ``path`` once it is whole and on the disk.

    Readers see the old file or the new one, never a part of it. The folder is made if need be.

    Args:
        path: of the file.
        write: writes to the path that it is given: a temporary one in the same folder, with the
            same suffix.
        previous: where the file that was at ``path`` is moved first. None: it is replaced.

    Raises:
        RecallkitError: if the disk is full or the folder cannot be written; ``path`` is as before.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_beside(path)
        write(temporary)
        flush_to_disk(temporary)
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


def _temporary_beside(path: Path) -> Path:
    name = f"{_UNFINISHED}{path.name}-{secrets.token_hex(4)}{path.suffix}"
    temporary = path.with_name(name)
    temporary.touch(exist_ok=False)  # with the permissions that the user gives to new files
    return temporary


def finished_files(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a pattern in alphabetical order, without those that are being written.

    For folders that :func:`write_atomically` writes into: what it has begun has the same suffix.
    """
    return sorted(p for p in folder.glob(pattern) if not p.name.startswith(_UNFINISHED))


def remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left in ``folder``.

    Only for a folder that no other process writes to: its unfinished files would go too.
    """
    for path in folder.glob(f"{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def expanded(path: str | Path) -> Path:
    """Put the home folder in the place of a leading "~".

    "~name" is the home of that user or, where there is none, the name of a file, such as "~1.jpg".
    """
    return Path(os.path.expanduser(path))  # Path.expanduser raises where there is no such user


def as_argument(path: str | Path) -> str:
    """Write a path as it is typed in a command: in quotes if it holds blanks or the like."""
    text = str(path)
    return shlex.quote(text) if os.name == "posix" else subprocess.list2cmdline([text])


def file_name(text: str) -> str:
    """Return ``text`` as a file's name that every system allows, Windows included.

    What is not allowed becomes "-": separators, ``< > : " | ? *``, and characters that cannot be
    printed. Names of devices (``CON``, ``nul.txt``) get "_" in front. Long names are cut, blanks
    and dots at the ends are left out, and of nothing "unnamed" is made.
    """
    kept = "".join("-" if c in '<>:"/\\|?*' or not c.isprintable() else c for c in text)
    kept = kept.encode()[:_LONGEST].decode(errors="ignore").strip(" .") or "unnamed"
    return f"_{kept}" if kept.partition(".")[0].strip().upper() in _RESERVED else kept


def cannot_write(path: Path, error: OSError) -> RecallkitError:
    """Describe why ``path`` could not be written, and what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "Free some space, or choose another folder." if full else "Choose another folder."
    return RecallkitError(f"cannot write {path}: {error.strerror or error}. {remedy}")


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    access = os.O_RDONLY if path.is_dir() else os.O_RDWR  # Windows flushes no other handle
    handle = os.open(path, access)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file: UTF-16 if it says so, else UTF-8, marked or not."""
    with path.open("rb") as file:
        mark = file.read(2)
    return "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically.

    Raises:
        RecallkitError: if it cannot be written.
    """
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
    except (OSError, ValueError, RecursionError) as error:
        raise RecallkitError(f"{path} cannot be read as JSON: {error}") from error


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON object, as the files of a run are.

    Raises:
        RecallkitError: as :func:`read_json`, or if the file holds another value.
    """
    value = read_json(path)
    if not isinstance(value, dict):
        raise RecallkitError(f"{path} is damaged: it must hold a JSON object, and does not")
    return value


def checkout() -> Path | None:
    """Return the checkout that this package is part of; None if it was installed from a wheel."""
    root = PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() else None


def embedded(name: str) -> Path:
    """Return the folder of what comes with recallkit, to be read and not to be written.

    In a checkout that is ``data/NAME`` or ``notebooks``, in an installed package
    ``recallkit/embedded/NAME``.

    Args:
        name: "emoji", "glyphs", "paper", "results" or "notebooks".

    Raises:
        RecallkitError: if it is missing.
    """
    root = checkout()
    if root is None:
        folder = PACKAGE / "embedded" / name
    else:
        folder = root / name if name == "notebooks" else root / "data" / name
    if folder.is_dir():
        return folder
    remedy = "Install recallkit" if root is None else "Check out the repository"
    raise RecallkitError(
        f"the folder {name!r} that comes with recallkit is missing: there is no {folder}. "
        f"{remedy} again."
    )


def results_folder() -> Path:
    """Return the folder of the user's own results.

    It is what ``RECALLKIT_RESULTS`` names, by default ``results`` in the working directory. The
    results that come with the project lie in ``embedded("results")`` and are only read.
    """
    return expanded(os.environ.get("RECALLKIT_RESULTS") or "results")


def cache_folder() -> Path:
    """Return the folder for files that can be made again; it may be deleted at any time.

    ``$RECALLKIT_CACHE`` if set, else ``$XDG_CACHE_HOME/recallkit`` or ``~/.cache/recallkit``.
    """
    if folder := os.environ.get("RECALLKIT_CACHE"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "recallkit"
