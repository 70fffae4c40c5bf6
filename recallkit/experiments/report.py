"""The tables of the pages, from the project's results: ``python -m recallkit.experiments.report``.

A table stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` and is written again from
``data/results``; your own results do not count. A test proves that the pages have what the results
say. Sentences around the tables are written by people.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from recallkit.bench.cases import NOT_TRIED
from recallkit.bench.precision import precision_table
from recallkit.bench.ranks import ranks_table
from recallkit.bench.skipping import skipping_table
from recallkit.bench.step import step_table
from recallkit.config import PRESETS
from recallkit.errors import RecallkitError
from recallkit.experiments import report_tables as tables
from recallkit.experiments.duration import say_threads
from recallkit.experiments.figures import (
    draw_batch_sizes,
    draw_lengths,
    draw_results,
    draw_simix,
    save_png,
)
from recallkit.experiments.relatives import relatives
from recallkit.experiments.results import load_results
from recallkit.experiments.sweep_files import SWEEPS
from recallkit.files import checkout, embedded, read_json, write_atomically, write_json

Block = Callable[[Path], str]  # from a folder of results to Markdown

_OUTDATED = ("fused, TF32",)  # measured before the engine rounded these factors, and not since


def batch_cost(results: Path) -> str:
    """Tabulate time and memory of the loss against batch size."""

    def table(stored: dict[str, Any]) -> str:
        tried = [case for case in stored["cases"] if case.get("failed") != NOT_TRIED]
        return ranks_table([case for case in tried if case["batch_size"] >= 1000])

    return _benchmark(results, "ranks", table)


def step_cost(results: Path) -> str:
    """Tabulate time and memory of a training step against batch size."""
    return _benchmark(results, "step", lambda stored: step_table(stored["cases"]))


def precision(results: Path) -> str:
    """Tabulate errors against float64, and how often work is skipped."""

    def errors(stored: dict[str, Any]) -> str:
        return precision_table([row for row in stored["rows"] if row["name"] not in _OUTDATED])

    skipped = _benchmark(results, "skipping", lambda stored: skipping_table(stored["rows"]))
    return f"{_benchmark(results, 'precision', errors)}\n\n{skipped}"


def _benchmark(results: Path, name: str, table: Callable[[dict[str, Any]], str]) -> str:
    """Return the table of a benchmark on each device where it is stored."""
    paths = [results / "bench" / f"{name}-{kind}.json" for kind in ("cpu", "cuda")]
    stored = [read_json(path) for path in paths if path.is_file()]
    parts = [tables.with_source(table(each), _source(each, name)) for each in stored]
    return "\n\n".join(parts) or tables.NOTHING


def _source(stored: dict[str, Any], name: str) -> str:
    where = stored["device"]
    if stored.get("device_type", "cpu") == "cpu" and "threads" in stored:
        where += f", {say_threads(stored['threads'])}"
    made = f"torch {stored['libraries']['torch']}, commit {stored['commit']}"
    return f"{where}, {made}; made by `recallkit bench {name}`."


def photographs(results: Path) -> str:
    """Tabulate the heads among which the preset ``photos`` was chosen."""
    path = results / "photos" / "choice.json"
    if not path.is_file():
        return tables.NOTHING
    stored = read_json(path)
    about = stored["environment"]
    source = f"{about['device']}, torch {about['libraries']['torch']}, commit {about['commit']}; "
    source += "R@1 on validation classes in %, mean of the seeds; made by `choose.py`."
    return tables.with_source(tables.photographs(pd.DataFrame(stored["runs"])), source)


def near_duplicates(results: Path) -> str:
    """Tabulate which changed copies of a drawing are found at which threshold."""
    path = results / "duplicates" / "near-duplicates.json"
    if not path.is_file():
        return tables.NOTHING
    stored = read_json(path)
    about = stored["environment"]
    source = f"{stored['images']} drawings of validation classes of emoji, seed {stored['seed']}; "
    source += f"{about['device']}, torch {about['libraries']['torch']}, commit {about['commit']}; "
    source += "made by `data/results/duplicates/measure.py`."
    return tables.with_source(tables.near_duplicates(stored["rows"]), source)


PAGES: Mapping[str, Mapping[str, Block]] = {
    "README.md": {"first-light": tables.first_light},
    "notebooks/guide/folders.md": {"photographs": photographs},
    "notebooks/guide/search.md": {"near-duplicates": near_duplicates},
    "notebooks/guide/cost.md": {
        "batch-cost": batch_cost,
        "step-cost": step_cost,
        "precision": precision,
    },
    "notebooks/guide/results.md": {
        "benchmarks": tables.benchmarks,
        "recipes": tables.recipes,
        "batch-sizes": tables.batch_sizes,
        "devices": tables.devices,
        "sweeps": tables.sweeps,
    },
    **{
        f"data/{card}/README.md": {
            "baselines": partial(tables.baselines, card),
            "relatives": partial(relatives, card),
        }
        for card in tables.CARDS
    },
}
"""Page → its blocks → what makes them."""


def filled(page: str, text: str, results: Path) -> str:
    """Return the text of a page with every block written again.

    Args:
        page: one of :data:`PAGES`.
        text: of the page.
        results: the folder of results.

    Raises:
        ValueError: naming the page and the block that is not there exactly once.
    """
    for name, make in PAGES[page].items():
        pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
        if (count := len(re.findall(pattern, text, re.DOTALL))) != 1:
            raise ValueError(f"{page} must have the block {name!r} once, not {count} times")
        body = f"\n{make(results)}\n\n"
        text = re.sub(
            pattern, lambda marks, body=body: marks[1] + body + marks[2], text, flags=re.S
        )
    return text


SHOWN: Mapping[str, Callable[[pd.DataFrame], Any]] = {
    "batch-size": partial(draw_results, SWEEPS["batch-size"]),
    "batch-sizes": draw_batch_sizes,
    "simix": draw_simix,
    "lengths": draw_lengths,
}
"""The figures of stored sweeps that the guide shows → what draws them."""

COPIED = ("figures/first-light-learning-curve.png", "bench/ranks-cpu.png", "bench/step-cpu.png")
"""The figures in the results, drawn when these were made, that the guide shows too."""

PAGES_FIGURES = Path("notebooks/guide/figures")
"""Where the figures of the guide are: with its pages, so that a copy of the course has them."""


def draw_shown(results: Path, folder: Path) -> list[Path]:
    """Draw the figures that pages show as PNG into ``folder``; return the files."""
    runs = load_results(results)
    return [save_png(draw(runs), folder / f"{name}.png") for name, draw in SHOWN.items()]


def copy_shown(results: Path, folder: Path) -> list[Path]:
    """Copy the figures of :data:`COPIED` to ``folder``; return the files."""
    files = []
    for name in COPIED:
        files.append(folder / Path(name).name)
        write_atomically(files[-1], partial(shutil.copyfile, results / name))
    return files


def measure(dataset: str, results: Path, device: str = "auto") -> Path:
    """Measure raw pixels and the untrained network of a data set's first preset, and store them.

    Args:
        dataset: a data set of :data:`.CARDS`.
        results: the folder of results.
        device: where the network runs; "auto" takes a GPU if there is one.

    Returns:
        The file: config, metrics on test classes, and the environment.

    Raises:
        ValueError: if no data card has the data set.
    """
    import torch

    from recallkit.data import load
    from recallkit.evaluation import evaluate, evaluate_pixels
    from recallkit.training.build import make_network, on_device
    from recallkit.training.environment import choose_device, environment

    known = {name: presets for card in tables.CARDS.values() for name, presets in card.items()}
    if dataset not in known:
        raise ValueError(f"dataset must be one of {', '.join(sorted(known))}, not {dataset!r}")
    config = replace(PRESETS[known[dataset][0]], dataset=dataset)
    test = load(dataset, config.image_size).test
    where = choose_device(device)
    torch.manual_seed(config.seed)
    network = on_device(make_network(config), where)
    metrics = {
        "pixels": evaluate_pixels(test, config.image_size),
        "untrained": evaluate(network, test, config.image_size),
    }
    path = results / "baselines" / f"{dataset}.json"
    write_json(path, {"config": asdict(config), "test": metrics, **environment(where)})
    return path


def main(measure_first: tuple[str, ...] = (), figures: bool = False) -> None:
    """Write the tables of the pages again.

    Args:
        measure_first: data sets whose raw pixels and untrained network are measured before.
        figures: also draw the figures that pages show.

    Raises:
        RecallkitError: if recallkit does not run from a checkout.
    """
    root, results = checkout(), embedded("results")
    if root is None:
        raise RecallkitError("the pages are in a checkout, and recallkit is installed")
    for dataset in measure_first:
        print(f"wrote {measure(dataset, results)}")
    for page in PAGES:
        path = root / page
        path.write_text(filled(page, path.read_text(encoding="utf-8"), results), encoding="utf-8")
        print(f"wrote {path}")
    folder = root / PAGES_FIGURES
    for path in (*draw_shown(results, folder), *copy_shown(results, folder)) if figures else ():
        print(f"drew {path}")


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
