"""The ``recallkit`` command: thin functions over the package, one a subcommand."""

import importlib.util
import inspect
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro
from tyro.conf import Positional

from recallkit.errors import RecallkitError
from recallkit.experiments.tables import metrics_table
from recallkit.presets import PRESETS, Config

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        "bench": bench,
        "prepare": prepare,
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
    ) -> None:
        """Train a network, and compare it with raw pixels and with itself untrained.

        Writes a run folder: settings, metrics, weights, learning curve, and a picture of
        queries with what was found for them. Ctrl-C finishes the step and saves.

        Examples:
          recallkit train
          recallkit train --batch-size 512 --learning-rate 0.002 --out runs/large
          recallkit train --dataset ~/my-pictures     (one sub-folder a class)
          recallkit train --resume runs/large

        Args:
            config: every setting of the training.
            preset: a named set of settings; flags change single ones.
            out: the run folder; by default runs/DATASET-TIME.
            resume: continue the run in this folder, with its own settings.
            store: also keep the result as data/results/STORE-seedN.json.
            device: "auto" takes a GPU if there is one; or "cpu", "cuda", "cuda:1".
        """
        folder = _train(config, preset, out, resume, device)
        if store is not None:
            _store(folder, store)

    return train


def _train(config: Config, preset: str, out: Path | None, resume: Path | None, device: str) -> None:
    from recallkit import runs, training

    if resume is not None:
        config, folder = runs.read_config(resume), resume
    else:
        name = Path(config.dataset).name
        folder = out or RUNS / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    print(f"preset {preset}, run folder {folder}")
    result = training.train(config, folder, device=device, resume=resume is not None)
    _draw_run(config, folder, result)
    print(metrics_table(result["test"], title="test classes, %"))
    print(f"trained in {result['seconds']:.0f} s; pictures in {folder / 'figures'}")
    return folder


def _store(folder: Path, name: str) -> None:
    """Copy a run's result to the stored ones; of seed 0 its pictures too."""
    from recallkit.experiments.store import FOLDER
    from recallkit.runs import read_json, write_atomically, write_json

    result = read_json(folder / "result.json")
    write_json(FOLDER / f"{name}-seed{result['seed']}.json", result)
    for picture in (folder / "figures").glob("*.png") if result["seed"] == 0 else ():
        copy = FOLDER / "figures" / f"{name}-{picture.stem.replace('_', '-')}.png"
        write_atomically(copy, lambda path, picture=picture: shutil.copyfile(picture, path))


def _draw_run(config: Config, folder: Path, result: dict[str, Any]) -> None:
    from recallkit import evaluation, plots
    from recallkit.data import load
    from recallkit.embedding import embed
    from recallkit.training import read_network

    test = load(config.dataset, config.image_size).test
    fig, _ = plots.plot_learning_curve(result["validation"])
    _save(fig, folder / "figures" / "learning_curve.png")
    _, network = read_network(folder)
    chosen = plots.random_queries(test, 8)
    embeddings = embed(network, test.images, config.image_size)
    similarities, neighbours = evaluation.search(embeddings, k=8)
    fig, _ = plots.plot_neighbours(test, chosen, test, neighbours[chosen], similarities[chosen])
    _save(fig, folder / "figures" / "retrieval.png")


