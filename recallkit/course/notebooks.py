"""The notebooks of the course: found by name, executed by one command, and stored."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from recallkit.course.stored_form import KERNEL, code_cells, failure, normalise, write_thumbnail
from recallkit.errors import RecallkitError
from recallkit.files import embedded, write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_SECONDS = 1800  # a cell that takes longer hangs


def find_notebooks(names: Sequence[str] = (), folder: Path | None = None) -> list[Path]:
    """Find the notebooks called ``names``, in the order of the course; without names, all of them.

    Args:
        names: the beginning of a notebook's file name ("06"), its whole name, or a path.
        folder: the folder to search. None: the notebooks that come with recallkit.

    Raises:
        RecallkitError: if a name fits no notebook.
    """
    folder = embedded("notebooks") if folder is None else folder
    known = sorted(folder.glob("[0-9]*.ipynb"))
    chosen = {path for name in names for path in _called(name, known)}
    return sorted(chosen, key=lambda path: path.name) if names else known


def _called(name: str, known: Sequence[Path]) -> list[Path]:
    if name.endswith(".ipynb") and Path(name).is_file():
        return [Path(name).resolve()]
    paths = [path for path in known if path.name.startswith(name)]
    if not paths:
        stems = ", ".join(path.stem for path in known)
        raise RecallkitError(f"there is no notebook {name!r}; the notebooks are: {stems}")
    return paths


def execute_notebooks(paths: Sequence[Path], *, progress: bool = True) -> None:
    """Execute notebooks and write them back, with a small image of each in ``figures/NAME.png``.

    Each runs in its own folder and in a fresh kernel, with the profile of this process. A notebook
    is written only when all its cells ran.

    Args:
        paths: of the notebooks.
        progress: show a bar that counts cells.

    Raises:
        RecallkitError: at the first cell that fails, warns, or shows a path of this machine. That
            notebook stays as it was.
    """
    notebooks = [(path, _read(path)) for path in paths]
    cells = sum(len(code_cells(notebook)) for _, notebook in notebooks)
    with tqdm(total=cells, unit="cell", disable=not progress) as bar:
        for path, notebook in notebooks:
            bar.set_description(path.stem)
            _execute(notebook, path, bar.update)
            normalise(notebook, path)
            _write(notebook, path)
            write_thumbnail(notebook, path.parent / "figures" / f"{path.stem}.png")


def renew_notebooks(paths: Sequence[Path]) -> None:
    """Write notebooks in their stored form, with the present modules of explorables; run nothing.

    Args:
        paths: of executed notebooks.

    Raises:
        RecallkitError: if one cannot be read, or shows a warning or a path of this machine.
    """
    for path in paths:
        notebook = _read(path)
        normalise(notebook, path)
        _write(notebook, path)


def _execute(notebook: "NotebookNode", path: Path, count: Callable[[], object]) -> None:
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name=KERNEL["name"],
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],
    )
    first_shown: dict[str, dict] = {}
    with _quiet_when_interrupted(), client.setup_kernel(env=_kernel_environment()):
        for number, cell in enumerate(code_cells(notebook), start=1):
            try:
                client.execute_cell(cell, notebook.cells.index(cell))
            except CellExecutionError as error:
                raise failure(path, number, f"{error.ename}: {error.evalue}") from None
            except (CellTimeoutError, DeadKernelError) as error:
                raise failure(path, number, str(error).splitlines()[0]) from None
            for name, state in client.widget_state.items():
                first_shown.setdefault(name, deepcopy(state))
            count()
    client.widget_state = first_shown  # later cells may move a figure, and give an answer away
    client.set_widgets_metadata()


@contextmanager
def _quiet_when_interrupted() -> Iterator[None]:
    """Silence asyncio after Ctrl-C: at exit it would report that the kernel of a cell is gone."""
    try:
        yield
    except KeyboardInterrupt:
        logging.getLogger("asyncio").disabled = True
        raise


def _kernel_environment() -> dict[str, str]:
    """The environment of this process, without its choice of a place for figures."""
    return {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}


def _read(path: Path) -> "NotebookNode":
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise RecallkitError(f"{path} cannot be read as a notebook: {error}") from error


def _write(notebook: "NotebookNode", path: Path) -> None:
    import nbformat

    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
