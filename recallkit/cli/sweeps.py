"""The subcommands ``runs``, ``ablate``, ``plot`` and ``compare``."""

from pathlib import Path

from tyro.conf import Positional

from recallkit.cli.shared import RUNS, results_to_write
from recallkit.errors import RecallkitError


def list_runs(folder: Positional[Path] = RUNS) -> None:
    """Show the runs of a folder side by side.

    How far each is, R@1 on validation and test classes, seconds, and the settings in which the
    runs differ.

    Examples:
      recallkit runs
      recallkit runs ~/experiments

    Args:
        folder: with a run folder for each run, at any depth.
    """
    from recallkit.experiments import run_table

    print(run_table(folder))


def ablate(
    name: Positional[str],
    dry_run: bool = False,
    jobs: int | None = None,
    budget: float | None = None,
    images: int | None = None,
    seeds: tuple[int, ...] = (),
    device: str = "auto",
    results: Path | None = None,
    project: bool = False,
) -> None:
    """Compare settings by a protocol: tune, train, test.

    Each setting is tuned with the same budget, then trained with several seeds at its best rate.
    Stored runs are skipped, unfinished ones go on; Ctrl-C loses nothing. The sweeps: batch-size,
    batch-size-frozen, batch-size-glyphs, batch-size-glyphs-1m, batch-size-glyphs-4m, temperatures,
    ks, definition, losses, per-class; or a .toml or .json file with one of your own. The protocol
    stands in data/results/README.md.

    Examples:
      recallkit ablate batch-size --dry-run
      recallkit ablate losses --budget 60
      recallkit ablate ks --images 65000 --seeds 0 1 2 3 4
      recallkit ablate my-sweep.toml --jobs 4
      recallkit plot batch-size

    Args:
        name: of a sweep, or a file that declares one.
        dry_run: only say how many runs are due, how many stored, and how long it will take.
        jobs: runs at a time, which share the cores; by default one, or one for four cores.
        budget: minutes after which no run is started; those on their way are finished.
        images: seen in each run, in the place of what the sweep says; stored apart.
        seeds: of the final runs, in the place of the sweep's.
        device: "auto" takes a GPU if there is one.
        results: where results are stored. The default: $RECALLKIT_RESULTS, or ./results.
        project: store in data/results of the checkout (for maintainers).
    """
    from recallkit import experiments
    from recallkit.training.environment import choose_device

    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    sweep = experiments.scaled(experiments.find_sweep(name), images, seeds)
    jobs = jobs or experiments.default_jobs(choose_device(device).type)
    options = experiments.SweepOptions(
        results=results or results_to_write(project),
        jobs=jobs,
        threads=experiments.threads_of_each(jobs),
        device=device,
        budget=None if budget is None else 60 * budget,
    )
    if dry_run:
        print(experiments.describe_plan(sweep, options.known(), jobs, device, options.threads))
        return
    experiments.ablate(sweep, options)
    summary = experiments.sweep_summary(sweep, options.known())
    print(experiments.summary_table(sweep, summary))
    print("\n".join(experiments.footnotes(sweep, summary)))


def plot(
    names: Positional[tuple[str, ...]],
    images: int | None = None,
    seeds: tuple[int, ...] = (),
    results: Path | None = None,
    out: Path | None = None,
    project: bool = False,
) -> None:
    """Draw sweeps from their stored runs.

    One figure has R@1 on test classes with 95 % intervals; another the way there, against images
    seen, updates and seconds; of batch sizes also what one common rate, or equal updates, would
    have said. What is not stored says "not run". Three figures are of several
    sweeps at once: batch-sizes (side by side), simix (what it adds to each) and lengths (what the
    larger of two batches adds, by the length of training). "all" draws all that is stored.

    Examples:
      recallkit plot batch-size
      recallkit plot temperatures ks
      recallkit plot simix
      recallkit plot all
      recallkit plot ks --images 65000 --out figures

    Args:
        names: of sweeps, files that declare one, batch-sizes, simix, lengths; or all.
        images: as given to ablate.
        seeds: as given to ablate.
        results: a folder of results to draw alone. The default: the project's, with yours.
        out: where the figures go. The default: figures in $RECALLKIT_RESULTS, or in ./results.
        project: draw into data/results/figures of the checkout (for maintainers).
    """
    from recallkit import experiments
    from recallkit.experiments import SWEEPS, TOGETHER

    if not names:
        raise RecallkitError(
            f"name what to draw: all, or some of {', '.join([*SWEEPS, *TOGETHER])}"
        )
    where = () if results is None else (results,)
    runs, histories = experiments.load_results(*where), experiments.load_histories(*where)
    folder, files = out or results_to_write(project) / "figures", []
    if names == ("all",):
        stored = [n for n, sweep in SWEEPS.items() if experiments.is_stored(sweep, runs)]
        names = (*stored, *TOGETHER)
    for name in names:
        if name in TOGETHER:
            files += experiments.draw_together(name, runs, folder)
            continue
        sweep = experiments.scaled(experiments.find_sweep(name), images, seeds)
        stem = sweep.name if images is None else f"{sweep.name}-{images}-images"
        files += experiments.draw_sweep(sweep, runs, histories, folder, stem)
        print(experiments.summary_table(sweep, experiments.sweep_summary(sweep, runs)))
    print("\n".join(f"drew {file}" for file in files) or "nothing is stored")


def compare(datasets: Positional[tuple[str, ...]] = (), results: Path | None = None) -> None:
    """Print the paper's tables beside stored runs.

    Every number says what it is: published, unverified (from memory), a reproduction by others,
    or run here, with seed and commit. What was not run says so.

    Examples:
      recallkit compare
      recallkit compare SOP Cars196
      recallkit compare --results my-results

    Args:
        datasets: which tables; by default all.
        results: a folder of results to compare alone; by default the project's with yours.
    """
    from recallkit import experiments

    runs = experiments.load_results(*(() if results is None else (results,)))
    tables = experiments.comparison(experiments.load_published(), runs, datasets)
    print("\n\n".join([*tables.values(), experiments.LEGEND]))
