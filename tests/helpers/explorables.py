"""Every explorable, by name, with the data that the tests show in it."""

import torch

from recallkit.bench.memory import StepMemory
from recallkit.course import explorables
from recallkit.course.explorables.sprite import data_url, sprite
from recallkit.data.image_set import ImageSet

SIMILARITY = torch.tensor([0.9, 0.74, 0.7, 0.62, 0.55, 0.41, 0.3, 0.12], dtype=torch.float64)
POSITIVES = torch.tensor([2, 5])
DEGREES = torch.tensor(
    [100, 62, 20, -165, -28, 130, 165, -140, -115, -90, 40, 80, -50, 5, -62, 147]
)
ITEMS = torch.linspace(0.98, -0.02, 60, dtype=torch.float64)
NEGATIVES = torch.linspace(-0.2, 0.6, 30, dtype=torch.float64)
LABELS = torch.arange(16) // 4

IMAGES = ImageSet(
    torch.randint(
        256, (26, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    ),
    torch.arange(26) // 4,
    {label: f"class {label}" for label in range(7)},
    sources=tuple("abcd" * 6 + "ab"),
)
NEAREST = torch.stack([torch.arange(26).roll(-1 - place) for place in range(8)], dim=1)
FURTHER = NEAREST.flip(1)


def replay() -> explorables.Replay:
    """Twelve checkpoints of a training that was never run, on 24 queries."""
    return explorables.Replay(
        sprite=data_url(sprite(IMAGES.images)),
        names=[IMAGES.name(i) for i in range(26)],
        labels=IMAGES.labels,
        neighbours=[FURTHER[:24].tolist(), NEAREST[:24].tolist()] * 6,
        images_seen=[0, *(250 * 2**step for step in range(11))],
        recall=[step / 12 for step in range(12)],
        curve=[[128, 0.4], [5000, 0.3], [256_000, 0.1]],
        floor=0.08,
        checkpoint=9,
    )


MADE = {
    "step": explorables.Step,
    "line": lambda: explorables.Line(similarity=SIMILARITY, positives=POSITIVES),
    "mixing": explorables.Mixing,
    "solved": explorables.SolvedBatch,
    "arc": explorables.Arc,
    "memory": lambda: explorables.Memory.of(StepMemory(9.8e7, 8.91e7, 2e3), 24e9),
    "domain_mixing": explorables.DomainMixing,
    "pairs": lambda: explorables.Pairs(degrees=DEGREES, labels=LABELS, rank_temperature=0.1),
    "pair_plane": explorables.PairPlane,
    "interpolation": explorables.Interpolation,
    "pixel_weights": explorables.PixelWeights,
    "playground": explorables.Playground,
    "ranked_list": lambda: explorables.RankedList(similarity=ITEMS, ranks=[1, 10, 30]),
    "descent": lambda: explorables.Descent(degrees=DEGREES, labels=LABELS, rank_temperature=0.1),
    "surface": lambda: explorables.Surface(negatives=NEGATIVES),
    "neighbours": lambda: explorables.Neighbours.of(
        IMAGES, range(24), {"before": FURTHER, "after": NEAREST}
    ),
    "replay": replay,
    "three_views": lambda: explorables.ThreeViews(batch_sizes=[4, 8, 16, 32, 64, 128, 256, 512]),
}
