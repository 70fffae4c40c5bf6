"""The notebooks of the course: executed by one command, kept so that they read well unrun."""

import base64
import io
import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from recallkit.errors import RecallkitError
from recallkit.files import write_atomically

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from PIL.Image import Image


CELL_SECONDS = 1800  # a cell that takes longer hangs


WIDGET = "application/vnd.jupyter.widget-view+json"


UNRUN_WIDGET = "[Sliders: run this cell to move them. The next figure shows what they show.]"


KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


TIMES = ("execution", "ExecuteTime")  # metadata that changes at each run


MACHINE_PATH = re.compile(
    r"(?<![\w.:/<-])(?:file:/+|~/|[A-Z]:\\+|/)"
    r"(?:content|home|mnt|opt|private|root|tmp|usr|Users|var|work)[/\\]+[\w.-]+"
)


BAR = re.compile(r"\d+%\||\d+it \[")


THUMBNAIL_WIDTH, THUMBNAIL_BYTES = 320, 30_000


def course_folder() -> Path:
    """The folder of the notebooks.

    Raises:
        RecallkitError: if recallkit was installed without them.
    """
    folder = Path(__file__).resolve().parents[2] / "notebooks"
    if not folder.is_dir():
        raise RecallkitError(f"the notebooks are not installed: no {folder}. Use a checkout.")
    return folder


def find_notebooks(names: Sequence[str] = (), folder: Path | None = None) -> list[Path]:
    """The notebooks called ``names``, in the order of the course; no names: all of them.

    Args:
        names: how a notebook's file name begins ("06"), its whole name, or a path.
        folder: where to look; by default that of the course.

    Raises:
        RecallkitError: if a name fits no notebook.
    """
    folder = course_folder() if folder is None else folder
    known = sorted(folder.glob("[0-9]*.ipynb"))
    found = {path for name in names for path in _called(name, known)}
    return sorted(found, key=lambda path: path.name) if names else known


def _called(name: str, known: Sequence[Path]) -> list[Path]:
    if name.endswith(".ipynb") and Path(name).is_file():
        return [Path(name).resolve()]
    found = [path for path in known if path.name.startswith(name)]
    if not found:
        stems = ", ".join(path.stem for path in known)
        raise RecallkitError(f"there is no notebook {name!r}; the notebooks are: {stems}")
    return found


def execute_notebooks(paths: Sequence[Path], *, progress: bool = True) -> None:
    """Execute notebooks and write them back, with a small picture of each beside them.

    Each runs in its own folder and in a fresh kernel, on the profile of this process. A notebook
    is written only when it ran to its end; the picture goes to ``figures/NAME.png``.

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
    with _quiet_when_interrupted(), client.setup_kernel(env=_kernel_environment()):
        for number, cell in enumerate(code_cells(notebook), start=1):
            try:
                client.execute_cell(cell, notebook.cells.index(cell))
            except CellExecutionError as error:
                raise _failure(path, number, f"{error.ename}: {error.evalue}") from None
            except (CellTimeoutError, DeadKernelError) as error:
                raise _failure(path, number, str(error).splitlines()[0]) from None
            count()


@contextmanager
def _quiet_when_interrupted() -> Iterator[None]:
    """Let Ctrl-C have the last word: asyncio would tell at exit that the cell's kernel is gone."""
    try:
        yield
    except KeyboardInterrupt:
        logging.getLogger("asyncio").disabled = True
        raise


def _kernel_environment() -> dict[str, str]:
    """That of this process, with the kernel's own choice of where figures go."""
    return {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}


def _failure(path: Path, cell: int, what: str) -> RecallkitError:
    return RecallkitError(f"{path.name}, cell [{cell}]: {what}. The file is as it was.")


