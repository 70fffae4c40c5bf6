"""Every explorable as a page of one file, without server, kernel or network."""

import pytest
import torch
from helpers.controls import TOUCHED, at_its_end, press, touch
from helpers.explorables import MADE
from helpers.waiting import changes, comes, wait

from recallkit.course import explorables

pytestmark = pytest.mark.browser

KNOBS = ".rk input[type=range]:not([hidden] *)"
CONTROLS = f".rk [role=slider], {KNOBS}, .rk input[type=radio]:not(:checked)"
MARKS = "return document.querySelector('.rk > svg > g').innerHTML"
STATUS = "return document.querySelector('.rk [role=status]').textContent"
# Both, when two frames have left them as they are.
AT_REST = """
const done = arguments[arguments.length - 1];
const now = () => ['.rk > svg > g', '.rk [role=status]'].map(
  (one) => document.querySelector(one).innerHTML);
const wait = (before, same) => requestAnimationFrame(() => {
  const after = now();
  if (same === 2) return done(after);
  return wait(after, after.join() === before.join() ? same + 1 : 0);
});
wait(now(), 0);
"""
SIZES = """
const root = document.querySelector('.rk'), svg = root.querySelector('svg');
const box = (e) => e.getBoundingClientRect(), picture = box(svg);
const texts = [...root.querySelectorAll('text, span, output, p, button, legend')].filter(
  (e) => e.textContent && !e.closest('[aria-hidden=true] style'));
const kinds = '[role=slider], [role=button], input[type=range], button, label';
const targets = [...root.querySelectorAll(kinds)]
  .filter((e) => !e.matches('.rk-knob') && !e.closest('[hidden]'));
return {
  page: document.documentElement.scrollWidth,
  scale: picture.width / svg.viewBox.baseVal.width,
  text: Math.min(...texts.map((e) => parseFloat(getComputedStyle(e).fontSize))),
  target: Math.min(...targets.map((e) => Math.min(box(e).width, box(e).height))),
};
"""
# Texts of the picture that reach beyond it.
OUTSIDE = """
const svg = document.querySelector('.rk > svg'), picture = svg.getBoundingClientRect();
return [...svg.querySelectorAll('text')].filter((e) => {
  const b = e.getBoundingClientRect();
  return b.left < picture.left - 1 || b.right > picture.right + 1 || b.top < picture.top - 1
    || b.bottom > picture.bottom + 1;
}).map((e) => e.textContent);
"""
# Pairs of texts that lie on each other.
OVERLAPS = """
const texts = [...document.querySelectorAll('.rk > svg text')].filter((e) => e.textContent);
const boxes = texts.map((e) => e.getBoundingClientRect());
const meet = (a, b) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom - 3
  && b.top + 3 < a.bottom - 3;
return texts.flatMap((e, i) => texts.slice(0, i).filter((_, j) => meet(boxes[i], boxes[j]))
  .map((other) => [other.textContent, e.textContent]));
"""
# The contrast of all colours of the picture, and of its texts, with the page behind.
CONTRAST = r"""
const light = (css) => {
  const [r, g, b] = css.match(/[\d.]+/g).map(Number)
    .map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = light(getComputedStyle(document.body).backgroundColor);
const contrast = (css) => {
  const [high, low] = [light(css), paper].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
};
const marks = [...document.querySelectorAll('.rk > svg > g:first-of-type > *')];
const seen = marks.filter((e) => !e.matches('.rk-grid, .rk-wash, text'))
  .map((e) => getComputedStyle(e)).map((s) => (s.stroke === 'none' ? s.fill : s.color));
const texts = [...document.querySelectorAll('.rk text:not(.rk-inside)')];
const words = [...document.querySelectorAll('.rk p, .rk span, .rk output')]
  .filter((e) => !e.closest('.rk-buttons'));
return {
  marks: Math.min(...seen.map(contrast)),
  texts: Math.min(...texts.map((e) => contrast(getComputedStyle(e).fill))),
  words: Math.min(...words.map((e) => contrast(getComputedStyle(e).color))),
};
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The page of each explorable, by name."""
    folder = tmp_path_factory.mktemp("pages")
    paths = {name: folder / f"{name}.html" for name in MADE}
    for name, path in paths.items():
        MADE[name]().save_html(path, "A figure")
    return paths


@pytest.fixture(params=list(MADE))
def figure(request, shared_browser, pages):
    """A browser to ``show`` the page of an explorable in; its console is empty at the end."""
    shared_browser.name_of_figure = request.param
    shared_browser.page_of_figure = pages[request.param].as_uri()
    yield shared_browser
    assert shared_browser.get_log("browser") == []


