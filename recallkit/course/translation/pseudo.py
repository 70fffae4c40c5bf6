"""Languages that nobody speaks: they show which text no translator would be asked for.

Letters are exchanged one by one, so that a text keeps its length, its marks and its names of
values. A Latin letter that is left in a page is a text that was forgotten.
"""

import re

KEPT = re.compile(
    r"(`[^`]*`|<[^>]*>|(?<=\])\([^)]*\)|\$[^$]*\$|https?:\S+|\{\w*\}|%\(\w+\)[sd]|%[sd]|&\w+;|:\w+:(?=`))"
)
SPOKEN = re.compile(r'(?<=\balt=")[^"]+(?=")|(?<=\btitle=")[^"]+(?=")|(?<=\\text\{)[^{}]+(?=\})')

LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
ACCENTED = "áƀçðéƒĝĥíĵķļɱñóþɋŕšţúṽŵẋýžÁƁÇÐÉƑĜĤÍĴĶĻṀÑÓÞɊŔŠŢÚṼŴẊÝŽ"
HEBREW = "אבגדהוזחטיכלמנסעפצקרשתךםןףאבגדהוזחטיכלמנסעפצקרשתךםןף"

ALPHABETS = {"en-XA": str.maketrans(LATIN, ACCENTED), "ar-XB": str.maketrans(LATIN, HEBREW)}
"""Code of a pseudo-language → what becomes of each letter. ar-XB is written from the right."""


def pseudo(text: str, code: str) -> str:
    """Write a text in a pseudo-language; code, formulas, tags, addresses and values stay."""
    letters = ALPHABETS[code]
    parts = KEPT.split(text)
    parts[::2] = [part.translate(letters) for part in parts[::2]]
    parts[1::2] = [SPOKEN.sub(lambda found: found[0].translate(letters), p) for p in parts[1::2]]
    return "".join(parts)


def plain(text: str, code: str) -> str:
    """Return the text that was written in a pseudo-language; capitals may have become small."""
    letters = {letter: chr(latin) for latin, letter in reversed(ALPHABETS[code].items())}
    return text.translate(str.maketrans({chr(k): v for k, v in letters.items()}))
