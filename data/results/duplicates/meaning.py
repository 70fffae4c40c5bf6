"""Classes that are forms of one another by their names and code points: relatives by meaning.

Emoji are related if their names are equal once a pattern is cut from them, or if one is a sequence
that begins with the other. Han characters are related if Unihan lists one as a variant of the
other, kana by their names and their decomposition. Only direct relations count: two forms of a
third character are no relatives unless they are listed as such.
"""

import bz2
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

Pairs = set[tuple[int, int]]  # numbers of two classes, the lower first
Key = Callable[[str, str], str]  # name and code of a class → what its relatives share

_COLOURS = "red|orange|yellow|green|blue|purple|brown|black|white|pink|grey|light blue"
_SIZES = "small|medium|large|heavy"
_DIRECTIONS = (
    r"(?:up|down|left|right)(?:-pointing)?|(?:up|down|left|right)wards|north|south|east|west|"
    "anticlockwise|clockwise|horizontally|vertically|pointing"
)
_ZODIAC = (
    "aries|taurus|gemini|cancer|leo|virgo|libra|scorpius|sagittarius|capricorn|aquarius|pisces|"
    "ophiuchus"
)


def _without(pattern: str) -> Key:
    """Return what cuts a pattern from a name; words are joined by single spaces again."""
    return lambda name, code: " ".join(re.sub(pattern, "", name).split())


EMOJI: Mapping[str, Key] = {
    "colour, size or direction": _without(
        rf"\b(?:{_COLOURS}|{_SIZES}|{_DIRECTIONS}|(?<=mark )symbol|ornament)\b"
    ),
    "clock faces": _without("(?<=^clock face ).*"),
    "phases of the moon": _without(r"^[\w ]*moon( symbol| with face)?$"),
    "signs of the zodiac": _without(f"^({_ZODIAC})$"),
    "keycaps": _without("^keycap.*"),
    "medals by place": _without("^(first|second|third) place"),
    "letters and words in squares or circles": _without(
        "^((negative )?squared (?!cross)|circled|input symbol).*"
    ),
    "an animal and its face": _without(" face$"),
    "a face and that of a cat": _without(r"\bcat (?=face)"),
    "man, woman, person": _without(
        r"\b(man|woman|men|women|person|adult|boy|girl|child|father|mother)s?\b"
    ),
    "sequences that begin alike": lambda name, code: re.sub("-200d-.*", "", code),
    "compatibility forms": lambda name, code: _compatible(code),
}
"""Kind of relation → what the classes of emoji that are related by it share."""

KANA: Mapping[str, Key] = {
    "kana, small and full size": _without(r"\bsmall\b"),
    "kana, voiced and not": lambda name, code: unicodedata.normalize("NFD", _text(code))[0],
    "hiragana and katakana": _without("^(hiragana|katakana)"),
}
"""Kind of relation → what the kana that are related by it share."""

UNIHAN: Mapping[str, tuple[str, ...]] = {
    "Han, simplified and traditional": ("kSimplifiedVariant", "kTraditionalVariant"),
    "Han, semantic variants": ("kSemanticVariant", "kSpecializedSemanticVariant"),
    "Han, z-variants": ("kZVariant",),
    "Han, listed as confusable": ("kSpoofingVariant",),
}
"""Kind of relation → the fields of Unihan that list it."""


def _text(code: str) -> str:
    return "".join(chr(int(point, 16)) for point in code.split("-"))


def _compatible(code: str) -> str:
    """Return the compatibility decomposition: that of ① is 1, that of full-width Ａ is A."""
    return unicodedata.normalize("NFKC", _text(code))


def related(keys: Sequence[str]) -> Pairs:
    """Return all pairs of classes that have the same key."""
    groups = defaultdict(list)
    for number, key in enumerate(keys):
        groups[key].append(number)
    return {pair for group in groups.values() for pair in combinations(group, 2)}


def relatives_of_emoji(names: Sequence[str], codes: Sequence[str]) -> dict[str, Pairs]:
    """Return the pairs of classes of each kind of :data:`EMOJI`.

    Args:
        names: of the classes, as the index of the data has them.
        codes: their code points, hexadecimal, joined by "-".
    """
    return {kind: related(list(map(key, names, codes))) for kind, key in EMOJI.items()}


def relatives_of_glyphs(codes: Sequence[str], unihan: Path) -> dict[str, Pairs]:
    """Return the pairs of classes of each kind of relation among characters.

    Args:
        codes: the code points of the classes, hexadecimal.
        unihan: ``Unihan_Variants.txt.bz2``.
    """
    numbers = {int(code, 16): number for number, code in enumerate(codes)}
    kinds = {kind: _listed(numbers, unihan, fields) for kind, fields in UNIHAN.items()}
    names = [unicodedata.name(chr(code)).lower() for code in numbers]
    kana = [number for number, name in enumerate(names) if re.match("hiragana |katakana ", name)]
    for kind, key in KANA.items():
        pairs = related([key(names[number], codes[number]) for number in kana])
        kinds[kind] = {(kana[i], kana[j]) for i, j in pairs}
    return kinds | {"compatibility forms": related([_compatible(code) for code in codes])}


def _listed(numbers: Mapping[int, int], unihan: Path, fields: Sequence[str]) -> Pairs:
    """Return the pairs of classes that fields of Unihan list, in whichever direction."""
    with bz2.open(unihan, "rt", encoding="utf-8") as lines:
        entries = [line.rstrip("\n").split("\t") for line in lines if line.startswith("U+")]
    pairs = set()
    for character, field, variants in entries:
        if field in fields:
            points = [character, *(variant.split("<")[0] for variant in variants.split())]
            first, *others = (numbers.get(int(point.removeprefix("U+"), 16)) for point in points)
            pairs |= {(min(first, n), max(first, n)) for n in others if None not in (first, n)}
    return {pair for pair in pairs if pair[0] != pair[1]}
