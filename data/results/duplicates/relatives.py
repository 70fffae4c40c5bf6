"""Count relatives and look-alikes of test classes, and measure what they do to R@1.

    apt-get download unicode-data=15.0.0-1 && dpkg-deb -x unicode-data_15.0.0-1_all.deb unicode
    python relatives.py unicode/usr/share/unicode/Unihan_Variants.txt.bz2 runs relatives.json

``meaning.py`` tells relatives by names and code points, ``pixels.py`` look-alikes by pixels, and
``effect.py`` computes R@1. For the distorted glyphs the look-alikes are those of the same images
without distortion. Trained networks, near pairs and neighbours are kept in ``runs``, and taken from
there by a second call.
"""

import hashlib
import json
import sys
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from effect import SAMPLES, effect
from meaning import Pairs, relatives_of_emoji, relatives_of_glyphs
from pixels import SIDE, Near, counts, near_pairs, with_training, within_test

from recallkit import PRESETS, choose_device, embed, load, load_run, search, train
from recallkit.data import Splits
from recallkit.evaluation.embedding import embed_pixels
from recallkit.files import embedded, read_json, write_json
from recallkit.training.environment import environment

DATASETS = ("emoji", "glyphs", "glyphs-distorted")
SETTINGS = {  # of the data sets on which a network is trained; the others are counted alone
    "emoji": PRESETS["emoji"],
    "glyphs-distorted": replace(PRESETS["glyphs-short"], dataset="glyphs-distorted"),
}
ALIKE = 0.95  # the smallest cosine of look-alikes: above, a glance does not tell them apart


def classes_of(dataset: str) -> list[dict[str, Any]]:
    """Return the classes as the index of the data has them; a label is a place in this list."""
    card = dataset.split("-")[0]
    with zipfile.ZipFile(embedded(card) / f"{card}.zip") as archive:
        return json.loads(archive.read("index.json"))["classes"]


def relatives(dataset: str, classes: list[dict[str, Any]], unihan: Path) -> dict[str, Pairs]:
    """Return the pairs of classes that are related by meaning, by kind."""
    codes = [each["code"] for each in classes]
    if dataset == "emoji":
        return relatives_of_emoji([each["name"] for each in classes], codes)
    return relatives_of_glyphs(codes, unihan)


def by_split(pairs: Pairs, classes: list[dict[str, Any]]) -> tuple[Pairs, Pairs]:
    """Return the pairs (training class, test class) and the pairs of test classes."""
    both = pairs | {(b, a) for a, b in pairs}
    split = [each["split"] for each in classes]
    across = {(a, b) for a, b in both if (split[a], split[b]) == ("train", "test")}
    return across, {(a, b) for a, b in pairs if split[a] == split[b] == "test"}


def counted(kind: str, across: Pairs, within: Pairs) -> dict[str, Any]:
    """Count the pairs of a kind, and the test classes that are in one."""
    return {
        "kind": kind,
        "training pairs": len(across),
        "training classes": len({test for _, test in across}),
        "test pairs": len(within),
        "test classes": len({label for pair in within for label in pair}),
    }


def codes_of(pairs: Pairs, classes: list[dict[str, Any]]) -> list[str]:
    """Return pairs of classes as "CODE CODE"."""
    return [f"{classes[a]['code']} {classes[b]['code']}" for a, b in sorted(pairs)]


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """Return what is stored in a file, or make and store it."""
    if not path.is_file():
        torch.save(make(), path)
    return torch.load(path, weights_only=True)


def near_images(dataset: str, splits: Splits, runs: Path) -> tuple[Near, Near]:
    """Return the near pairs of test and training images, and those among test images."""

    def make() -> list[tuple[torch.Tensor, ...]]:
        test = embed_pixels(splits.test.images, SIDE)
        training = embed_pixels(splits.train.images, SIDE)
        return [tuple(near_pairs(test, training)), tuple(near_pairs(test, test))]

    to_train, to_test = kept(runs / f"{dataset}-pixels.pt", make)
    return Near(*to_train), Near(*to_test)


def look_alikes(dataset: str, runs: Path) -> tuple[Pairs, Pairs]:
    """Return the pairs (training class, test class) and of test classes, without distortion."""
    plain = dataset.removesuffix("-distorted")
    splits = load(plain)
    to_train, to_test = near_images(plain, splits, runs)
    test = splits.test.labels
    across = with_training(to_train, test, splits.train.labels, ALIKE)
    return across, within_test(to_test, test, ALIKE)


def neighbours(dataset: str, splits: Splits, runs: Path) -> torch.Tensor:
    """Return the nearest test images of each by the trained network, (N, k) int64."""

    def make() -> torch.Tensor:
        if not (runs / dataset).is_dir():
            train(SETTINGS[dataset], runs / dataset, splits=splits.without_test(), device="cpu")
        config, network = load_run(runs / dataset, "cpu")
        embeddings = embed(network, splits.test.images, config.image_size)
        return search(embeddings, k=1000 if len(embeddings) < 10_000 else 100)[1]

    return kept(runs / f"{dataset}-neighbours.pt", make)


def measured(dataset: str, unihan: Path, runs: Path) -> dict[str, Any]:
    """Measure one data set: counts by meaning and by pixels, R@1 for each and for both."""
    classes, splits = classes_of(dataset), load(dataset)
    kinds = relatives(dataset, classes, unihan)
    kinds["any of these"] = set().union(*kinds.values())
    meaning = by_split(kinds["any of these"], classes)
    alike = look_alikes(dataset, runs)
    either = tuple(a | b for a, b in zip(meaning, alike, strict=True))
    labels = splits.test.labels
    relations = {"meaning": meaning, "pixels": alike, "either": either}
    return {
        "images": len(labels),
        "classes": len(labels.unique()),
        "meaning": [counted(kind, *by_split(pairs, classes)) for kind, pairs in kinds.items()],
        "look-alikes": [codes_of(pairs, classes) for pairs in alike],
        "pixels": counts(*near_images(dataset, splits, runs), labels),
        **(on_recall(dataset, splits, runs, relations) if dataset in SETTINGS else {}),
    }


def on_recall(
    dataset: str, splits: Splits, runs: Path, relations: dict[str, tuple[Pairs, ...]]
) -> dict[str, Any]:
    """Measure what relations do to R@1 of a trained network, and say which one it is."""
    found = neighbours(dataset, splits, runs).numpy()
    labels = splits.test.labels.numpy()
    stored = read_json(runs / dataset / "result.json")
    return {
        **{name: stored[name] for name in ("config", "seed", "device", "libraries", "commit")},
        "effect": {name: effect(labels, found, *pairs) for name, pairs in relations.items()},
    }


def main(unihan: Path, runs: Path, out: Path) -> None:
    """Measure all data sets."""
    runs.mkdir(parents=True, exist_ok=True)
    about = {
        "script": "data/results/duplicates/relatives.py",
        "unihan": hashlib.sha256(unihan.read_bytes()).hexdigest(),
        "unicode": unicodedata.unidata_version,
        "threshold": ALIKE,
        "samples": SAMPLES,
        "environment": environment(choose_device("cpu")),
    }
    datasets = {dataset: measured(dataset, unihan, runs) for dataset in DATASETS}
    write_json(out, {**about, "datasets": datasets})


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