def show(browser, width, scheme="light", *, touch=False):
    size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": touch}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(browser.page_of_figure)


def controls(browser):
    found = browser.find_elements("css selector", CONTROLS)
    assert found
    return found


def name(control):
    return control.accessible_name


def marks(browser):
    return browser.execute_script(MARKS)


def value_of(handle, name):
    return lambda _: handle.get_attribute(f"aria-value{name}")


def test_every_control_answers_the_keyboard(figure):
    from selenium.webdriver.common.keys import Keys

    show(figure, 900)
    start = figure.execute_async_script(AT_REST)
    assert all(start)
    for control in controls(figure):
        figure.find_element("css selector", ".rk-reset").click()
        assert figure.execute_async_script(AT_REST) == start
        if control.get_attribute("type") == "radio":
            press(figure, control, Keys.SPACE)
            changes(figure, marks, start[0])
            continue
        press(figure, control, Keys.ARROW_LEFT if at_its_end(control) else Keys.ARROW_RIGHT)
        changes(figure, marks, start[0])
        for key in (Keys.END, Keys.PAGE_DOWN, Keys.HOME, Keys.PAGE_UP):
            press(figure, control, key)
            assert figure.execute_script(OUTSIDE) == [], name(control)


def test_every_control_has_a_name(figure):
    show(figure, 900)
    every = ".rk input:not([hidden] *), .rk [role=slider], .rk [role=button], .rk button"
    assert all(map(name, figure.find_elements("css selector", every)))


def test_keys_reach_both_ends_of_a_handle(figure):
    from selenium.webdriver.common.keys import Keys

    show(figure, 900)
    for handle in figure.find_elements("css selector", ".rk [role=slider]"):
        for key, end in ((Keys.END, "max"), (Keys.HOME, "min")):
            press(figure, handle, key)
            comes(figure, value_of(handle, "now"), handle.get_attribute(f"aria-value{end}"))
        assert handle.get_attribute("aria-label")
        text = handle.get_attribute("aria-valuetext")
        press(figure, handle, Keys.PAGE_UP)
        changes(figure, value_of(handle, "text"), text)
        assert handle.get_attribute("aria-valuetext")
        press(figure, handle, Keys.HOME)


def test_every_control_answers_a_finger(figure):
    show(figure, 390, touch=True)
    for control in controls(figure):
        before = marks(figure)
        touch(figure, control)
        changes(figure, marks, before)
        assert figure.execute_script("return scrollX") == 0
        figure.find_element("css selector", ".rk-reset").click()


@pytest.mark.parametrize("figure", ["line"], indirect=True)
def test_a_handle_follows_the_mouse(figure):
    show(figure, 900)
    handle = figure.find_element("css selector", ".rk [role=slider]")
    x, y, to_x, _ = figure.execute_script(TOUCHED, handle)
    way = 7 if to_x > x else -7
    moves = [("mousePressed", 0), *(("mouseMoved", way * step) for step in range(1, 11))]
    for kind, far in [*moves, ("mouseReleased", way * 10)]:
        figure.execute_cdp_cmd(
            "Input.dispatchMouseEvent",
            {"type": kind, "x": x + far, "y": y, "button": "left", "buttons": 1, "clickCount": 1},
        )
    middle = "const b = arguments[0].getBoundingClientRect(); return b.x + b.width / 2"
    wait(lambda: (figure.execute_script(middle, handle) - x) * way / 7 > 5)
    # as far as its curve and its grid allow
    assert (figure.execute_script(middle, handle) - x) * way / 7 < 76


@pytest.mark.parametrize("width", [390, 900])
def test_texts_and_targets_are_large_and_nothing_is_cut_off(figure, width, artefacts):
    show(figure, width, touch=width == 390)
    sizes = figure.execute_script(SIZES)
    assert sizes["page"] == width
    assert sizes["scale"] == pytest.approx(1, abs=0.02)
    assert sizes["text"] >= 11
    assert sizes["target"] >= 24
    assert figure.execute_script(OUTSIDE) == []
    assert figure.execute_script(OVERLAPS) == []
    figure.save_screenshot(str(artefacts / f"explorable-{figure.name_of_figure}-{width}.png"))


