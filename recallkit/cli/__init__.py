"""The ``recallkit`` command: thin functions over the package, one a subcommand.

What a subcommand does is imported when it is called, so ``recallkit --help`` needs no torch.
"""

import sys
from importlib import import_module
from typing import NamedTuple

from recallkit import __version__
from recallkit.cli.terminal import keep_logs_short, leave_quietly, make_readable
from recallkit.errors import RecallkitError, did_you_mean, needs_extra


class Command(NamedTuple):
    """A subcommand.

    Attributes:
        module: of ``recallkit.cli`` that holds it.
        function: its name there; its docstring is the text of --help.
        summary: one sentence for the list of subcommands.
        parses_itself: its function takes the list of arguments; else tyro makes its parameters
            from them.
        extra: the extra that it needs.
    """

    module: str
    function: str
    summary: str
    parses_itself: bool = False
    extra: str = "train"


COMMANDS = {
    "train": Command(
        "training", "train", "Train a network, and evaluate it on unseen classes.", True
    ),
    "evaluate": Command(
        "evaluation", "evaluate", "Evaluate a run, or embeddings of any other tool."
    ),
    "embed": Command(
        "gallery", "embed", "Embed a folder of images into an index file, or extend one."
    ),
    "search": Command("gallery", "search", "Find the images most similar to yours."),
    "duplicates": Command(
        "gallery", "duplicates", "List the images that are there twice: copies and near-duplicates."
    ),
    "confusions": Command(
        "gallery",
        "confusions",
        "Show the classes found worst, and what they are taken for.",
    ),
    "report": Command("pages", "report", "Tell what a run does well and badly, as one HTML page."),
    "serve": Command("pages", "serve", "Search with images in the browser."),
    "export": Command("pages", "export", "Write a run as one file for programs without recallkit."),
    "runs": Command("sweeps", "list_runs", "Show the runs of a folder side by side."),
    "ablate": Command("sweeps", "ablate", "Compare settings by a protocol: tune, train, test."),
    "plot": Command("sweeps", "plot", "Draw sweeps from their stored runs."),
    "compare": Command("sweeps", "compare", "Print the paper's tables beside stored runs."),
    "bench": Command("benchmarks", "bench", "Measure time, memory and precision."),
    "prepare": Command(
        "data_sets", "prepare", "Check a benchmark's files, or build emoji or glyphs."
    ),
    "lab": Command(
        "course",
        "lab",
        "Copy the notebooks to a folder, and open JupyterLab.",
        True,
        "course",
    ),
    "class": Command(
        "classroom",
        "class_",
        "Teach with the course: hand out exercises, and grade them.",
        True,
        "course",
    ),
    "notebooks": Command(
        "course", "notebooks", "Execute notebooks, and store them with figures.", extra="course"
    ),
    "book": Command(
        "course", "book", "Make a website of the course, for reading without Python.", extra="book"
    ),
    "lecture": Command(
        "lecture", "lecture", "Open a chapter of the book in steps, as a lecture.", extra="book"
    ),
}


def main(arguments: list[str] | None = None) -> None:
    """Run the command; an error that the user can mend ends with one line and status 1."""
    make_readable()
    try:
        try:
            _dispatch(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()  # an error of a closed pipe comes here, not when Python ends
    except BrokenPipeError:
        leave_quietly()
    except KeyboardInterrupt:
        sys.exit("recallkit: interrupted")
    except (RecallkitError, ValueError, OSError) as error:
        sys.exit(f"recallkit: error: {error}")


def _dispatch(arguments: list[str]) -> None:
    match arguments:
        case [] | ["-h" | "--help", *_]:
            print(_overview())
        case ["--version", *_]:
            print(f"recallkit {__version__}")
        case [name, *rest] if name in COMMANDS:
            _run(name, rest)
        case [name, *_]:
            hint = did_you_mean(name, COMMANDS) or "recallkit --help lists them"
            print(f"recallkit: error: there is no command {name!r}; {hint}", file=sys.stderr)
            sys.exit(2)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: recallkit COMMAND [OPTIONS]",
            "",
            "Train image retrieval directly for recall@k, and see what it learns.",
            "",
            *lines,
            "",
            "recallkit COMMAND --help shows the options of a command, with examples.",
            "recallkit --version shows the version.",
        ]
    )


def _run(name: str, arguments: list[str]) -> None:
    command = COMMANDS[name]
    with needs_extra(f"recallkit {name}", command.extra):
        keep_logs_short()
        from recallkit.cli.shared import call

        function = getattr(import_module(f"recallkit.cli.{command.module}"), command.function)
        if command.parses_itself:
            function(arguments)
        else:
            call(function, name, arguments)
