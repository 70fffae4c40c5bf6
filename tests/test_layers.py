"""Who may use whom: the layers of the package, private names, and what the notebooks import."""

import ast
import importlib
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "recallkit"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OPEN_TO_NOTEBOOKS = [
    f"recallkit.{name}"
    for name in ["plots", "course", "findings", "studies", "experiments", "related", "data"]
]


@cache
def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_nothing_imports_upwards(capsys):
    status = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out


def test_contributing_shows_the_layers():
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^## The layers$.*?^```$(.*?)^```$", text, re.M | re.S)
    shown = [set(re.split(r" {2,}", line)[0].split(" | ")) for line in block.strip().splitlines()]
    [contract] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    assert shown == [set(re.findall(r"\w+", layer)) for layer in contract["layers"]]
    for name in OPEN_TO_NOTEBOOKS:
        assert f"`{name}`" in text or f"`{name.removeprefix('recallkit')}`" in text


def _imports(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Each import as module, name ("" of a plain import), line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "", node.lineno) for alias in node.names)


def test_imports_are_absolute():
    relative = [
        f"{_name(path)}:{node.lineno}"
        for path in [*SOURCES, *TESTS]
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize("forbidden", ["unittest", "pytest", "importlinter"])
def test_the_package_uses_no_tool_of_tests(forbidden):
    used = [
        f"{_name(path)}:{line}"
        for path in SOURCES
        for module, _, line in _imports(_tree(path))
        if module.split(".")[0] == forbidden
    ]
    assert not used


def test_the_package_does_not_import_its_own_front_door():
    """``from recallkit import X`` inside the package would hide from the layers where X lies."""
    hidden = [
        f"{_name(path)}:{line}: {name or module}"
        for path in SOURCES
        for module, name, line in _imports(_tree(path))
        if module == "recallkit" and name != "__version__"
        if not name or not _is_module(f"recallkit.{name}")
    ]
    assert not hidden


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name.strip("_") != ""


def _defined(tree: ast.AST) -> set[str]:
    """Private names that a file gives to functions, classes, variables, arguments or attributes."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
    return {name for name in names if _is_private(name)}


def _modules(tree: ast.AST) -> set[str]:
    """Names that a file binds to modules of recallkit."""
    bound = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("recallkit"):
            modules = [a for a in node.names if _is_module(f"{node.module}.{a.name}")]
            bound |= {alias.asname or alias.name for alias in modules}
        elif isinstance(node, ast.Import):
            bound |= {a.asname for a in node.names if a.asname and a.name.startswith("recallkit")}
    return bound


def _private_uses(tree: ast.AST) -> Iterator[tuple[str, int, bool]]:
    """Private names reached in other objects: name, line, and whether certainly of a module."""
    modules = _modules(tree)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(module)) if module.startswith("recallkit"):
                yield from ((alias.name, node.lineno, True) for alias in node.names)
            case ast.Attribute(value=value, attr=name):
                yield name, node.lineno, isinstance(value, ast.Name) and value.id in modules
            case ast.Call(args=[ast.Name(id=target), ast.Constant(value=str(name)), *_]):
                yield name, node.lineno, target in modules  # setattr, getattr, monkeypatch
            case ast.Call(args=[ast.Constant(value=str(path)), *_]) if path.startswith("recallkit"):
                yield path.rpartition(".")[2], node.lineno, True


def _borrowed(path: Path, private: set[str]) -> list[str]:
    """Lines of a file that use a name which is private to a module of the package elsewhere."""
    foreign = private - _defined(_tree(path))
    return [
        f"{_name(path)}:{line}: {name}"
        for name, line, of_a_module in _private_uses(_tree(path))
        if _is_private(name) and (of_a_module or name in foreign)
    ]


def test_nobody_uses_the_private_names_of_another_module():
    private = set().union(*(_defined(_tree(path)) for path in SOURCES))
    borrowed = [line for path in [*SOURCES, *TESTS] for line in _borrowed(path, private)]
    assert not borrowed, "\n".join(borrowed)


@pytest.mark.parametrize(
    "code",
    [
        "from recallkit.files import _PACKAGE",
        "from recallkit import files\nfiles._anything",
        "import recallkit.files as files\nfiles._anything",
        "def test(monkeypatch):\n    monkeypatch.setattr('recallkit.files._PACKAGE', 1)",
        "from recallkit import files\nsetattr(files, '_anything', 1)",
        "step._hidden",
    ],
)
def test_a_borrowed_private_name_is_seen(code):
    tree = ast.parse(code)
    assert [
        name
        for name, _, of_a_module in _private_uses(tree)
        if _is_private(name) and (of_a_module or name in {"_hidden"} - _defined(tree))
    ]


def _code_cells(path: Path) -> Iterator[ast.AST]:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            yield ast.parse(re.sub(r"^(\s*)[%!].*", r"\1pass", "".join(cell["source"]), flags=re.M))


def _attributes(tree: ast.AST) -> Iterator[tuple[str, str, int]]:
    """Each ``recallkit.NAME``, as an import of NAME."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="recallkit"), attr=name):
                yield "recallkit", name, node.lineno


def _public(module: str) -> set[str]:
    return set(getattr(importlib.import_module(module), "__all__", ()))


def _is_open(module: str, name: str) -> bool:
    """Whether a notebook may import ``name`` of ``module``."""
    if module == "recallkit":
        return not name or name in _public(module) or f"recallkit.{name}" in OPEN_TO_NOTEBOOKS
    return module in OPEN_TO_NOTEBOOKS and name in _public(module)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_imports_public_names_of_the_open_packages(path):
    deep = [
        f"{module}.{name}".rstrip(".")
        for tree in _code_cells(path)
        for module, name, _ in [*_imports(tree), *_attributes(tree)]
        if module.split(".")[0] == "recallkit" and not _is_open(module, name)
    ]
    assert not deep, "\n".join(deep)
