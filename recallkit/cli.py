"""The ``recallkit`` command: thin functions over the package, one a subcommand."""

import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro
from tyro.conf import Positional

from recallkit.data.benchmarks import BENCHMARKS
from recallkit.errors import RecallkitError
from recallkit.experiments.tables import metrics_table, text_table
from recallkit.presets import PRESETS, Config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from recallkit.data.loading import Reading

RUNS = Path("runs")
Split = Literal["test", "validation", "train"]


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
        "train": _train_command(_preset_in(arguments)),
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


def _preset_in(arguments: list[str]) -> str:
    """The preset asked for, looked up before parsing: its values are the defaults of --help."""
    for flag, value in zip(arguments, [*arguments[1:], ""], strict=True):
        name = value if flag == "--preset" else flag.removeprefix("--preset=")
        if name != flag and name in PRESETS:
            return name
    return "emoji"


def _train_command(chosen: str) -> Callable[..., None]:
    def train(
        config: Config = PRESETS[chosen],
        preset: Literal[tuple(PRESETS)] = chosen,  # type: ignore[valid-type]
        out: Path | None = None,
        resume: Path | None = None,
        store: str | None = None,
        device: str = "auto",
        workers: int = 0,
        on_bad_image: Literal["raise", "skip"] = "raise",
        tensorboard: bool = True,
        show: bool = False,
    ) -> None:
        """Train a network, and compare it with raw pixels and with itself untrained.

        Writes a run folder: settings, metrics, weights, learning curve, and a picture of
        queries with what was found for them. Ctrl-C finishes the step and saves; after a crash,
        at most five minutes are lost. --resume goes on, on the CPU to the very same weights.

        Examples:
          recallkit train
          recallkit train --batch-size 512 --learning-rate 0.002 --out runs/large
          recallkit train --preset emoji-frozen       (a head on pretrained features, in seconds)
          recallkit train --dataset ~/my-pictures     (one sub-folder a class)
          recallkit train --resume runs/large
          recallkit train --dataset ~/photos --image-size 224 --workers 8 --on-bad-image skip
          recallkit train --chunk-size auto --keep-graphs-gb 20 --precision bfloat16
          torchrun --nproc-per-node=8 -m recallkit train     (a GPU for each process)
          recallkit train --preset sop-resnet50 --root ~/data/Stanford_Online_Products
          recallkit train --preset cub-vit-b16 --show
          recallkit train --preset landmarks --dataset ~/landmarks --loss smooth-ap

        Args:
            config: every setting of the training.
            preset: a named set of settings; flags change single ones.
            out: the run folder; by default runs/DATASET-TIME.
            resume: continue the run in this folder, with its own settings.
            store: also keep the result as data/results/STORE-seedN.json.
            device: "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".
            workers: processes that decode pictures, batch by batch; 0 keeps those of a folder in
                memory.
            on_bad_image: a picture that cannot be read ends the training, or is left out and named
                at the end.
            tensorboard: also log for TensorBoard: tensorboard --logdir runs
            show: print every setting, with what the flags changed, and train nothing.
        """
        from recallkit.data.loading import Reading

        if show:
            print(f"preset {preset}\n{_settings_table(config)}")
            return
        options = {
            "device": device,
            "reading": Reading(workers, on_bad_image),
            "tensorboard": tensorboard,
        }
        folder = _train(config, preset, out, resume, options)
        if store is not None and folder is not None:
            _store(folder, store)

    return train


def _train(
    config: Config, preset: str, out: Path | None, resume: Path | None, options: dict[str, Any]
) -> Path | None:
    """Train, draw and print; the run folder, or None in all processes but the first."""
    from recallkit import runs, training

    if resume is not None:
        config, folder = runs.read_config(resume), resume
    else:
        name = Path(config.dataset).name
        folder = out or RUNS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    first = os.environ.get("RANK", "0") == "0"
    if first:
        print(f"preset {preset}, run folder {folder}")
    result = training.train(config, folder, resume=resume is not None, **options)
    if not first:
        return None
    _draw_run(config, folder, result, options["reading"])
    columns = [name for name in result["test"]["trained"] if not name.endswith(("P@1", "mAP"))]
    print(metrics_table(result["test"], columns, title="test classes, %"))
    print(f"trained in {result['seconds']:.0f} s; pictures in {folder / 'figures'}")
    if result["skipped"]:
        print(f"{len(result['skipped'])} pictures could not be read and were left out:")
        print("\n".join(f"  {problem}" for problem in result["skipped"]))
    return folder


