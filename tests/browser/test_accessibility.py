"""Nothing serious that axe-core finds: pages of the book, lectures, explorables in JupyterLab."""

import pytest
from helpers.accessibility import contrast, use_scheme, violations
from helpers.lab_pages import open_all_explorables

pytestmark = pytest.mark.browser

GROUPS = {"chapters": "[0-9]*.html", "guide": "guide/*.html", "reference": "api/*.html"}
GROUPS |= {"others": "[a-z]*.html"}  # a page in lecture/ leads to a chapter at once
EVERY = {"reference": 3}  # all pages of the reference come from one template
WHOLE = {"index.html", "search.html", "01_relaxed_ranking.html"}  # around the article all are alike


@pytest.mark.parametrize("group", GROUPS)
def test_pages_of_the_book(group, book, shared_browser):
    pages = sorted(book.glob(GROUPS[group]))[:: EVERY.get(group, 1)]
    assert len(pages) >= 4
    found = {}
    for page in pages:
        use_scheme(shared_browser, "light")
        shared_browser.get(page.as_uri())
        root = "body" if page.name in WHOLE else "article"
        seen = violations(shared_browser, root)
        use_scheme(shared_browser, "dark")
        seen += contrast(shared_browser, root)
        if seen:
            found[page.name] = seen
    assert found == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_lecture(scheme, book, shared_browser):
    use_scheme(shared_browser, scheme)
    for step in (1, 5, 29):
        shared_browser.get("about:blank")
        shared_browser.get((book / "01_relaxed_ranking.html").as_uri() + f"#lecture-{step}")
        assert violations(shared_browser) == []
    shared_browser.execute_script(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'n', bubbles: true}))"
    )
    assert violations(shared_browser, "aside.lecture-notes") == []


THEME = """
const done = arguments[arguments.length - 1];
window.jupyterapp.commands.execute('apputils:change-theme', {theme: arguments[0]})
  .then(() => setTimeout(() => done(true), 1500));
"""


def test_explorables_in_jupyterlab(lab, browser):
    open_all_explorables(lab, browser)
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        browser.execute_async_script(THEME, theme)
        assert violations(browser, ".jp-OutputArea-output .rk") == []


BAD = """<html lang="en"><title>x</title><main><h1>x</h1>
<p style="color:#bbb">pale</p><img src="data:,"><input>"""


def test_what_is_serious_is_found(shared_browser, tmp_path):
    (tmp_path / "bad.html").write_text(BAD)
    use_scheme(shared_browser, "light")
    shared_browser.get((tmp_path / "bad.html").as_uri())
    assert {rule for rule, _ in violations(shared_browser)} == {
        "image-alt",
        "label",
        "color-contrast",
    }
