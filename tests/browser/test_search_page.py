"""The search page in a notebook that is not trusted, as anybody sees it who just got the course."""

import pytest

from recallkit.course.notebooks import find_notebooks

READY = """
const done = arguments[arguments.length - 1];
const wait = () => {
  const notebook = window.jupyterapp?.shell?.currentWidget;
  if (!notebook?.context || !document.querySelector('.searches img')) return setTimeout(wait, 100);
  notebook.context.ready.then(() => done(notebook.content.model.cells.get(1).trusted));
};
wait();
"""
LAYOUT = """
const page = document.querySelector('.searches');
const box = element => { const r = element.getBoundingClientRect(); return [r.x, r.y, r.width]; };
return {
  height: page.getBoundingClientRect().height,
  rows: [...page.querySelectorAll('ol')].map(row => [...row.querySelectorAll('img')].map(box)),
  frames: [...page.querySelectorAll('li.right img')].map(i => getComputedStyle(i).borderTopStyle),
  boxes: [...page.querySelectorAll('input, label')].filter(e => e.offsetParent !== null).length,
};
"""


@pytest.mark.browser
def test_the_page_is_laid_out_without_trust(lab, browser, artefacts):
    [path] = find_notebooks(["09"])
    browser.get(lab(path.name))
    trusted = browser.execute_async_script(READY)
    page = browser.find_element("css selector", ".searches")
    page.screenshot(str(artefacts / "search-page.png"))
    layout = browser.execute_script(LAYOUT)
    assert trusted is False
    assert len(layout["rows"]) == 6
    for images in layout["rows"]:
        assert len({y for _, y, _ in images[:8]}) == 1  # side by side
        assert all(abs(width - 78) < 7 for _, _, width in images)  # 72, with padding and frame
    assert set(layout["frames"]) == {"solid"}
    assert layout["boxes"] == 0  # a box that does nothing is not shown
    assert layout["height"] < 6 * 160 + 200