def _settings_table(config: Config) -> str:
    return text_table(["setting", "value"], [[k, str(v)] for k, v in vars(config).items()])


def _store(folder: Path, name: str) -> None:
    """Copy a run's result to the stored ones; of seed 0 its pictures too."""
    from recallkit.experiments.store import FOLDER
    from recallkit.runs import read_json, write_atomically, write_json

    result = read_json(folder / "result.json")
    write_json(FOLDER / f"{name}-seed{result['seed']}.json", result)
    for picture in (folder / "figures").glob("*.png") if result["seed"] == 0 else ():
        copy = FOLDER / "figures" / f"{name}-{picture.stem.replace('_', '-')}.png"
        write_atomically(copy, lambda path, picture=picture: shutil.copyfile(picture, path))


def _draw_run(config: Config, folder: Path, result: dict[str, Any], reading: "Reading") -> None:
    from recallkit import evaluation, plots
    from recallkit.data import load
    from recallkit.embedding import embed
    from recallkit.frozen import plain_features
    from recallkit.training import read_network

    test = load(config.dataset, config.image_size, config.root, reading).test
    fig, _ = plots.plot_learning_curve(result["validation"])
    _save(fig, folder / "figures" / "learning_curve.png")
    _, network = read_network(folder)
    chosen, images = plots.random_queries(test, min(8, len(test))), test.images
    if config.frozen:  # the cache has the features, which take longer than all else
        network, images = network.head, plain_features(network, test, config.image_size).images
    embeddings = embed(network, images, config.image_size)
    similarities, neighbours = evaluation.search(embeddings, k=min(8, len(test) - 1))
    fig, _ = plots.plot_neighbours(test, chosen, test, neighbours[chosen], similarities[chosen])
    _save(fig, folder / "figures" / "retrieval.png")


