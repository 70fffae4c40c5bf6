"""The texts of explorables: dictionaries in their modules, read without running them."""

import json
import re

from recallkit.course.translation.markdown import Say

DICTIONARY = re.compile(
    r"^[ \t]*(?:export )?const (?:\w+_)?(?:WORDS|COMMON) = \{(.*?)\};$", re.DOTALL | re.MULTILINE
)
ENTRY = re.compile(r'(\w+): ("(?:[^"\\]|\\.)*")')


def words_of_module(text: str) -> dict[str, str]:
    """Return name → English text, of the dictionaries of an ES module.

    Args:
        text: of the module, joined with what it imports: a later dictionary has the last word, as
            when the module runs.
    """
    found = "\n".join(DICTIONARY.findall(text))
    return {name: json.loads(said) for name, said in ENTRY.findall(found)}


def translated_words(text: str, say: Say) -> dict[str, str]:
    """Return name → text of those texts of a module that ``say`` changes."""
    words = {name: (english, say(english)) for name, english in words_of_module(text).items()}
    return {name: said for name, (english, said) in words.items() if said != english}
