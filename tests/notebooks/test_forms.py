"""One form in all notebooks: heads, prompts, takeaways, feet, tables, figures with texts."""

import re
from base64 import b64decode
from io import BytesIO
from itertools import pairwise

import nbformat
import pytest
from helpers.figures import COLUMN
from PIL import Image

from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import code_cells
from recallkit.files import embedded

PATHS = find_notebooks()
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in PATHS}
COURSE = (embedded("notebooks") / "README.md").read_text()
SAYS = re.compile(r"\*\*What the (figures?|tables?|numbers) says?\.\*\*|\*\*\d+ \w+ 20\d\d\.\*\*")
HEAD = re.compile(
    r"# (?P<number>\d\d) · (?P<name>[^:]+): (?P<question>[a-z][^\n]*\?)\n\n"
    r"\*\*Takes\*\* about (?P<reading>\d+) minutes with the exercises; "
    r"the code itself runs in about (?P<computing>\d+) on two cores[.,].*\n"
    r"\*\*Prerequisites\*\*: (.|\n)+\n\n(.|\n)*[Yy]ou will learn\n\n(- (.|\n)+)"
)
each = pytest.mark.parametrize("name", NOTEBOOKS)


def prose_of(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def images_of(cell):
    return sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


def paragraphs_of(text):
    """The paragraphs of a cell; code and formulas set apart become the sign §."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$", "\n\n§\n\n", text, flags=re.DOTALL)
    return [part for part in map(str.strip, text.split("\n\n")) if part]


@each
def test_the_head_has_its_one_form_and_agrees_with_the_page_of_the_course(name):
    head = HEAD.fullmatch(prose_of(NOTEBOOKS[name])[0].source)
    assert head
    assert head["number"] == name[:2]
    assert f"[**{head['number']} · {head['name']}**]({name}.ipynb)" in COURSE
    row = next(line for line in COURSE.splitlines() if f"**]({name}.ipynb)" in line)
    assert f"| {head['reading']} + {head['computing']} |" in row


@each
def test_the_answer_stands_at_the_end_with_the_neighbours_and_what_to_read(name):
    end = "\n\n".join(cell.source for cell in prose_of(NOTEBOOKS[name]))
    end = end.partition("\n## The answer\n")[2] or end.partition("## The answer\n")[2]
    feet = re.findall(r"^\*\*Before this\*\*: .*|^\*\*Next\*\*: .*", end, re.MULTILINE)
    place = list(NOTEBOOKS).index(name)
    linked = re.findall(r"\[(\d\d) · [^\]]+\]\((\w+)\.ipynb\)", " ".join(feet))
    beside = [*NOTEBOOKS][max(0, place - 1) : place] + [*NOTEBOOKS][place + 1 : place + 2]
    assert linked == [(other[:2], other) for other in beside]
    assert end.count("\n### Further reading\n") == 1


@each
def test_prompts_and_takeaways_have_one_form(name):
    other = (
        r"\*\*Predict[.:]|^Predict\b|What do you expect|What was seen|To take away|figure shows\.\*"
    )
    for cell in prose_of(NOTEBOOKS[name]):
        assert not re.search(other, cell.source, re.MULTILINE), cell.id
    prompts = sum("**Predict**" in cell.source for cell in prose_of(NOTEBOOKS[name]))
    assert prompts >= 3


@each
def test_each_figure_is_followed_by_what_it_says(name):
    cells = NOTEBOOKS[name].cells
    for place, cell in enumerate(cells):
        if images_of(cell):
            after = []
            for following in cells[place + 1 :]:
                if images_of(following) or following.source.startswith("## "):
                    break
                after.append(following.source)
            assert any(map(SAYS.search, after)), cell.id


@each
def test_each_figure_has_a_text_for_those_who_do_not_see_it(name):
    for cell in code_cells(NOTEBOOKS[name]):
        texts = cell.metadata.get("alt", [])
        texts = [texts] if isinstance(texts, str) else texts
        assert len(texts) == images_of(cell), cell.id
        for text in texts:
            assert len(text) >= 20, cell.id
            assert text.endswith("."), cell.id
            assert not re.search(r"\.(png|svg|jpe?g|ipynb)\b", text), cell.id


@each
def test_each_figure_is_sharp_on_a_screen_with_twice_the_dots(name):
    blurred = set()
    for cell in code_cells(NOTEBOOKS[name]):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                with Image.open(BytesIO(b64decode(output.data["image/png"]))) as image:
                    shown = output.metadata.get("image/png", {}).get("width", image.width)
                    if image.width < 1.5 * min(shown, COLUMN):
                        blurred.add(cell.id)
    assert blurred == set()


def test_no_two_figures_have_the_same_text():
    texts = [
        str(c.metadata["alt"]) for n in NOTEBOOKS.values() for c in n.cells if "alt" in c.metadata
    ]
    assert len(texts) == len({*texts}) >= 55


@each
def test_tables_are_shown_as_tables(name):
    for cell in code_cells(NOTEBOOKS[name]):
        for output in cell.outputs:
            assert "| --" not in output.get("text", ""), cell.id


@each
def test_no_blank_line_breaks_a_sentence(name):
    for cell in prose_of(NOTEBOOKS[name]):
        parts = paragraphs_of(cell.source)
        for one, other in pairwise(parts):
            goes_on = re.match(r"[a-zσ$(]", other)
            assert not (re.search(r"[a-z,]$", one) and goes_on), f"{cell.id}: {one[-40:]!r}"


@each
def test_shell_lines_go_on_after_one_backslash(name):
    for cell in prose_of(NOTEBOOKS[name]):
        for block in re.findall(r"```sh\n(.*?)```", cell.source, re.DOTALL):
            assert "\\\\" not in block, cell.id


@each
def test_shares_of_images_are_given_in_per_cent(name):
    """Tables of pandas: columns of R@1 and mAP@R go up to 100, not to 1."""
    for cell in code_cells(NOTEBOOKS[name]):
        for output in cell.outputs:
            page = "".join(output.get("data", {}).get("text/html", ""))
            if re.search(r"<th>(R@1|mAP@R|mean)\b", page):
                numbers = [float(n) for n in re.findall(r"<td>(\d+\.\d+)</td>", page)]
                assert max(numbers) > 1, cell.id


@each
def test_batch_sizes_of_a_table_ascend(name):
    for cell in code_cells(NOTEBOOKS[name]):
        for output in cell.outputs:
            text = output.get("data", {}).get("text/plain", "")
            if re.search(r"^simix +batch_size", text, re.MULTILINE):
                rows = re.findall(r"^(?:True|False)?\s+(\d+) ", text, re.MULTILINE)
                sizes = [int(row) for row in rows]
                falls = sum(b <= a for a, b in pairwise(sizes))
                assert falls == 1, cell.id  # one list without SiMix, one with


def test_the_baselines_are_the_same_in_each_notebook_on_the_same_images():
    def baseline(name, row):
        tables = [
            "".join(output.data["text/markdown"])
            for cell in code_cells(NOTEBOOKS[name]) for output in cell.outputs
            if "R@1" in str(output.get("data", {}).get("text/markdown"))
        ]  # fmt: skip
        return re.search(rf"^\| {row}\w* *(?:network)? *\| +([\d.]+) \|", tables[0], re.MULTILINE)[
            1
        ]

    for row in ("pixels", "untrained"):
        assert baseline("00_quickstart", row) == baseline("08_benchmarks", row)


def test_accumulation_is_called_exact_only_with_its_condition():
    cells = [
        c.source for c in prose_of(NOTEBOOKS["04_large_batches"]) if "cross-entropy" in c.source
    ]
    assert len(cells) == 1
    assert "BatchNorm" in cells[0]
    assert not any("Not run yet" in str(c) for n in NOTEBOOKS.values() for c in n.cells)


def test_what_the_book_folds_because_it_tells_an_answer_is_collapsed_in_jupyterlab_too():
    folded = [
        cell for notebook in NOTEBOOKS.values() for cell in code_cells(notebook)
        if "hide-input" in cell.metadata.get("tags", [])
    ]  # fmt: skip
    assert len(folded) >= 11
    assert [c.id for c in folded if not c.metadata.get("jupyter", {}).get("source_hidden")] == []