def evaluate(
    what: Positional[Path | None] = None,
    labels: Path | None = None,
    gallery: Path | None = None,
    gallery_labels: Path | None = None,
    dataset: str = "",
    root: str = "",
    split: Split = "test",
    ks: tuple[int, ...] = (),
    whiten: Path | None = None,
    distractors: Path | None = None,
    scales: tuple[float, ...] = (1.0, 2**-0.5, 0.5),
    longest: int = 1024,
    save: Path | None = None,
    device: str = "auto",
) -> None:
    """Measure a run, or embeddings made by any other tool: R@k, precision@1, mAP@R and mAP.

    Each image is searched among all others, or by the protocol of --dataset: queries against a
    gallery (In-Shop), three test sets (VehicleID), Easy, Medium and Hard (roxford5k, rparis6k).

    Examples:
      recallkit evaluate
      recallkit evaluate runs/large --split validation
      recallkit evaluate runs/landmarks --dataset roxford5k --root ~/data/roxford5k
      recallkit evaluate runs/landmarks --dataset revisitop1m --root DIR --save far.npy
      recallkit evaluate embeddings.npz --ks 1 10 100 1000
      recallkit evaluate queries.npy --gallery gallery.npy
      recallkit evaluate test.npy --dataset sop --root ~/data/Stanford_Online_Products

    Args:
        what: a run folder, by default the latest finished one below runs/; or a file of
            embeddings (N, D): .npy, .npz, .pt or .safetensors, labels inside or beside it as
            NAME.labels.npy or NAME.labels.txt.
        labels: another file of labels, .npy or text with one a line.
        gallery: a file of embeddings to search in; by default all against all.
        gallery_labels: its labels.
        dataset: a benchmark; the rows of a file are in the order of its list file (In-Shop:
            queries, then gallery; VehicleID: small, medium, large, each image once).
        root: the folder that holds the benchmark.
        split: which classes of the data of a run.
        ks: the k of R@k, for embeddings; by default 1 10 100, or those of the benchmark.
        whiten: a file of embeddings to learn a PCA whitening from.
        distractors: a file of embeddings of more gallery images, for roxford5k and rparis6k.
        scales: sizes at which a run sees landmarks; their descriptors are averaged.
        longest: side to which a run's landmarks are brought, aspect kept; 0: squares.
        save: keep the embeddings of a run in this .npz; of revisitop1m, in this .npy.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit.evaluating import (
        DISTRACTORS,
        Data,
        Options,
        evaluate_files,
        evaluate_run,
        save_distractors,
    )
    from recallkit.training import read_network

    what, data = what or _latest_run(), Data(dataset, root, split)
    options = Options(ks, whiten, distractors, scales, longest, save)
    if what.is_dir() or not what.suffix:
        config, network = read_network(what, device)
        if dataset == DISTRACTORS:
            print(f"wrote {save_distractors(network, config, Path(root), options)}")
            return
        rows = evaluate_run(network, config, data, options)
        title = f"{what}, {dataset or f'{split} classes'}, %"
    else:
        rows = evaluate_files(what, data, options, labels, gallery, gallery_labels)
        title = f"{dataset}, %" if dataset else "%"
    for part in _narrow_tables(rows):
        print(metrics_table(rows, part, title=title))


def _narrow_tables(rows: dict[str, dict[str, float]]) -> list[list[str]]:
    """The metrics in groups: those of each search of a protocol, or all."""
    groups: dict[str, list[str]] = {}
    for name in next(iter(rows.values())):
        groups.setdefault(name.rpartition(" ")[0], []).append(name)
    return list(groups.values())


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


def search(
    picture: Positional[Path],
    run: Path | None = None,
    k: int = 8,
    split: Split = "test",
    out: Path | None = None,
    device: str = "auto",
) -> None:
    """Find the images of a gallery most similar to a picture of one's own.

    Prints the nearest images, and draws them.

    Examples:
      recallkit search drawing.png
      recallkit search photo.jpg --run runs/large --k 16 --split train --out found.png

    Args:
        picture: a file in any usual format; transparent parts count as white.
        run: a run folder; by default the latest finished one below runs/.
        k: how many to find.
        split: the classes that make up the gallery.
        out: where to draw; by default in the run's folder figures/.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit import evaluation, plots
    from recallkit.data import load
    from recallkit.data.pictures import read_picture
    from recallkit.embedding import embed
    from recallkit.training import read_network

    read_picture(picture)  # a damaged one is named before anything is loaded
    folder = run or _latest_run()
    config, network = read_network(folder, device)
    gallery = getattr(load(config.dataset, config.image_size, config.root), split)
    query = read_picture(picture, side=gallery.images.shape[-1])
    query_embedding = embed(network, query[None], config.image_size)
    gallery_embeddings = embed(network, gallery.images, config.image_size)
    similarities, neighbours = evaluation.search(query_embedding, gallery_embeddings, k)
    for rank, (value, item) in enumerate(zip(similarities[0], neighbours[0].tolist(), strict=True)):
        print(f"{rank + 1:3d}  {value:6.3f}  {gallery.name(item)}")
    fig, _ = plots.plot_found(query, picture.name, gallery, neighbours[0], similarities[0])
    _save(fig, out or folder / "figures" / f"search-{picture.stem}.png")


def ablate(
    name: Positional[str],
    dry_run: bool = False,
    jobs: int | None = None,
    budget: float | None = None,
    images: int | None = None,
    seeds: tuple[int, ...] = (),
    device: str = "auto",
    results: Path | None = None,
) -> None:
    """Compare settings by a protocol: tuned on validation classes, measured once on test classes.

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
        results: a folder with a folder for each sweep; by default data/results/ablations.
    """
    from recallkit.experiments import ablate as running
    from recallkit.experiments.estimate import describe
    from recallkit.experiments.plan import ABLATIONS, Stored
    from recallkit.experiments.points import collect, points_table, remarks
    from recallkit.experiments.sweeps import find_sweep, scaled
    from recallkit.training import choose_device

    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    sweep, root = scaled(find_sweep(name), images, seeds), results or ABLATIONS
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
) -> None:
    """Draw sweeps from stored runs alone: SVG and PNG, with a CSV beside each.

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
        out: where the figures go; by default data/results/figures.
    """
    from recallkit.experiments.figures import draw_sweep, is_stored
    from recallkit.experiments.findings import collect_all
    from recallkit.experiments.plan import ABLATIONS, Stored
    from recallkit.experiments.points import collect, points_table
    from recallkit.experiments.store import FOLDER
    from recallkit.experiments.sweeps import SWEEPS, find_sweep, scaled
    from recallkit.experiments.together import TOGETHER, draw_together

    stored, folder, files = Stored.read(results or ABLATIONS), out or FOLDER / "figures", []
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


