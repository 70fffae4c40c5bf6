"""The ``recallkit`` command: thin functions over the package, one a subcommand."""

import inspect
import sys

import tyro

from recallkit.cli.benchmarks import bench
from recallkit.cli.course import lab, notebooks
from recallkit.cli.data_sets import prepare
from recallkit.cli.evaluation import evaluate, search
from recallkit.cli.sweeps import ablate, compare, list_runs, plot
from recallkit.cli.training import preset_in, train_command
from recallkit.errors import RecallkitError


def main(arguments: list[str] | None = None) -> None:
    """Run the command; what a user can mend ends with a line on stderr and status 1."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        _dispatch(arguments)
    except KeyboardInterrupt:
        sys.exit("recallkit: interrupted")
    except (RecallkitError, ValueError, OSError) as error:
        sys.exit(f"recallkit: error: {error}")


def _dispatch(arguments: list[str]) -> None:
    commands = {
        "train": train_command(preset_in(arguments)),
        "evaluate": evaluate,
        "search": search,
        "runs": list_runs,
        "ablate": ablate,
        "plot": plot,
        "bench": bench,
        "prepare": prepare,
        "compare": compare,
        "lab": lab,
        "notebooks": notebooks,
    }
    config = (tyro.conf.OmitArgPrefixes, tyro.conf.HelptextFromCommentsOff)
    if arguments and arguments[0] in commands:
        name, *rest = arguments
        command = commands[name]
        tyro.cli(
            command,
            prog=f"recallkit {name}",
            description=inspect.cleandoc(command.__doc__ or "").split("\n\nArgs:")[0],
            args=rest,
            config=config,
        )
    else:
        tyro.extras.subcommand_cli_from_dict(
            commands,
            prog="recallkit",
            description="Train image retrieval directly for recall@k, and see what it learns.",
            args=arguments,
            config=config,
        )
