"""Lecture mode on the pages of the book, opened from the disk."""

import pytest
from helpers.books import open_with_answers
from helpers.waiting import comes, wait
from selenium.webdriver.common.keys import Keys

from recallkit.course.book import lecture_page
from recallkit.course.notebooks import find_notebooks

pytestmark = pytest.mark.browser

CHAPTERS = [path.stem for path in find_notebooks()]
SCREENS = {"small": (1280, 720), "large": (1920, 1080)}
# What of the step that is shown lies outside its canvas, or is cut off inside itself.
WALK = """
const [key] = arguments, seen = [], steps = [];
const press = (key) => document.body.dispatchEvent(
  new KeyboardEvent('keydown', {key, bubbles: true}));
const article = document.querySelector('article');
const number = () => Number(document.querySelector('.lecture-count').textContent.split(' / ')[0]);
const total = Number(document.querySelector('.lecture-count').textContent.split(' / ')[1]);
const isHead = (e) => /^H\\d$/.test(e.tagName);
const FIGURE = 'img, .rk-live';
for (let i = 0; i < total; i += 1) {
  if (i) press('ArrowRight');
  if (key) press(key);
  const canvas = article.getBoundingClientRect();
  const end = document.querySelector('.lecture-bar').getBoundingClientRect().top;
  const shown = [...document.querySelectorAll('[data-lecture-block=now]')];
  const boxes = shown.map((e) => [e, e.getBoundingClientRect()]).filter(([, b]) => b.height);
  const out = boxes.filter(([, b]) => b.top < canvas.top || b.bottom > end + 1
    || b.left < canvas.left || b.right > canvas.right + 1);
  const cut = shown.flatMap((e) => [e, ...e.querySelectorAll('*')])
    .filter((e) => !e.closest('.rk') && e.scrollWidth > e.clientWidth + 1
      && getComputedStyle(e).overflowX !== 'visible');
  steps.push({
    number: number(), hash: location.hash, blocks: boxes.length,
    late: shown.filter((e, j) => j > 0 && isHead(e) && !isHead(shown[j - 1])).length,
    figures: boxes.filter(([e]) => e.matches(FIGURE) || e.querySelector(FIGURE)).length,
    bad: [...out.map(([e]) => e), ...cut].map((e) => e.outerHTML.slice(0, 80)),
    zoom: Number(article.style.getPropertyValue('--lecture-step')),
    scrolled: scrollX + scrollY + article.scrollTop,
  });
  seen.push(...shown);
}
const every = [...article.querySelectorAll(
  'p, h1, h2, h3, h4, li, img, pre, table, math, .rk-live, details')];
const left = '.takeaway, .lecture-link, .cell:has(.rk-predict), .rk-predict[role=group]';
const missing = every.filter((e) => !e.closest(left)
  && !seen.some((block) => block.contains(e)));
return {steps, total, twice: seen.length - new Set(seen).size,
  missing: missing.map((e) => e.outerHTML.slice(0, 80))};
"""
# How much of a page that is shown as ever cannot be seen.
UNSEEN = """
return [...document.querySelectorAll('article :is(p:not(.lecture-link), img, pre)')]
  .filter((e) => !e.closest('details, .rk-predict, .rk-asked') && !e.checkVisibility()).length;
"""
MIDDLE = """
const box = arguments[0].getBoundingClientRect();
return [box.x + box.width / 2, box.y + box.height / 2];
"""
STATE = """
const shown = [...document.querySelectorAll('[data-lecture-block=now]')];
return {hash: location.hash, on: document.documentElement.hasAttribute('data-lecture'), y: scrollY,
  count: document.querySelector('.lecture-count')?.textContent,
  text: shown.filter((e) => e.checkVisibility()).map((e) => e.innerText).join('\\n'),
  code: shown.some((e) => e.matches('.cell_input') && e.querySelector('pre').checkVisibility())};
"""


def screen(browser, width, height, *, touch=False):
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})


@pytest.fixture
def opened(book, shared_browser):
    """A function that opens a chapter at a step, with answers or not; it returns the browser."""

    def at(chapter, hash="#lecture", answers=True):
        shared_browser.get("about:blank")
        url = (book / f"{chapter}.html").as_uri() + hash
        open_with_answers(shared_browser, url, answers)
        return shared_browser

    screen(shared_browser, 1280, 720)
    yield at
    for other in shared_browser.window_handles[1:]:
        shared_browser.switch_to.window(other)
        shared_browser.close()
    shared_browser.switch_to.window(shared_browser.window_handles[0])
    assert [entry["message"] for entry in shared_browser.get_log("browser")] == []


def state(browser):
    return browser.execute_script(STATE)


def press(browser, *keys):
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def place(browser):
    return state(browser)["hash"]


def unfolded(browser):
    return state(browser)["code"]


