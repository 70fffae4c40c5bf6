"""The book in a browser, opened from the disk: narrow, searched, without a word in the console."""

from contextlib import suppress

import pytest
from helpers.books import open_with_answers
from helpers.controls import CONTROLS, at_its_end, press, touch
from helpers.waiting import wait
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

# Texts whose letters have less than 11 pixels, in the page and in its menus.
SMALL = """
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const small = new Set();
while (walk.nextNode()) {
  const [text, of] = [walk.currentNode.textContent.trim(), walk.currentNode.parentElement];
  const shown = text && of.checkVisibility() && !of.closest('svg, script, style');
  if (shown && parseFloat(getComputedStyle(of).fontSize) < 11) small.add(text);
}
return [...small];
"""
WIDTHS = "return [document.documentElement.scrollWidth, window.innerWidth]"


def url(book, name):
    return (book / name).as_uri()


def problems(browser):
    return [entry["message"] for entry in browser.get_log("browser")]


@pytest.fixture
def phone(browser):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return browser


def test_every_page_fits_a_phone_and_can_be_read_there(book, phone):
    pages = sorted(book.rglob("*.html"))
    assert len(pages) > 30
    wide, small = {}, {}
    for page in pages:
        phone.get(page.as_uri())
        width, window = phone.execute_script(WIDTHS)
        if width > 390 or window != 390:
            wide[page.name] = width
        small[page.name] = phone.execute_script(SMALL)
    assert wide == {}
    assert {name: texts for name, texts in small.items() if texts} == {}
    assert problems(phone) == []


# Figures: how much smaller than on a desktop they are, and whether a key can scroll them.
FIGURES = """
return [...document.querySelectorAll('article .cell_output img, article p > img')]
  .filter((image) => image.checkVisibility()).map((image) => {
    const own = Number(image.getAttribute('width') ?? 800), box = image.parentElement;
    const wide = box.scrollWidth > box.clientWidth;
    return [image.width / own, !wide || box.tabIndex === 0];
  });
"""


def test_figures_on_a_phone_are_as_large_as_on_a_desktop(book, phone):
    for page in ("01_relaxed_ranking", "08_benchmarks", "guide/claims"):
        open_with_answers(phone, url(book, f"{page}.html"), True)
        wait(lambda: len(phone.execute_script(FIGURES)) > 4)
        scales, reached = zip(*phone.execute_script(FIGURES), strict=True)
        assert min(scales) >= 1
        assert all(reached)


# What cells print as sentences or tables of numbers and goes beyond the page.
BEYOND = """
return [...document.querySelectorAll('.cell_output :is(.sentences pre, :has(> div > .dataframe))')]
  .filter((shown) => shown.scrollWidth > shown.clientWidth).map((shown) => shown.textContent);
"""


WIDE = ".cell_output pre { white-space: pre !important } .dataframe { min-width: 400px }"
ADD_STYLE = "document.head.append(document.createElement('style')); "
ADD_STYLE += "document.head.lastChild.textContent = arguments[0]"


def test_sentences_and_tables_of_numbers_fit_a_phone(book, phone):
    for page in ("03_two_definitions", "05_simix", "06_batch_size"):
        open_with_answers(phone, url(book, f"{page}.html"), True)
        assert phone.execute_script(BEYOND) == []
        phone.execute_script(ADD_STYLE, WIDE)  # so that what is wide is seen
        assert len(phone.execute_script(BEYOND)) > 7


# The first words of each table, or page of HTML, of a cell that goes beyond its box.
BEYOND_ITS_BOX = """
return [...document.querySelectorAll('.cell_output :is(.table-wrapper, .text_html)')]
  .filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.innerText.split(/\\s/)[0]);
"""


def test_tables_of_results_fit_a_phone(book, phone):
    widest = {"08_benchmarks": ["preset"], "09_your_images": []}  # of presets: eight columns
    for page, expected in widest.items():
        open_with_answers(phone, url(book, f"{page}.html"), True)
        assert phone.execute_script("return document.querySelectorAll('.cell_output table').length")
        assert phone.execute_script(BEYOND_ITS_BOX) == expected


# How much wider each picture of a session is than its place on the first page.
THUMBNAILS = """
return [...document.querySelectorAll('.book-session img')]
  .map((image) => image.offsetWidth - image.parentElement.clientWidth);
"""


def test_the_pictures_of_the_sessions_are_whole_on_a_phone(book, phone):
    phone.get(url(book, "index.html"))
    beyond = phone.execute_script(THUMBNAILS)
    assert len(beyond) > 10
    assert max(beyond) <= 0


def test_the_search_finds_a_word(book, browser):
    browser.get(url(book, "search.html") + "?q=SiMix")
    found = "return [...document.querySelectorAll('#search-results li a')].map(a => a.href).join()"
    for page in ("05_simix.html", "guide/results.html", "api/recallkit.html"):
        wait(lambda page=page: page in browser.execute_script(found))
    assert problems(browser) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_page_in_both_schemes(scheme, book, browser, artefacts):
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(url(book, "index.html"))
    browser.save_screenshot(str(artefacts / f"book-{scheme}.png"))
    background = "return getComputedStyle(document.body).backgroundColor"
    level = sum(map(int, browser.execute_script(background).strip("rgba()").split(",")[:3])) / 3
    assert level > 240 if scheme == "light" else level < 40
    loaded = "return [...document.images].map(i => i.complete && i.naturalWidth > 0)"
    assert len(browser.execute_script(loaded)) > 10
    wait(lambda: all(browser.execute_script(loaded)))


