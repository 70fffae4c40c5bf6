"""Predict, commit, reveal, by keyboard: in the book, and in JupyterLab before any cell is run."""

import re

import nbformat
import pytest
from helpers.lab_pages import HARMLESS, READY
from helpers.waiting import comes, wait
from nbformat.sign import NotebookNotary
from selenium.webdriver.common.keys import Keys

from recallkit.course.explorables.predictions import ANSWER, QUESTION, QUIZ
from recallkit.course.notebooks import find_notebooks

pytestmark = pytest.mark.browser

PAGES = [path.stem for path in find_notebooks()]
# Outputs of answers, and texts of answers, that can be seen.
IN_SIGHT = r"""
const outputs = '.cell.tag_predict\\/answer .cell_output';
return [...document.querySelectorAll(outputs)].filter((e) => e.checkVisibility()).length;
"""
FOLDED_TEXTS = "return [...document.querySelectorAll('.rk-folded')].map((e) => e.textContent)"
FORMS = ".rk-predict form"
SIZES = """
const roots = [...document.querySelectorAll('.rk-predict')];
const texts = 'p, span, legend, button, li, label, em';
const all = roots.flatMap((root) => [...root.querySelectorAll(texts)]);
const seen = all.filter((e) => e.checkVisibility() && e.textContent.trim());
const targets = roots.flatMap((root) => [...root.querySelectorAll('button, label, summary')]);
const box = (e) => e.getBoundingClientRect();
return {
  page: document.documentElement.scrollWidth,
  text: Math.min(...seen.map((e) => parseFloat(getComputedStyle(e).fontSize))),
  target: Math.min(...targets.filter((e) => e.checkVisibility())
    .map((e) => Math.min(box(e).width, box(e).height))),
};
"""
DARK = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}


def open_page(browser, book, name):
    """Open a page that this browser has not opened before."""
    browser.get((book / f"{name}.html").as_uri())
    wait(lambda: browser.find_elements("css selector", FORMS))


def all_of(browser, selector):
    return browser.find_elements("css selector", selector)


def score(browser):
    """The score of the predictions; nothing before the page has put it there."""
    shown = all_of(browser, ".rk-score")
    return shown[-1].text if shown else ""


def in_sight(browser):
    return browser.execute_script(IN_SIGHT)


def shows(browser, text):
    """Wait until the text is in what has the focus, where a keyboard or a screen reader goes on."""
    wait(lambda: text in browser.switch_to.active_element.text)


