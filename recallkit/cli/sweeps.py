"""The subcommands ``runs``, ``ablate``, ``plot`` and ``compare``."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional

from recallkit.cli.shared import RUNS, results_to_write
from recallkit.errors import RecallkitError, did_you_mean
from recallkit.files import PACKAGE
from recallkit.ranges import Range

if TYPE_CHECKING:
    from recallkit.experiments import Sweep

Images = Annotated[int | None, Range(1, 10**12)]
Seeds = Annotated[tuple[int, ...], Range(0, 2**63 - 1)]

SWEEP_NAMES = sorted(path.stem for path in (PACKAGE / "experiments" / "sweeps").glob("*.toml"))
"""The sweeps of the project, read from a folder so that --help loads no torch."""

STUDY_NAMES = sorted(
    path.stem.replace("_", "-") for path in (PACKAGE / "studies" / "declared").glob("[!_]*.py")
)
"""The studies of the project, likewise."""


def list_runs(folder: Positional[Path] = RUNS) -> None:
    """Show the runs of a folder side by side.

    A row a run: how far it is, R@1 on validation and test classes, seconds, and the settings in
    which the runs differ.

    Examples:
      recallkit runs
      recallkit runs ~/experiments

    Args:
        folder: a folder with run folders, at any depth.
    """
    from recallkit.cli.run_table import run_table

    print(run_table(folder))


def _naming_sweeps(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put the names of the sweeps and studies into the docstring of a subcommand."""
    text = (function.__doc__ or "").replace("SWEEPS", ", ".join(SWEEP_NAMES))
    function.__doc__ = text.replace("STUDIES", ", ".join(STUDY_NAMES))
    return function


@_naming_sweeps
def ablate(
    name: Positional[str | None] = None,
    new: Path | None = None,
    dry_run: bool = False,
    executor: Literal["local", "slurm"] | None = None,
    slurm: tuple[str, ...] = (),
    jobs: Annotated[int | None, Range(1, 1024)] = None,
    budget: Annotated[float | None, Range(0.0, 1e6)] = None,
    images: Images = None,
    seeds: Seeds = (),
    device: str = "auto",
    results: Path | None = None,
    project: bool = False,
) -> None:
    """Compare settings by a protocol: tune, train, test.

    Each setting is tuned with the same budget on validation classes. Then it is trained with
    several seeds at its best learning rate, and evaluated once on test classes. Stored runs are
    skipped and unfinished runs go on, so Ctrl-C loses nothing. Several of these commands, on
    several machines too, can share a sweep: no run is trained twice.

    The sweeps: SWEEPS. Or name a .toml or .json file that declares your own; --new writes an
    example of one. Once it has run, its name finds it. The studies, by the same protocol in short
    trainings of their own: STUDIES.

    Examples:
      recallkit ablate batch-size --dry-run
      recallkit ablate distorted-losses --budget 60
      recallkit ablate distorted-ks --images 65000 --seeds 0 1 2 3 4
      recallkit ablate --new my-sweep.toml
      recallkit ablate my-sweep.toml --jobs 4
      recallkit ablate batch-size --executor slurm --slurm partition=gpu time=240
      recallkit plot batch-size

    Args:
        name: a sweep, or a file that declares one.
        new: write an example of such a file, with comments, and run nothing.
        dry_run: only show how many runs are due and stored, how long the due ones will take, and
            what they cost.
        executor: run each training as a job of Slurm, or of this machine ("local"), which goes on
            when this command is killed. It needs the extra [cluster]. The default: as processes
            that end with this command.
        slurm: parameters of Slurm as key=value, by submitit's names: partition, time (minutes),
            gpus_per_node, cpus_per_task, mem, account, …
        jobs: runs at a time, which share the cores. The default: one on a GPU, one for four cores
            on a CPU; eight on Slurm.
        budget: minutes after which no run is started; running ones are finished.
        images: images seen in each run, in place of the sweep's; such runs are stored apart.
        seeds: seeds of the final runs, in place of the sweep's.
        device: "auto" takes a GPU if there is one.
        results: the folder to store results in. The default: $RECALLKIT_RESULTS, or ./results.
        project: store in data/results of the checkout (for maintainers).
    """
    from recallkit import experiments, findings
    from recallkit.cli.dry_run import describe_plan
    from recallkit.cli.summary_table import summary_table

    if new is not None:
        experiments.write_example(new)
        print(f"wrote {new}. Run it with: recallkit ablate {new}")
        return
    if name is None:
        raise RecallkitError(f"name a sweep: one of {', '.join(SWEEP_NAMES)}, or a file of yours")
    if name in STUDY_NAMES:
        from recallkit.cli.studies import ablate_study, find_study, refuse_flags

        refuse_flags(name, images=images, seeds=seeds, executor=executor, slurm=slurm)
        folder, seconds = results or results_to_write(project), budget and 60 * budget
        return ablate_study(find_study(name), folder, jobs or 1, seconds, dry_run)
    declared = experiments.find_sweep(name)
    sweep = experiments.scaled(declared, images, seeds)
    options = experiments.SweepOptions(
        results=results or results_to_write(project),
        jobs=jobs or 0,
        device=device,
        budget=None if budget is None else 60 * budget,
        executor=executor,
        slurm=slurm,
    )
    if dry_run:
        runs = experiments.known_results(options.results)
        print(describe_plan(sweep, runs, options.jobs, device, options.threads))
        return
    experiments.keep_sweep(declared, options.results)
    experiments.ablate(sweep, options)
    summary = experiments.sweep_summary(sweep, experiments.known_results(options.results))
    print(summary_table(sweep, summary))
    print("\n".join(findings.footnotes(sweep, summary)))


