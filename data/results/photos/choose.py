"""Choose the settings of the preset ``photos`` on the validation classes of several folders.

    python choose.py FOLDERS OUT.json

FOLDERS is what ``make_folders.py`` wrote. Half of the classes of each folder, the test classes of
``load_folder``, are not touched. Two thirds of the others train, one third validates. Small folders
are the first classes and images of ``objects``. Each line of OUT.json is a training: folder,
settings, seed, R@1 of the pretrained features and of the trained head.
"""

import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from recallkit import Config, Training, choose_device, load
from recallkit.data import ImageSet, Splits
from recallkit.evaluation.embedding import evaluate, evaluate_features
from recallkit.files import write_json
from recallkit.training.environment import environment
from recallkit.training.frozen_features import feature_splits

BASE = Config(
    network="packaged/efficientnet_lite0",
    pretrained=True,
    frozen=True,
    views=2,
    batch_size=256,
    chunk_size=4096,
    simix=False,
    flip=False,
)
SIZES = (96, 128, 160, 224)
LEARNING_RATES = (1e-4, 3e-4, 1e-3, 4e-3)
EPOCHS = (5, 10, 20, 40)
SEEDS = (0, 1)
CHOSEN_SIZE = 224  # by the first comparison
FIRST = list(itertools.product((1e-3,), (10, 20), SEEDS))
GRID = list(itertools.product(LEARNING_RATES, EPOCHS, SEEDS))
# name → classes and images of each that train; None: all
FOLDERS = {"objects": None, "places": None, "drawings": None, "small": (30, 8), "tiny": (12, 4)}

Setting = tuple[float, int, int]  # learning rate, epochs, seed
Line = dict[str, Any]


def splits_to_choose_on(folder: Path, size: int, part: tuple[int, int] | None) -> Splits:
    """Return training and validation classes, none of them a test class of the folder."""
    splits = load(str(folder), size)
    train, validation = splits.train, splits.validation
    joined = ImageSet(
        torch.cat([train.images, validation.images]),
        torch.cat([train.labels, validation.labels]),
        {**train.class_names, **validation.class_names},
    )
    classes = joined.labels.unique()
    classes = classes[torch.randperm(len(classes), generator=torch.Generator().manual_seed(0))]
    count = len(classes) * 2 // 3 if part is None else part[0]
    chosen = joined.of_classes(classes[:count])
    if part is not None:
        keep = [c.nonzero().squeeze(1)[: part[1]] for c in chosen.labels == classes[:count, None]]
        rows = torch.cat(keep)
        chosen = ImageSet(chosen.images[rows], chosen.labels[rows], chosen.class_names)
    start = len(classes) * 2 // 3
    validation = joined.of_classes(classes[start:])
    return Splits(chosen, validation, validation.of_classes(torch.empty(0, dtype=torch.int64)))


def trained(config: Config, features: Splits) -> float:
    """Train a head on features; return R@1 of the validation classes."""
    training = Training(config, features.train, choose_device("cpu"))
    for _ in range(training.steps):
        training.step()
    return evaluate(training.trained, features.validation, config.image_size)["R@1"]


def runs_of(name: str, folders: Path, size: int, grid: Iterable[Setting]) -> Iterator[Line]:
    """Train with each learning rate, number of epochs and seed on features of one size."""
    folder = folders / (name if FOLDERS[name] is None else "objects")
    config = replace(BASE, dataset=name, image_size=size)
    splits = splits_to_choose_on(folder, size, FOLDERS[name])
    features = feature_splits(config, splits, choose_device("cpu"))
    base = evaluate_features(features.validation)["R@1"]
    for rate, epochs, seed in grid:
        one = replace(config, learning_rate=rate, epochs=epochs, seed=seed)
        start = time.perf_counter()
        recall = trained(one, features)
        line = {"folder": name, "image_size": size, "learning_rate": rate, "epochs": epochs}
        line |= {"seed": seed, "features": round(base, 4), "trained": round(recall, 4)}
        yield line | {"seconds": round(time.perf_counter() - start, 1)}


def main(folders: Path, out: Path) -> None:
    """Compare sizes first, then learning rates and lengths; write after each training."""
    sizes = [(name, size, FIRST) for size in SIZES for name in ("objects", "places", "drawings")]
    lengths = [(name, CHOSEN_SIZE, GRID) for name in FOLDERS]
    about = {"base": asdict(BASE), "environment": environment(choose_device("cpu"))}
    lines: list[Line] = []
    for name, size, grid in sizes + lengths:
        for line in runs_of(name, folders, size, grid):
            lines.append(line)
            write_json(out, {**about, "runs": lines})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
