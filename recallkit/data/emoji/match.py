"""Find out which drawing shows which emoji."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from recallkit.data.emoji.sources import IconSet

_SKIN_TONES = {f"1f3f{digit}" for digit in "bcdef"}
_PEOPLE_AND_GENDERS = {"1f468", "1f469", "1f9d1", "2640", "2642"}
_LEFT_OUT_CATEGORIES = {"Flags", "Component"}
_PRIVATE_USE = re.compile(r"[ef]\w{3}")  # codes for a foundry's own pictograms
_OTHER_MEANING = {("emojione-v1", "keyboard")}  # shows a piano, not a computer's keyboard
_FX_NAMES = Path(__file__).with_name("fx_names.txt")


@dataclass(frozen=True)
class Emoji:
    """A class of the data set.

    Attributes:
        code: its code points, lower-case hexadecimal joined by ``-``, without U+FE0F.
        name: its Unicode name in lower case.
        category: one of Unicode's groups ("Food & Drink", …).
    """

    code: str
    name: str
    category: str


def canonical(code: str) -> str:
    """Spell a code point sequence as it is done here: lower case, no variation selector."""
    return "-".join(point for point in code.lower().split("-") if point != "fe0f")


def emoji_classes(characters: list[dict]) -> dict[str, Emoji]:
    """List the classes by code, without flags, skin tones, and variants by person or gender.

    ``characters`` are the entries of emoji-datasource.
    """
    classes = [
        Emoji(canonical(c["unified"]), c["name"].lower(), c["category"])
        for c in characters
        if c["category"] not in _LEFT_OUT_CATEGORIES
    ]
    return {c.code: c for c in classes if not _is_variant(c.code)}


def _is_variant(code: str) -> bool:
    """Tell whether this is one of many variants of a drawing: a skin tone, a person, a gender."""
    points = set(code.split("-"))
    return bool(points & _SKIN_TONES) or ("200d" in points and bool(points & _PEOPLE_AND_GENDERS))


class Names:
    """The meanings of names, learnt from the sets that give code points, and from Unicode."""

    def __init__(self, sets: dict[str, IconSet], characters: list[dict]):
        self._common = _common_names(sets)
        self._unicode = {_slug(c["name"]): canonical(c["unified"]) for c in characters}
        self._short = {
            _slug(s): canonical(c["unified"]) for c in characters for s in c["short_names"]
        }
        self._joined = _joined(self._common, self._unicode, self._short)

    def code(self, name: str, aliases: list[str]) -> str | None:
        """Find the code of a drawing by its names: as other sets use them, else as Unicode does."""
        for known in (self._common, self._unicode):
            for candidate in (name, *aliases):
                if candidate in known:
                    return known[candidate]
        return None

    def code_of_joined(self, name: str) -> str | None:
        """Find the code by a name without hyphens ("openbook"); None if it has two meanings."""
        return self._joined.get(name)


def _slug(name: str) -> str:
    """Spell a name as the icon sets do: "MOON VIEWING" → "moon-viewing"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _common_names(sets: dict[str, IconSet]) -> dict[str, str]:
    """Give each name the code that most sets give it (the earlier set wins a tie)."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for icons in sets.values():
        aliases = _aliases(icons)
        for code, name in icons.chars.items():
            if not _PRIVATE_USE.fullmatch(code):
                for each in (name, *aliases[name]):
                    votes[each][canonical(code)] += 1
    return {name: codes.most_common(1)[0][0] for name, codes in votes.items()}


def _joined(*tables: dict[str, str]) -> dict[str, str]:
    """List the names that mean the same in all ``tables``, written without hyphens.

    The last table holds short names ("bow", "hand"), which say too little by themselves: a name
    that only this table has is left out, and so is one that means something else in it.
    """
    meanings: dict[str, set[str]] = defaultdict(set)
    for table in tables:
        for name, code in table.items():
            meanings[name.replace("-", "")].add(code)
    full = {name.replace("-", "") for table in tables[:-1] for name in table}
    return {
        name: min(codes) for name, codes in meanings.items() if name in full and len(codes) == 1
    }


def _aliases(icons: IconSet) -> dict[str, list[str]]:
    """List the other names of each name; those of turned or flipped drawings are left out."""
    aliases: dict[str, list[str]] = defaultdict(list)
    for alias, meaning in icons.aliases.items():
        if meaning.keys() == {"parent"}:
            aliases[meaning["parent"]].append(alias)
    return aliases


def match(foundry: str, icons: IconSet, names: Names) -> dict[str, str]:
    """Find the foundry's drawing of each emoji: code → name of the drawing."""
    if icons.chars:
        return {canonical(code): name for code, name in icons.chars.items()}
    if foundry == "fxemoji":
        published = _fx_codes()
        known = {published[n]: n for n in icons.icons if published.get(n, "-") != "-"}
        guessed = {n: names.code_of_joined(n) for n in icons.icons if n not in published}
    else:
        aliases = _aliases(icons)
        known = {}
        plain = [n for n in icons.icons if (foundry, n) not in _OTHER_MEANING]
        guessed = {name: names.code(name, aliases[name]) for name in plain}
    return _unambiguous(guessed) | known


def _unambiguous(codes: dict[str, str | None]) -> dict[str, str]:
    """Turn name → code round, without codes that two names claim."""
    claims = Counter(codes.values())
    return {code: name for name, code in codes.items() if code and claims[code] == 1}


def _fx_codes() -> dict[str, str]:
    """Read the published codes of FxEmojis' oddly named drawings; "-" for those to leave out."""
    lines = _FX_NAMES.read_text(encoding="utf-8").splitlines()
    fields = [line.split() for line in lines if not line.startswith("#")]
    return {name: code for name, code, *_ in fields}
