"""The notebooks as they are stored: readable without running, and complete as lessons."""

import ast
import copy
import re
from contextlib import suppress

import nbformat
import pytest
from nbconvert import ScriptExporter
from PIL import Image

from recallkit.course import stored_form
from recallkit.course.notebooks import find_notebooks
from recallkit.course.stored_form import code_cells
from recallkit.course.stored_widgets import STATE, UNRUN_WIDGET, VIEW
from recallkit.files import embedded

COURSE = (
    "00_quickstart",
    "01_relaxed_ranking",
    "02_gradients",
    "03_two_definitions",
    "04_large_batches",
    "05_simix",
    "06_batch_size",
    "07_temperatures_and_k",
    "08_benchmarks",
    "09_your_images",
    "10_pairs_or_ranks",
    "11_any_metric",
    "12_recall_of_pixels",
    "13_mixing_across_domains",
)
FOLDER = embedded("notebooks")
PATHS = find_notebooks()
ALL_BYTES = 8_800_000  # figures have twice the dots, for sharp screens
DATED = r"\*\*\d+ \w+ 20\d\d\.\*\*"  # how a sentence on stored runs begins
each = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def prose(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def test_all_are_there():
    assert tuple(path.stem for path in PATHS) == COURSE


def test_all_together_are_small():
    assert sum(path.stat().st_size for path in PATHS) <= ALL_BYTES


@each
def test_stored_as_the_command_leaves_it(path):
    """Executed in order, no widget state, versions, times, warnings or paths of a machine."""
    notebook = read(path)
    nbformat.validate(notebook)
    normal = copy.deepcopy(notebook)
    stored_form.normalise(normal, path)
    assert normal == notebook, "store it with: recallkit notebooks"


@each
def test_it_becomes_a_script(path):
    script, about = ScriptExporter().from_notebook_node(read(path))
    assert about["output_extension"] == ".py"
    ast.parse(script)


@each
def test_no_cell_failed(path):
    cells = code_cells(read(path))
    kinds = [output.output_type for cell in cells for output in cell.outputs]
    assert "error" not in kinds
    assert "display_data" in kinds  # it was executed, and shows a figure


@each
def test_explorables_are_stored_with_their_state(path):
    """A state that is lost leaves the line of text that stands for other widgets."""
    for cell in code_cells(read(path)):
        if "explorables." in cell.source:
            for output in cell.outputs:
                assert output.get("data", {}).get("text/plain") != UNRUN_WIDGET, cell.id


@each
def test_explorables_are_stored_before_later_cells_move_them(path):
    notebook, shown = read(path), {}
    for cell in code_cells(notebook)[1:]:  # the first installs
        tree = ast.parse(cell.source)
        moves = {}
        for name, trait, value in literals(tree):
            if name in shown:
                moves.setdefault(name, []).append(shown[name].get(trait) == value)
        assert not [name for name, same in moves.items() if all(same)], cell.id
        for output in cell.outputs:
            if VIEW in output.get("data", {}):
                models = notebook.metadata.widgets[STATE].state
                shown[ast.unparse(tree.body[-1])] = models[output.data[VIEW].model_id].state


def literals(tree):
    """Yield the name, the trait and the value of each ``name.trait = value`` with a literal."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            with suppress(ValueError):
                value = ast.literal_eval(node.value)
                yield ast.unparse(node.targets[0].value), node.targets[0].attr, value


@each
def test_sources_name_no_path_of_a_machine(path):
    for cell in read(path).cells:
        assert not stored_form.MACHINE_PATH.search(cell.source), cell.id


@each
def test_the_head_says_question_minutes_and_prerequisites(path):
    head = prose(read(path))[0]
    assert head.startswith("# ")
    assert "?" in head
    assert re.search(r"\d+ minutes", head)
    assert "rerequisites" in head


@each
def test_the_first_code_cell_is_the_same_everywhere(path):
    assert code_cells(read(path))[0].source == code_cells(read(PATHS[0]))[0].source


@each
def test_a_dated_sentence_stands_beside_an_assertion(path):
    cells = read(path).cells
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown" and re.search(DATED, cell.source):
            before = next(c for c in cells[place::-1] if c.cell_type == "code")
            after = next(c for c in cells[place:] if c.cell_type == "code")
            assert any("assert " in code.source for code in (before, after)), cell.id


@each
def test_some_outputs_are_checked(path):
    cells = code_cells(read(path))
    checked = [cell for cell in cells if cell.source.startswith("# NBVAL_CHECK_OUTPUT")]
    assert len(checked) >= 2
    assert all(cell.outputs for cell in checked)


@pytest.mark.parametrize("path", [*PATHS, FOLDER / "README.md"], ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    text = path.read_text() if path.suffix == ".md" else "\n".join(prose(read(path)))
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    links += re.findall(r'(?:src|href)="(?!https?:|#)([^"#]+)"', text)
    assert links
    for link in links:
        assert (FOLDER / link).exists(), link


@each
def test_a_small_image_stands_for_it(path):
    image = FOLDER / "figures" / f"{path.stem}.png"
    assert image.stat().st_size <= stored_form.THUMBNAIL_BYTES
    with Image.open(image) as opened:
        assert opened.width <= stored_form.THUMBNAIL_WIDTH
    assert f"figures/{path.stem}.png" in (FOLDER / "README.md").read_text()
