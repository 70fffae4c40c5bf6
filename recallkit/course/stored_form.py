"""The stored form of a notebook: the same after each run, and readable without a kernel."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from recallkit.course.stored_widgets import store_widgets
from recallkit.errors import RecallkitError
from recallkit.files import write_atomically
from recallkit.plots import reduced_png

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from PIL.Image import Image

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {  # what a kernel adds: without it, editors and nbconvert take the cells for plain text
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
    "version": "3.11",  # the oldest that recallkit supports, whatever executed the notebook
}
TIMES = ("execution", "ExecuteTime")  # metadata that changes at each run
MACHINE_PATH = re.compile(
    r"(?<![\w.:/<-])(?:file:/+|~/|[A-Z]:\\+|/)"
    r"(?:content|home|mnt|opt|private|root|tmp|usr|Users|var|work)[/\\]+[\w.-]+"
)
PROGRESS = re.compile(  # a bar, or a line that a training announces
    r"\d+%\||\d+it \[|^step \d+ of \d+: |^training: \d+ steps|^loading the images of "
    r"|^reading [\d,]+ images of |^used [\d,]+ images of |^building the network "
    r"|^features of .*: reading|^evaluating test images: "
)
THUMBNAIL_WIDTH, THUMBNAIL_BYTES = 400, 30_000  # shown 200 to 230 pixels wide


def normalise(notebook: "NotebookNode", path: Path) -> None:
    """Bring an executed notebook into its stored form, in place.

    Counts run from 1, ids stay, and figures become small. An explorable keeps its state, with the
    module as it is now; any other widget becomes a line of text. Times, versions and progress are
    removed. The language is described in full.

    Args:
        notebook: executed.
        path: of its file, for messages and for the ids of cells that have none.

    Raises:
        RecallkitError: if an output holds a warning, or a path of this machine.
    """
    from nbformat import from_dict

    notebook.nbformat_minor = 5
    _give_ids(notebook, path.stem[:2])
    described = {"kernelspec": KERNEL, "language_info": LANGUAGE}
    notebook.metadata = from_dict(described | store_widgets(notebook))
    for cell in notebook.cells:
        for name in TIMES:
            cell.metadata.pop(name, None)
    for count, cell in enumerate(code_cells(notebook), start=1):
        cell.execution_count = count
        cell.outputs = [
            _normal(output, count) for output in cell.outputs if not _is_progress(output)
        ]
        if problem := _problem(cell):
            raise failure(path, count, problem)


def failure(path: Path, cell: int, problem: str) -> RecallkitError:
    """The error that names a code cell by its number, and its problem."""
    return RecallkitError(f"{path.name}, cell [{cell}]: {problem}. The file is as it was.")


def _give_ids(notebook: "NotebookNode", number: str) -> None:
    """Keep the ids. A cell without one, or with one that is taken, is named after its place."""
    taken: set[str] = set()
    for place, cell in enumerate(notebook.cells):
        if cell.get("id", "") in {"", *taken}:
            cell.id = f"nb{number}-place-{place:02d}"
        taken.add(cell.id)


def _is_progress(output: "NotebookNode") -> bool:
    lines = output.text.splitlines() if output.get("name") == "stderr" else ["shown"]
    return all(not line.strip() or PROGRESS.search(line) for line in lines)


def _problem(cell: "NotebookNode") -> str:
    """The problem with the outputs of a cell; empty if there is none."""
    for output in cell.outputs:
        if output.get("name") == "stderr":
            return f"it writes to stderr: {output.text.strip()[:300]}"
    paths = [path.group() for text in texts_of(cell) for path in MACHINE_PATH.finditer(text)]
    return f"it shows a path of this machine, {paths[0]}" if paths else ""


def _normal(output: "NotebookNode", count: int) -> "NotebookNode":
    if "execution_count" in output:
        output.execution_count = count
    data = output.get("data", {})
    if "image/png" in data:
        data["image/png"] = _small_png(data["image/png"])
        output.metadata = {name: output.metadata[name] for name in data if name in output.metadata}
    return output


def _small_png(encoded: str) -> str:
    """The same image in at most 256 colours: a third of the bytes, and no library's name."""
    if _opened(encoded).mode == "P":
        return encoded
    return base64.b64encode(reduced_png(_decoded(encoded))).decode() + "\n"


def _opened(encoded: str) -> "Image":
    from PIL import Image

    return Image.open(io.BytesIO(base64.b64decode(encoded)), formats=["PNG"])


def _decoded(encoded: str) -> "Image":
    """The image over white."""
    from PIL import Image

    image = _opened(encoded).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def write_thumbnail(notebook: "NotebookNode", path: Path) -> None:
    """Write a small image of the figure in the cell tagged "thumbnail", or of the first figure.

    Nothing is written for a notebook without a figure.
    """
    cells = code_cells(notebook)
    tagged = [cell for cell in cells if "thumbnail" in cell.metadata.get("tags", [])]
    figures = [png for cell in [*tagged, *cells] for png in _figures(cell)]
    if not figures:
        return
    figure, width = _decoded(figures[0]), THUMBNAIL_WIDTH
    while len(content := reduced_png(_of_width(figure, width))) > THUMBNAIL_BYTES:
        width = width * 9 // 10
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def _of_width(image: "Image", width: int) -> "Image":
    from PIL import Image

    size = (width, round(image.height * width / image.width))
    return image.resize(size, Image.Resampling.LANCZOS)


def _figures(cell: "NotebookNode") -> Iterator[str]:
    for output in cell.outputs:
        if "image/png" in output.get("data", {}):
            yield output.data["image/png"]


def texts_of(cell: "NotebookNode") -> Iterator[str]:
    """All texts in the outputs of a cell."""
    for output in cell.outputs:
        yield output.get("text", "")
        yield "\n".join(output.get("traceback", []))
        for kind, value in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield "".join(value)


def code_cells(notebook: "NotebookNode") -> list["NotebookNode"]:
    """The code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
