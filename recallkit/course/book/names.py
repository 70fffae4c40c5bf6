"""All names of the package, read from its source: what a reference in a docstring may mean."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from recallkit.files import PACKAGE


def exists(target: str) -> bool:
    """Tell whether a dotted name, or its end, is a module, function, class, member or constant."""
    return any(f".{name}".endswith(f".{target}") for name in all_names())


@cache
def all_names() -> frozenset[str]:
    """Return the full names of all modules and of what they define or import."""
    return frozenset(name for path in PACKAGE.rglob("*.py") for name in _names_of(path))


def _names_of(path: Path) -> Iterator[str]:
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    module = module.removesuffix(".__init__")
    yield module
    for node in _statements(ast.parse(path.read_text(encoding="utf-8")).body):
        for name in _defined(node):
            yield f"{module}.{name}"
        if isinstance(node, ast.ClassDef):
            members = (name for member in node.body for name in _defined(member))
            yield from (f"{module}.{node.name}.{name}" for name in members)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, those under ``if TYPE_CHECKING`` and ``with`` included."""
    for node in body:
        yield node
        yield from _statements(node.body) if isinstance(node, ast.If | ast.With) else ()


def _defined(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name for alias in names)