def errors(browser):
    severe = [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [entry["message"] for entry in severe if not HARMLESS.search(entry["message"])]


def commit_choice(browser, form, place):
    """Choose and commit with keys alone."""
    radios = form.find_elements("css selector", "input[type=radio]")
    radios[0].send_keys(Keys.SPACE)
    for _ in range(place):
        browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    browser.switch_to.active_element.send_keys(Keys.ENTER)


@pytest.mark.parametrize("name", PAGES)
def test_no_answer_is_in_sight_before_it_was_predicted(name, book, shared_browser):
    open_page(shared_browser, book, name)
    stored = nbformat.read(next(p for p in find_notebooks() if p.stem == name), as_version=4)
    assert shared_browser.execute_script(IN_SIGHT) == 0
    questions = [
        cell for cell in stored.cells if {QUESTION, QUIZ} & {*cell.metadata.get("tags", [])}
    ]
    assert len(all_of(shared_browser, FORMS)) == len(questions)
    folded = shared_browser.execute_script(FOLDED_TEXTS)
    assert sum(text.startswith("What the ") for text in folded) == takeaways(stored)
    all_of(shared_browser, ".rk-predict[role=group] button")[0].click()  # show all answers
    wait(lambda: not all_of(shared_browser, ".rk-folded"))
    answers = [c for c in stored.cells if ANSWER in c.metadata.get("tags", []) and c.get("outputs")]
    hidden_by_solutions = len(all_of(shared_browser, r".tag_predict\/answer.tag_hide-cell"))
    shown = shared_browser.execute_script(IN_SIGHT)
    assert shown >= len(answers) - hidden_by_solutions > 0
    assert errors(shared_browser) == []


def takeaways(notebook):
    """The number of answers in words."""
    answers = [cell for cell in notebook.cells if ANSWER in cell.metadata.get("tags", [])]
    return sum(len(re.findall(r"^\*\*What the ", cell.source, re.M)) for cell in answers)


def test_committed_by_keys_judged_counted_and_kept(book, browser):
    open_page(browser, book, "00_quickstart")
    wait(lambda: score(browser).startswith("Predictions made: 0 of 5."))
    wrong, number, right = all_of(browser, FORMS)[:3]
    commit_choice(browser, wrong, 0)
    wait(lambda: not wrong.is_displayed())
    shows(browser, "You predicted: all six, so R@1 is 1 ✗ Not so.")
    shows(browser, "50° is only 10° from 60°")
    number.find_element("css selector", "input").send_keys("30 %", Keys.ENTER)
    shows(browser, "You predicted: 30 % ✓ Near.")
    commit_choice(browser, right, 1)
    shows(browser, "✓\nRight. It keeps much")
    for _ in range(2):
        comes(browser, score, "Predictions made: 3 of 5. Right or near: 2; not: 1.")
        comes(browser, in_sight, 3)
        browser.refresh()
    comes(browser, score, "Predictions made: 3 of 5. Right or near: 2; not: 1.")
    all_of(browser, ".rk-predict[role=group] button")[-1].send_keys(Keys.ENTER)  # start over
    for _ in range(2):
        wait(lambda: score(browser).startswith("Predictions made: 0 of 5."))
        comes(browser, in_sight, 0)
        browser.refresh()


def quiz_score(browser):
    """The score of the quiz, at the foot."""
    return all_of(browser, ".rk-quiz")[-1].text


def test_a_quiz_is_answered_by_keys_with_remarks_and_a_score_that_stays(book, browser, artefacts):
    open_page(browser, book, "00_quickstart")
    wrong, right = all_of(browser, FORMS)[5:7]
    assert "Your answer" in wrong.text
    commit_choice(browser, wrong, 1)
    shows(browser, "You answered: yes, if the embeddings have length 1 ✗ Not so.")
    shows(browser, "This mixes up how a similarity is computed with what is counted.")
    commit_choice(browser, right, 0)
    shows(browser, "✓\nRight. On classes that it was trained on")
    browser.save_screenshot(str(artefacts / "quiz.png"))
    for _ in range(2):
        comes(browser, quiz_score, "Quiz: 2 of 4 answered. Right: 1.")
        assert score(browser) == "Predictions made: 0 of 5. Right or near: 0; not: 0."
        comes(browser, in_sight, 0)  # a quiz unfolds no answer of a prediction
        browser.refresh()


def test_a_text_is_judged_by_its_author_and_a_look_is_no_prediction(book, browser):
    open_page(browser, book, "02_gradients")
    text = all_of(browser, FORMS)[1]
    text.find_element("css selector", "input[type=text]").send_keys("the coldest", Keys.ENTER)
    wait(lambda: score(browser).endswith("Not judged yet: 1."))
    yes = all_of(browser, ".rk-judge .rk-button")[0]
    yes.send_keys(Keys.ENTER)
    comes(browser, score, "Predictions made: 1 of 7. Right or near: 1; not: 0.")
    look = all_of(browser, FORMS)[2].find_elements("css selector", "button")[1]
    look.send_keys(Keys.ENTER)
    shows(browser, "You looked without a prediction.")
    assert score(browser) == "Predictions made: 1 of 7. Right or near: 1; not: 0."


def test_nothing_is_committed_that_was_not_chosen(book, browser):
    open_page(browser, book, "00_quickstart")
    number = all_of(browser, FORMS)[1]
    commit = number.find_elements("css selector", "button")[0]
    assert not commit.is_enabled()
    number.find_element("css selector", "input").send_keys("many", Keys.ENTER)
    assert not commit.is_enabled()
    wait(lambda: score(browser).startswith("Predictions made: 0 of 5."))


def test_without_scripts_all_can_be_read(book, browser):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.get((book / "00_quickstart.html").as_uri())
    live = ":has(.rk-live)"  # figures that a script draws
    stored = rf".cell.tag_predict\/answer:not(.tag_hide-cell) .cell_output:not({live})"
    answers = all_of(browser, stored)
    assert len(answers) > 5
    assert all(answer.is_displayed() for answer in answers)
    assert all_of(browser, "form .rk-commit") == []
    note = next(d for d in all_of(browser, "details") if "After your prediction" in d.text)
    note.find_element("css selector", "summary").send_keys(Keys.ENTER)
    wait(lambda: "50° is only 10° from 60°" in note.text)


def test_where_storage_is_refused_the_forms_still_work(book, browser):
    refuse = "Object.defineProperty(window, 'localStorage', {get() { throw new Error('no'); }})"
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": refuse})
    open_page(browser, book, "00_quickstart")
    commit_choice(browser, all_of(browser, FORMS)[0], 2)
    wait(lambda: score(browser).startswith("Predictions made: 1 of 5. Right or near: 1"))


@pytest.mark.parametrize("name", ["01_relaxed_ranking", "02_gradients"])
def test_on_a_phone_and_in_the_dark(name, book, browser, artefacts):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", DARK)
    open_page(browser, book, name)
    form = all_of(browser, FORMS)[0]
    commit_choice(browser, form, 1)
    wait(lambda: not form.is_displayed())
    browser.save_screenshot(str(artefacts / f"predict-phone-{name}.png"))
    found = browser.execute_script(SIZES)
    assert found["page"] <= 390
    assert found["text"] >= 11
    assert found["target"] >= 24
    colour = all_of(browser, ".rk-predict")[0].value_of_css_property("color")
    assert colour == "rgba(230, 233, 238, 1)"


LAB_HIDDEN = """
return [...document.querySelectorAll('.jp-CodeCell.rk-folded')].map((cell) => ({
  note: cell.dataset.rkNote,
  seen: cell.querySelector('.jp-Cell-outputWrapper').checkVisibility(),
}));
"""


@pytest.fixture
def trusted(lab, browser):
    """Notebook 00 in JupyterLab, stored and signed, no cell run."""
    [path] = find_notebooks(["00"])
    notebook = nbformat.read(lab.folder / path.name, as_version=4)
    NotebookNotary(data_dir=str(lab.folder.parent / "data")).sign(notebook)
    browser.get(lab(path.name))
    browser.execute_async_script(READY)
    wait(lambda: len(all_of(browser, FORMS)) == 9)  # five predictions, four questions of the quiz
    yield browser
    assert errors(browser) == []


def test_in_jupyterlab_before_any_cell_is_run(trusted, lab, artefacts):
    hidden = trusted.execute_script(LAB_HIDDEN)
    stored = nbformat.read(lab.folder / "00_quickstart.ipynb", as_version=4)
    answers = [c for c in stored.cells if ANSWER in c.metadata.get("tags", []) and c.get("outputs")]
    assert len(hidden) == len(answers)
    assert not any(cell["seen"] for cell in hidden)
    commit_choice(trusted, all_of(trusted, FORMS)[0], 2)
    shows(trusted, "✓\nRight. Only 50° and 60°")
    comes(trusted, lambda browser: len(browser.execute_script(LAB_HIDDEN)), len(answers) - 1)
    assert len(all_of(trusted, ".jp-Notebook .jp-mod-editMode")) == 0
    number = all_of(trusted, FORMS)[1].find_element("css selector", "input")
    number.click()
    number.send_keys("30", Keys.ENTER)  # letters and keys reach the form, and not the notebook
    comes(trusted, score, "Predictions made: 2 of 5. Right or near: 2; not: 0.")
    assert len(all_of(trusted, ".jp-Notebook .jp-Cell")) == len(stored.cells)
    trusted.save_screenshot(str(artefacts / "predict-lab.png"))
    assert errors(trusted) == []
    trusted.refresh()
    trusted.execute_async_script(READY)
    errors(trusted)  # the page that was left may say that its open requests were cut off
    comes(trusted, score, "Predictions made: 2 of 5. Right or near: 2; not: 0.")


def test_in_jupyterlab_an_untrusted_notebook_hides_nothing(lab, browser):
    browser.get(lab("03_two_definitions.ipynb"))
    browser.execute_async_script(READY)
    wait(lambda: all_of(browser, ".jp-CodeCell .jp-RenderedImage, .jp-CodeCell img"))
    assert all_of(browser, ".rk-folded, .rk-predict") == []