MOVE = "arguments[0].value = arguments[1]; "
MOVE += "arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
# The places of what lies below the sentence, while each knob goes over its whole range.
BELOW = """
const foot = document.querySelector('.rk-foot'), places = {};
for (const knob of document.querySelectorAll('.rk input[type=range]:not([hidden] *)')) {
  const [start, low, high] = [knob.value, knob.min, knob.max].map(Number);
  const move = (value) => {
    knob.value = value;
    knob.dispatchEvent(new Event('input', {bubbles: true}));
    return Math.round(foot.getBoundingClientRect().top);
  };
  const seen = Array.from({length: 25}, (_, i) => move(low + (high - low) * i / 24));
  places[knob.ariaLabel] = [...new Set(seen)].length;
  move(start);
}
return places;
"""


@pytest.mark.parametrize("width", [390, 900])
def test_what_lies_below_the_sentence_does_not_move(figure, width):
    show(figure, width)
    places = figure.execute_script(BELOW)
    assert {name: count for name, count in places.items() if count > 1} == {}


@pytest.mark.parametrize("figure", ["arc"], indirect=True)
def test_losses_of_zero_do_not_lie_on_the_ticks(figure):
    show(figure, 390)
    figure.find_elements("css selector", ".rk input[type=radio]")[-1].click()  # k = 16
    wait(lambda: "0.000" in figure.execute_script(STATUS))
    for width in (5, 15, 45):
        figure.execute_script(MOVE, figure.find_element("css selector", KNOBS), width)
        assert figure.execute_script(OVERLAPS) == [], width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_from_the_page(figure, scheme):
    show(figure, 900, scheme)
    colour = figure.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 28)")
    contrast = figure.execute_script(CONTRAST)
    assert contrast["marks"] >= 3
    assert min(contrast["texts"], contrast["words"]) >= 4.5


@pytest.mark.parametrize("figure", ["descent"], indirect=True)
def test_a_path_that_takes_longer_than_a_frame_is_completed(figure):
    from selenium.webdriver.common.keys import Keys

    show(figure, 900)
    *starts, step = figure.find_elements("css selector", ".rk [role=slider]")
    press(figure, step, Keys.END)
    slowly = "window.ticks = 0; performance.now = () => { window.ticks += 5; return window.ticks; }"
    figure.execute_script(slowly)  # 20 or 40 steps a frame
    press(figure, starts[0], Keys.ARROW_LEFT)
    wait(lambda: "step 300:" in figure.execute_script(STATUS))
    assert figure.execute_script("return window.ticks") > 60  # it took several frames


# Twenty keys at once, before anything else can happen.
KEYS_AT_ONCE = """
for (let i = 0; i < 20; i += 1)
  arguments[0].dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
return [window.saved.length, arguments[0].ariaValueNow];
"""


def test_a_quick_drag_is_sent_to_python_twice_and_not_at_each_step(shared_browser, tmp_path):
    page = tmp_path / "step.html"
    MADE["step"]().save_html(page, "A figure")
    silent, noted = "save_changes() {}", "save_changes() { window.saved.push(values.difference); }"
    text = page.read_text(encoding="utf-8")
    assert text.count(silent) == 1
    text = text.replace("<body>", "<body><script>window.saved = [];</script>")
    page.write_text(text.replace(silent, noted), encoding="utf-8")
    shared_browser.get(page.as_uri())
    wait(lambda: shared_browser.execute_script("return window.saved.length") == 1)
    shared_browser.execute_async_script("setTimeout(arguments[0], 300)")  # the pause is over
    handle = shared_browser.find_element("css selector", "[role=slider]")
    sent, now = shared_browser.execute_script(KEYS_AT_ONCE, handle)
    assert sent == 2  # the first figure, and the first key
    wait(lambda: shared_browser.execute_script("return window.saved.length") > 2)
    saved = shared_browser.execute_script("return window.saved")
    assert saved[2:] == [float(now)]  # the last key is not lost


@pytest.mark.parametrize(
    "figure", ["arc", "pairs", "playground", "descent"], indirect=True, ids=str
)
def test_every_knob_works_under_every_choice(figure):
    from selenium.webdriver.common.keys import Keys

    show(figure, 900)
    for choice in figure.find_elements("css selector", ".rk input[type=radio]"):
        press(figure, choice, Keys.SPACE)
        for knob in figure.find_elements("css selector", KNOBS):
            before = marks(figure)
            press(figure, knob, Keys.HOME if at_its_end(knob) else Keys.END)
            changes(figure, marks, before)


def test_numbers_of_near_positives_do_not_lie_on_each_other(shared_browser, tmp_path):
    similarity = torch.tensor([0.52, 0.68, 0.85, 0.92, 1.0, 1.0, 0.95, 0.9], dtype=torch.float64)
    line = explorables.Line(
        similarity=similarity, positives=[0, 1], rank_temperature=1.0, k_temperature=10.0, k=8
    )
    line.save_html(tmp_path / "line.html", "A figure")
    shared_browser.page_of_figure = (tmp_path / "line.html").as_uri()
    show(shared_browser, 390)
    numbers = shared_browser.execute_script(OVERLAPS)
    assert numbers == []