def to_step_with(browser, selector):
    """Move on until a step shows such an element; return the element."""
    shown = f"return [...document.querySelectorAll({selector!r})].find((e) => e.checkVisibility())"
    press(browser, Keys.HOME)
    for step in range(1, 60):
        comes(browser, place, f"#lecture-{step}")
        if found := browser.execute_script(shown):
            return found
        press(browser, Keys.ARROW_RIGHT)
    raise AssertionError(f"no step shows {selector}")


@pytest.mark.parametrize("size", SCREENS)
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_step_fits_and_nothing_is_lost(chapter, size, opened, shared_browser):
    screen(shared_browser, *SCREENS[size])
    browser = opened(chapter, answers=size == "large")
    walked = browser.execute_script(WALK, "")
    steps = walked["steps"]
    assert len(steps) == walked["total"] > 15
    assert [step["number"] for step in steps] == list(range(1, len(steps) + 1))
    assert steps[-1]["hash"] == f"#lecture-{len(steps)}"
    assert walked["missing"] == []
    assert walked["twice"] == 0
    for step in steps:
        assert step["bad"] == [], step
        assert step["scrolled"] == 0
        assert step["blocks"] > 0
        assert step["late"] == 0  # a heading begins a step
        assert step["figures"] <= 1
        assert step["zoom"] >= 0.5


@pytest.mark.parametrize("chapter", CHAPTERS[1:5])
def test_every_step_fits_with_its_code_unfolded(chapter, opened):
    walked = opened(chapter).execute_script(WALK, "c")
    for step in walked["steps"]:
        assert step["bad"] == [], step
        assert step["zoom"] >= 0.4


def test_keys_move_between_steps(opened):
    browser = opened("01_relaxed_ranking", "#lecture-3")
    last = int(state(browser)["count"].partition(" / ")[2])
    moves = {
        Keys.ARROW_RIGHT: 4,
        Keys.SPACE: 5,
        Keys.PAGE_DOWN: 6,
        Keys.ARROW_DOWN: 7,
        Keys.ARROW_LEFT: 6,
        Keys.PAGE_UP: 5,
        Keys.ARROW_UP: 4,
        Keys.END: last,
        Keys.HOME: 1,
    }
    for key, step in moves.items():
        press(browser, key)
        comes(browser, place, f"#lecture-{step}")
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_RIGHT)  # before the first there is none
    comes(browser, place, "#lecture-2")
    press(browser, Keys.END, Keys.ARROW_RIGHT, Keys.SHIFT + Keys.SPACE)
    comes(browser, place, f"#lecture-{last - 1}")


def test_escape_leaves_at_the_same_place_and_the_link_begins(opened):
    browser = opened("01_relaxed_ranking")
    to_step_with(browser, "#from-ranks-to-recall-k > h2")
    press(browser, Keys.ESCAPE)
    comes(browser, place, "#from-ranks-to-recall-k")
    assert not state(browser)["on"]
    top = "return document.querySelector('#from-ranks-to-recall-k').getBoundingClientRect().top"
    wait(lambda: -80 < browser.execute_script(top) < 200)
    assert browser.execute_script(UNSEEN) == 0
    browser.find_element("css selector", ".lecture-link a").send_keys(Keys.ENTER)
    wait(lambda: (state(browser)["count"] or "").startswith("1 / "))
    browser.back()
    wait(lambda: not state(browser)["on"])


def test_a_page_that_is_told_to_open_leads_to_the_lecture(book, shared_browser):
    shared_browser.get(lecture_page(book, "02_gradients").as_uri())
    end = "/02_gradients.html#lecture-1"
    wait(lambda: shared_browser.current_url.endswith(end))


def test_code_is_folded_and_a_key_unfolds_that_of_the_step(opened):
    browser = opened("01_relaxed_ranking", "#lecture-3")
    comes(browser, unfolded, False)
    press(browser, "c")
    comes(browser, unfolded, True)
    press(browser, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    comes(browser, unfolded, False)
    browser.find_elements("css selector", "[data-lecture-block=now] .lecture-code")[0].click()
    comes(browser, unfolded, True)
    press(browser, "c")
    comes(browser, unfolded, False)


def test_a_key_in_a_control_belongs_to_it_until_escape(opened):
    browser = opened("01_relaxed_ranking")
    handle = to_step_with(browser, ".rk [role=slider]")
    at = int(place(browser).removeprefix("#lecture-"))
    handle.click()
    before = handle.get_attribute("aria-valuetext")
    press(browser, Keys.ARROW_RIGHT)
    wait(lambda: handle.get_attribute("aria-valuetext") != before)
    press(browser, Keys.END, Keys.HOME, Keys.ESCAPE, Keys.ARROW_RIGHT)
    comes(browser, place, f"#lecture-{at + 1}")  # the last key alone has moved on


@pytest.mark.parametrize("size", SCREENS.values(), ids=SCREENS)
def test_a_handle_follows_the_mouse_on_an_enlarged_step(size, opened):
    browser = opened("01_relaxed_ranking")
    screen(browser, *size)
    browser.refresh()
    handle = to_step_with(browser, ".rk [role=slider]")
    x, y = browser.execute_script(MIDDLE, handle)
    moves = [
        ("mousePressed", 0),
        *(("mouseMoved", 6 * i) for i in range(1, 11)),
        ("mouseReleased", 60),
    ]
    for kind, far in moves:
        event = {
            "type": kind,
            "x": x + far,
            "y": y,
            "button": "left",
            "buttons": 1,
            "clickCount": 1,
        }
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)
    moved = pytest.approx(60, abs=12)  # its grid
    comes(browser, lambda browser: browser.execute_script(MIDDLE, handle)[0] - x, moved)


