"""The baselines in the data cards of the embedded sets: ``python -m recallkit.experiments.cards``.

Each card has tables between ``<!-- begin baselines -->`` and ``<!-- end baselines -->``: of raw
pixels and an untrained network, which ``--measure-first NAME …`` measures and stores, and of
trained networks, from stored runs of the presets. What was not run is said to be so; a test proves
that the cards are what the stored results say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from recallkit.config import PRESETS, Config
from recallkit.experiments.readme import COLUMNS, ROOT, percent, runs_of_presets, with_block
from recallkit.experiments.store import FOLDER, select
from recallkit.experiments.summary import Estimate, over_seeds
from recallkit.files import read_json, write_json
from recallkit.tables import text_table

BASELINES = FOLDER / "baselines"


CARDS: dict[str, dict[str, tuple[str, ...]]] = {
    "emoji": {"emoji": ("emoji", "emoji-frozen", "emoji-finetuned")},
    "glyphs": {
        "glyphs": ("glyphs", "glyphs-cpu", "glyphs-short"),
        "glyphs-distorted": ("glyphs", "glyphs-cpu"),
    },
}
"""Card → its data sets → the presets that are trained on them."""


def measure(dataset: str, device: str = "auto") -> Path:
    """Measure raw pixels and the untrained network of the data set's first preset, and store them.

    Args:
        dataset: a data set of :data:`CARDS`.
        device: where the network runs; "auto" takes a GPU if there is one.

    Returns:
        The file: config, metrics on test classes, and the environment.
    """
    import torch

    from recallkit.data import load
    from recallkit.evaluation.embedding import evaluate, evaluate_pixels
    from recallkit.training.build import make_network
    from recallkit.training.environment import choose_device, environment

    config = _config(dataset, _presets_of(dataset)[0])
    test = load(dataset, config.image_size).test
    where = choose_device(device)
    torch.manual_seed(config.seed)
    network = make_network(config).to(where, memory_format=torch.channels_last)
    metrics = {
        "pixels": evaluate_pixels(test, config.image_size),
        "untrained": evaluate(network, test, config.image_size),
    }
    path = BASELINES / f"{dataset}.json"
    write_json(path, {"config": asdict(config), "test": metrics, **environment(where)})
    return path


def _presets_of(dataset: str) -> tuple[str, ...]:
    known = {name: presets for card in CARDS.values() for name, presets in card.items()}
    if dataset not in known:
        raise ValueError(f"there is no card of {dataset!r}, only of: {', '.join(sorted(known))}")
    return known[dataset]


def _config(dataset: str, preset: str) -> Config:
    return replace(PRESETS[preset], dataset=dataset)


def baselines(dataset: str, results: Sequence[Mapping], folder: Path = BASELINES) -> str:
    """The table of a data set, as Markdown.

    Args:
        dataset: a data set of :data:`CARDS`.
        results: stored runs.
        folder: with what :func:`measure` stored.
    """
    presets = _presets_of(dataset)
    runs = {p: select(results, _config(dataset, p), free=["seed"]) for p in presets}
    stored = _stored(folder / f"{dataset}.json")
    seeds = next((of_preset for of_preset in runs.values() if of_preset), [])
    rows = [
        ["raw pixels", *_cells(seeds, stored, "pixels")],
        ["network, untrained", *_cells(seeds, stored, "untrained")],
    ]
    for preset, of_preset in runs.items():
        title = f"preset `{preset}`" + (f", {len(of_preset)} seeds" if of_preset else "")
        rows.append([title, *_cells(of_preset, {}, "trained")])
    return text_table([f"`{dataset}`, test classes, %", *COLUMNS], rows)


def _stored(path: Path) -> Mapping[str, Mapping[str, float]]:
    return read_json(path)["test"] if path.is_file() else {}


def _cells(runs: Sequence[Mapping], stored: Mapping[str, Mapping], row: str) -> list[str]:
    """Over the seeds of runs if there are any, else of one measurement, else "not run"."""
    if runs and all(row in run["test"] for run in runs):  # those of a sweep have no baselines
        estimates = over_seeds(runs, row)
    elif row in stored:
        estimates = {name: Estimate(value, 0.0, 1) for name, value in stored[row].items()}
    else:
        return ["not run"] * len(COLUMNS)
    return [percent(estimates[column]) for column in COLUMNS]


def filled(card: str, text: str, results: Sequence[Mapping[str, Any]] | None = None) -> str:
    """The text of a card with its table written anew.

    Raises:
        ValueError: if the block is not there exactly once.
    """
    results = runs_of_presets() if results is None else results
    tables = [baselines(dataset, results) for dataset in CARDS[card]]
    return with_block(text, "baselines", "\n\n".join(tables), f"data/{card}/README.md")


def main(measure_first: tuple[str, ...] = ()) -> None:
    """Rewrite the tables in the data cards.

    Args:
        measure_first: data sets whose raw pixels and untrained network are measured before.
    """
    for dataset in measure_first:
        print(f"wrote {measure(dataset)}")
    for card in CARDS:
        path = ROOT / "data" / card / "README.md"
        path.write_text(filled(card, path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    import tyro

    tyro.cli(main)
