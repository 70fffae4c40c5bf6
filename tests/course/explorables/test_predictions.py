"""What the forms of predictions read and count, in an interpreter inside this process."""

import re

import pytest
from helpers.javascript import MATHS, Module

from recallkit.course.explorables import Predictions

FOLDER = MATHS.parent / "predict"


@pytest.fixture(scope="module")
def parts():
    return Module(FOLDER / "parts.js")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("34", 34), ("34 %", 34), ("about 0.5", 0.5), (".5", 0.5), ("0,5", 0.5), ("−2.5", -2.5),
        ("1,460 GB", 1460), ("16,384,000", 16384000), ("34,5", 34.5),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(parts, text, number):
    assert parts("numberIn", text) == number


@pytest.mark.parametrize("text", ["", "half", "%", "-"])
def test_what_is_no_number_is_none(parts, text):
    assert parts("numberIn", text) is None  # NaN in JSON


ENGLISH = {"predict": "Predict", "question": "Question #", "range": "Near: # to #"}
SPANISH = {"predict": "¿Qué crees?", "question": "Pregunta #", "range": "Cerca: de # a #"}


@pytest.mark.parametrize(
    ("note", "near"),
    [
        ("More words. Near: 25 to 45 %.", {"low": 25, "high": 45, "unit": "%"}),
        ("Near: 0 to 9.5 GB. More.", {"low": 0, "high": 9.5, "unit": "GB"}),
        ("Near: −1 to 1,000.\n", {"low": -1, "high": 1000, "unit": ""}),
        ("It is near 25 to 45.", None),
    ],
)
def test_a_note_says_which_numbers_are_near(parts, note, near):
    assert parts("nearIn", note, parts("marksOf", ENGLISH)) == near


def test_questions_and_near_numbers_are_known_in_other_languages(parts):
    marks = parts("marksOf", SPANISH)
    assert parts("nearIn", "Cerca: de 25 a 45 %.", marks) == {"low": 25, "high": 45, "unit": "%"}
    assert parts("nearIn", "Near: 25 to 45 %.", marks) is None
    asked = [text for text in PROMPTS if re.search(marks["prompt"], text)]
    assert asked == ["¿Qué crees?", "Pregunta 12"]


PROMPTS = ["¿Qué crees?", "Pregunta 12", "Predict", "Qué crees", "Pregunta"]


def test_the_score_counts_what_was_predicted():
    module = Module(FOLDER / "kept.js")
    verdicts = {"a": True, "b": True, "c": False, "d": None}
    answers = {name: {"guess": "1", "verdict": verdict} for name, verdict in verdicts.items()}
    answers |= {"e": {"guess": None, "verdict": None}, "of an older notebook": answers["a"]}
    score = module("scoreOf", {"answers": answers}, ["a", "b", "c", "d", "e", "f"])
    assert score == {"all": 6, "made": 4, "right": 2, "wrong": 1, "open": 1}


def test_the_module_needs_nothing_else():
    text = Predictions.module_text()
    assert len(text) < 40_000
    assert "import " not in text.partition("export default")[0].replace("!important", "")
    assert set(Predictions().values()) == {"words"}


@pytest.mark.parametrize(
    ("tags", "ids", "quiz_ids"),
    [
        (["predict"], ["a"], []),
        (["predict/answer", "predict"], ["a"], []),
        (["quiz"], [], ["a"]),
        (["predict/answer"], [], []),
    ],
)
def test_a_question_is_of_the_quiz_or_a_prediction(parts, tags, ids, quiz_ids):
    parts.context.eval(
        """exported.noted = (tags) => {
          const found = { ids: [], quizIds: [], questions: [] };
          exported.noteQuestion(found, "a", tags, {});
          return found;
        }"""
    )
    questions = [{"id": "a", "quiz": bool(quiz_ids)}] if ids + quiz_ids else []
    assert parts("noted", tags) == {"ids": ids, "quizIds": quiz_ids, "questions": questions}
