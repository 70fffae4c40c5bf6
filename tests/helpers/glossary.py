"""Words that the glossary of CONTRIBUTING.md replaces."""

import re

REPLACED = [  # (pattern, the word to take instead)
    (r"\bsittings?\b", "session"),
    (r"\blook(s|ed)? at (the )?validation\b", "evaluation"),
    (r"(?<!data )(?<!data_)\bcards?\b", "GPU, or data card"),
    (r"\bpictures?\b", "image"),
    (r"(?<!learning[\s-])\brates?\b", "learning rate"),
    (r"\bpeers?\b", "baseline loss"),
    (r"\banew\b", "again"),
]


def replaced_words(text):
    """Each such word in a text, with the word to take instead."""
    return [
        f"{match[0]!r}: say {word}"
        for pattern, word in REPLACED
        for match in re.finditer(pattern, text, re.IGNORECASE)
    ]
