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
    from recallkit.experiments.run_table import run_table

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
        results: a folder with a folder for each sweep. The default: ablations in
            $RECALLKIT_RESULTS, or in ./results.
        project: store in data/results/ablations of the checkout (for maintainers).
    """
    from recallkit.experiments import ablate as running
    from recallkit.experiments.estimate import describe
    from recallkit.experiments.plan import Stored
    from recallkit.experiments.points import collect, points_table, remarks
    from recallkit.experiments.sweeps import find_sweep, scaled
    from recallkit.training.environment import choose_device

    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    sweep = scaled(find_sweep(name), images, seeds)
    root = results or results_to_write(project) / "ablations"
    jobs = jobs or running.default_jobs(choose_device(device).type)
    threads = running.threads_of_each(jobs)
    if dry_run:
        print(describe(sweep, Stored.read(root), jobs, device, threads))
        return
    seconds = None if budget is None else 60 * budget
    running.ablate(sweep, running.Options(root, running.WORK, jobs, threads, device, seconds))
    points = collect(sweep, Stored.read(root))
    print(points_table(points))
    print("\n".join(remarks(points)))


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
        results: where ablate stored them; by default data/results/ablations.
        out: where the figures go. The default: figures in $RECALLKIT_RESULTS, or in ./results.
        project: draw into data/results/figures of the checkout (for maintainers).
    """
    from recallkit.experiments.figures import draw_sweep, is_stored
    from recallkit.experiments.findings import collect_all
    from recallkit.experiments.plan import ABLATIONS, Stored
    from recallkit.experiments.points import collect, points_table
    from recallkit.experiments.sweeps import SWEEPS, find_sweep, scaled
    from recallkit.experiments.together import TOGETHER, draw_together

    folder, files = out or results_to_write(project) / "figures", []
    stored = Stored.read(results or ABLATIONS)
    found = collect_all(stored)
    if not names:
        raise RecallkitError(
            f"name what to draw: all, or some of {', '.join([*SWEEPS, *TOGETHER])}"
        )
    if names == ("all",):
        names = (*(name for name, points in found.items() if is_stored(points)), *TOGETHER)
    for name in names:
        if name in TOGETHER:
            files += draw_together(name, found, folder)
            continue
        sweep = scaled(find_sweep(name), images, seeds)
        points = collect(sweep, stored)
        stem = sweep.name if images is None else f"{sweep.name}-{images}-images"
        files += draw_sweep(sweep, points, folder, stem)
        print(points_table(points))
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
        results: a folder of stored runs; by default data/results.
    """
    from recallkit.experiments.compare import LEGEND, comparison
    from recallkit.experiments.published import load_published
    from recallkit.experiments.store import load_results

    tables = comparison(load_published(), load_results(results), datasets)
    print("\n\n".join([*tables.values(), LEGEND]))
