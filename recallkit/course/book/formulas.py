"""Formulas of the book: MathML, made when it is built."""

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

if TYPE_CHECKING:
    from sphinx.writers.html5 import HTML5Translator

WITH_A_MARK = re.compile(r"(<math (?:(?!</math>).)*</math>)([.,:;?!)]+)", re.DOTALL)
SIGN = re.compile(r"(<mo[^>]*>(?!&#x00029;|\]|&#x0007C;)[^<]*</mo>)<mo>(?=&#x02212;)")
BAR = re.compile(r'<mo stretchy="false">(?=&#x0007C;)')


def connect(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("config-inited", _choose_renderer)
    app.connect("html-page-context", _mend)


def _choose_renderer(app: Sphinx, config: Any) -> None:
    config.html_math_renderer = "mathml"


def _inline(self: "HTML5Translator", node: nodes.math) -> None:
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def _block(self: "HTML5Translator", node: nodes.math_block) -> None:
    formula = mathml(node.astext(), display="block")
    self.body.append(f'<div class="math" tabindex="0">{formula}</div>')
    raise nodes.SkipNode


def mathml(formula: str, display: str = "inline") -> str:
    """Convert a formula of TeX. A browser leaves no room around its signs and the bars of |x|."""
    made = SIGN.sub(r'\1<mo form="prefix">', convert(formula, display=display))
    sides = ["prefix", "postfix"] * (len(BAR.findall(made)) // 2)

    def bar(found: re.Match[str]) -> str:
        return f'<mo stretchy="false" form="{sides.pop(0)}">' if sides else found[0]

    return BAR.sub(bar, made)


def _mend(app: Sphinx, name: str, template: str, context: dict[str, Any], document: object) -> None:
    if "body" in context:
        context["body"] = with_marks(context["body"])


def with_marks(body: str) -> str:
    """Keep a formula and the mark behind it on one line: no line begins with a comma."""
    return WITH_A_MARK.sub(r'<span class="formula">\1\2</span>', body)
