"""One process a run folder: a lock that the system releases when its process ends, however."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from recallkit.errors import RecallkitError
from recallkit.files import cannot_write

LOCK = ".lock"


def new_folder(parent: Path, name: str) -> Path:
    """Make a folder below ``parent`` that was not there; of two processes each gets its own.

    Args:
        parent: made if need be.
        name: of the folder; "-2", "-3", … is added where it is taken.

    Raises:
        RecallkitError: if it cannot be made.
    """
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise cannot_write(folder, error) from error
        else:
            return folder


def check_unclaimed(folder: Path) -> None:
    """Refuse a run folder in which another process trains now. Nothing is written.

    Raises:
        RecallkitError: if one does. Where the lock may not be opened, none is assumed.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    if not (folder / LOCK).exists():
        return
    try:
        lock.acquire()
    except Timeout:
        raise _taken(folder) from None
    except OSError:
        return
    lock.release()


def _taken(folder: Path, otherwise: str = "") -> RecallkitError:
    return RecallkitError(
        f"another process trains the run in {folder} now. Wait for its end{otherwise}."
    )


@contextmanager
def claimed(folder: Path, resume: bool = False) -> Iterator[None]:
    """Keep a run folder to this process. It is made if need be, and removed if nothing is in it.

    The claim is a lock of the operating system on the file ``.lock``. It ends with the process,
    also when that is killed, so no run is ever locked by one that is gone.

    Args:
        folder: of the run.
        resume: whether the run is continued, for which no other folder will do.

    Raises:
        RecallkitError: if another process has it, or it cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise _taken(folder, "" if resume else ", or choose another --out") from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes it at the release
            (folder / LOCK).unlink()
        lock.release()
        with suppress(OSError):  # it holds a run
            folder.rmdir()
