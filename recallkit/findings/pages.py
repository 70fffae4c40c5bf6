"""The tables of the pages, from the project's results: ``python -m recallkit.findings.pages``.

A table stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` and is written again from
``data/results``; your own results do not count. A test proves that the pages have what the results
say. Sentences around the tables are written by people.
"""

import re
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from recallkit.bench.cases import NOT_TRIED
from recallkit.bench.commands import commands_table
from recallkit.bench.precision import precision_table
from recallkit.bench.ranks import ranks_table
from recallkit.bench.roofline import roofline_table
from recallkit.bench.search import search_table
from recallkit.bench.skipping import skipping_table
from recallkit.bench.step import step_table
from recallkit.bench.training import training_table
from recallkit.config import PRESETS
from recallkit.errors import RecallkitError
from recallkit.experiments.results import load_results
from recallkit.experiments.sweep_files import SWEEPS
from recallkit.files import checkout, embedded, read_json, write_atomically
from recallkit.findings import page_tables as tables
from recallkit.findings.claims import CLAIMS, claim_table, conditions, draw_claim
from recallkit.findings.figures import (
    draw_batch_gain,
    draw_results,
    draw_simix_gain,
    save_png,
)
from recallkit.findings.relatives import relatives
from recallkit.words import say_threads

Block = Callable[[Path], str]  # from a folder of results to Markdown
Stored = dict[str, Any]  # what a file of measurements holds

_OUTDATED = ("fused, TF32",)  # measured before the engine rounded these factors, and not since
LARGE_FOLDERS = ("objects", "places", "drawings")  # on which image sizes were compared


def _measured(path: Path, table: Callable[[Stored], str], source: Callable[[Stored], str]) -> str:
    """Return the table of a stored measurement; empty if there is none."""
    stored = read_json(path) if path.is_file() else None
    return "" if stored is None else tables.with_source(table(stored), source(stored))


def _machine(about: Stored, threads: bool = False) -> str:
    where = about["device"] + (f", {say_threads(about['threads'])}" if threads else "")
    return f"{where}, torch {about['libraries']['torch']}, commit {about['commit']}"


def _tried(stored: Stored) -> list[dict[str, Any]]:
    return [case for case in stored["cases"] if case.get("failed") != NOT_TRIED]


BENCHMARKS: Mapping[str, Callable[[Stored], str]] = {
    "ranks": lambda stored: ranks_table(_tried(stored)),
    "step": lambda stored: step_table(stored["cases"]),
    "precision": lambda stored: precision_table(
        [row for row in stored["rows"] if row["name"] not in _OUTDATED]
    ),
    "skipping": lambda stored: skipping_table(stored["rows"]),
    "search": lambda stored: search_table(stored["cases"]),
    "training": lambda stored: training_table(stored["rows"]),
    "commands": lambda stored: commands_table(stored["rows"]),
}
"""Benchmark → the table of what it stores."""


def benchmarks(*names: str, results: Path) -> str:
    """Tabulate benchmarks on each device where they are stored."""

    def source(stored: Stored) -> str:
        machine = _machine(stored, threads=stored.get("device_type", "cpu") == "cpu")
        return f"{machine}; made by `recallkit bench {name}`."

    parts = []
    for name in names:
        files = [results / "bench" / f"{name}-{kind}.json" for kind in ("cpu", "cuda")]
        parts += [_measured(file, BENCHMARKS[name], source) for file in files]
    return "\n\n".join(filter(None, parts)) or tables.NOTHING


def roofline(results: Path) -> str:
    """Tabulate the limits of GPUs beside what was measured on one of them."""

    def table(stored: Stored) -> str:
        return roofline_table(stored["cases"], stored["device"])

    def source(stored: Stored) -> str:
        return f"Limits from data sheets; measured: {_machine(stored)}."

    return _measured(results / "bench" / "ranks-cuda.json", table, source) or tables.NOTHING


def near_duplicates(results: Path) -> str:
    """Tabulate the share of drawings whose changed copy is found, a column for each threshold."""

    def table(stored: Stored) -> str:
        shares = pd.DataFrame(stored["rows"]).set_index("change")
        cells = (100 * shares).map("{:.1f} %".format).add_prefix("at ")
        return tables.frame_table(cells.rename_axis("compared with"))

    def source(stored: Stored) -> str:
        of = f"{stored['images']} drawings of validation classes of emoji, seed {stored['seed']}"
        made = "made by `data/results/duplicates/measure.py`."
        return f"{of}; {_machine(stored['environment'])}; {made}"

    path = results / "duplicates" / "near-duplicates.json"
    return _measured(path, table, source) or tables.NOTHING


