"""The book: whole, offline, with live links; and what its pages are made of."""

import ast
import importlib
import inspect
import re
import shutil
import sys
from base64 import b64encode
from pathlib import Path
from types import ModuleType, SimpleNamespace
from urllib.parse import unquote
from xml.etree import ElementTree

import nbformat
import pytest
from helpers.books import Page
from helpers.figures import COLUMN
from latex2mathml.converter import convert
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from sphinx.ext.autodoc.preserve_defaults import update_default_value

import recallkit
from recallkit import RecallkitError
from recallkit.course.book import (
    MARK,
    accessibility,
    build_book,
    citation,
    extension,
    formulas,
    front_page,
    is_current,
    lecture_page,
    names,
    notebook_pages,
    reference,
    sources,
    words,
)
from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_widgets import STATE, UNRUN_WIDGET, VIEW
from recallkit.course.translation import Language
from recallkit.files import PACKAGE, embedded

COURSE = embedded("notebooks")
ENGLISH = Language("en")
FORMULA = re.compile(r"\$\$.+?\$\$|(?<![\\$])\$[^$\n]+(?:\n[^$\n]+)?\$", re.DOTALL)


@pytest.fixture(scope="module")
def pages(book):
    """Path → page, of all pages of the book."""
    return {path: Page(path) for path in sorted(book.rglob("*.html"))}


def text_of(path):
    return path.read_text(encoding="utf-8")


def test_every_notebook_and_page_of_the_guide_is_in_the_book(book):
    originals = [*COURSE.glob("*.ipynb"), *COURSE.glob("guide/*.md")]
    assert len(originals) > 15
    missing = [o for o in originals if not _page_of(book, o).is_file()]
    assert missing == []
    assert (book / "index.html").is_file()


def _page_of(book, original):
    return book / original.relative_to(COURSE).with_suffix(".html")


def test_the_book_is_small_and_says_who_made_it(book):
    assert sum(path.stat().st_size for path in book.rglob("*") if path.is_file()) <= 13.5e6
    assert text_of(book / MARK).strip() == recallkit.__version__


def test_nothing_is_loaded_from_elsewhere(book, pages):
    loaded = [
        (path.name, tag, attributes[name])
        for path, page in pages.items()
        for tag, attributes in page.elements
        for name in ("src", "srcset", "data", "poster", "href")
        if name in attributes and (name != "href" or tag == "link")
    ]
    assert len(loaded) > 100
    assert [entry for entry in loaded if re.match(r"(?:\w+:)?//", entry[2])] == []
    styles = [text_of(path) for path in book.rglob("*.css")]
    assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:\w+:)?//", "\n".join(styles))


def test_scripts_in_pages_name_no_host(pages):
    scripts = [s for path in pages for s in re.findall(r"<script.*?</script>", text_of(path), re.S)]
    hosts = {host for s in scripts for host in re.findall(r"https?://[\w.]+", s)}
    assert hosts <= {"http://www.w3.org"}  # the namespace of SVG


def test_all_links_lead_somewhere(pages):
    targets = [
        (path, attributes[name])
        for path, page in pages.items()
        for _, attributes in page.elements
        for name in ("href", "src")
        if name in attributes and not re.match(r"[a-z]+:", attributes[name])
    ]
    assert len(targets) > 1000
    assert [(p.name, t) for p, t in targets if not _leads_somewhere(pages, p, t)] == []


def _leads_somewhere(pages, path, target):
    name, _, anchor = unquote(target).partition("#")
    file = (path.parent / name.partition("?")[0]).resolve() if name else path
    return file.is_file() and (not anchor or file not in pages or anchor in pages[file].ids)


@pytest.mark.parametrize("path", find_notebooks(), ids=lambda path: path.stem)
def test_every_formula_is_mathml(path, book):
    cells = nbformat.read(path, as_version=4).cells
    texts = [re.sub(r"`[^`]*`", "", c.source) for c in cells if c.cell_type == "markdown"]
    page = text_of(_page_of(book, path))
    found = [formula for text in texts for formula in FORMULA.findall(text)]
    apart = [formulas.parts(formula) for formula in found if formula.startswith("$$")]
    whole = len(found) - len(apart)
    assert page.count("<math ") == whole + sum(map(len, apart))
    assert "merror" not in page


