"""What several subcommands share: parsing, the latest run, where results and figures go."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from recallkit.errors import RecallkitError
from recallkit.files import checkout, results_folder, write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RUNS = Path("runs")


def call(function: Callable[..., Any], name: str, arguments: list[str]) -> None:
    """Call ``function`` with its parameters taken from ``arguments``, as subcommand ``name``.

    Its docstring is the text of --help: what stands above ``Args:``, and a text for each parameter.
    """
    text = inspect.cleandoc(function.__doc__ or "")
    function.__doc__ = re.sub(r"\n {8,}", " ", text)  # tyro keeps the line breaks of a parameter
    tyro.cli(
        function,
        prog=f"recallkit {name}",
        description=text.split("\n\nArgs:")[0],
        args=arguments,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff),
    )


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
    import matplotlib.pyplot as plt

    write_atomically(path, lambda temporary: fig.savefig(temporary, dpi=150))
    plt.close(fig)
    print(f"drew {path}")