def evaluate(
    run: Positional[Path | None] = None,
    split: Split = "test",
    device: str = "auto",
) -> None:
    """Measure a run: R@k, precision@1, mAP@R and mAP, each image against all others.

    Examples:
      recallkit evaluate
      recallkit evaluate runs/large --split validation

    Args:
        run: a run folder; by default the latest finished one below runs/.
        split: which classes.
        device: "auto" takes a GPU if there is one.
    """
    from recallkit.data import load
    from recallkit.embedding import evaluate as evaluate_network
    from recallkit.embedding import evaluate_pixels
    from recallkit.training import read_network

    folder = run or _latest_run()
    config, network = read_network(folder, device)
    images = getattr(load(config.dataset, config.image_size), split)
    rows = {
        "pixels": evaluate_pixels(images, config.image_size),
        "trained": evaluate_network(network, images, config.image_size),
    }
    print(metrics_table(rows, list(rows["trained"]), title=f"{folder}, {split} classes, %"))


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
    gallery = getattr(load(config.dataset, config.image_size), split)
    query = read_picture(picture, side=gallery.images.shape[-1])
    query_embedding = embed(network, query[None], config.image_size)
    gallery_embeddings = embed(network, gallery.images, config.image_size)
    similarities, neighbours = evaluation.search(query_embedding, gallery_embeddings, k)
    for rank, (value, item) in enumerate(zip(similarities[0], neighbours[0].tolist(), strict=True)):
        print(f"{rank + 1:3d}  {value:6.3f}  {gallery.name(item)}")
    fig, _ = plots.plot_found(query, picture.name, gallery, neighbours[0], similarities[0])
    _save(fig, out or folder / "figures" / f"search-{picture.stem}.png")


def bench(
    what: Positional[Literal["ranks"]],
    batch_sizes: tuple[int, ...] = (250, 500, 1000, 2000, 4000, 8000, 16000, 32768),
    methods: tuple[str, ...] = (),
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = 2,
    limit_s: float = 300,
    limit_gb: float = 16,
    out: Path | None = None,
) -> None:
    """Measure what ranks cost in time and memory, for every engine and its peers.

    Each case runs in a process of its own, with a limit. Prints a table with the ratio to
    the matrix products that no method can avoid, and stores the numbers and a figure.

    Examples:
      recallkit bench ranks
      recallkit bench ranks --batch-sizes 1000 4000 --methods dense blocks --limit-s 60
      recallkit bench ranks --device cuda --batch-sizes 4000 65536 131072

    Args:
        what: the benchmark.
        batch_sizes: in images, ascending.
        methods: which; by default all that can run here.
        device: "auto" takes a GPU if there is one.
        threads: of the CPU.
        limit_s: seconds that a case may take; larger batches of its method are then left out.
        limit_gb: GB of memory that a case may take on the CPU.
        out: a folder for ranks-DEVICE.json and .png; by default data/results/bench.
    """
    from recallkit import plots
    from recallkit.bench import METHODS, bench_ranks, ranks_table
    from recallkit.experiments.store import FOLDER
    from recallkit.runs import write_json
    from recallkit.training import choose_device

    device = choose_device(device).type
    measured = bench_ranks(
        batch_sizes, methods or tuple(METHODS), device, threads, limit_s, limit_gb
    )
    print(ranks_table(measured["cases"]))
    folder = out or FOLDER / "bench"
    write_json(folder / f"{what}-{device}.json", measured)
    _save(plots.plot_engines(measured["cases"])[0], folder / f"{what}-{device}.png")


def prepare(
    name: Positional[Literal["emoji", "glyphs"]],
    sources: Path | None = None,
    fonts: Path | None = None,
    out: Path | None = None,
) -> None:
    """Build an embedded data set anew from its sources.

    Needs the packages of `pip install "recallkit[prepare]"` and, without --sources, the network
    and npm (emoji) or apt-get of Debian 12 (glyphs). The files that come with recallkit were made
    by this command.

    Examples:
      recallkit prepare emoji
      recallkit prepare emoji --sources unpacked-npm-packages
      recallkit prepare glyphs
      recallkit prepare glyphs --sources folder-of-debian-packages
      recallkit prepare glyphs --fonts my-typefaces --out my-glyphs

    Args:
        name: the data set.
        sources: a folder with the source packages; by default they are fetched.
        fonts: for glyphs: a folder with typefaces of one's own to make a set of; needs --out.
        out: the folder to write to; by default that of the embedded data set.
    """
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