def bench(
    what: Positional[Literal["ranks", "step", "precision", "skipping", "search"]],
    batch_sizes: tuple[int, ...] = (),
    methods: tuple[str, ...] = (),
    run: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = 2,
    limit_s: float = 300,
    limit_gb: float = 16,
    out: Path | None = None,
) -> None:
    """Measure what things cost, in time, memory and digits.

    "ranks": every engine and its peers, with the ratio to the matrix products that no method can
    avoid. "step": a whole step of training in chunks beside a plain one, and what kept graphs buy;
    the small network on the CPU, ResNet-50 and ViT-B/16 at 224 px on a GPU. "precision": how far
    each engine and rounding is from float64. "skipping": how much of the work the engine `blocks`
    leaves out on the images of a run. "search": exact search, beside its products. Prints a
    table, and stores the numbers and, for the first two, a figure.

    Examples:
      recallkit bench ranks
      recallkit bench step --threads 1 --out my-machine
      recallkit bench ranks --batch-sizes 1000 4000 --methods dense blocks --limit-s 60
      recallkit bench ranks --device cuda --batch-sizes 4000 65536 131072
      recallkit bench skipping --run runs/large

    Args:
        what: the benchmark.
        batch_sizes: in images, ascending; by default 250 to 32,768, for a step 256 to 16,384, for
            skipping 512 to 4,096.
        methods: which; by default all that can run here. Of ranks only.
        run: a run folder, by default the latest finished one below runs/. Of skipping only.
        device: "auto" takes a GPU if there is one.
        threads: of the CPU.
        limit_s: seconds that a case may take; larger batches of its method are then left out.
        limit_gb: GB of memory that a case may take on the CPU.
        out: a folder for WHAT-DEVICE.json and .png; by default data/results/bench.
    """
    import torch

    from recallkit.bench.reports import REPORTS, Options
    from recallkit.experiments.store import FOLDER
    from recallkit.runs import write_json
    from recallkit.training import choose_device

    torch.set_num_threads(threads)
    device = choose_device(device).type
    if what == "skipping":
        run = run or _latest_run()
    options = Options(device, threads, batch_sizes, methods, run, limit_s, limit_gb)
    report = REPORTS[what](options)
    print(report.table)
    folder = out or FOLDER / "bench"
    write_json(folder / f"{what}-{device}.json", report.measured)
    if report.figure is not None:
        _save(report.figure, folder / f"{what}-{device}.png")


