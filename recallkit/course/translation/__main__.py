"""Renew catalogues: ``python -m recallkit.course.translation de 02``, for translators.

Each catalogue of the language gets the messages that the course has now. Translations are kept. One
whose message has changed is kept as fuzzy: the book shows English until somebody has read it again
and removed the mark. A name after the code begins a catalogue: that of a session, ``front``,
``guide``, ``explorables`` or ``book``.
"""

import argparse
from pathlib import Path

from recallkit.course.translation.languages import CATALOGUES
from recallkit.course.translation.messages import messages_by_catalogue, renewed
from recallkit.errors import RecallkitError
from recallkit.files import checkout


def main() -> None:
    """Renew the catalogues of a language, and begin those that are named.

    Raises:
        RecallkitError: if recallkit does not run from a checkout, or there is no such catalogue.
    """
    parser = argparse.ArgumentParser(prog="python -m recallkit.course.translation")
    parser.add_argument("language", help='its code, such as "de" or "pt-BR"')
    parser.add_argument("names", nargs="*", help='catalogues to begin: "02", "guide", "book", …')
    given = parser.parse_args()
    root = checkout()
    if root is None:
        raise RecallkitError("catalogues are written in a checkout, and recallkit is installed")
    renew(root / "notebooks", given.language, given.names)


def renew(notebooks: Path, language: str, names: list[str]) -> None:
    """Renew the catalogues of a language, and begin those whose names begin with ``names``."""
    folder = notebooks / CATALOGUES.format(code=language)
    messages = messages_by_catalogue(notebooks)
    for name in names:
        if not any(known.startswith(name) for known in messages):
            raise RecallkitError(f"names: no catalogue begins with {name!r}: {', '.join(messages)}")
    for name, found in messages.items():
        path = folder / f"{name}.po"
        if path.exists() or any(name.startswith(begun) for begun in names):
            text, left = renewed(path, found, language)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text)
            print(f"wrote {path}: {left} of {len(found)} messages are left to translate")


if __name__ == "__main__":
    main()
