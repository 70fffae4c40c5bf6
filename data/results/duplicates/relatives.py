"""Count relatives and look-alikes of test classes, and measure what they do to R@1.

    apt-get download unicode-data=15.0.0-1 && dpkg-deb -x unicode-data_15.0.0-1_all.deb unicode
    recallkit train --preset emoji --out runs/emoji
    recallkit train --preset glyphs-short --out runs/glyphs
    recallkit train --preset glyphs-short --dataset glyphs-distorted --out runs/glyphs-distorted
    python relatives.py unicode/usr/share/unicode/Unihan_Variants.txt.bz2 runs relatives.json

``meaning.py`` tells relatives by names and code points, ``pixels.py`` look-alikes by pixels, and
``effect.py`` computes R@1. For the distorted glyphs the look-alikes are those of the same images
without distortion. Near pairs and neighbours are kept beside the runs, so that a second call is
quick: delete ``runs/*.pt`` after a change of what they are made of.
"""

import hashlib
import json
import sys
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from effect import SAMPLES, effect
from meaning import Pairs, relatives_of_emoji, relatives_of_glyphs
from pixels import Near, counts, near_pairs, with_training, within_test

from recallkit import choose_device, embed, load, load_run, search
from recallkit.data import Splits
from recallkit.evaluation.embedding import embed_pixels
from recallkit.files import embedded, read_json, write_json
from recallkit.training.environment import environment

DATASETS = ("emoji", "glyphs", "glyphs-distorted")
ALIKE = 0.95  # the smallest cosine of look-alikes: above, a glance does not tell them apart
SIDE = 32  # pixels, as for the baseline "raw pixels"


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


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """Return what is stored in a file, or make and store it."""
    if not path.is_file():
        torch.save(make(), path)
    return torch.load(path, weights_only=True)


def looking_alike(dataset: str, splits: Splits, runs: Path) -> tuple[Near, Near]:
    """Return the near pairs of test and training images, and those among test images."""

    def make() -> list[tuple[torch.Tensor, ...]]:
        test, train = (embed_pixels(part.images, SIDE) for part in (splits.test, splits.train))
        return [tuple(near_pairs(test, train)), tuple(near_pairs(test, test))]

    to_train, to_test = kept(runs / f"{dataset}-pixels.pt", make)
    return Near(*to_train), Near(*to_test)


def neighbours(dataset: str, splits: Splits, runs: Path) -> torch.Tensor:
    """Return the nearest test images of each by the trained network, (N, k) int64."""

    def make() -> torch.Tensor:
        config, network = load_run(runs / dataset, "cpu")[:2]
        embeddings = embed(network, splits.test.images, config.image_size)
        return search(embeddings, k=1000 if len(embeddings) < 10_000 else 100)[1]

    return kept(runs / f"{dataset}-neighbours.pt", make)


def measured(dataset: str, unihan: Path, runs: Path) -> dict[str, Any]:
    """Measure one data set: counts by meaning and by pixels, R@1 for each and for both."""
    classes, splits = classes_of(dataset), load(dataset)
    train, test = splits.train.labels, splits.test.labels
    kinds = relatives(dataset, classes, unihan)
    across, within = by_split(set().union(*kinds.values()), classes)
    rows = [counted(kind, *by_split(pairs, classes)) for kind, pairs in kinds.items()]
    shown = looking_alike(dataset, splits, runs)
    plain = dataset.removesuffix("-distorted")
    near = shown if plain == dataset else looking_alike(plain, load(plain), runs)
    alike = with_training(near[0], test, train, ALIKE), within_test(near[1], test, ALIKE)
    found = neighbours(dataset, splits, runs).numpy()
    relations = {
        "meaning": (across, within),
        "pixels": alike,
        "either": (across | alike[0], within | alike[1]),
    }
    stored = read_json(runs / dataset / "result.json")
    config = asdict(load_run(runs / dataset, "cpu")[0])
    return {
        "config": config,
        "seed": config["seed"],
        "trained": {name: stored[name] for name in ("device", "libraries", "commit")},
        "R@1": stored["test"]["trained"]["R@1"],
        "images": len(test),
        "classes": len(test.unique()),
        "meaning": [*rows, counted("any of these", across, within)],
        "pixels": counts(*shown, test),
        "alike": counted("look-alikes", *alike),
        "effect": {name: effect(test.numpy(), found, *pairs) for name, pairs in relations.items()},
    }


def main(unihan: Path, runs: Path, out: Path) -> None:
    """Measure all data sets."""
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