def prepare(
    name: Positional[Literal[("emoji", "glyphs", *BENCHMARKS)]],  # type: ignore[valid-type]
    sources: Path | None = None,
    fonts: Path | None = None,
    out: Path | None = None,
    root: Path | None = None,
    fetch: bool = False,
) -> None:
    """Build an embedded data set anew, or check the files of a benchmark.

    Of a benchmark: compares the folder --root with the known counts, says what is missing, what
    to get and from whom, and how it must lie. Exits with status 1 if anything is missing.

    Of emoji and glyphs: needs the packages of `pip install "recallkit[prepare]"` and, without
    --sources, the network and npm (emoji) or apt-get of Debian 12 (glyphs). The files that come
    with recallkit were made by this command.

    Examples:
      recallkit prepare sop --root ~/data/Stanford_Online_Products
      recallkit prepare cub --root ~/data --fetch
      recallkit prepare emoji
      recallkit prepare emoji --sources unpacked-npm-packages
      recallkit prepare glyphs
      recallkit prepare glyphs --sources folder-of-debian-packages
      recallkit prepare glyphs --fonts my-typefaces --out my-glyphs

    Args:
        name: the data set.
        sources: for emoji and glyphs: a folder with the source packages; by default they are
            fetched.
        fonts: for glyphs: a folder with typefaces of one's own to make a set of; needs --out.
        out: for emoji and glyphs: the folder to write to; by default that of the embedded set.
        root: the folder that holds the benchmark.
        fetch: download it into --root first, where its makers allow that without asking.
    """
    if name in BENCHMARKS:
        _prepare_benchmark(name, root, fetch)
        return
    from recallkit.data.paths import embedded

    if name == "emoji" and fonts is not None:
        raise ValueError("--fonts is for glyphs; emoji are drawings, not typefaces")
    if fonts is not None and out is None:
        raise ValueError("--fonts needs --out: the embedded glyphs stay what they are")
    if name == "glyphs":
        from recallkit.data.glyphs_builder import build as build_glyphs

        print(f"wrote {build_glyphs(out or embedded(name), sources, fonts)}")
        return
    from recallkit.data.emoji_builder import build

    print(f"wrote {build(out or embedded(name), sources)}")


def _prepare_benchmark(name: str, root: Path | None, wanted: bool) -> None:
    from recallkit.data.benchmarks import check
    from recallkit.data.benchmarks.fetch import fetch

    benchmark = BENCHMARKS[name]
    if root is None:
        raise RecallkitError(f"name the folder that holds {name}, or shall hold it: --root DIR")
    root = root.expanduser()
    if wanted:
        if benchmark.archive is None:
            raise RecallkitError(
                f"{benchmark.title} cannot be fetched by a program. It comes from: "
                f"{benchmark.source}"
            )
        root = fetch(benchmark.archive, root)
    found = check(benchmark, root)
    print("\n".join([f"{benchmark.title} in {root}", *found.lines]))
    if found.problems:
        raise RecallkitError("\n  ".join(["the data set is not complete:", *found.problems]))
    print(f"complete. {_next_step(name, root)}")


def _next_step(name: str, root: Path) -> str:
    """The command that uses a complete data set."""
    preset = next((key for key, config in PRESETS.items() if config.dataset == name), None)
    if preset is not None:
        return f"Train with: recallkit train --preset {preset} --root {root}"
    return f"Measure a run with: recallkit evaluate RUN --dataset {name} --root {root}"


def compare(datasets: Positional[tuple[str, ...]] = (), results: Path | None = None) -> None:
    """Print the paper's tables beside stored runs and independent reproductions.

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


def lab() -> None:
    """Open JupyterLab on the notebooks.

    Examples:
      recallkit lab
    """
    from recallkit.course import course_folder

    folder = course_folder()
    if importlib.util.find_spec("jupyterlab") is None:
        raise RecallkitError("JupyterLab is not installed. Run: pip install jupyterlab")
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={folder}"]
    sys.exit(subprocess.run(command).returncode)


def notebooks(names: Positional[tuple[str, ...]] = ()) -> None:
    """Execute notebooks of the course, and write them back with their figures.

    Sizes are those of the profile that RECALLKIT_PROFILE names: smoke, cpu or gpu. A notebook
    is written only when all its cells ran.

    Examples:
      recallkit notebooks
      recallkit notebooks 01 06_batch_size

    Args:
        names: the beginnings of their names, or paths; by default all.
    """
    from recallkit.course import execute_notebooks, find_notebooks
    from recallkit.profiles import profile

    found = find_notebooks(names)
    print(f"profile {profile().name}, {len(found)} notebooks")
    execute_notebooks(found)


def _latest_run() -> Path:
    finished = sorted(RUNS.glob("*/result.json"), key=lambda path: path.stat().st_mtime)
    if not finished:
        raise RecallkitError(
            f"there is no finished run below {RUNS.resolve()}. Train one with: recallkit train"
        )
    return finished[-1].parent


def _save(fig: "Figure", path: Path) -> None:
    import matplotlib.pyplot as plt

    from recallkit.runs import write_atomically

    write_atomically(path, lambda temporary: fig.savefig(temporary, dpi=150))
    plt.close(fig)
    print(f"drew {path}")
