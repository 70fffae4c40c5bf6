"""Controls of explorables in a browser: which there are, and how a key or a finger moves one."""

CONTROLS = (
    "[role=slider], input[type=range]:not([hidden] *), "
    "input[type=radio]:not(:checked):not([hidden] *)"
)
# Where a finger takes hold of a control, and where it goes.
TOUCHED = """
const element = arguments[0];
element.scrollIntoView({block: 'center', behavior: 'instant'});
const box = (element.labels?.[0]?.querySelector('span') ?? element).getBoundingClientRect();
const range = element.type === 'range';
const middle = box.left + box.width / 2;
const share = (element.value - element.min) / (element.max - element.min);
if (range) {
  const track = element.getBoundingClientRect();
  const x = track.left + track.width * (share > 0.5 ? 0.2 : 0.8);
  return [x, track.top + track.height / 2, x, track.top + track.height / 2];
}
const y = box.top + box.height / 2;
if (element.type === 'radio') return [middle, y, middle, y];
return [middle, y, middle + (middle > innerWidth / 2 ? -25 : 25), y - 12];
"""
# Two frames later the page is painted as it has been scrolled: before, Chromium drops a touch.
PAINTED = """
const [done] = arguments;
requestAnimationFrame(() => requestAnimationFrame(() => done()));
"""


def press(browser, control, key):
    """Press a key on a control."""
    browser.execute_script("arguments[0].focus()", control)
    control.send_keys(key)


def touch(browser, control):
    """Drag a handle, move a slider or choose, by a finger."""
    x, y, to_x, to_y = browser.execute_script(TOUCHED, control)
    browser.execute_async_script(PAINTED)
    places = [("touchStart", x, y), ("touchMove", (x + to_x) / 2, y), ("touchMove", to_x, to_y)]
    for kind, at, above in places:
        touched = {"type": kind, "touchPoints": [{"x": at, "y": above}]}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", touched)
    ended = {"type": "touchEnd", "touchPoints": []}
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", ended)


def at_its_end(control):
    """Whether a slider has its largest value."""
    if control.get_attribute("role") == "slider":
        return control.get_attribute("aria-valuenow") == control.get_attribute("aria-valuemax")
    return control.get_attribute("value") == control.get_attribute("max")
