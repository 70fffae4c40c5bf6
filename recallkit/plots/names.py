"""Names from outside, such as those of classes and files, as text of a figure.

A name is no formula: a dollar or a backslash stands for itself. It is drawn in one of the fonts of
this machine that has its characters, and cut where it is longer than its place.
"""

import unicodedata
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.legend import Legend

UNKNOWN = "□"  # for a character that no font of this machine has
JOINERS = "\u200c\u200d"  # between letters of one word, and emoji of one drawing
LONGEST = 400.0  # width of a name in a legend or under an axis, in points of letters of size 10
NARROW = 0.93  # of a width is used: a renderer rounds the widths of letters


def legible(name: str) -> str:
    """Return ``name`` on one line, with a box for each character that no font has.

    Tabs, line breaks and other control characters become blanks. Invisible ones that change the
    direction of writing go, so that a name cannot turn the text around it.
    """
    return "".join(map(_legible, unicodedata.normalize("NFC", name))).strip()


@cache
def _legible(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace() or category == "Cc":
        return " "
    if category == "Cf" and character not in JOINERS:
        return ""
    if _font_file(character):
        return character
    return "" if category in ("Cf", "Mn", "Me") else UNKNOWN


def name_style(*names: str) -> dict[str, Any]:
    """Return the properties of a text that shows ``names`` as they are.

    It parses no formula, and falls back on fonts that have the characters which the font of the
    figure lacks.
    """
    import matplotlib

    families = [*matplotlib.rcParams["font.family"]]
    for character in dict.fromkeys("".join(names)):
        if (family := _family(character)) and family not in families:
            families.append(family)
    return {"parse_math": False, "usetex": False, "fontfamily": families}


def line_label(name: str) -> str:
    """Return a label with which a line is in the legend; matplotlib leaves out those with a _."""
    return f" {name}" if name.startswith("_") else name


def show_names(legend: "Legend | None") -> None:
    """Let a legend show the names of its lines, and its title, as they are, cut if very long."""
    for text in (*legend.get_texts(), legend.get_title()) if legend else ():
        shown = fitted(text.get_text(), LONGEST, size=10)
        text.set(text=shown, **name_style(shown))


def fitted(name: str, width: float, lines: int = 1, size: float = 7.0) -> str:
    """Wrap a name to ``lines`` of at most ``width``, and cut what does not fit out of its middle.

    The end is kept, where names such as IMG_02521.jpg differ.

    Args:
        name: in any script, with or without blanks.
        width: of a line, in points (1/72 inch).
        lines: how many at most.
        size: of the font, in points.
    """
    text, ems = legible(name), NARROW * width / size
    low, high = 0, len(text)  # the most characters that fit are between them
    while low < high:
        middle = (low + high + 1) // 2
        if len(_wrapped(_cut(text, middle), ems)) <= lines:
            low = middle
        else:
            high = middle - 1
    return "\n".join(_wrapped(_cut(text, low), ems))


def _cut(text: str, kept: int) -> str:
    """Return ``kept`` characters of the text: a third from its beginning, the others its end."""
    if kept >= len(text):
        return text
    return f"{text[: kept // 3]}…{text[len(text) - (kept - kept // 3) :]}"


def _wrapped(text: str, ems: float) -> list[str]:
    """Break a text into lines of at most ``ems`` font sizes, between words where there are any.

    A word that is longer than a line gets a hyphen, if there are other words: file names do not.
    """
    lines, phrase = [], " " in text
    while text:
        end, hyphen = _line_end(text, ems, phrase)
        lines.append(text[:end].rstrip() + hyphen)
        text = text[end:].lstrip()
    return lines


def _line_end(text: str, ems: float, phrase: bool) -> tuple[int, str]:
    """Return where a line ends, and the hyphen if this is within a word of a phrase."""
    end = _fitting(text, ems)
    if end == len(text):
        return end, ""
    end = _word_end(text, end)
    letters = text[end - 1 : end + 1]
    if phrase and letters.isalpha() and letters.islower():
        rest = len(text[end:].split(" ")[0])
        most = text[: end - (rest == 1)]  # no letter alone
        return _fitting(most, ems - _advance("-")), "-"
    return end, ""


def _fitting(text: str, ems: float) -> int:
    """Return how many characters fit into ``ems`` font sizes, and 1 if none does."""
    return max(1, sum(width <= ems for width in accumulate(map(_advance, text))))


def _word_end(text: str, end: int) -> int:
    """Return the last place up to ``end`` where a word, or what is before a dot, ends.

    ``end`` if that is far before.
    """
    ends = (i for i in range(end, end // 3, -1) if text[i] in " ." or text[i - 1] in " -_/")
    return next(ends, end)


@cache
def _advance(character: str) -> float:
    """Measure how far a character moves the next one, in font sizes."""
    from matplotlib.font_manager import get_font

    font = get_font(_font_file(character) or _own_font())
    font.set_size(64, 72)
    return font.load_char(ord(character)).linearHoriAdvance / 65536 / 64


@cache
def _own_font() -> str:
    """The file of the font that figures have."""
    from matplotlib.font_manager import FontProperties, findfont

    return str(findfont(FontProperties()))


@cache
def _font_file(character: str) -> str:
    """The file of the first font that has a character; empty if none has."""
    from matplotlib.ft2font import FT2Font

    if 0xD800 <= ord(character) < 0xE000:  # half of a character: the name is in no encoding
        return ""
    files = (_own_font(), *_other_fonts())
    return next((file for file in files if FT2Font(file).get_char_index(ord(character))), "")


def _family(character: str) -> str:
    return _other_fonts().get(_font_file(character), "")


@cache
def _other_fonts() -> dict[str, str]:
    """File → family of the upright fonts of this machine that can be drawn in any size."""
    from matplotlib.font_manager import fontManager

    files = {
        entry.name: str(entry.fname)
        for entry in fontManager.ttflist
        if entry.style == "normal" and entry.size == "scalable" and _is_usable(entry.name)
    }
    return {file: family for family, file in files.items()}


def _is_usable(family: str) -> bool:
    """Tell whether a font draws letters: Last Resort has boxes for them, the others no Unicode."""
    return not family.startswith(("Last Resort", "cm", "STIXNonUnicode"))
