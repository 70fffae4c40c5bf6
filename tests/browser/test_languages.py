"""A book that is written from the right, in a browser: pages, figures, forms, on a phone too."""

import pytest
from helpers.waiting import wait
from selenium.webdriver.common.by import By

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
]
PROSE = "article :is(p, li, h1, h2):not(.cell_output *, .rk *), .rk-predict :is(p, legend)"
STAY = ".highlight, .cell_output, math, div.math, .rk:not(.rk-predict)"
DIRECTIONS = """
return [...document.querySelectorAll(arguments[0])].filter((element) => element.checkVisibility())
  .map((element) => getComputedStyle(element).direction);
"""
FORGOTTEN = r"""
const texts = [...document.querySelectorAll('.rk *:not(style)')].flatMap((element) =>
  [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data));
return [texts.length > 100, ...texts.filter((text) => /[A-Za-z]{2}/.test(text))];
"""


@pytest.fixture
def chapter(pseudo_book):
    """The page of the chapter."""
    return (pseudo_book / "00_quickstart.html").as_uri()


def directions(browser, selected):
    return {*browser.execute_script(DIRECTIONS, selected)}


@pytest.mark.parametrize("width", [1280, 390])
def test_texts_begin_at_the_right_and_figures_at_the_left(width, chapter, browser, artefacts):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(chapter)
    wait(lambda: browser.find_elements(By.CSS_SELECTOR, ".rk-predict form"))
    browser.save_screenshot(str(artefacts / f"right-to-left-{width}.png"))
    assert directions(browser, PROSE) == {"rtl"}
    assert directions(browser, STAY) == {"ltr"}
    inside = "return document.documentElement.scrollWidth <= innerWidth"
    assert browser.execute_script(inside)
    assert browser.get_log("browser") == []


def test_questions_have_forms_and_nothing_in_figures_is_english(chapter, browser):
    browser.get(chapter)
    wait(lambda: browser.find_elements(By.CSS_SELECTOR, ".rk-predict form"))
    forms = browser.find_elements(By.CSS_SELECTOR, ".rk-predict form")
    assert len(forms) == 7 + 4  # predictions, and the quiz
    assert browser.execute_script(FORGOTTEN) == [True]
    browser.execute_script("arguments[0].querySelectorAll('input')[1].click()", forms[0])
    browser.execute_script("arguments[0].requestSubmit()", forms[0])
    outcome = forms[0].find_element(By.XPATH, "../div[@role='status']")
    assert "✓" in outcome.text
