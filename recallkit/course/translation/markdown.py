"""Markdown in another language: block by block, the marks around each block as they were."""

import re
from collections.abc import Callable, Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.attrs import attrs_block_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

Say = Callable[[str], str]
"""A message → its text in another language, or the message itself where there is none."""

NO_WORDS = re.compile(r"`[^`]*`|<[^>]*>|(?<=\])\([^)]*\)|\$[^$]*\$|https?:\S+")
TEXT_IN_FORMULA = re.compile(r"(?<=\\text\{)[^{}]+(?=\})")
BETWEEN_TAGS = re.compile(r"(?<=>)[^<>]+(?=<|\Z)")
SPOKEN_ATTRIBUTE = re.compile(r'(?<=\balt=")[^"]+(?=")|(?<=\btitle=")[^"]+(?=")')
TAGS_ALONE = re.compile(r"\s*(?:<[^>]+>\s*)+")


def translate_markdown(text: str, say: Say) -> str:
    r"""Translate Markdown.

    A message is a paragraph, a heading, an item or a cell of a table, on one line, with its marks
    for bold, code, formulas and links. In HTML, a message is what stands between tags, and an
    attribute ``alt`` or ``title``; in a formula it is ``\\text{…}``. Code blocks stay.

    Args:
        text: in MyST Markdown.
        say: message → text. What is returned unchanged leaves its lines as they are.

    Returns:
        The text; translated blocks are one line each.
    """
    lines = text.split("\n")
    said: list[str] = []
    last = 0
    for (start, end), tokens in _blocks(text):
        said += [*lines[last:start], *_translated(lines[start:end], tokens, say)]
        last = end
    return "\n".join([*said, *lines[last:]])


def has_words(text: str) -> bool:
    """Tell whether anything in a text is for a translator, beside code, formulas and addresses."""
    rest = NO_WORDS.sub(" ", text)
    spoken = [*SPOKEN_ATTRIBUTE.findall(text), *TEXT_IN_FORMULA.findall(text)]
    return any(re.search(r"[^\W\d_]{2}", part) for part in [rest, *spoken])


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin).use(attrs_block_plugin)


def _blocks(text: str) -> list[tuple[tuple[int, int], list[Token]]]:
    """Return for each block with words its lines, and its tokens: the cells of a table's row."""
    found: dict[tuple[int, int], list[Token]] = {}
    for token in _parser().parse(text):
        if token.type in ("inline", "html_block", "math_block") and token.map:
            found.setdefault((token.map[0], token.map[1]), []).append(token)
    return sorted(found.items())


def _translated(lines: Sequence[str], tokens: Sequence[Token], say: Say) -> list[str]:
    block = "\n".join(lines)
    kind = tokens[0].type
    if kind == "math_block" or (kind == "inline" and block.lstrip().startswith("$$")):
        return TEXT_IN_FORMULA.sub(lambda found: _spaced(found[0], say), block).split("\n")
    if kind == "html_block":
        return translate_html(block, say).split("\n")
    place = 0
    for token in tokens:
        start, end = _place(block, token.content, place)
        said = _inline(token.content, say) or block[start:end]
        block = block[:start] + said + block[end:]
        place = start + len(said)
    return block.split("\n")


def _place(block: str, content: str, start: int) -> tuple[int, int]:
    """Find the content of a token in its block, whose lines have marks and indents."""
    parts = [re.escape(part).replace(r"\|", r"\\?\|") for part in content.split("\n")]
    found = re.compile(r"[ \t]*\n[ \t>]*".join(parts)).search(block, start)
    if not found:
        raise ValueError(f"text: cannot place {content!r} in its block")
    return found.span()


def _inline(content: str, say: Say) -> str:
    """Translate what a token says; "" where nothing changes."""
    if not has_words(content):
        return ""
    if TAGS_ALONE.fullmatch(content):
        return translate_html(content, say)
    message = " ".join(line.strip() for line in content.split("\n"))
    said = say(message)
    return "" if said == message else said


def translate_html(text: str, say: Say) -> str:
    """Translate what stands between tags, and what attributes say."""
    if text.lstrip().startswith("<!--"):
        return text
    for pattern in (BETWEEN_TAGS, SPOKEN_ATTRIBUTE):
        text = pattern.sub(lambda found: _spaced(found[0], say), text)
    return text


def _spaced(text: str, say: Say) -> str:
    """Translate a text without the spaces around it, which stay."""
    inner = text.strip()
    return text.replace(inner, say(inner)) if has_words(inner) else text
