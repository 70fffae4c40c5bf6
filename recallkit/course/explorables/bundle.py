"""One ES module out of several: what a module imports is put before it.

A widget's front end is handed one text, and a page opened from a folder may not import a file. So
the modules are joined in Python, without a build step. They keep to a plain form:

    import { one, other } from "./file.js";      at the start of a line, no renaming
    export function name, export const name      at the start of a line, one name a declaration
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

IMPORT = re.compile(
    r'^import \{(\s*\w+(?:\s*,\s*\w+)*\s*,?\s*)\} from "(\.[\w./-]+)";\n', re.MULTILINE
)
EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|function|class)\b)", re.MULTILINE)
DECLARED = re.compile(r"^(export )?(?:async )?(?:const|let|function\*?|class) +(\w+)", re.MULTILINE)
# Lines that are comments: a fifth of the text, which each figure of a page would carry.
COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*(?:[^*]|\*(?!/))*\*/[ \t]*)\n", re.MULTILINE)
# Lines that the two above do not understand: other imports, lists of exports, several names.
STRANGE = re.compile(
    r"^(?:import\b|export [{*]|(?:export )?(?:var\b|(?:const|let) *[\[{])).*", re.M
)


def bundle(entry: Path) -> str:
    """Join a module and all that it imports, each once, into one module without imports.

    Args:
        entry: the file; its own exports stay.

    Returns:
        The text: imported modules first, in the order of the imports; lines of comments go.

    Raises:
        ValueError: for a missing file, a cycle of imports, a name that two modules declare, a name
            that is imported and not exported, a default export of an imported module, or a form of
            import or export that is not understood.
    """
    sources: dict[Path, str] = {}
    _collect(entry.resolve(), sources, ())
    _check_names(sources)
    *imported, last = (COMMENT.sub("", IMPORT.sub("", one)) for one in sources.values())
    return "\n".join([*(EXPORT.sub("", source) for source in imported), last])


def exported_names(path: Path) -> list[str]:
    """List the names that a module exports by declarations, in their order."""
    return [name for export, name in DECLARED.findall(_read(path)) if export]


def _collect(path: Path, sources: dict[Path, str], above: tuple[Path, ...]) -> None:
    """Add a module to ``sources``, after those that it imports."""
    if path in above:
        raise ValueError(f"{path.name} imports itself, by {above[-1].name}: cut the cycle")
    if path in sources:
        return
    source = _read(path)
    if above and re.search(r"^export default\b", source, re.M):
        raise ValueError(f"{above[-1].name} imports {path.name}, which has a default export")
    for names, other in _imports(path, source):
        if missing := names - set(exported_names(other)):
            raise ValueError(f"{path.name} imports {sorted(missing)}, not exported by {other.name}")
        _collect(other, sources, (*above, path))
    sources[path] = source


def _read(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"there is no module {path}")
    source = path.read_text(encoding="utf-8")
    if strange := STRANGE.search(IMPORT.sub("", source)):
        raise ValueError(f"{path.name}: a bundle does not understand {strange[0]!r}")
    return source


def _imports(path: Path, source: str) -> Iterator[tuple[set[str], Path]]:
    """Yield for each import its names and the file."""
    for names, place in IMPORT.findall(source):
        yield set(re.findall(r"\w+", names)), (path.parent / place).resolve()


def _check_names(sources: Mapping[Path, str]) -> None:
    """Refuse a name that two modules declare: in one module they would be the same."""
    owner: dict[str, Path] = {}
    for path, source in sources.items():
        for _, name in DECLARED.findall(source):
            if owner.setdefault(name, path) != path:
                raise ValueError(f"{path.name} and {owner[name].name} both declare {name}")
