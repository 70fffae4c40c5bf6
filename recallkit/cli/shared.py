"""Helpers of several subcommands: parsing, the latest run, the places of results and figures."""

import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import tyro

from recallkit.cli.terminal import wide_enough
from recallkit.errors import RecallkitError
from recallkit.files import checkout, results_folder
from recallkit.ranges import checked, range_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNS = Path("runs")


def call(function: Callable[..., Any], name: str, arguments: list[str]) -> None:
    """Call ``function`` with its parameters taken from ``arguments``, as subcommand ``name``.

    Its docstring is the text of --help: what stands above ``Args:``, and a text for each parameter.
    Each parameter is compared with its annotation, ranges included.

    Raises:
        SettingError: naming the flag whose value is out of range.
    """
    text = inspect.cleandoc(function.__doc__ or "")
    hints = get_type_hints(function, include_extras=True)
    try:
        with wide_enough():
            values = tyro.cli(
                _parser(function, hints),
                prog=f"recallkit {name}",
                description=text.split("\n\nArgs:")[0],
                args=arguments,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff),
            )
    except SystemExit as end:
        if end.code:
            _explain_initials(hints, arguments)
        raise
    function(**{key: _checked(key, value, hints[key]) for key, value in values.items()})


def _explain_initials(hints: dict[str, Any], arguments: list[str]) -> None:
    """Say which option is meant by the initials of its words, such as --lr."""
    fields = [(name, getattr(hint, "__dataclass_fields__", None)) for name, hint in hints.items()]
    names = [one for name, inner in fields for one in inner or [name]]
    meant = {f"--{''.join(word[0] for word in name.split('_'))}": name for name in names}
    for flag in (argument.partition("=")[0] for argument in arguments):
        if flag in meant and flag.removeprefix("--") not in names:
            option = meant[flag].replace("_", "-")
            print(f"there is no {flag}; did you mean --{option}?", file=sys.stderr)


def _checked(name: str, value: Any, hint: Any) -> Any:
    if is_dataclass(value):
        return hint(**vars(value))  # which checks itself
    return checked(name, value, hint)


def _parser(function: Callable[..., Any], hints: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """Make a function with the parameters of ``function``, ranges shown, that returns them all."""

    def parse(**values: Any) -> dict[str, Any]:
        return values

    parameters = inspect.signature(function).parameters.values()
    shown = [_with_range(parameter, hints[parameter.name]) for parameter in parameters]
    parse.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    parse.__annotations__ = {parameter.name: parameter.annotation for parameter in shown}
    # tyro keeps the line breaks of a parameter
    parse.__doc__ = re.sub(r"\n {8,}", " ", inspect.cleandoc(function.__doc__ or ""))
    return parse


def _with_range(parameter: inspect.Parameter, hint: Any) -> inspect.Parameter:
    if is_dataclass(hint):
        shown = _settings(hint, parameter.default)
        return parameter.replace(annotation=shown, default=shown(**vars(parameter.default)))
    return parameter.replace(annotation=_shown(hint, parameter.default))


def _settings(kind: Any, defaults: Any) -> Any:
    """Make a subclass of a dataclass that shows ranges in --help, and checks nothing itself."""
    hints = get_type_hints(kind, include_extras=True)
    shown = {name: _shown(hint, getattr(defaults, name)) for name, hint in hints.items()}
    members = {"__annotations__": shown, "__post_init__": lambda self: None}
    return dataclass(frozen=True)(type(kind.__name__, (kind,), members))


def _shown(hint: Any, default: Any) -> Any:
    """Add to an annotation what --help says of its default and its range."""
    limits = range_of(hint)
    if default is None or default == ():  # the text says what happens then
        behaviour = "" if limits is None else f"({limits})"
        return Annotated[hint, tyro.conf.arg(help_behavior_hint=behaviour)]
    if limits is None:
        return hint
    return Annotated[hint, tyro.conf.arg(help_behavior_hint=f"(default: {{}}; {limits})".format)]


def latest_run() -> Path:
    """Return the finished run below ``runs`` that ended last.

    Raises:
        RecallkitError: if there is none.
    """
    finished = sorted(RUNS.glob("*/result.json"), key=lambda path: path.stat().st_mtime)
    if not finished:
        raise RecallkitError(
            f"there is no finished run below {RUNS.resolve()}. Train one with: recallkit train"
        )
    return finished[-1].parent


def results_to_write(project: bool) -> Path:
    """Return the folder that results are stored in: the user's, or that of the checkout.

    Args:
        project: whether the flag --project, which is for maintainers, was given.

    Raises:
        RecallkitError: with ``project``, if recallkit does not run from a checkout.
    """
    if not project:
        return results_folder()
    root = checkout()
    if root is None:
        raise RecallkitError("--project stores results in a checkout, and recallkit is installed")
    return root / "data" / "results"


def save_figure(fig: "Figure", path: Path) -> None:
    """Write a figure to ``path``, close it, and print where it is."""
    from recallkit import plots

    plots.write_png(fig, path)
    print(f"drew {path}")