def test_points_set_free_can_be_played(shared_browser, tmp_path):
    MADE["descent"]().save_html(tmp_path / "descent.html", "A figure")
    shared_browser.get((tmp_path / "descent.html").as_uri())
    assert "step 0:" in shared_browser.execute_script(STATUS)
    button = shared_browser.find_element("css selector", ".rk-button")
    assert "Play" in button.text
    button.click()
    wait(lambda: "Pause" in button.text)
    wait(lambda: "step 0:" not in shared_browser.execute_script(STATUS))
    button.click()
    wait(lambda: "Play" in button.text)
    stopped = shared_browser.execute_script(STATUS)
    shared_browser.execute_async_script("setTimeout(arguments[0], 200)")
    assert shared_browser.execute_script(STATUS) == stopped


@pytest.mark.parametrize("figure", ["neighbours", "replay"], indirect=True)
def test_a_neighbour_becomes_the_query_by_key_mouse_and_finger(figure):
    from selenium.webdriver.common.keys import Keys

    show(figure, 390, touch=True)
    ring = figure.find_element("css selector", ".rk [role=slider][aria-label=query]")
    for act in (
        lambda one: press(figure, one, Keys.ENTER),
        lambda one: press(figure, one, Keys.SPACE),
        lambda one: one.click(),
    ):
        before, drawn = ring.get_attribute("aria-valuetext"), marks(figure)
        neighbour = figure.find_elements("css selector", ".rk [role=button]")[2]
        said = name(neighbour)
        assert before not in said
        act(neighbour)
        changes(figure, marks, drawn)
        assert ring.get_attribute("aria-valuetext") in said
        assert ring.get_attribute("aria-valuetext") in figure.execute_script(STATUS)


@pytest.mark.parametrize("figure", ["neighbours", "replay"], indirect=True)
def test_a_press_on_the_sheet_chooses_a_query(figure):
    show(figure, 900)
    pad = figure.find_element("css selector", ".rk .rk-pad")
    pad.click()  # its middle: of 12 columns and two rows
    ring = figure.find_element("css selector", ".rk [role=slider][aria-label=query]")
    wait(lambda: int(ring.get_attribute("aria-valuenow")) in {5, 6, 17, 18})


def test_a_replay_plays_its_checkpoints_one_by_one(shared_browser, tmp_path):
    MADE["replay"]().save_html(tmp_path / "replay.html", "A figure")
    shared_browser.get((tmp_path / "replay.html").as_uri())
    assert "After 64,000 images" in shared_browser.execute_script(STATUS)
    button = shared_browser.find_element("css selector", ".rk-button")
    button.click()
    wait(lambda: "After 256,000 images" in shared_browser.execute_script(STATUS))
    wait(lambda: "Play" in button.text)
    button.click()  # from the start again
    wait(lambda: "After 0 images" in shared_browser.execute_script(STATUS))


@pytest.mark.parametrize("kind", [explorables.Neighbours, explorables.Replay])
def test_results_of_the_stored_run_are_named_as_such(kind, shared_browser, tmp_path):
    figure = kind.stored()
    run = "A stored run: emoji, preset emoji, seed 0; the gallery is these 131 drawings of 20"
    for source in (run, "Yours."):
        figure.save_html(tmp_path / f"{source[:5]}.html", "A figure")
        shared_browser.get((tmp_path / f"{source[:5]}.html").as_uri())
        assert source in shared_browser.execute_script(STATUS)
        figure.stored_run, figure.source = False, "Yours."


def test_a_list_can_be_marked_to_compare_with(shared_browser, tmp_path):
    from selenium.webdriver.common.keys import Keys

    MADE["playground"]().save_html(tmp_path / "playground.html", "A figure")
    shared_browser.get((tmp_path / "playground.html").as_uri())
    start = shared_browser.execute_script(STATUS)
    assert "Higher than at the marked list: none" in start
    last_positive = shared_browser.find_elements("css selector", ".rk [role=slider]")[3]
    press(shared_browser, last_positive, Keys.ARROW_LEFT)
    higher = "Higher than at the marked list: AP; "
    wait(lambda: higher in shared_browser.execute_script(STATUS))
    press(shared_browser, shared_browser.find_element("css selector", ".rk-button"), Keys.ENTER)
    comes(shared_browser, lambda browser: browser.execute_script(STATUS), start)