@_naming_sweeps
def plot(
    names: Positional[tuple[str, ...]],
    side_by_side: bool = False,
    images: Images = None,
    seeds: Seeds = (),
    results: Path | None = None,
    out: Path | None = None,
    project: bool = False,
) -> None:
    """Draw sweeps from their stored runs.

    Writes SVG and PNG, with the numbers of each figure as CSV: R@1 on test classes with 95 %
    intervals, and beside it the way there, R@1 on validation classes and the training loss above
    its floor.

    Two figures take all sweeps: simix-gain, what SiMix adds against how far the training is from
    its floor; batch-gain, what a batch adds to one of 512, against batch over classes.

    The sweeps: SWEEPS. Or name one of yours that has run, or a .toml or .json file that declares
    it. The studies: STUDIES.

    Examples:
      recallkit plot batch-size
      recallkit plot distorted-ks distorted-temperatures --side-by-side
      recallkit plot simix-gain
      recallkit plot all
      recallkit plot batch-size --images 65000 --out figures

    Args:
        names: sweeps, files that declare one, simix-gain, batch-gain; or all that is stored, yours
            too.
        side_by_side: draw the sweeps in one figure, on one axis, in place of a figure each.
        images: as given to ablate.
        seeds: as given to ablate.
        results: draw the results of this folder alone. The default: the project's and yours.
        out: the folder for the figures. The default: figures in $RECALLKIT_RESULTS, or in
            ./results.
        project: draw into data/results/figures of the checkout (for maintainers).
    """
    import pandas as pd

    from recallkit import experiments, findings
    from recallkit.cli.summary_table import summary_table

    known = {**experiments.SWEEPS, **experiments.kept_sweeps()}
    _check_names(names, [*known, *STUDY_NAMES, *findings.TOGETHER])
    folders = _folders(results)
    runs, histories = experiments.load_results(*folders), experiments.load_histories(*folders)
    folder, files = out or results_to_write(project) / "figures", []
    if names == ("all",):
        stored = [name for name, sweep in known.items() if len(experiments.sweep_runs(sweep, runs))]
        names = (*stored, *STUDY_NAMES, *findings.TOGETHER)
    for name in names:
        if name in findings.TOGETHER:
            files += findings.draw_together(name, runs, folder)
        elif name in STUDY_NAMES:
            from recallkit.cli.studies import plot_study

            files += plot_study(name, folder)
    others = (*STUDY_NAMES, *findings.TOGETHER)
    chosen = [experiments.find_sweep(name) for name in names if name not in others]
    sweeps = {_stem(s, images): experiments.scaled(s, images, seeds) for s in chosen}
    tables = {stem: experiments.sweep_summary(sweep, runs) for stem, sweep in sweeps.items()}
    for stem, sweep in sweeps.items():
        print(summary_table(sweep, tables[stem]))
        if not side_by_side:
            fig = findings.draw_results(sweep, runs, histories=histories)
            files += findings.save_figure(fig, folder / stem, tables[stem])
    if side_by_side and sweeps:
        fig = findings.draw_side_by_side([*sweeps.values()], runs)
        files += findings.save_figure(fig, folder / "side-by-side", pd.concat(tables))
    print("\n".join(f"drew {file}" for file in files) or "nothing is stored")


def _stem(sweep: "Sweep", images: int | None) -> str:
    return sweep.name if images is None else f"{sweep.name}-{images}-images"


def _check_names(names: tuple[str, ...], known: list[str]) -> None:
    """Refuse names of nothing that can be drawn, before results are loaded."""
    if not names:
        raise RecallkitError(f"name what to draw: all, or some of {', '.join(known)}")
    for name in names:
        is_known = name in known or names == ("all",) or Path(name).suffix in (".toml", ".json")
        if not is_known:
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise RecallkitError(f"there is no sweep {name!r}; {hint}")


def _folders(results: Path | None) -> tuple[Path, ...]:
    """Return the folder of results that was named, if there is one; none: the usual ones."""
    if results is not None and not results.is_dir():
        raise RecallkitError(f"there is no folder of results {results}")
    return () if results is None else (results,)


def compare(datasets: Positional[tuple[str, ...]] = (), results: Path | None = None) -> None:
    """Print the paper's tables beside stored runs.

    Every number has its source: published, unverified (from memory), a reproduction by others, or
    run here, with seed and commit. What was not run is "not run".

    Examples:
      recallkit compare
      recallkit compare SOP Cars196
      recallkit compare --results my-results

    Args:
        datasets: which tables. The default: all.
        results: compare the results of this folder alone. The default: the project's and yours.
    """
    from recallkit import experiments, findings

    runs = experiments.load_results(*_folders(results))
    tables = findings.comparison(findings.load_published(), runs, datasets)
    print("\n\n".join([*tables.values(), findings.LEGEND]))
