"""The benchmarks that ``recallkit bench`` runs, each with its table and its figure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from recallkit.bench import commands, precision, ranks, search, skipping, step, training
from recallkit.errors import RecallkitError
from recallkit.training.environment import environment

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class BenchOptions:
    """The options of all benchmarks; each uses those that apply to it.

    Attributes:
        device: "cpu" or "cuda".
        threads: number of CPU threads.
        batch_sizes: in images, ascending; empty: the defaults of the benchmark.
        methods: for ranks and search; empty: all.
        run: a run folder; skipping needs one.
        limit_s: seconds that a case may take.
        limit_gb: memory that a case may take on the CPU.
    """

    device: str = "cpu"
    threads: int = 2
    batch_sizes: tuple[int, ...] = ()
    methods: tuple[str, ...] = ()
    run: Path | None = None
    limit_s: float = 300
    limit_gb: float = 16


@dataclass(frozen=True)
class Report:
    """A result: the measurements to store, a table to read, and a figure if there is one."""

    measured: dict[str, Any]
    table: str
    figure: "Figure | None" = None


def _ranks(options: BenchOptions) -> Report:
    from recallkit import plots

    measured = ranks.bench_ranks(
        options.batch_sizes or (64, 400, 1000, 2000, 4000, 8000, 16000, 32768),
        options.methods or tuple(ranks.METHODS),
        options.device,
        options.threads,
        options.limit_s,
        options.limit_gb,
    )
    cases = measured["cases"]
    return Report(measured, ranks.ranks_table(cases), plots.plot_engines(cases)[0])


def _step(options: BenchOptions) -> Report:
    from recallkit import plots

    sizes = options.batch_sizes or (256, 1024, 4096, 16384)
    cases = step.step_cases(sizes, options.device, options.threads)
    measured = step.bench_step(cases, options.limit_s, options.limit_gb)
    figure, _ = plots.plot_step_cost(measured["cases"])
    return Report(measured, step.step_table(measured["cases"]), figure)


def _precision(options: BenchOptions) -> Report:
    measured = precision.bench_precision(device=options.device)
    return Report(measured, precision.precision_table(measured["rows"]))


def _skipping(options: BenchOptions) -> Report:
    if options.run is None:
        raise RecallkitError("the benchmark of skipping needs the folder of a run: give --run")
    sizes = options.batch_sizes or (512, 1024, 2048, 4096)
    measured = skipping.bench_skipping(options.run, sizes, options.device)
    return Report(measured, skipping.skipping_table(measured["rows"]))


def _search(options: BenchOptions) -> Report:
    cases = search.search_cases(options.methods or tuple(search.METHODS), options.threads)
    measured = search.bench_search(cases, options.limit_s, options.limit_gb)
    return Report(measured, search.search_table(measured["cases"]))


def _training(options: BenchOptions) -> Report:
    rows = list(training.measured_cases(options.device))
    measured = {"rows": rows, **environment(torch.device(options.device))}
    return Report(measured, training.training_table(rows))


def _commands(_: BenchOptions) -> Report:
    rows = commands.bench_commands()
    measured = {"rows": rows, **environment(torch.device("cpu"))}
    return Report(measured, commands.commands_table(rows))


REPORTS: dict[str, Callable[[BenchOptions], Report]] = {
    "ranks": _ranks,
    "step": _step,
    "precision": _precision,
    "skipping": _skipping,
    "search": _search,
    "training": _training,
    "commands": _commands,
}
