"""The copy of the course: what comes, what is updated, what stays."""

import re

import nbformat
import pytest
from nbformat import v4

from recallkit.course.copying import copy_course
from recallkit.errors import RecallkitError
from recallkit.files import embedded


@pytest.fixture
def course(tmp_path):
    """A course of three files, and hidden ones beside them."""
    for name in ("a.md", "b.md", "figures/a.png", ".ipynb_checkpoints/a.ipynb", ".hidden"):
        (tmp_path / "course" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "course" / name).write_text(f"{name} 1")
    return tmp_path / "course"


def copy(course):
    copied = copy_course(course.parent / "mine", course)
    return copied.added, copied.updated, copied.kept


def visible(folder):
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in files if not name.startswith("."))


def test_a_first_copy_has_all_that_is_not_hidden(course, tmp_path):
    assert copy(course) == (["a.md", "b.md", "figures/a.png"], [], [])
    assert visible(tmp_path / "mine") == ["a.md", "b.md", "figures/a.png"]
    assert (tmp_path / "mine" / "a.md").read_text() == "a.md 1"
    assert copy(course) == ([], [], [])


def test_new_files_come_and_unchanged_ones_are_updated(course, tmp_path):
    copy(course)
    (course / "a.md").write_text("a.md 2")
    (course / "c.md").write_text("c.md 1")
    assert copy(course) == (["c.md"], ["a.md"], [])
    assert (tmp_path / "mine" / "a.md").read_text() == "a.md 2"


def test_what_the_user_changed_stays_however_often(course, tmp_path):
    copy(course)
    (tmp_path / "mine" / "a.md").write_text("mine")
    (tmp_path / "mine" / "notes.txt").write_text("notes")
    for version in "234":
        (course / "a.md").write_text(f"a.md {version}")
        assert copy(course) == ([], [], ["a.md"])
        assert (tmp_path / "mine" / "a.md").read_text() == "mine"
    assert (tmp_path / "mine" / "notes.txt").read_text() == "notes"
    (tmp_path / "mine" / "a.md").rename(tmp_path / "mine" / "my a.md")
    assert copy(course) == (["a.md"], [], [])


def test_a_file_that_was_there_before_the_first_copy_stays(course, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "b.md").write_text("older")
    assert copy(course)[2] == ["b.md"]
    assert (tmp_path / "mine" / "b.md").read_text() == "older"


def test_what_is_no_longer_in_the_course_stays_and_is_named(course, tmp_path):
    copy(course)
    (course / "b.md").unlink()
    for _ in range(2):
        copied = copy_course(tmp_path / "mine", course)
        assert copied.removed == ["b.md"]
        assert list(copied.lines())[-1] == "no longer in the course, and kept: b.md"
    (tmp_path / "mine" / "b.md").unlink()
    assert copy_course(tmp_path / "mine", course).removed == []


@pytest.mark.parametrize("name", ["file", "file/below", "file/far/below"])
def test_a_file_is_no_folder(course, tmp_path, name):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RecallkitError, match=r"file is a file\. Name a folder"):
        copy_course(tmp_path / name, course)
    assert (tmp_path / "file").read_text() == "mine"


def test_the_originals_are_no_copy(course):
    with pytest.raises(RecallkitError, match="holds the originals"):
        copy_course(course, course)


def test_the_course_that_comes_with_recallkit(tmp_path):
    copied = copy_course(tmp_path / "mine")
    assert visible(tmp_path / "mine") == copied.added
    assert {"README.md", "00_quickstart.ipynb", "figures/00_quickstart.png"} <= set(copied.added)
    originals = visible(embedded("notebooks"))
    assert copied.added == [name for name in originals if not name.startswith("locale/")]
    assert copied.added != originals
    assert [*copied.lines()] == [
        f"the course is in {tmp_path / 'mine'}: {len(copied.added)} files added, 0 updated"
    ]


def tagged(*tags, source="1", output="seen"):
    cell = v4.new_code_cell(source, outputs=[v4.new_output("stream", text=output)])
    cell.metadata["tags"] = [*tags]
    return cell


def test_notebooks_come_as_students_want_them(course, tmp_path):
    shown = tagged()
    cells = [shown, tagged("predict/answer"), tagged("exercise/start"), tagged("exercise/check")]
    hidden = [tagged("exercise/solution", source="answer"), v4.new_markdown_cell("words")]
    hidden[1].metadata["tags"] = ["exercise/solution"]
    hint = v4.new_markdown_cell("<details>hint</details>", metadata={"tags": ["exercise/hint"]})
    nbformat.write(v4.new_notebook(cells=[hint, *cells, *hidden]), course / "c.ipynb")
    original = (course / "c.ipynb").read_bytes()
    assert "c.ipynb" in copy(course)[0]
    student = nbformat.read(tmp_path / "mine" / "c.ipynb", as_version=4)
    assert [cell.id for cell in student.cells] == [cell.id for cell in [hint, *cells]]
    assert [len(cell.get("outputs", [])) for cell in student.cells] == [0, 1, 0, 0, 0]
    assert (course / "c.ipynb").read_bytes() == original
    assert copy(course) == ([], [], [])


def test_no_line_of_a_solution_is_in_the_copy(tmp_path):
    copy_course(tmp_path / "mine")
    for path in (tmp_path / "mine").glob("*.ipynb"):
        original = nbformat.read(embedded("notebooks") / path.name, as_version=4)
        student = nbformat.read(path, as_version=4)
        others = [
            c for c in original.cells if "exercise/solution" not in c.metadata.get("tags", [])
        ]
        assert [cell.source for cell in student.cells] == [cell.source for cell in others]
        assert "_solution" not in "".join(cell.source for cell in student.cells)
        for cell in student.cells:
            if "predict/answer" in cell.metadata.get("tags", []):
                assert not cell.get("outputs"), cell.id


def links(path):
    """The relative links of a page or a notebook."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    return [link.split("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)]


def test_every_link_of_the_copy_stays_in_it(tmp_path):
    folder = tmp_path / "mine"
    copy_course(folder)
    pages = [*folder.rglob("*.md"), *folder.rglob("*.ipynb")]
    found = [(page.parent / link).resolve() for page in pages for link in links(page)]
    assert len(found) > 50
    lost = [path for path in found if not path.exists() or not path.is_relative_to(folder)]
    assert lost == []
