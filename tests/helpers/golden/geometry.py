"""Cases of vectors.js, arcs.js and simix.js."""

import numpy as np
import torch
from helpers.golden.losses import label_lists
from helpers.golden.tables import some_batches, some_points
from torch.nn.functional import normalize

from recallkit.course.circle import on_circle
from recallkit.course.class_collapse import arc_classes, arc_losses, within_class_similarity
from recallkit.simix import SimilarityMixup, same_class_pairs


def _vectors(seed, count=60):
    rng = np.random.default_rng(seed)
    for number in range(count):
        size = number + 1
        yield torch.from_numpy(rng.normal(scale=10.0 ** rng.integers(-3, 4), size=(2, size)))
    yield torch.zeros(2, 3, dtype=torch.float64)


def dot():
    for a, b in _vectors(1):
        yield [a.tolist(), b.tolist()], (a @ b).item()


def norm():
    for a, _ in _vectors(2):
        yield [a.tolist()], a.norm().item()


def unit():
    for number, (a, _) in enumerate(_vectors(3)):
        least = [1e-3] if number % 2 else []
        expected = normalize(a, dim=0, eps=least[0] if least else 1e-12)
        yield [a.tolist(), *least], expected.tolist()


def zeros():
    for a, _ in _vectors(5):
        yield [a.tolist()], [0] * len(a)


def products():
    rng = np.random.default_rng(4)
    for size in range(1, 61):
        a, b = some_points(rng, size, 8, size % 4), some_points(rng, 1 + size // 3, 8, 0)
        yield [a.tolist(), b.tolist()], (a @ b.T).tolist()


def circle():
    for degrees in (*range(-180, 361, 10), 0.5, 59.999, 1e-6, -1e3):
        yield [degrees], on_circle(degrees).tolist()


def degrees():
    angles = [*np.linspace(-179.9, 180, 60).tolist(), 0.0, 90.0, -90.0]
    for point in (on_circle(angle) for angle in angles):
        expected = torch.rad2deg(torch.atan2(point[1], point[0])).item()
        yield [point.tolist()], expected


def arcs():
    for width in (0, 1e-6, 3, 12.5, 30, 45.5, 60, 90):
        for per_class in range(2, 9):
            classes = 2 + per_class % 3
            points, labels = arc_classes(width, per_class, classes)
            arguments = [width, per_class] if classes == 2 else [width, per_class, classes]
            yield arguments, {"points": points.tolist(), "labels": labels.tolist()}


def losses_of_arcs():
    for per_class in range(2, 9):
        for ks in ((1,), (2,), (4,), (8,), (16,), (1, 2, 4, 8, 16), (1, 100), (3, 5)):
            widths = ((0.0, 7.5), (1e-6, 60.0))[len(ks) % 2]
            expected = [list(curve) for curve in arc_losses(widths, ks, per_class)]
            arguments = [list(widths), list(ks), per_class]
            yield arguments if per_class != 4 else arguments[:2], expected


def within_class():
    for batch in some_batches(5, 56):
        expected = within_class_similarity(batch.points, batch.labels)
        yield [batch.points.tolist(), batch.labels.tolist()], expected


def _parents(seed):
    rng = np.random.default_rng(seed)
    for number in range(60):
        points = some_points(rng, 3, 2 + number % 7, number % 4)
        alpha = (0.0, 1.0, 0.5, float(rng.uniform()))[number % 4]
        yield *points, alpha
    x = torch.tensor([1.0, 0.0], dtype=torch.float64)
    for alpha in (0.5, 0.5001):  # v is the centre of the circle, or near it
        yield x, -x, x, alpha


def mix():
    for x, z, _, alpha in _parents(6):
        yield [x.tolist(), z.tolist(), alpha], torch.lerp(z, x, alpha).tolist()


def virtual():
    for x, z, query, alpha in _parents(7):
        point = torch.lerp(z, x, alpha)
        expected = {
            "point": point.tolist(),
            "length": point.norm().item(),
            "similarity": (point @ query).item(),
            "ofUnit": (normalize(point, dim=0, eps=1e-3) @ query).item(),
        }
        yield [x.tolist(), z.tolist(), query.tolist(), alpha], expected


def pairs():
    for labels in label_lists(8):
        first, second = same_class_pairs(torch.tensor(labels))
        yield [labels], torch.stack([first, second], dim=1).tolist()


def batch():
    for number, one in enumerate(some_batches(9, 50, positives=False)):
        mixup = SimilarityMixup(torch.Generator().manual_seed(number))
        points, labels = mixup(one.points, one.labels)
        count = len(points) - len(one.points)
        mixup = SimilarityMixup(torch.Generator().manual_seed(number))
        alphas = mixup.draw(count, one.points)
        arguments = [one.points.tolist(), one.labels.tolist(), alphas.tolist()]
        yield arguments, {"points": points.tolist(), "labels": labels.tolist()}
