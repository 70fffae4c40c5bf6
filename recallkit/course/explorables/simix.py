"""A virtual example between two images, and what virtual examples ask of a solved batch."""

from typing import Any

import traitlets

from recallkit.course.explorables.base import Explorable, Numbers
from recallkit.course.solved_batch import random_alphas, random_start


class Mixing(Explorable):
    """A virtual example v = α x + (1 − α) z on the chord of its parents, and its similarity to w.

    All three are unit vectors in a plane; z lies at 0°.

    Attributes:
        alpha: α, the weight of x, 0 to 1; default ½.
        apart: degrees from z to x, 10 to 170; default 80.
        query: degrees from z to w, 0 to 180; default 100.
    """

    module = "mixing"
    alpha = traitlets.Float(0.5, min=0, max=1).tag(sync=True)
    apart = traitlets.Float(80, min=10, max=170).tag(sync=True)
    query = traitlets.Float(100, min=0, max=180).tag(sync=True)


class SolvedBatch(Explorable):
    """A toy batch between random and solved: its loss and gradient without SiMix, and with it.

    Four classes of four points; :mod:`recallkit.course.solved_batch` says how they move. RS@k has
    the paper's K and τ₁.

    Attributes:
        start: 16 rows of 8 numbers, random points; a tensor (16, 8) will do.
        alphas: 24 numbers from 0 to 1, the α of each pair of one class; a tensor (24,) will do.
        share: how far the points are from the start, 0, to a batch whose rankings are perfect and
            whose positives are well spaced, 1; default 0.5.
        rank_temperature: τ₂, 0.001 to 1; default 0.01, the paper's.
    """

    module = "solved"
    start = Numbers().tag(sync=True)
    alphas = Numbers(traitlets.Float(min=0, max=1)).tag(sync=True)
    share = traitlets.Float(0.5, min=0, max=1).tag(sync=True)
    rank_temperature = traitlets.Float(0.01, min=0.001, max=1).tag(sync=True)

    @traitlets.default("start")
    def _random_start(self) -> list[list[float]]:
        return random_start().tolist()

    @traitlets.default("alphas")
    def _random_alphas(self) -> list[float]:
        return random_alphas().tolist()

    @traitlets.validate("start", "alphas")
    def _as_many_as_the_batch(self, proposal: Any) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        if name == "start" and not (len(value) == 16 and all(len(row) == 8 for row in value)):
            raise traitlets.TraitError(f"start must hold 16 rows of 8 numbers, not {len(value)}")
        if name == "alphas" and len(value) != 24:
            raise traitlets.TraitError(f"alphas must hold 24 numbers, not {len(value)}")
        return value
