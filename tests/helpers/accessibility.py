"""What axe-core says of a page, in both colour schemes."""

from selenium_axe_python import Axe

# Code as plain text meanwhile: its words, each a span, would cost seconds.
STRUCTURE = """
const [root, done] = arguments;
const codes = [...document.querySelectorAll('.highlight pre')].map((e) => [e, ...e.childNodes]);
for (const [code] of codes) code.textContent = code.textContent;
const restore = () => codes.forEach(([code, ...words]) => code.replaceChildren(...words));
const rules = axe.getRules(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'])
  .filter(({tags}) => !tags.includes('experimental'))
  .map((rule) => rule.ruleId).filter((id) => id !== 'color-contrast');
axe.run({include: [[root]]}, {runOnly: rules, resultTypes: ['violations'], preload: false})
  .finally(restore).then(({violations}) => done(violations));
"""
# One element of each look: others of the same look have the same contrast.
CONTRAST = """
const [root, done] = arguments, looks = new Map();
for (const element of document.querySelectorAll(`${root}, ${root} *`)) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility()) continue;
  const {color, fontSize, fontWeight} = getComputedStyle(element);
  const behind = [];
  for (let at = element; at; at = at.parentElement) {
    behind.push(getComputedStyle(at).backgroundColor);
  }
  const look = [color, fontSize, fontWeight, ...behind.filter((one) => one !== 'rgba(0, 0, 0, 0)')];
  if (!looks.has(look.join())) looks.set(look.join(), element);
}
axe.run({include: [...looks.values()]},
  {runOnly: ['color-contrast'], resultTypes: ['violations'], preload: false})
  .then(({violations}) => done(violations));
"""
SEVERE = ("serious", "critical")


def use_scheme(browser, scheme):
    """Prefer a light or a dark scheme."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def violations(browser, root="body"):
    """What is serious or critical in the elements that ``root`` selects: (rule, element), …"""
    if not browser.execute_script("return typeof axe === 'object'"):
        Axe(browser).inject()
    found = browser.execute_async_script(STRUCTURE, root)
    return _severe([*found, *browser.execute_async_script(CONTRAST, root)])


def contrast(browser, root="body"):
    """The same for the contrast of texts alone."""
    return _severe(browser.execute_async_script(CONTRAST, root))


def _severe(found):
    severe = [one for one in found if one["impact"] in SEVERE]
    return [(one["id"], node["html"][:120]) for one in severe for node in one["nodes"]]
