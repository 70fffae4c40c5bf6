"""The API reference: a page for each package and module with public names.

An object is described once: on the page of the first module that has it in its ``__all__``. The
pages of the others link to it.
"""

import inspect
import pkgutil
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from sphinx.pycode import ModuleAnalyzer

from recallkit.course.book import words
from recallkit.course.translation import Say
from recallkit.files import PACKAGE

FRONT = "recallkit"
INTRODUCTION = """\
{title}
{line}

{text}

.. toctree::
   :maxdepth: 1

"""


def reference_pages(say: Say) -> dict[str, str]:
    """Return the pages, in reStructuredText, by file name."""
    modules = public_modules()
    described: dict[tuple[str, int], str] = {}
    pages = {f"api/{module.__name__}.rst": _page(module, described, say) for module in modules}
    entries = "".join(f"   {module.__name__}\n" for module in modules)
    title, text = say(words.REFERENCE), say(words.PUBLIC_NAMES)
    introduction = INTRODUCTION.format(title=title, line="=" * (2 * len(title)), text=text)
    return {"api/index.rst": introduction + entries, **pages}


def public_modules() -> list[ModuleType]:
    """Return :mod:`recallkit`, and the packages and modules that are public.

    These are all packages and the modules beside them that have an ``__all__``, and the modules
    that stand in one.
    """
    found = pkgutil.walk_packages([str(PACKAGE)], "recallkit.")
    names = [m.name for m in found if m.ispkg or m.name.count(".") == 1]
    modules = [import_module(name) for name in [FRONT, *names] if "__main__" not in name]
    public = {module.__name__: module for module in modules if hasattr(module, "__all__")}
    values = [getattr(module, name) for module in public.values() for name in module.__all__]
    public |= {value.__name__: value for value in values if isinstance(value, ModuleType)}
    return [public[name] for name in sorted(public)]


def public_names(module: ModuleType) -> list[str]:
    """Return the names in ``__all__``; without one, those of the module's own functions."""
    own = inspect.getmembers(module, inspect.isfunction)
    functions = [name for name, f in own if f.__module__ == module.__name__ and name[0] != "_"]
    return sorted(getattr(module, "__all__", functions), key=str.lower)


def _page(module: ModuleType, described: dict[tuple[str, int], str], say: Say) -> str:
    """Return the page of a module, and note in ``described`` what stands on it."""
    name = module.__name__
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", "   :no-members:", ""]
    elsewhere = []
    for public in public_names(module):
        value = getattr(module, public)
        place = described.setdefault((public, id(value)), name)
        if isinstance(value, ModuleType):
            elsewhere.append(f"- :mod:`{value.__name__}`")
        elif place != name:
            elsewhere.append(f"- :obj:`{place}.{public}`")
        else:
            lines += [*_directive(f"{name}.{public}", value), ""]
    also = [say(words.ELSEWHERE), "", *elsewhere, ""] if elsewhere else []
    return "\n".join([*lines[:6], *also, *lines[6:]])


def _directive(name: str, value: Any) -> list[str]:
    if inspect.isclass(value):
        fields = ", ".join(getattr(value, "_fields", ()))  # its docstring describes them
        return [f".. autoclass:: {name}", "   :members:", f"   :exclude-members: {fields}"]
    if callable(value):
        return [f".. autofunction:: {name}"]
    return [f".. py:data:: {name}", "", *(f"   {line}" for line in _text_of_constant(name))]


def _text_of_constant(name: str) -> list[str]:
    """Return the docstring after a constant, from the module that assigns it; [] without one."""
    package, _, constant = name.rpartition(".")
    value = getattr(import_module(package), constant)
    for module in [m for name, m in sys.modules.items() if name.startswith("recallkit.")]:
        if vars(module).get(constant) is value:
            texts = ModuleAnalyzer.for_module(module.__name__).find_attr_docs()
            if ("", constant) in texts:
                return texts["", constant]
    return []
