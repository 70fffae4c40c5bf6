"""Cases of pixels.js."""

import numpy as np
import torch

from recallkit.course.pixels import pixel_weights
from recallkit.metrics import segmentation_metrics
from recallkit.related.segmentation import (
    FocalLoss,
    InverseFrequencyCrossEntropy,
    RecallCrossEntropy,
    StructuralSimilarityLoss,
)

LOSSES = {
    "cross-entropy": lambda gamma: torch.nn.CrossEntropyLoss(),
    "inverse frequency": lambda gamma: InverseFrequencyCrossEntropy(),
    "focal": FocalLoss,
    "recall": lambda gamma: RecallCrossEntropy(),
    "structure": lambda gamma: StructuralSimilarityLoss(),
}


def draw(things, side):
    """The labels of rectangles without corners, by slices."""
    reach = 3 * side
    canvas = np.zeros((side + 2 * reach, side + 2 * reach), int)
    for thing in things:
        height, width = max(0, thing["height"]), max(0, thing["width"])
        shape = np.ones((height, width), bool)
        if min(shape.shape) >= 3:
            shape[[0, 0, -1, -1], [0, -1, 0, -1]] = False
        top, left = thing["top"] + reach, thing["left"] + reach
        canvas[top : top + height, left : left + width][shape] = thing["label"]
    return canvas[reach : reach + side, reach : reach + side]


def some_things(rng, side, labels=(1, 2)):
    for label in labels:
        top, left = (int(x) for x in rng.integers(-2, side, 2))
        height, width = (int(x) for x in rng.integers(-1, 7, 2))
        yield {"label": label, "top": top, "left": left, "height": height, "width": width}


def things():
    rng = np.random.default_rng(31)
    for _ in range(60):
        side = int(rng.integers(3, 13))
        drawn = list(some_things(rng, side, (1, 2, 1)))
        yield [drawn, side], draw(drawn, side).flatten().tolist()


def two_maps(rng):
    """Labels and a prediction of the same things, moved and grown."""
    side = int(rng.integers(4, 10))
    return [torch.from_numpy(draw(list(some_things(rng, side)), side)) for _ in range(2)]


def shares():
    rng = np.random.default_rng(32)
    for _ in range(60):
        labels, predicted = two_maps(rng)
        metrics = segmentation_metrics(predicted[None], labels[None], 3)
        counted = labels.flatten().bincount(minlength=3) > 0
        false_alarm = torch.where(counted, metrics.precision, 0)
        recall, iou = metrics.recall.nan_to_num(0), metrics.iou.nan_to_num(0)
        expected = {"recall": recall, "precision": false_alarm, "iou": iou}
        given = [labels.flatten().tolist(), predicted.flatten().tolist(), 3]
        yield given, {name: values.tolist() for name, values in expected.items()}


def weights():
    rng = np.random.default_rng(33)
    for number in range(100):
        labels, predicted = two_maps(rng)
        if number % 20 == 19:  # one pixel has no structure
            labels, predicted = labels[:1, :1], predicted[:1, :1]
        certainty = float(rng.uniform(0.35, 0.99))
        gamma = float(rng.choice([0, 1, 2, 3.5]))
        logits = torch.full((3, *labels.shape), (1 - certainty) / 2, dtype=torch.float64)
        logits = logits.scatter(0, predicted[None], certainty).log()
        name = list(LOSSES)[number % len(LOSSES)]
        found = pixel_weights(LOSSES[name](gamma), logits[None], labels[None])
        settings = {"classes": 3, "certainty": certainty, "gamma": gamma}
        maps = [one.flatten().tolist() for one in (labels, predicted)]
        yield [name, *maps, settings], found.flatten().tolist()
