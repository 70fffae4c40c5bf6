"""Formulas of the book: MathML, made when it is built."""

import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

if TYPE_CHECKING:
    from sphinx.writers.html5 import HTML5Translator

SPACE = re.compile(r"\\q?quad(?![a-zA-Z])")
BRACKETS = (("{", "}"), (r"\left", r"\right"))
PRIME = "<mi>&#x02032;</mi>"
PRIMED = re.compile(rf"<msup>(<mi>[^<]*</mi>){PRIME}</msup>")
PRIMED_WITH_INDEX = re.compile(
    rf"<msubsup>(<mi>[^<]*</mi>)((?:(?!</?m(?:sub)?sup>).)*){PRIME}</msubsup>"
)
SIGN = re.compile(r"(<mo[^>]*>(?!&#x00029;|[])|]|&#x0007C;)[^<]*</mo>)<mo>(?=&#x02212;)")
BAR = re.compile(r'<mo stretchy="false">(?=&#x0007C;)')
WITH_A_MARK = re.compile(r"(<math (?:(?!</math>).)*</math>)([.,:;?!)]+|-\w+)", re.DOTALL)


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
    formulas = "".join(f"<div>{mathml(part, 'block')}</div>" for part in parts(node.astext()))
    self.body.append(f'<div class="math" tabindex="0">{formulas}</div>')
    raise nodes.SkipNode


def parts(formula: str) -> list[str]:
    """Part a formula that is set apart at its wide spaces: on a phone, each part is a line.

    A space inside braces, or between brackets that grow, parts nothing.
    """
    found, begin = [], 0
    for space in SPACE.finditer(formula):
        before = formula[begin : space.start()]
        if all(before.count(opens) == before.count(closes) for opens, closes in BRACKETS):
            found.append(before)
            begin = space.end()
    return [part.strip() for part in [*found, formula[begin:]]]


def mathml(formula: str, display: str = "inline") -> str:
    """Convert a formula of TeX.

    A browser leaves no room around its signs and the bars of |x|, and primes can be seen.
    """
    made = with_large_primes(convert(formula, display=display))
    made = SIGN.sub(r'\1<mo form="prefix">', made)
    sides = ["prefix", "postfix"] * (len(BAR.findall(made)) // 2)

    def bar(found: re.Match[str]) -> str:
        return f'<mo stretchy="false" form="{sides.pop(0)}">' if sides else found[0]

    return BAR.sub(bar, made)


def with_large_primes(made: str) -> str:
    """Take primes out of the exponents: there they get so small that they are not seen.

    The prime of a text font stands as high as an exponent by itself.
    """
    made = PRIMED.sub(rf"<mrow>\1{PRIME}</mrow>", made)
    return PRIMED_WITH_INDEX.sub(rf"<msub><mrow>\1{PRIME}</mrow>\2</msub>", made)


def _mend(app: Sphinx, name: str, template: str, context: dict[str, Any], document: object) -> None:
    if "body" in context:
        context["body"] = with_marks(context["body"])


def with_marks(body: str) -> str:
    """Keep a formula and the mark behind it on one line: none begins with a comma or "-th"."""
    return WITH_A_MARK.sub(r'<span class="formula">\1\2</span>', body)