def test_signs_and_bars_of_a_formula_stand_close():
    made = formulas.mathml(r"b - \sigma(-|x|) = -|y|^2")
    found = re.findall(r'<mo(?: stretchy="false")?( form="\w+")?>(?:&#x02212;|&#x0007C;)', made)
    one = [' form="prefix"', ' form="prefix"', ' form="postfix"']  # a sign, a bar, a bar
    assert found == ["", *one, *one]
    for formula in ("p(y|x)", "(a) - 1", "[a] - 1", r"\bigl(a\bigr) - 1"):
        assert 'form="' not in formulas.mathml(formula)


def test_a_formula_keeps_the_mark_behind_it():
    formula = '<math xmlns="x"><mi>p</mi></math>'
    assert formulas.with_marks(f"of {formula}: or {formula} of ({formula}).") == (
        f'of <span class="formula">{formula}:</span> or {formula} of '
        f'(<span class="formula">{formula}).</span>'
    )
    assert formulas.with_marks(f"the {formula}-th") == (
        f'the <span class="formula">{formula}-th</span>'
    )


def test_a_formula_is_parted_at_its_wide_spaces_but_not_inside_of_brackets():
    assert formulas.parts(r"a = b, \qquad c \quad d") == ["a = b,", "c", "d"]
    for whole in (r"\text{a \quad b} + c", r"\left( a \qquad b \right)", r"\quadratic"):
        assert formulas.parts(whole) == [whole]


@pytest.mark.parametrize("formula", ["f'", "f'_{zp}", r"\sigma'\!(x)"])
def test_a_prime_is_no_small_exponent(formula):
    mathml = formulas.with_large_primes(convert(formula))
    assert mathml.count("&#x02032;") == formula.count("'")
    assert "sup>" not in mathml
    ElementTree.fromstring(mathml)


def test_other_exponents_stay():
    for formula in ("x^2", "x_1^2", r"\sum_{i=1}^n x"):
        assert formulas.with_large_primes(convert(formula)) == convert(formula)


def test_all_images_have_a_text(pages):
    images = [(path, image) for path, page in pages.items() for image in page.all("img")]
    assert len(images) > 70
    without = [(p.name, i["src"][:60]) for p, i in images if not i.get("alt", "").strip()]
    assert without == []
    assert [i["alt"] for _, i in images if re.search(r"\.(?:png|svg)$", i["alt"])] == []


THUMBNAIL = 240  # pixels: as wide as a thumbnail is shown on the first page


def test_figures_of_pages_are_sharp_on_a_screen_with_twice_the_dots(book, pages):
    """Chapters: tests/notebooks/test_forms.py."""
    chapters = {f"{path.stem}.png" for path in find_notebooks()}
    seen, blurred = 0, []
    for path in [book / "index.html", *(book / "guide").glob("*.html")]:
        for image in pages[path].all("img"):
            file = path.parent / unquote(image["src"])
            with Image.open(file) as opened:
                shown = THUMBNAIL if file.name in chapters else min(opened.width, COLUMN)
                seen += 1
                if opened.width < 1.5 * shown:
                    blurred.append((path.name, file.name, opened.width))
    assert seen > 20
    assert blurred == []


def test_printed_tables_are_tables(pages):
    printed = [path.name for path in pages if re.search(r"^\| ", text_of(path), re.MULTILINE)]
    assert printed == []


@pytest.mark.parametrize(
    ("printed", "columns"),
    [
        ("not yet: it returns 2.  Which angle?\n", False),
        ("peak 37.9 MB\nembeddings: 0.13 MB\n", False),
        ("cold   0.34\nhot    0.83\n", True),
        ("at the start 2.00\n  128 images 0.50\n", True),
    ],
)
def test_printed_columns_are_told_from_sentences(printed, columns):
    assert extension.has_columns(printed) is columns


def test_sentences_that_a_cell_prints_are_marked_and_its_tables_not(book):
    page = text_of(book / "02_gradients.html")
    blocks = re.findall(r'<div class="output stream([^"]*)">.*?<pre><span></span>(.*)', page)
    marked = {line: "sentences" in classes for classes, line in blocks}
    assert [line for line in marked if line.startswith("not yet: ") and not marked[line]] == []
    assert not any(marked[line] for line in marked if line.startswith("RS@k"))
    assert 1 < sum(marked.values()) < len(marked) - 1