def test_solutions_are_folded_and_open_with_a_key(book, browser):
    browser.get(url(book, "01_relaxed_ranking.html"))
    summaries = browser.find_elements("css selector", ".tag_hide-cell details summary")
    assert len(summaries) == 7
    code = browser.find_elements("css selector", ".tag_hide-cell details .highlight")[0]
    assert not code.is_displayed()
    summaries[0].send_keys(Keys.ENTER)
    wait(code.is_displayed)
    summaries[0].send_keys(Keys.ENTER)  # no script of the page opens or closes it, too
    wait(lambda: not code.is_displayed())


def test_formulas_are_drawn(book, browser):
    browser.get(url(book, "01_relaxed_ranking.html"))
    sizes = browser.execute_script(
        "return [...document.querySelectorAll('math')].filter(m => m.checkVisibility())"
        ".map(m => m.getBoundingClientRect().height)"
    )
    assert len(sizes) >= 10
    assert min(sizes) > 5
    fractions = browser.execute_script(
        "const [top, bottom] = document.querySelector('mfrac').children;"
        "return [top, bottom].map(part => part.getBoundingClientRect().y)"
    )
    assert fractions[0] < fractions[1]
    wait(lambda: min(browser.execute_script(BELOW_THE_LINE)) > 1.5)  # 0 without the font


# How far the foot of each index is below that of what it belongs to.
BELOW_THE_LINE = """
const foot = (e) => e.getBoundingClientRect().bottom;
return [...document.querySelectorAll('msub')].filter((e) => e.checkVisibility())
  .map(({children: [a, b]}) => foot(b) - foot(a));
"""
# The smallest letter of a formula that can be seen, and how far formulas go beyond the page.
FORMULAS = """
const seen = (all) => [...document.querySelectorAll(all)].filter((e) => e.checkVisibility());
const size = (letter) => parseFloat(getComputedStyle(letter).fontSize);
return [
  Math.min(...seen('math :is(mi, mn, mo, mtext)').map(size)),
  Math.max(0, ...seen('div.math').map((e) => e.scrollWidth - e.clientWidth)),
];
"""


def test_formulas_can_be_read_on_a_phone(book, phone):
    for page in ("02_gradients", "07_temperatures_and_k", "11_any_metric", "12_recall_of_pixels"):
        open_with_answers(phone, url(book, f"{page}.html"), True)
        smallest, beyond = phone.execute_script(FORMULAS)
        assert smallest >= 11, page
        assert beyond == 0, page


# Headings that are higher than without the link beside them.
HIGH = """
return [...document.querySelectorAll('article :is(h1, h2, h3)')].filter((heading) => {
  const before = heading.offsetHeight;
  heading.querySelector('.headerlink')?.remove();
  return heading.offsetHeight !== before;
}).map((heading) => heading.textContent);
"""


def test_no_line_of_a_heading_is_empty(book, phone):
    for page in ("03_two_definitions", "05_simix", "06_batch_size"):
        phone.get(url(book, f"{page}.html"))
        assert phone.execute_script("return document.querySelectorAll('.headerlink').length") > 9
        assert phone.execute_script(HIGH) == []


MARKS = "return arguments[0].querySelector('.rk > svg > g').innerHTML"


def test_every_control_of_every_explorable_answers_keys_and_fingers(book, phone):
    phone.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    count = 0
    for page in sorted(book.glob("[0-9]*.html")):
        open_with_answers(phone, page.as_uri(), True)
        wait(lambda: len(_scores(phone)) == 2)
        for figure in phone.find_elements("css selector", ".rk-live:has(svg)"):
            silent = [control.accessible_name for control in _silent_controls(phone, figure)]
            assert silent == [], page.name
            count += 1
    assert count >= 11
    assert problems(phone) == []


def _scores(browser):
    """The scores above and below all questions: when they stand, nothing moves any more."""
    return browser.find_elements("css selector", ".rk-predict[role=group]")


def _silent_controls(browser, figure):
    """Yield each control that leaves the picture as it is, after a key or after a finger."""
    reset = figure.find_element("css selector", ".rk-reset")
    controls = figure.find_elements("css selector", CONTROLS)
    assert controls
    for control in controls:
        for move in (_press, touch):
            if not _answers(
                browser, figure, lambda move=move, control=control: move(browser, control)
            ):
                yield control
            browser.execute_script("arguments[0].click()", reset)


def _answers(browser, figure, move):
    """Whether a move changes the picture. Chromium may drop the first, while it still paints."""
    before = browser.execute_script(MARKS, figure)
    for seconds in (1, 10):
        move()
        with suppress(AssertionError):
            return wait(lambda: browser.execute_script(MARKS, figure) != before, seconds)
    return False


def _press(browser, control):
    if control.get_attribute("type") == "radio":
        press(browser, control, Keys.SPACE)
    else:
        press(browser, control, Keys.HOME if at_its_end(control) else Keys.END)
