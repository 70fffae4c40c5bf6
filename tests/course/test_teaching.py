"""The page for teachers: minutes as counted, plans that add up, headings that exist."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from recallkit.course import teaching
from recallkit.course.teaching import sections_of, words_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "notebooks" / "guide" / "teaching.md").read_text(encoding="utf-8")
PLAN = re.compile(
    r"^## Session (\d\d): .+?^\| 50 \| 90 \| what happens \|\n\| [-:| ]+\|\n((?:\|[^\n]+\n)+)",
    re.M | re.S,
)
ROW = re.compile(r"^\| (\d+|–) \| (\d+|–) \| (.+) \|$", re.M)
COURSE = teaching.counted()
PLANS = {number: ROW.findall(rows) for number, rows in PLAN.findall(PAGE)}
each = pytest.mark.parametrize("number", COURSE)


def minutes(text):
    return 0 if text == "–" else int(text)


def cell(text, *tags, code=False, **metadata):
    make = new_code_cell if code else new_markdown_cell
    return make(text, metadata={"tags": [*tags], **metadata})


def test_words_are_counted_without_formulas_code_and_addresses():
    text = (
        "Two *words* and $x + y$ a [link](where/it.md) to `code`\n\n```sh\nno words\n```\n$$ r $$"
    )
    assert words_of(text) == len(["Two", "words", "and", "a", "link", "to", "code"])
    assert words_of("it's R@1, 12 % of <b>all</b>") == len(["it's", "R", "of", "all"])


def test_sections_hold_what_stands_under_their_heading():
    notebook = new_notebook(
        cells=[
            cell("# Title\n\nOne two three"),
            cell("import this", code=True),
            cell("End of it.\n\n## First\n\n**Predict**: one?", "predict"),
            cell("x = 1", "exercise/needs", code=True),
            cell("x = 2", code=True, jupyter={"source_hidden": True}),
            cell("assert x", "hide-input", code=True),
            cell("## Exercise 1: a\n\n*Code · easy · 7 minutes*\n\nDo it.", "exercise"),
            cell("Not counted", "exercise/hint"),
            cell("x = 0", "exercise/start", code=True),
            cell("## Exercise 2: b\n\n*By hand · hard · 12 minutes*\n\nDo it.", "exercise"),
            cell("## Quiz\n\n**Question 1**: what?", "quiz"),
            cell("## The answer\n\nYes.\n\n### Further reading\n\n- Not counted"),
        ]
    )
    found = [(s.title, s.words, s.cells, s.questions, s.exercises) for s in sections_of(notebook)]
    assert found == [
        ("", 7, 1, 0, []),
        ("First", 2, 1, 1, []),
        ("Exercises", 0, 0, 0, [7, 12]),
        ("Quiz", 2, 0, 1, []),
        ("The answer", 1, 0, 0, []),
    ]
    first = sections_of(notebook)[1]
    assert first.minutes == pytest.approx(2 / 200 + 1 + 1)


def test_an_exercise_without_minutes_is_named():
    exercise = cell("## Exercise 1: a\n\nDo it.", "exercise")
    with pytest.raises(ValueError, match=f"{exercise.id} names no minutes"):
        sections_of(new_notebook(cells=[exercise]))


def test_the_files_say_what_is_counted():
    for path, text in teaching.renewed(ROOT).items():
        same = path.read_text(encoding="utf-8") == text
        assert same, f"{path.name} is older: python -m recallkit.course.teaching"


def test_minutes_are_put_into_the_row_of_their_session_alone():
    page = "| [00](a/00_x.ipynb) | what? | 15 + 3 |\n| [01](01_y.ipynb): a | b | 40 + 1 | 00 |\n"
    course = {number: sections_of(new_notebook()) for number in ("00", "01")}
    course["01"][0].exercises.append(33)
    expected = page.replace("15 +", "0 +").replace("40 +", "35 +")
    assert teaching.with_minutes(page, course) == expected


@each
def test_a_session_has_a_plan_of_50_and_of_90_minutes(number):
    rows = PLANS[number]
    assert sum(minutes(short) for short, _, _ in rows) == 50
    assert sum(minutes(long) for _, long, _ in rows) == 90
    assert all(minutes(long) > 0 for _, long, _ in rows)


@each
def test_a_plan_names_headings_of_its_notebook_and_gives_them_enough_time(number):
    counted = {section.title: section.minutes for section in COURSE[number]}
    for _, long, what in PLANS[number]:
        named = re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", what)
        assert [title for title in named if title not in counted] == []
        assert minutes(long) >= 0.5 * sum(counted[title] for title in named), what


@each
def test_a_session_has_questions_wrong_answers_and_what_to_skip(number):
    [section] = re.findall(rf"^## Session {number}: .+?(?=^## )", PAGE, re.M | re.S)
    assert "**Wrong answers" in section
    assert "**Skip**" in section or "**If time is short**" in section
    assert "**Discuss.**" in section or "**Questions that come up**" in section


def test_exam_questions_have_points_and_solutions():
    exam = PAGE.partition("## Exam questions\n")[2].partition("\n## ")[0]
    questions = re.findall(r"^\d+\. \*\*\(\d(?: points)?\)\*\*.+?(?=^\d+\. |\Z)", exam, re.M | re.S)
    assert len(questions) >= 12
    assert all(question.count("*Solution.*") == 1 for question in questions)


def test_the_points_of_the_rubric_are_those_of_the_page():
    project = PAGE.partition("## Project: ")[2].partition("\n## ")[0]
    weights = [int(weight) for weight in re.findall(r"\| (\d) \|$", project, re.M)]
    assert f"of {3 * sum(weights)}." in project
