"""Catalogues: what they hold, how they are renewed, and that those of the project are current."""

import re
from io import BytesIO

import pytest
from babel.messages.pofile import read_po

from recallkit.course.translation import CATALOGUES, find_language, languages_in
from recallkit.course.translation.__main__ import renew
from recallkit.course.translation.messages import messages_by_catalogue, renewed
from recallkit.errors import RecallkitError
from recallkit.files import embedded

NOTEBOOKS = embedded("notebooks")
CODE = re.compile(r"`[^`]+`|\$[^$]+\$|\]\([^)]+\)|\{\w+\}")


@pytest.fixture(scope="module")
def messages():
    return messages_by_catalogue(NOTEBOOKS)


def catalogues():
    return sorted(NOTEBOOKS.glob(CATALOGUES.format(code="*") + "/*.po"))


@pytest.mark.parametrize("path", catalogues(), ids=lambda path: path.stem)
def test_the_catalogues_of_the_project_are_renewed(path, messages):
    """After a change of texts: ``python -m recallkit.course.translation de``."""
    code = path.parents[1].name
    assert renewed(path, messages[path.stem], code)[0] == path.read_bytes()


def test_the_worked_example_is_whole(messages):
    path = NOTEBOOKS / CATALOGUES.format(code="de") / "01_relaxed_ranking.po"
    catalogue = [message for message in read_po(BytesIO(path.read_bytes())) if message.id]
    assert len(catalogue) == len(messages["01_relaxed_ranking"]) > 200
    assert [message.id for message in catalogue if not (message.string or message.fuzzy)] == []


@pytest.mark.parametrize("code", languages_in(NOTEBOOKS))
def test_translations_keep_formulas_code_links_and_values(code):
    texts = find_language(code, NOTEBOOKS).texts
    differ = [m for m, t in texts.items() if sorted(CODE.findall(m)) != sorted(CODE.findall(t))]
    assert differ == []


@pytest.mark.parametrize("code", languages_in(NOTEBOOKS))
def test_questions_are_marked_by_the_words_that_the_page_looks_for(code):
    """See ``predict`` and ``question`` of predictions.js."""
    language = find_language(code, NOTEBOOKS)
    asked = {f"**{language('Predict')}**": "**Predict**"}
    for number in range(1, 6):
        question = language("Question {number}").format(number=number)
        asked[f"**{question}**"] = f"**Question {number}**"
    wrong = [
        message
        for message, text in language.texts.items()
        if [english in message for english in asked.values()] != [own in text for own in asked]
        and message not in ("Predict", "Question {number}")
    ]
    assert wrong == []
    right = [(m.startswith("**Right"), t.startswith("**")) for m, t in language.texts.items()]
    assert all(bold for is_right, bold in right if is_right)


def test_all_that_readers_see_is_a_message(messages):
    assert len(messages) == 14 + 4
    assert "Commit and see" in messages["explorables"]
    assert "Previous step" in messages["book"]
    assert (
        "How do I teach this: minutes, questions, wrong answers, exams, a project?"
        in (messages["guide"])
    )
    assert not {"rank", "Commit and see"} & {*messages["01_relaxed_ranking"]}


def test_a_renewed_catalogue_keeps_what_was_translated(tmp_path):
    path = tmp_path / "a.po"
    first, left = renewed(path, ["One image is here.", "gone"], "de")
    assert left == 2
    path.write_bytes(first.replace(b'here."\nmsgstr ""', 'here."\nmsgstr "Hier ist ä."'.encode()))
    again, left = renewed(path, ["One image is here.", "new"], "de")
    assert left == 1
    assert "Hier ist ä." in again.decode()
    assert b"gone" not in again
    changed, left = renewed(path, ["One image was here.", "new"], "de")
    assert left == 2
    assert "#, fuzzy\nmsgid" in changed.decode()
    path.write_bytes(changed)
    assert renewed(path, ["One image was here.", "new"], "de")[0] == changed


def test_a_catalogue_is_begun_by_its_name(tmp_path, capsys):
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide/a.md").write_text("# A title\n")
    (tmp_path / "README.md").write_text("Some words.\n")
    renew(tmp_path, "eo", ["guide"])
    assert re.search(r"guide\.po: 1 of 1 messages are left to translate", capsys.readouterr().out)
    with pytest.raises(RecallkitError, match=r"no catalogue begins with '07': front, guide, expl"):
        renew(tmp_path, "eo", ["07"])
    renew(tmp_path, "eo", [])
    assert [path.name for path in tmp_path.rglob("*.po")] == ["guide.po"]
