"""How fast explorables answer in JupyterLab: recorded, and never asserted on a shared machine.

The end of the tests' report has the median and the 95th percentile of each; ``explorables.json`` in
the artefacts has each press and each frame, with the machine and its load. It runs when asked to:
``RECALLKIT_PRESSES=60`` on a machine that does nothing else.
"""

import json
import os
from itertools import pairwise

import pytest
import torch
from helpers.controls import TOUCHED, at_its_end
from helpers.explorables import MADE
from helpers.lab_pages import open_all_explorables
from helpers.waiting import wait

from recallkit.training.environment import environment

PRESSES = int(os.environ.get("RECALLKIT_PRESSES", "0"))
ASKED = pytest.mark.skipif(PRESSES == 0, reason="measures; RECALLKIT_PRESSES=60 asks for it")
pytestmark = [pytest.mark.browser, ASKED]

KINDS = {"key_ms": "from a key to the new figure", "frame_ms": "a frame of a drag"}
# From each key to the moment after the next frame in which the figure has changed.
WATCH_KEYS = """
const picture = arguments[0].closest('.rk').querySelector('svg'), times = [];
window.painted = times;
window.watchKeys?.abort();
window.watchKeys = new AbortController();
const all = {attributes: true, childList: true, characterData: true, subtree: true};
document.addEventListener('keydown', (event) => {
  const watch = new MutationObserver(() => {
    watch.disconnect();
    requestAnimationFrame(() => {
      const {port1, port2} = new MessageChannel();
      port1.onmessage = () => times.push(performance.now() - event.timeStamp);
      port2.postMessage(0);
    });
  });
  watch.observe(picture, all);
}, {capture: true, signal: window.watchKeys.signal});
arguments[0].scrollIntoView({block: 'center', behavior: 'instant'});
arguments[0].focus();
"""
WATCH_FRAMES = """
const times = [];
window.frames_of_drag = times;
window.dragging = true;
const next = (now) => { times.push(now); if (window.dragging) requestAnimationFrame(next); };
requestAnimationFrame(next);
"""
END_OF_DRAG = "window.dragging = false; return window.frames_of_drag"


def test_keys_and_drags_in_jupyterlab_are_recorded(lab, browser, artefacts, note_times):
    open_all_explorables(lab, browser)
    roots = wait(lambda: _all_figures(browser))
    measured = {name: _measure(browser, root) for name, root in zip(MADE, roots, strict=True)}
    for name, times in measured.items():
        assert len(times["key_ms"]) >= PRESSES, name  # each key has changed the figure
        assert len(times["frame_ms"]) >= 3, name
    for kind, group in KINDS.items():
        note_times(group, {name: times[kind] for name, times in measured.items()})
    about = {"load": os.getloadavg(), **environment(torch.device("cpu")), "figures": measured}
    (artefacts / "explorables.json").write_text(json.dumps(about, indent=2) + "\n")


def _all_figures(browser):
    roots = browser.find_elements("css selector", ".jp-OutputArea-output .rk:has(svg)")
    return roots if len(roots) == len(MADE) else None


def _measure(browser, root):
    handle = root.find_element("css selector", "[role=slider]")
    return {"key_ms": _keys(browser, handle), "frame_ms": _frames(browser, handle)}


def _keys(browser, handle):
    """Press arrow keys to and fro; the milliseconds until each was painted, the first left out."""
    from selenium.webdriver.common.keys import Keys

    browser.execute_script(WATCH_KEYS, handle)
    keys = [Keys.ARROW_LEFT, Keys.ARROW_RIGHT]
    if not at_its_end(handle):
        keys.reverse()
    painted = "return window.painted"
    for count in range(1, PRESSES + 2):
        handle.send_keys(keys[count % 2 - 1])
        wait(lambda count=count: len(browser.execute_script(painted)) >= count)
    return [round(time, 1) for time in browser.execute_script(painted)[1:]]


def _frames(browser, handle):
    """Drag a handle to and fro; the milliseconds of each frame meanwhile."""
    x, y, to_x, _ = browser.execute_script(TOUCHED, handle)
    way = 3 if to_x > x else -3
    path = [way * min(step % 20, 20 - step % 20) for step in range(PRESSES)]
    _mouse(browser, "mousePressed", x, y)
    browser.execute_script(WATCH_FRAMES)
    for far in path:
        _mouse(browser, "mouseMoved", x + far, y)
    wait(lambda: len(browser.execute_script("return window.frames_of_drag")) > 4)
    moments = browser.execute_script(END_OF_DRAG)
    _mouse(browser, "mouseReleased", x, y)
    return [round(after - before, 1) for before, after in pairwise(moments)]


def _mouse(browser, kind, x, y):
    event = {"type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1}
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", event)