def photographs(results: Path) -> str:
    """Tabulate the heads among which the preset ``photos`` was chosen: features → trained head.

    First the image sizes are compared, then learning rates and epochs.
    """

    def table(stored: Stored) -> str:
        heads = pd.DataFrame(stored["runs"])
        sizes = heads[heads["folder"].isin(LARGE_FOLDERS)]
        sizes = sizes[(sizes["learning_rate"] == 1e-3) & (sizes["epochs"] == 20)]
        chosen = heads[heads["image_size"] == PRESETS["photos"].image_size]
        return "\n\n".join(
            [_of_folders(sizes, ["image_size"]), _of_folders(chosen, ["learning_rate", "epochs"])]
        )

    def source(stored: Stored) -> str:
        of = "R@1 on validation classes in %, mean of the seeds; made by `choose.py`."
        return f"{_machine(stored['environment'])}; {of}"

    return _measured(results / "photos" / "choice.json", table, source) or tables.NOTHING


def _of_folders(heads: pd.DataFrame, settings: list[str]) -> str:
    """Tabulate the means of each folder, a row for each setting."""
    means = 100 * heads.groupby([*settings, "folder"])[["features", "trained"]].mean()
    cells = means["features"].map("{:.1f} → ".format) + means["trained"].map("{:.1f}".format)
    table = cells.unstack("folder")[[*heads["folder"].unique()]]
    return tables.frame_table(table.rename_axis([name.replace("_", " ") for name in settings]))


PAGES: Mapping[str, Mapping[str, Block]] = {
    "README.md": {"first-light": tables.first_light},
    "notebooks/guide/folders.md": {"photographs": photographs},
    "notebooks/guide/search.md": {"near-duplicates": near_duplicates},
    "notebooks/guide/cost.md": {
        "batch-cost": lambda results: benchmarks("ranks", results=results),
        "training-cost": lambda results: benchmarks("training", "commands", results=results),
        "search-cost": lambda results: benchmarks("search", results=results),
        "roofline": roofline,
        "step-cost": lambda results: benchmarks("step", results=results),
        "precision": lambda results: benchmarks("precision", "skipping", results=results),
    },
    "notebooks/guide/sweeps.md": {"validation": tables.validation},
    "notebooks/guide/results.md": {
        "benchmarks": tables.benchmarks,
        "sweeps": tables.sweeps,
    },
    "notebooks/guide/claims.md": {
        **{f"claim-{name}": partial(claim_table, name) for name in CLAIMS},
        "conditions": conditions,
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
        text = with_block(page, text, name, make(results))
    return text


def with_block(page: str, text: str, name: str, content: str) -> str:
    """Return the text of a page with one block written again.

    Args:
        page: its name, for messages.
        text: of the page.
        name: of the block, which stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.
        content: in Markdown.

    Raises:
        ValueError: naming the page and the block that is not there exactly once.
    """
    pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
    if (count := len(re.findall(pattern, text, re.DOTALL))) != 1:
        raise ValueError(f"{page} must have the block {name!r} once, not {count} times")
    return re.sub(pattern, lambda marks: f"{marks[1]}\n{content}\n\n{marks[2]}", text, flags=re.S)


SHOWN: Mapping[str, Callable[[pd.DataFrame], Any]] = {
    "batch-size": partial(draw_results, SWEEPS["batch-size"]),
    "distorted-batch-size": partial(draw_results, SWEEPS["distorted-batch-size"]),
    "simix-gain": draw_simix_gain,
    "batch-gain": draw_batch_gain,
    **{f"claim-{name}": partial(draw_claim, name) for name in CLAIMS},
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


def main(figures: bool = False) -> None:
    """Write the tables of the pages again.

    Args:
        figures: also draw the figures that pages show.

    Raises:
        RecallkitError: if recallkit does not run from a checkout.
    """
    root, results = checkout(), embedded("results")
    if root is None:
        raise RecallkitError("the pages are in a checkout, and recallkit is installed")
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
