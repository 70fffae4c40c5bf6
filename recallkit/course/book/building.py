"""Build the book: write its sources, let Sphinx make the pages, and put them in their place."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils
from tqdm import tqdm

from recallkit import __version__
from recallkit.course.book.language import finish_pages, language_settings
from recallkit.course.book.lecture import write_openers
from recallkit.course.book.sources import write_sources
from recallkit.course.notebooks import find_notebooks
from recallkit.course.translation import ENGLISH, Language, find_language
from recallkit.errors import RecallkitError
from recallkit.files import cannot_write, embedded

if TYPE_CHECKING:
    from sphinx.environment import BuildEnvironment

MARK = ".recallkit-book"
"""The file that tells a book from any other folder. It holds the version that made the book."""

SHOWN_PROBLEMS = 10

SETTINGS: dict[str, Any] = {
    "project": "recallkit",
    "version": __version__,
    "release": __version__,
    "extensions": ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"],
    # pages
    "myst_enable_extensions": ["attrs_block", "dollarmath", "html_image", "colon_fence"],
    "myst_heading_anchors": 4,
    "nb_execution_mode": "off",
    "nb_render_markdown_format": "gfm",
    "nitpicky": True,  # a reference that leads nowhere is a problem
    # the reference
    "autodoc_typehints": "signature",
    "autodoc_typehints_format": "short",
    "autodoc_member_order": "bysource",
    "autodoc_preserve_defaults": True,
    "napoleon_use_rtype": False,
    "napoleon_attr_annotations": False,
    "python_maximum_signature_line_length": 80,
    "toc_object_entries_show_parents": "hide",
    # the website
    "html_theme": "furo",
    "html_title": "recallkit",
    "html_css_files": ["book.css"],
    "html_js_files": ["book.js"],
    "html_show_sphinx": False,
    "html_show_copyright": False,
    "html_show_sourcelink": False,
    "html_copy_source": False,
    "html_domain_indices": False,
    "html_show_search_summary": False,  # it would load pages, which file:// forbids
    "html_theme_options": {"navigation_with_keys": False},  # arrow keys move explorables
}


def build_book(
    out: Path,
    *,
    notebooks: Path | None = None,
    language: str = ENGLISH,
    progress: bool = True,
) -> Path:
    """Build the book into the folder ``out``, and return its first page.

    The pages are made beside ``out`` and replace it at the end. After an error the book that was
    there is as before.

    Args:
        out: the folder. It may be missing, empty, or an earlier book, which :data:`MARK` shows.
        notebooks: the folder of the notebooks and the guide. None: those that come with recallkit.
        language: its code. What has no translation in it stays English.
        progress: show a bar that counts pages.

    Raises:
        RecallkitError: if ``out`` is a file or holds anything else, or a link or reference leads
            nowhere, or a page has another problem; the message lists them. Also if there are no
            catalogues of the language.
    """
    _check_free(out)
    notebooks = embedded("notebooks") if notebooks is None else notebooks
    spoken = find_language(language, notebooks)
    with _folder_beside(out) as place:
        write_sources(notebooks, place / "sources", spoken)
        problems = _run_sphinx(place, spoken, progress)
        if problems:
            raise RecallkitError(_described(problems))
        for image in (place / "pages" / "_images").glob("*.png"):
            _reduce_colours(image)
        chapters = [path.stem for path in find_notebooks(folder=notebooks)]
        write_openers(place / "pages", chapters, spoken)
        finish_pages(place / "pages", spoken)
        (place / "pages" / MARK).write_text(f"{__version__}\n", encoding="utf-8")
        _put_in_place(out, place / "pages")
    return out / "index.html"


def is_current(out: Path) -> bool:
    """Tell whether the folder ``out`` holds a book made by this version of recallkit."""
    mark = out / MARK
    return mark.is_file() and mark.read_text(encoding="utf-8").strip() == __version__


def _reduce_colours(path: Path) -> None:
    """Store a figure in 256 colours where that takes less space; its look does not change."""
    with Image.open(path) as image:
        reduced = image.convert("RGBA").quantize(256, dither=Image.Dither.NONE)
        content = BytesIO()
        reduced.save(content, "PNG", optimize=True)
    if len(content.getvalue()) < path.stat().st_size:
        path.write_bytes(content.getvalue())


def _check_free(out: Path) -> None:
    if out.is_file():
        raise RecallkitError(f"--out: {out} is a file. Name a folder for the book.")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise RecallkitError(
            f"--out: the folder {out} is not empty, and no book made by recallkit "
            f"(it has no file {MARK}). Nothing was written. Name another folder."
        )


@contextmanager
def _folder_beside(out: Path) -> Iterator[Path]:
    """A temporary folder on the disk of ``out``."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-")
    except OSError as error:
        raise cannot_write(out, error) from error
    with place as folder:
        yield Path(folder)


def _put_in_place(out: Path, pages: Path) -> None:
    try:
        if out.exists():
            shutil.rmtree(out)
        pages.replace(out)
    except OSError as error:
        raise cannot_write(out, error) from error


def _run_sphinx(place: Path, language: Language, progress: bool) -> list[str]:
    """Make ``place/pages`` from ``place/sources``; return the problems."""
    sources = place / "sources"
    warnings = StringIO()
    with (
        as_file(files("recallkit.course.book") / "static") as static,
        patch_docutils(),
        docutils_namespace(),
        tqdm(unit="page", desc="the book", disable=not progress) as bar,
    ):
        app = Sphinx(
            srcdir=sources,
            confdir=None,
            outdir=place / "pages",
            doctreedir=place / "doctrees",
            buildername="html",
            confoverrides=_settings(static) | language_settings(language, place / "locale"),
            status=None,
            warning=warnings,
            freshenv=True,
        )
        _count_pages(app, bar)
        app.build()
    plain = re.sub(r"\x1b\[[\d;]*m", "", warnings.getvalue()).replace(f"{sources.resolve()}/", "")
    return [line for line in plain.replace(f"{sources}/", "").splitlines() if line.strip()]


def _settings(static: Path) -> dict[str, Any]:
    extensions = [*SETTINGS["extensions"], "recallkit.course.book.extension"]
    return SETTINGS | {"extensions": extensions, "html_static_path": [str(static)]}


def _count_pages(app: Sphinx, bar: tqdm) -> None:
    """Move ``bar`` when a page was read, and when it was written."""

    def begin(app: Sphinx, environment: "BuildEnvironment", names: list[str]) -> None:
        bar.total = 2 * len(names)

    def count(*event: object) -> None:
        bar.update()

    handlers: dict[str, Callable[..., None]] = {
        "env-before-read-docs": begin,
        "doctree-read": count,
        "doctree-resolved": count,
    }
    for event, handler in handlers.items():
        app.connect(event, handler)


def _described(problems: list[str]) -> str:
    shown = [f"\n  {line}" for line in problems[:SHOWN_PROBLEMS]]
    left = len(problems) - len(shown)
    more = f"\n  and {left} more" if left > 0 else ""
    return f"the book was not built, because its pages have problems:{''.join(shown)}{more}"
