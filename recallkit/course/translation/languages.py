"""Languages of the course: a folder of catalogues each, beside the notebooks."""

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from recallkit.course.translation.pseudo import ALPHABETS, plain, pseudo
from recallkit.errors import RecallkitError, did_you_mean
from recallkit.files import embedded

ENGLISH = "en"
VARIABLE = "RECALLKIT_LANGUAGE"
"""The environment variable that says in which language explorables begin."""

CATALOGUES = "locale/{code}/LC_MESSAGES"
"""Where the catalogues of a language lie below the folder of the notebooks."""

FROM_THE_RIGHT = ("ar", "dv", "fa", "he", "ku", "ps", "sd", "ug", "ur", "yi")


@dataclass(frozen=True)
class Language:
    """A function from English messages to texts of one language.

    A message without a text stays English.

    Attributes:
        code: of the language, such as "de" or "pt-BR".
        texts: message → text.
    """

    code: str
    texts: dict[str, str] = field(default_factory=dict)

    def __call__(self, message: str) -> str:
        """Return the text of a message."""
        return pseudo(message, self.code) if self.is_pseudo else self.texts.get(message, message)

    def plain(self, text: str) -> str:
        """Return the English behind a text of a pseudo-language; other texts as they are."""
        return plain(text, self.code) if self.is_pseudo else text

    @property
    def is_pseudo(self) -> bool:
        """True for the languages that show forgotten texts."""
        return self.code in ALPHABETS

    @property
    def direction(self) -> str:
        """Direction of its lines: "ltr" or "rtl", the values of ``dir`` in HTML."""
        return "rtl" if self.code.partition("-")[0] in FROM_THE_RIGHT else "ltr"


def find_language(code: str, notebooks: Path) -> Language:
    """Return a language with all its catalogues.

    Args:
        code: of the language: "en", "de", …; "en-XA" and "ar-XB" are pseudo-languages.
        notebooks: the folder of the notebooks.

    Raises:
        RecallkitError: if there are no catalogues of this language.
    """
    if code == ENGLISH or code in ALPHABETS:
        return Language(code)
    known = [ENGLISH, *languages_in(notebooks), *ALPHABETS]
    if code not in known:
        hint = did_you_mean(code, known) or f"there are {', '.join(known)}"
        raise RecallkitError(f"--language: there are no catalogues for {code!r}; {hint}")
    folder = notebooks / CATALOGUES.format(code=code)
    texts = {m: t for path in sorted(folder.glob("*.po")) for m, t in texts_in(path).items()}
    return Language(code, texts)


def readers_language() -> Language:
    """Return the language in ``$RECALLKIT_LANGUAGE``; English where it is not set.

    Raises:
        RecallkitError: if there are no catalogues of it.
    """
    return _embedded_language(os.environ.get(VARIABLE) or ENGLISH)


@cache
def _embedded_language(code: str) -> Language:
    return find_language(code, embedded("notebooks"))


def languages_in(notebooks: Path) -> list[str]:
    """List the languages with catalogues beside the notebooks, without English."""
    return sorted(path.parent.name for path in notebooks.glob(CATALOGUES.format(code="*")))


def texts_in(path: Path) -> dict[str, str]:
    """Return message → text of a catalogue; without texts that are missing or marked as fuzzy.

    Raises:
        RecallkitError: naming the line that is not of the form of gettext.
    """
    from babel.messages.pofile import PoFileError, read_po

    with path.open("rb") as file:
        try:
            catalogue = read_po(file, abort_invalid=True)
        except (PoFileError, ValueError) as error:
            raise RecallkitError(f"{path} is not a catalogue of gettext: {error}") from error
    found = [m for m in catalogue if m.id and m.string and not m.fuzzy]
    return {str(message.id): str(message.string) for message in found}
