"""The search page of ``recallkit serve``: by mouse, by keyboard, on a phone, with odd names."""

import re
import time

import pytest
from helpers.random_run import draw, make_run
from helpers.search_server import running, site_of
from helpers.user_names import NAMES

from recallkit.gallery import load_trained_run

pytestmark = pytest.mark.browser

FOLDER_NAMES = ["dollars", "braces", "quotes", "hebrew", "turned around", "family of emoji", "long"]
# What a browser does when files are dropped or pasted on the page.
TRANSFER = """
const [kind, name, done] = arguments;
fetch('image/0').then(answer => answer.blob()).then(blob => {
  const data = new DataTransfer();
  if (name) data.items.add(new File([blob], name, {type: blob.type}));
  else data.setData('text/plain', 'no file');
  const Kind = kind === 'paste' ? ClipboardEvent : DragEvent;
  const options = kind === 'paste' ? {clipboardData: data} : {dataTransfer: data};
  document.body.dispatchEvent(new Kind(kind, {bubbles: true, cancelable: true, ...options}));
  done(true);
});
"""
LOADED = """
const images = [...document.querySelectorAll('#found img')];
return images.every(image => image.complete && image.naturalWidth > 0) && images.length;
"""


@pytest.fixture
def photos(tmp_path):
    """Eight classes of two images, most of odd names."""
    names = [name[:200].strip() for key in FOLDER_NAMES for name in [NAMES[key]] if "/" not in name]
    names.append("<img src=x onerror=alert(1)>")
    for c, name in enumerate(names):
        for i in range(2):
            draw(tmp_path / "photos" / name / f"{i}.png", 10 * c + i)
    return tmp_path / "photos"


@pytest.fixture
def page(browser, photos, tmp_path):
    """The page in the browser; no errors in its console at the end."""
    run = load_trained_run(make_run(tmp_path / "run", photos), "cpu")
    site = site_of(run, photos, k=12)
    with running(site) as url:
        browser.get(url)
        browser.site = site
        yield browser
        severe = [one for one in browser.get_log("browser") if one["level"] == "SEVERE"]
        assert [one["message"] for one in severe if "status of 400" not in one["message"]] == []


def find(page, selector):
    return page.find_elements("css selector", selector)


def rows(page):
    """The rows of the results, read at once: the page may replace them at any time."""
    buttons = "[...document.querySelectorAll('#results button')]"
    return page.execute_script(f"return {buttons}.map(one => Number(one.dataset.row))")


def wait(page, condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, page.find_element("tag name", "body").text
        time.sleep(0.05)
    return value


def choose(page, file):
    page.find_element("id", "file").send_keys(str(file))


def expected(page, row):
    return [one["row"] for one in page.site.search_row(row)["results"]]


def test_an_image_is_searched_and_a_click_searches_on(page, artefacts):
    assert not page.find_element("id", "found").is_displayed()
    choose(page, page.site.gallery.index.file(5))
    wait(page, lambda: rows(page))
    assert rows(page)[0] == 5
    assert len(rows(page)) == 12
    assert find(page, "#results .similarity")[0].text == "1.000"
    wait(page, lambda: page.execute_script(LOADED) == 13)
    page.save_screenshot(str(artefacts / "serve-wide.png"))
    clicked = rows(page)[3]
    find(page, "#results button")[3].click()
    wait(page, lambda: rows(page) == expected(page, clicked))
    assert page.current_url.endswith(f"#image-{clicked}")
    page.back()
    wait(page, lambda: rows(page)[:1] == [5])
    page.forward()
    wait(page, lambda: rows(page) == expected(page, clicked))
    page.refresh()
    wait(page, lambda: rows(page) == expected(page, clicked))


def test_names_are_shown_as_they_are(page):
    choose(page, page.site.gallery.index.file(0))
    wait(page, lambda: rows(page))
    index = page.site.gallery.index
    labels = page.execute_script(
        "return [...document.querySelectorAll('#results .class')].map(e => e.textContent)"
    )
    paths = page.execute_script(
        "return [...document.querySelectorAll('#results .path')].map(e => e.textContent)"
    )
    assert labels == [index.labels[row] for row in rows(page)]
    assert paths == [re.search(r"[^/]*$", index.paths[row]).group() for row in rows(page)]
    assert len(find(page, "#results img")) == 12  # none of them from a name


def test_drop_and_paste(page):
    for kind in ("drop", "paste"):
        page.refresh()
        assert page.execute_async_script(TRANSFER, kind, "some.jpg")
        wait(page, lambda: rows(page))
        assert rows(page)[0] == 0
        assert page.execute_async_script(TRANSFER, kind, "")
        message = page.find_element("id", "message")
        wait(page, lambda message=message: "no image file" in message.text)


def test_errors_are_told_in_the_page(page, tmp_path):
    message = page.find_element("id", "message")
    (tmp_path / "text.png").write_text("no image")
    choose(page, tmp_path / "text.png")
    wait(page, lambda: "cannot be read as an image" in message.text)
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(2**26 + 1)
    choose(page, tmp_path / "large.png")
    wait(page, lambda: "the limit is 64 MB" in message.text)
    choose(page, page.site.gallery.index.file(1))
    wait(page, lambda: rows(page))
    assert message.text == ""


def test_the_keyboard_is_enough(page):
    from selenium.webdriver.common.keys import Keys

    def press(key):
        page.switch_to.active_element.send_keys(key)

    page.find_element("tag name", "body").send_keys(Keys.TAB)
    assert page.switch_to.active_element.get_attribute("id") == "file"
    frame = page.find_element("id", "drop").value_of_css_property("outline-style")
    assert frame == "solid"  # the focus can be seen
    choose(page, page.site.gallery.index.file(2))
    wait(page, lambda: rows(page))
    assert page.switch_to.active_element.get_attribute("id") == "status"
    press(Keys.TAB)
    press(Keys.TAB)
    second = rows(page)[1]
    assert page.switch_to.active_element.get_attribute("data-row") == str(second)
    press(Keys.ENTER)
    wait(page, lambda: rows(page) == expected(page, second))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone(page, artefacts, scheme):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    choose(page, page.site.gallery.index.file(3))
    wait(page, lambda: rows(page))
    wait(page, lambda: page.execute_script(LOADED) == 13)
    page.save_screenshot(str(artefacts / f"serve-phone-{scheme}.png"))
    assert page.execute_script("return document.documentElement.scrollWidth") == 390
    colour = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert colour == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(22, 22, 22)")
    boxes = [button.rect for button in find(page, "#results button")]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)
    assert min(box["width"] for box in boxes) >= 100  # large enough for a finger