def test_functions_have_their_own_defaults_after_a_build():
    """Sphinx's text for a default, which a page shows, is taken out of the function again."""

    def function(ks=(1, 2)):
        return ks

    def declared(ks=(1, 2)):
        return ks

    handlers = {}
    extension.keep_signatures(SimpleNamespace(connect=handlers.__setitem__))
    own = inspect.signature(function)
    declared.__signature__ = own
    update_default_value(function, bound_method=False)
    assert inspect.signature(function) != own
    for each in (function, declared, int):
        handlers["autodoc-before-process-signature"](None, each, False)
    handlers["build-finished"](None, None)
    assert inspect.signature(function) == own
    assert declared.__signature__ is own


def test_a_number_and_its_interval_stay_on_one_line(book):
    assert extension.whole_intervals("46.2 ± 0.8 → 45 ± 1") == "46.2\xa0±\xa00.8 → 45\xa0±\xa01"
    claims = text_of(book / "guide" / "claims.html")
    cells = re.findall(r"<td[^>]*>(.*?)</td>", claims, re.DOTALL)
    assert sum("\xa0±\xa0" in cell for cell in cells) > 20
    assert not any(" ± " in cell for cell in cells)


def test_the_reference_has_all_public_names(book):
    modules = reference.public_modules()
    assert recallkit in modules
    missing = {m.__name__: {*reference.public_names(m)} - _shown(book, m) for m in modules}
    assert {name: left for name, left in missing.items() if left} == {}


def _shown(book, module):
    """The names that the page of a module describes or links."""
    page = Page(book / "api" / f"{module.__name__}.html")
    linked = {link.get("href", "").partition("#")[2] for link in page.all("a")}
    return {name.rpartition(".")[2] for name in page.ids | linked}


