"""Figures that answer the hand: ES modules that compute in the page, and their Python classes."""

from recallkit.errors import needs_extra

with needs_extra("recallkit.course.explorables", "course"):
    from recallkit.course.explorables.base import Explorable
    from recallkit.course.explorables.batch_size import ThreeViews
    from recallkit.course.explorables.benchmarks import Playground
    from recallkit.course.explorables.definitions import Arc
    from recallkit.course.explorables.domains import DomainMixing
    from recallkit.course.explorables.gallery import Neighbours, Replay
    from recallkit.course.explorables.gradients import Descent, Pairs, RankedList
    from recallkit.course.explorables.interpolation import Interpolation
    from recallkit.course.explorables.large_batch import Memory
    from recallkit.course.explorables.pairs_or_ranks import PairPlane
    from recallkit.course.explorables.pixels import PixelWeights
    from recallkit.course.explorables.predictions import Predictions
    from recallkit.course.explorables.ranking import Line, Step
    from recallkit.course.explorables.simix import Mixing, SolvedBatch
    from recallkit.course.explorables.temperatures import Surface

__all__ = [
    "Arc",
    "Descent",
    "DomainMixing",
    "Explorable",
    "Interpolation",
    "Line",
    "Memory",
    "Mixing",
    "Neighbours",
    "PairPlane",
    "Pairs",
    "PixelWeights",
    "Playground",
    "Predictions",
    "RankedList",
    "Replay",
    "SolvedBatch",
    "Step",
    "Surface",
    "ThreeViews",
]