def test_a_swipe_moves_between_steps_and_a_touch_of_a_control_does_not(opened):
    browser = opened("01_relaxed_ranking")
    screen(browser, 1280, 720, touch=True)
    browser.refresh()

    def swipe(start, end):
        for kind, points in (("touchStart", [start]), ("touchMove", [end]), ("touchEnd", [])):
            touched = {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
            browser.execute_cdp_cmd("Input.dispatchTouchEvent", touched)

    swipe((800, 600), (500, 610))
    comes(browser, place, "#lecture-2")
    swipe((500, 600), (800, 590))
    comes(browser, place, "#lecture-1")
    swipe((600, 300), (620, 600))  # down: no step
    swipe((800, 600), (500, 610))
    comes(browser, place, "#lecture-2")
    handle = to_step_with(browser, ".rk [role=slider]")
    box = browser.execute_script("return arguments[0].getBoundingClientRect().toJSON()", handle)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    at, value = place(browser), handle.get_attribute("aria-valuenow")
    swipe((x, y), (x + 200, y))
    wait(lambda: handle.get_attribute("aria-valuenow") != value)
    assert place(browser) == at


def test_takeaways_are_notes_in_a_window(opened, artefacts):
    browser = opened("01_relaxed_ranking")
    to_step_with(browser, "img")
    press(browser, "s")
    wait(lambda: len(browser.window_handles) == 2)
    page, notes = browser.window_handles
    browser.switch_to.window(notes)
    body = "return document.body.innerText"
    wait(lambda: "since the start" in browser.execute_script(body))
    text = browser.execute_script(body)
    assert "What the figure says. The smaller τ" in text
    assert "Next: The sum of sigmoids" in text
    browser.save_screenshot(str(artefacts / "lecture-notes.png"))
    browser.find_element("tag name", "body").send_keys(Keys.ARROW_RIGHT)
    wait(lambda: "Relax the step" not in browser.execute_script(body))
    browser.switch_to.window(page)
    wait(lambda: "The sum of sigmoids" in state(browser)["text"])


def test_takeaways_are_notes_in_the_page_where_no_window_may_open(opened):
    browser = opened("01_relaxed_ranking")
    to_step_with(browser, "img")
    assert "What the figure says" not in state(browser)["text"]
    browser.execute_script("window.open = () => null")
    press(browser, "s")
    [panel] = wait(lambda: browser.find_elements("css selector", "aside.lecture-notes"))
    wait(lambda: "What the figure says" in panel.text)
    press(browser, "n")
    wait(lambda: not panel.is_displayed())


def test_what_is_revealed_comes_into_the_steps(opened):
    browser = opened("01_relaxed_ranking")
    to_step_with(browser, "img")
    hidden = browser.find_element("css selector", "[data-lecture-block=now]:has(img)")
    browser.execute_script("arguments[0].hidden = true", hidden)
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    assert not hidden.is_displayed()
    browser.execute_script("arguments[0].hidden = false", hidden)
    browser.execute_async_script("setTimeout(arguments[0], 50)")
    press(browser, Keys.ARROW_RIGHT)  # it begins a step
    wait(hidden.is_displayed)


def test_an_answer_is_hidden_until_the_prediction_is_committed(opened):
    browser = opened("01_relaxed_ranking", answers=False)
    form = to_step_with(browser, ".rk-predict form")
    at = state(browser)
    assert "it changes in 7 of 1000 steps" not in at["text"]
    choice = form.find_elements("css selector", "input[type=radio]")[1]
    choice.send_keys(Keys.SPACE)
    press(browser, Keys.ENTER)
    wait(lambda: not form.is_displayed())
    assert place(browser) == at["hash"]
    if "it changes in 7 of 1000 steps" not in state(browser)["text"]:
        press(browser, Keys.ARROW_RIGHT)
    wait(lambda: "it changes in 7 of 1000 steps" in state(browser)["text"])


def test_print_and_phones(opened, artefacts):
    browser = opened("01_relaxed_ranking", "#lecture-5")
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert browser.execute_script(UNSEEN) == 0
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    screen(browser, 390, 844, touch=True)
    browser.refresh()
    walked = browser.execute_script(WALK, "")
    assert [step["bad"] for step in walked["steps"] if step["bad"]] == []
    assert browser.execute_script("return document.documentElement.scrollWidth") == 390
