"""A module of the explorables in an interpreter inside this process: no browser, no node."""

import json
from pathlib import Path
from typing import Any

import quickjs

import recallkit.course.explorables
from recallkit.course.explorables.bundle import bundle, exported_names

MATHS = Path(recallkit.course.explorables.__file__).parent / "maths"


class Module:
    """The exported functions of a module, to be called with what JSON can hold."""

    def __init__(self, path: Path) -> None:
        self.context = quickjs.Context()
        exported = ", ".join(exported_names(path))
        self.context.module(f"{bundle(path)}\nglobalThis.exported = {{{exported}}};")
        self._call = self.context.eval(
            "(name, args) => JSON.stringify(exported[name](...JSON.parse(args)))"
        )

    def functions(self) -> list[str]:
        """The names of the exported functions, in order of the alphabet."""
        return json.loads(
            self.context.eval(
                "JSON.stringify(Object.keys(exported)"
                ".filter((name) => typeof exported[name] === 'function').sort())"
            )
        )

    def constant(self, name: str) -> Any:
        """An exported value that is no function."""
        return json.loads(self.context.eval(f"JSON.stringify(exported.{name})"))

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Call a function; what it returns comes back as numbers, lists and dicts."""
        return json.loads(self._call(name, json.dumps(arguments, allow_nan=False)))


def differences(result: Any, expected: Any, tolerance: float = 1e-10) -> list[str]:
    """List where two results differ by more than ``tolerance · max(1, |expected|)``."""
    if isinstance(expected, dict):
        if not isinstance(result, dict) or result.keys() != expected.keys():
            return [f"{result} is not {expected}"]
        pairs = [(result[key], expected[key]) for key in expected]
    elif isinstance(expected, list | tuple):
        if not isinstance(result, list) or len(result) != len(expected):
            return [f"{result} is not {expected}"]
        pairs = list(zip(result, expected, strict=True))
    else:
        near = result is not None and abs(result - expected) <= tolerance * max(1, abs(expected))
        return [] if near else [f"{result} is not {expected}"]
    return [line for pair in pairs for line in differences(*pair, tolerance)]
