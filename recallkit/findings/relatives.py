"""The relatives and look-alikes of test classes, and what they do to R@1, as tables of data cards.

The numbers are of ``data/results/duplicates/relatives.json``; the script beside it says how they
were made.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recallkit.files import read_json
from recallkit.findings.page_tables import CARDS, NOTHING, in_points, percent, with_source
from recallkit.tables import text_table

QUERIES = {
    "all": "all",
    "no relative in training": "of classes with none in training",
    "no relative in the test": "of classes with none in the test",
    "no relative in either": "of classes with none in either",
    "gallery without relatives": "all, the gallery of each without them",
}
"""Queries as they are stored → in words."""

RELATIVES = {"meaning": "relatives", "pixels": "look-alikes", "either": "either"}
"""What the queries lack, as it is stored → in words."""


def relatives(card: str, results: Path) -> str:
    """Tabulate the counts by meaning and by pixels, and the R@1, of a data card's data sets."""
    path = results / "duplicates" / "relatives.json"
    if not path.is_file():
        return NOTHING
    stored = read_json(path)
    measured = {name: stored["datasets"][name] for name in CARDS[card]}
    parts = [_by_meaning(measured[card]["meaning"])]
    parts += [_by_pixels(name, each["pixels"]) for name, each in measured.items()]
    trained = {name: each for name, each in measured.items() if "effect" in each}
    parts += [_effect(name, each["effect"]) for name, each in trained.items()]
    return with_source("\n\n".join(parts), _source(stored, *trained.values()))


def _by_meaning(rows: Sequence[Mapping[str, Any]]) -> str:
    header = ["relatives", "pairs training–test", "test classes", "pairs in the test"]
    names = ("training pairs", "training classes", "test pairs", "test classes")
    cells = [[row["kind"], *(f"{row[name]:,}" for name in names)] for row in rows]
    return text_table([*header, "test classes"], cells)


def _by_pixels(dataset: str, rows: Sequence[Mapping[str, Any]]) -> str:
    header = ["a training image", "one of another test class", "another of its class"]
    cells = [
        [f"{row['threshold']:.2f}"]
        + [f"{row[k]:,} ({row[f'{k} classes']:,})" for k in ("training", "test", "own")]
        for row in rows
    ]
    return text_table([f"`{dataset}`, test images (classes) near", *header], cells)


def _effect(dataset: str, effects: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    rows = [_row("", effects["meaning"][0])]
    rows += [_row(RELATIVES[kind], row) for kind, table in effects.items() for row in table[1:]]
    header = [f"`{dataset}`, queries", "they lack", "queries", "R@1, %", "Δ R@1", "95 % interval"]
    return text_table(header, rows)


def _row(lacking: str, row: Mapping[str, Any]) -> list[str]:
    cells = [QUERIES[row["queries"]], lacking, f"{row['number']:,}", percent(row["R@1"])]
    if not lacking:
        return [*cells, "", ""]
    change, low, high = (in_points(row[name]) for name in ("difference", "low", "high"))
    return [*cells, change, f"{low} to {high}"]


def _source(stored: Mapping[str, Any], measured: Mapping[str, Any]) -> str:
    config, about = measured["config"], stored["environment"]
    return (
        f"Look-alikes have a cosine of pixels of {stored['threshold']} or more. R@1 of one "
        f"network, {config['images']:,} images in batches of {config['batch_size']}, seed "
        f"{measured['seed']}; interval over {stored['samples']:,} samples of test classes. "
        f"{about['device']}, torch {about['libraries']['torch']}, commit {about['commit']}; made "
        f"by `{stored['script']}`."
    )