def normalise(notebook: "NotebookNode", path: Path) -> None:
    """Leave only what is the same at each run, and what shows without a kernel, in place.

    Counts run from 1, ids are the old ones, a widget becomes a line of text, pictures become
    small; times, versions, widget state and progress bars go.

    Raises:
        RecallkitError: if an output holds a warning, or a path of this machine.
    """
    notebook.nbformat_minor = 5
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    _give_ids(notebook, path.stem[:2])
    for cell in notebook.cells:
        for name in TIMES:
            cell.metadata.pop(name, None)
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
        cell.outputs = [_normal(output, count) for output in cell.outputs if not _is_bar(output)]
        if trouble := _trouble(cell):
            raise _failure(path, count, trouble)


def _give_ids(notebook: "NotebookNode", number: str) -> None:
    """Keep the ids; a cell without one, or with one that is taken, gets its place."""
    taken: set[str] = set()
    for place, cell in enumerate(notebook.cells):
        if cell.get("id", "") in {"", *taken}:
            cell.id = f"nb{number}-place-{place:02d}"
        taken.add(cell.id)


def _is_bar(output: "NotebookNode") -> bool:
    lines = output.text.splitlines() if output.get("name") == "stderr" else ["shown"]
    return all(not line.strip() or BAR.search(line) for line in lines)


def _trouble(cell: "NotebookNode") -> str:
    """What an executed cell should not show; nothing if all is well."""
    for output in cell.outputs:
        if output.get("name") == "stderr":
            return f"it writes to stderr: {output.text.strip()[:300]}"
    paths = [path.group() for text in texts_of(cell) for path in MACHINE_PATH.finditer(text)]
    return f"it shows a path of this machine, {paths[0]}" if paths else ""


def _normal(output: "NotebookNode", count: int) -> "NotebookNode":
    if "execution_count" in output:
        output.execution_count = count
    data = output.get("data", {})
    if WIDGET in data:
        output.data = {"text/plain": UNRUN_WIDGET}
        output.metadata = {}
    elif "image/png" in data:
        data["image/png"] = _small_png(data["image/png"])
        output.metadata = {}
    return output


def _small_png(encoded: str) -> str:
    """The same picture in at most 256 colours: a third of the bytes, and no library's name."""
    if _opened(encoded).mode == "P":
        return encoded
    return base64.b64encode(_png(_picture(encoded))).decode() + "\n"


def _opened(encoded: str) -> "Image":
    from PIL import Image

    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def _picture(encoded: str) -> "Image":
    """Decode, over white."""
    from PIL import Image

    picture = _opened(encoded).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")


def _png(picture: "Image") -> bytes:
    file = io.BytesIO()
    picture.quantize(256, method=1, dither=0).save(file, "PNG", optimize=True)  # 1: max coverage
    return file.getvalue()


def write_thumbnail(notebook: "NotebookNode", path: Path) -> None:
    """Draw the notebook's picture small: that of the cell tagged "thumbnail", else its first.

    A notebook without a figure gets none.
    """
    cells = code_cells(notebook)
    tagged = [cell for cell in cells if "thumbnail" in cell.metadata.get("tags", [])]
    figures = [png for cell in [*tagged, *cells] for png in _figures(cell)]
    if not figures:
        return
    picture, width = _picture(figures[0]), THUMBNAIL_WIDTH
    while len(content := _png(_of_width(picture, width))) > THUMBNAIL_BYTES:
        width = width * 9 // 10
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def _of_width(picture: "Image", width: int) -> "Image":
    return picture.resize((width, round(picture.height * width / picture.width)), resample=1)


def _figures(cell: "NotebookNode") -> Iterator[str]:
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            yield output.data["image/png"]


def texts_of(cell: "NotebookNode") -> Iterator[str]:
    """All text that the outputs of a cell show."""
    for output in cell.outputs:
        yield output.get("text", "")
        yield "\n".join(output.get("traceback", []))
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield "".join(value)


def code_cells(notebook: "NotebookNode") -> list["NotebookNode"]:
    """The cells that run, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _read(path: Path) -> "NotebookNode":
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise RecallkitError(f"{path} cannot be read as a notebook: {error}") from error


def _write(notebook: "NotebookNode", path: Path) -> None:
    import nbformat

    text = nbformat.writes(notebook, version=4).rstrip("\n") + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
