"""``recallkit class``: a made-up class of four is handed exercises, graded, and given feedback."""

import csv

import nbformat
import pytest
from helpers.made_up_class import NAMES, POINTS, answer

from recallkit import cli
from recallkit.cli.classroom import COMMANDS
from recallkit.course.assignments.reading import exercises_of


def hand_in(path, student):
    """A copy of the release, with the student's answers."""
    notebook = nbformat.read("handout/01_relaxed_ranking_exercises.ipynb", as_version=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(answer(notebook, student), path)


def rows_of(path):
    """Student → row of a table of grades."""
    with path.open(encoding="utf-8-sig") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_a_class_of_four(tmp_path, capsys, failing):
    cli.main(["class", "release", "01", "--to", "handout"])
    for student in ("ada", "cem", "dana"):
        hand_in(tmp_path / "submitted" / f"{student}.ipynb", student)
    hand_in(tmp_path / "submitted" / "bo" / "homework.ipynb", "bo")
    (tmp_path / "submitted" / "bo" / "broken.ipynb").write_text("{")

    grade = ["class", "grade", "submitted", "--secret", "blackbird", "--to", "feedback"]
    cli.main([*grade, "--seconds", "2"])
    out = capsys.readouterr().out
    assert "graded 4 students" in out
    assert "note: bo: broken.ipynb cannot be read as a notebook" in out
    rows = rows_of(tmp_path / "feedback" / "grades.csv")
    points = {student: [int(row[name]) for name in NAMES] for student, row in rows.items()}
    assert points == POINTS
    assert [rows[student]["points"] for student in POINTS] == ["7", "1", "6", "0"]
    assert {row["of"] for row in rows.values()} == {"7"}
    pages = {student: (tmp_path / "feedback" / f"{student}.html").read_text() for student in rows}
    assert "it did not end within 2 seconds" in pages["cem"]
    assert "no function both_recalls that differs from the start" in pages["bo"]
    assert "for number = " in pages["dana"]  # the failing input
    assert "not right" not in pages["ada"]
    assert "grades.csv is there already. Add --overwrite" in failing(*grade)


def test_several_notebooks_of_one_student(tmp_path):
    cli.main(["class", "release", "01", "--to", "handout"])
    cli.main(["class", "release", "05", "--to", "handout"])
    hand_in(tmp_path / "submitted" / "ada.ipynb", "bo")
    hand_in(tmp_path / "submitted" / "ada" / "a.ipynb", "dana")
    other = tmp_path / "handout" / "05_simix_exercises.ipynb"
    other.rename(tmp_path / "submitted" / "ada" / "b.ipynb")
    hand_in(tmp_path / "submitted" / "bo.ipynb", "bo")
    cli.main(["class", "grade", "submitted", "--secret", "x", "--to", "out", "--overwrite"])
    rows = rows_of(tmp_path / "out" / "grades.csv")
    assert [int(rows["ada"][name]) for name in NAMES] == POINTS["bo"]
    assert (rows["ada"]["points"], rows["ada"]["of"], rows["bo"]["of"]) == ("1", "13", "7")
    assert rows["ada"]["remarks"] == "of several notebooks of a session the best answers count"
    assert {rows["bo"][name] for name in rows["bo"] if name.startswith("05/")} == {""}


def test_a_release_has_no_solution_and_no_output(tmp_path, failing):
    cli.main(["class", "release", "01", "--to", "out"])
    [path] = (tmp_path / "out").iterdir()
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "_solution" not in text
    assert "<details><summary>Solution" not in text
    assert not any(cell.get("outputs") for cell in notebook.cells)
    assert [text.count(f'course.check("{name}"') for name in NAMES] == [1] * 7
    cli.main(["class", "release", "01", "--to", "out"])  # the same again
    path.write_text("mine")
    assert "is there and differs. Name another folder" in failing(
        "class", "release", "01", "--to", "out"
    )
    assert path.read_text() == "mine"


def test_the_instructors_notebooks_have_their_solutions_open(tmp_path):
    cli.main(["class", "solutions", "01", "--to", "out"])
    notebook = nbformat.read(tmp_path / "out" / "01_relaxed_ranking.ipynb", as_version=4)
    solutions = [exercise.solution for exercise in exercises_of(notebook)]
    assert len(solutions) == 7
    assert not any("jupyter" in cell.metadata for cell in solutions)
    assert sum("<details open><summary>Solution" in cell.source for cell in notebook.cells) == 7
    assert sum(len(cell.get("outputs", [])) for cell in notebook.cells) > 30


def test_the_commands_of_a_class_are_listed(capsys):
    for arguments in ([], ["--help"]):
        with pytest.raises(SystemExit) as stop:
            cli.main(["class", *arguments])
        assert stop.value.code == 0
        text = capsys.readouterr().out
        for name, function in COMMANDS.items():
            assert f"{name:10} {function.__doc__.splitlines()[0]}\n" in text
            assert f"\n  recallkit class {name} " in text
    with pytest.raises(SystemExit) as stop:
        cli.main(["class", "grad"])
    assert stop.value.code == 2
    assert "did you mean grade" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["nbgrader", "otter"])
def test_an_assignment_for_another_program(form, tmp_path, capsys):
    cli.main(["class", "export", form, "01", "--secret", "blackbird", "--to", "course"])
    path = tmp_path / capsys.readouterr().out.removeprefix("wrote ").strip()
    assert NAMES[0] in path.read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_a_class_has_examples(name, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["class", name, "--help"])
    assert stop.value.code == 0
    assert f"Examples:\n  recallkit class {name} " in capsys.readouterr().out


def test_wrong_arguments_are_named(failing):
    assert "there is no notebook '77'" in failing("class", "release", "77", "--to", "out")
    grade = ("class", "grade", "nowhere", "--secret", "x", "--to", "out")
    assert "there is no notebook below nowhere" in failing(*grade)
    assert "--seconds must lie" in failing(*grade, "--seconds", "0")
