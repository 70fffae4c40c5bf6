"""Explorables in a page of HTML: no server, no kernel, no other file."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

# What a figure asks of a Jupyter model; here the values lie in the page, and nobody else sets them.
_HOST = """
function modelOf(values) {
  return {
    get: (name) => values[name],
    set: (name, value) => { values[name] = value; },
    on() {},
    off() {},
    save_changes() {},
  };
}"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; padding: 12px 16px; max-width: 780px; background: #fff; color: #1f2630; }}
h1 {{ font: 650 20px/1.3 system-ui, sans-serif; margin: 4px 0 12px; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #14171c; color: #e6e9ee; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def fragment(module: str, values: Mapping[str, Any], place: str) -> str:
    """Make an explorable a part of a page.

    Args:
        module: text of an ES module without imports whose default export has ``render``.
        values: name → value of its traits, as JSON can hold them.
        place: the id of its element, different for each explorable of a page.

    Returns:
        An element and a script.

    Raises:
        ValueError: if the module has no default export, or a value is not finite.
    """
    before, export, figure = module.partition("\nexport default ")
    if not export:
        raise ValueError("module has no line that begins with 'export default'")
    state = _json(values)
    script = (
        f"{before}\nconst figure = {figure}\n{_HOST}\n"
        f"const el = document.getElementById({_json(place)});\n"
        f"figure.render({{ model: modelOf({state}), el }});"
    )
    script = script.replace("</", "<\\/").replace("<!--", "<\\!--")
    return f'<div id="{escape(place)}"></div>\n<script type="module">\n{script}\n</script>'


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"values must be finite numbers and texts: {error}") from error


def page(title: str, body: str) -> str:
    """Make a whole page of a title and what stands under it, in both colour schemes.

    Args:
        title: of the page, as plain text.
        body: HTML.
    """
    return _PAGE.format(title=escape(title), body=body)