def test_the_reference_has_the_documented_packages():
    documented = {module.__name__ for module in reference.public_modules()}
    packages = {f"recallkit.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    assert {"recallkit"} | packages - {"recallkit.cli"} <= documented


ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc):`(?:[^`<]*<)?~?\.?([\w.]+)>?`")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_all_references_in_docstrings_name_something():
    roles = [
        (path.name, target)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, DOCUMENTED)
        for target in ROLE.findall(ast.get_docstring(node) or "")
    ]
    assert len(roles) > 90
    assert [role for role in roles if not names.exists(role[1])] == []
    assert not names.exists("no_such_function")


# --- the folder

SPHINX_WARNS_OF_ITSELF = "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"


def figure(path):
    return new_output("display_data", {"image/png": b64encode(path.read_bytes()).decode()})


@pytest.fixture
def small_course(tmp_path, monkeypatch):
    """A course of one notebook and a guide of one page, with a reference of one package."""
    folder = tmp_path / "course"
    (folder / "guide").mkdir(parents=True)
    shutil.copytree(COURSE / "figures", folder / "figures")
    rows = text_of(COURSE / "README.md").splitlines(keepends=True)
    [row] = [row for row in rows if row.startswith('| <img src="figures/00')]
    readme = f"# Small\n\n| a |\n| - |\n{row}\nand [guide](guide/README.md)\n"
    (folder / "README.md").write_text(readme)
    (folder / "guide" / "README.md").write_text("# Guide\n\n## Part\n\n[here](#part)\n")
    cover = figure(COURSE / "figures" / "00_quickstart.png")
    cells = [
        new_markdown_cell("# 00"),
        new_code_cell("1", metadata={"tags": ["cover"]}, outputs=[cover]),
        new_code_cell("2", metadata={"alt": ["one", "two"]}, outputs=[cover, cover]),
    ]
    python = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    nbformat.write(new_notebook(cells=cells, metadata=python), folder / "00_quickstart.ipynb")
    use_modules(monkeypatch, importlib.import_module("recallkit.ranks"))
    return folder


def use_modules(monkeypatch, *modules):
    monkeypatch.setattr(reference, "public_modules", lambda: list(modules))


@pytest.fixture
def small_build(small_course, tmp_path):
    """A function that builds the small course."""
    return lambda: build_book(tmp_path / "out", notebooks=small_course, progress=False)


@pytest.mark.filterwarnings(*SPHINX_WARNS_OF_ITSELF)
def test_an_earlier_book_is_replaced_only_by_a_whole_one(small_build, small_course, tmp_path):
    first_page = small_build()
    assert first_page == tmp_path / "out" / "index.html"
    texts = [image["alt"] for image in Page(first_page.with_name("00_quickstart.html")).all("img")]
    assert texts == [words.FIGURE_ALT, "one", "two"]
    (first_page.parent / "old.html").touch()
    page = small_course / "guide" / "README.md"
    page.write_text("# Guide\n\n[gone](gone.md), [lost](#lost) and ![none](none.png)\n")
    with pytest.raises(RecallkitError, match="the book was not built") as error:
        small_build()
    assert str(error.value).count("guide/README.md:3: WARNING: ") == 3
    assert all(word in str(error.value) for word in ("gone.md", "lost", "none.png"))
    assert (first_page.parent / "old.html").exists()
    page.write_text("# Guide\n")
    small_build()
    assert not (first_page.parent / "old.html").exists()
    assert {path.name for path in tmp_path.iterdir()} == {"course", "out"}


@pytest.mark.filterwarnings(*SPHINX_WARNS_OF_ITSELF)
def test_a_reference_to_nothing_is_an_error(small_build, monkeypatch):
    module = ModuleType("made_up", "See :func:`.no_such_function`.")
    module.__all__ = []
    monkeypatch.setitem(sys.modules, "made_up", module)
    use_modules(monkeypatch, module)
    with pytest.raises(RecallkitError, match="reference target not found: no_such_function"):
        small_build()


def test_a_folder_that_is_no_book_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RecallkitError, match=r"--out: .* is not empty, and no book .*\.recallkit"):
        build_book(tmp_path)
    with pytest.raises(RecallkitError, match=r"--out: .* is a file"):
        build_book(tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# --- what pages are made of


def test_a_session_without_a_row_is_named():
    readme = text_of(COURSE / "README.md")
    found = front_page.sessions_of(readme)
    assert [session.file for session in found] == [path.name for path in find_notebooks()]
    assert all((COURSE / session.figure).is_file() for session in found)
    with pytest.raises(RecallkitError, match=r"differ by 10_new\.ipynb"):
        front_page.front_page(readme, [*find_notebooks(), Path("10_new.ipynb")], [], ENGLISH)


def test_comments_go_and_names_of_files_become_titles():
    text = "<!-- claim:\n a -->[a.md](a.md) [b](a.md) `<!-- c -->` [c](../README.md#d)\n"
    assert (
        sources.page_text(text, ENGLISH) == "[](a.md) [b](a.md) `<!-- c -->` [c](../index.md#d)\n"
    )
    fenced = "```md\n<!-- kept -->\n```\n"
    assert sources.page_text(fenced, ENGLISH) == fenced


def test_a_notebook_without_what_a_reader_does_not_need():
    hidden = {"jupyter": {"source_hidden": True}}
    solution = new_code_cell("# Solution\n1", metadata=hidden)
    table = new_output("stream", name="stdout", text="before\n| a |\n| - |\n| 1 |\nafter\n")
    notebook = new_notebook(
        cells=[
            new_code_cell("%pip install x"),
            new_code_cell('live.controls["a"].value = 1\nlive.controls["b"].value = 2'),
            new_code_cell("# NBVAL_CHECK_OUTPUT\nprint(1)", outputs=[table]),
            new_code_cell("def check_it(answer):\n    pass"),
            new_code_cell("assert verdict()", metadata={"tags": ["hide-input"], **hidden}),
            solution,
            new_markdown_cell("%pip is explained"),
            new_markdown_cell("<details><summary>Solution (open it)</summary>\n\n(a)"),
        ]
    )
    printed, check, proof, solved, text, folded = notebook_pages.prepare(notebook, ENGLISH).cells
    assert printed.source == "print(1)"
    before, rows, after = printed.outputs
    assert (before.text, after.text) == ("before\n", "after\n")
    assert rows.data == {"text/markdown": "| a |\n| - |\n| 1 |\n"}
    assert check.metadata["tags"] == proof.metadata["tags"] == ["hide-input"]
    assert proof.metadata["mystnb"]["code_prompt_show"] == "The check"
    assert solved.metadata["tags"] == ["hide-cell"]
    assert solved.metadata["mystnb"]["code_prompt_show"] == "Code of the solution"
    assert text.source == "%pip is explained"
    assert folded.source == "<details><summary>Solution</summary>\n\n(a)"


def test_an_explorable_with_a_state_is_live():
    data = {VIEW: {"model_id": "nb-widget-0"}, "text/plain": UNRUN_WIDGET}
    figure = new_output("display_data", data)
    state = {"_esm": "let a;\nexport default { render };", "k": 3, "layout": "IPY_MODEL_1"}
    models = {"nb-widget-0": {"state": state}}
    html = notebook_pages.live_figure(figure, models)
    assert '<div id="nb-widget-0">' in html
    assert '{"k": 3}' in html
    assert notebook_pages.live_figure(figure, {}) == ""
    notebook = new_notebook(cells=[new_code_cell("1", outputs=[figure])])
    notebook.metadata["widgets"] = {STATE: {"state": models}}
    [cell] = notebook_pages.prepare(notebook, ENGLISH).cells
    assert cell.outputs[0].data == {"text/html": html}
    assert "widgets" not in notebook.metadata  # myst-nb would load scripts from the network
    unrun = new_notebook(cells=[new_code_cell("1", outputs=[figure])])
    [cell] = notebook_pages.prepare(unrun, ENGLISH).cells
    assert cell.outputs[0].data == {"text/markdown": words.NEEDS_A_KERNEL}


def test_a_whole_page_in_an_output_becomes_a_part():
    html = "<!DOCTYPE html>\n<html><style>p{}</style><body><main><h1>a</h1></main></body></html>"
    cell = new_code_cell("", outputs=[new_output("display_data", {"text/html": html})])
    [prepared] = notebook_pages.prepare(new_notebook(cells=[cell]), ENGLISH).cells
    part = "<div><style>p{}</style><div><h2>a</h2></div></div>"
    assert prepared.outputs[0].data["text/html"] == part


def test_how_to_cite():
    page = citation.citation_page(ENGLISH)
    assert f"version = {{{recallkit.__version__}}}" in page
    assert "author = {Patel, Yash and Tolias, Giorgos and Matas, Jiří}" in page
    assert "author = {{The recallkit developers}}" in page
    assert page.count("{") == page.count("}")


def test_every_chapter_can_be_a_lecture(book, pages):
    for path in find_notebooks():
        page = pages[book / f"{path.stem}.html"]
        assert "lecture" in page.ids
        assert [link["href"] for link in page.all("a") if "lecture" in link["href"]] == ["#lecture"]
        assert any("lecture.js" in script.get("src", "") for script in page.all("script"))
        source = nbformat.read(path, as_version=4)
        text = "\n".join(c.source for c in source.cells if c.cell_type == "markdown")
        takeaways = re.findall(r"^\*\*What the \w+ says?\.\*\*", text, re.MULTILINE)
        assert text_of(page.path).count('class="takeaway"') >= len(takeaways) > 0
        assert "{.takeaway}" not in text_of(page.path)  # a mark inside a paragraph would be read
        opener = lecture_page(book, path.stem)
        assert f"url=../{path.stem}.html#lecture" in text_of(opener)
    others = [page for path, page in pages.items() if not re.match(r"\d\d_", path.name)]
    scripts = [script.get("src", "") for page in others for script in page.all("script")]
    assert not any("lecture.js" in script for script in scripts)


def test_a_book_is_current_if_this_version_made_it(tmp_path, book):
    assert is_current(book)
    assert not is_current(tmp_path)
    (tmp_path / MARK).write_text("0.0.1\n")
    assert not is_current(tmp_path)


def test_headings_of_the_navigation_have_a_level():
    given = '<p class="caption" role="heading"><span>The course</span></p>'
    assert 'role="heading" aria-level="2"' in accessibility.with_levels(given)


def test_parameters_one_a_line_are_no_list_of_definitions():
    given = "<dt>f(\n\n<dl>\n<dd><em>a</em>,</dd>\n<dd><em>b</em>,</dd>\n</dl>\n)</dt>"
    lines = accessibility.as_lines(given)
    assert lines.count('<span class="signature-line">') == 2
    assert not re.search(r"</?d[ld]>", lines)
    proper = "<dl>\n<dt>term</dt><dd>meaning</dd></dl>"
    assert accessibility.as_lines(proper) == proper
