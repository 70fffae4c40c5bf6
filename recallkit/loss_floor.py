r"""The loss of a perfect ranking, which is not 0, and how far above it a training loss is.

A query with P positives is ranked perfectly if no other image comes before any of them. If they are
also well spaced (their similarities differ by far more than τ₂), the relaxed ranks are whole
numbers, r = 1, 2, …, P, and for the capped RS@k

    L(P) = 1 − 1/|K| · Σ_k min(Σ_{j=1..P} sigmoid((k − j) / τ₁), k) / min(k, P).

With the query in its own database every rank is one larger, r = 2, …, P + 1: the query comes first.
The variants of RS@k differ from this as their definitions do. Smooth-AP is 0.

**What it is a floor of.** A wrong image before a positive raises ranks, and no loss here falls when
a rank rises. So among all rankings whose positives are well spaced, the perfect one has the least
loss. That holds for every K, τ₁ and P, and for all variants.

**What it is not.** Positives that tie share the mean of their ranks, and a loss may like that
better. It is therefore no lower bound over all embeddings:

- Smooth-AP: 0 is the least value of all, with ties or without.
- RS@k and its variant without the cap, with K = {1, 2, 4, 8, 16} or the long set, τ₁ = 1, and the
  query left out: for P = 1, 3, 5 and 9 a numerical search finds nothing lower. For P = 2 a tie is
  lower, by less than 0.0002.
- A single k, other τ₁, other divisors: ties may be lower, by 0.08 for K = {4} and P = 5.
- Query in its database: a class that collapses to one point ties with its query and is lower, for
  P = 3 and the paper's K 0.215 against 0.285. A virtual example of SiMix can even come after a
  positive in its own ranking, since it is shorter than its parents.

**Losses on pairs** (contrastive, triplet, …) have no such floor. They depend on how large
similarities are: of two perfect rankings one may have a low loss and the other a high one.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from recallkit.losses import RecallAtKLoss, SmoothAPLoss

NEARLY_SOLVED = 0.1
"""Excess at which a batch counts as nearly solved: nine of ten rankings are perfect, roughly."""


@dataclass(frozen=True)
class Floor:
    """The loss of a perfect ranking, and the length of a step above it.

    Attributes:
        perfect: the loss if every query is ranked perfectly; NaN for a loss without a floor.
        one_wrong: the loss if one wrong image comes before all positives of every query.
    """

    perfect: float
    one_wrong: float

    def excess(self, loss: float) -> float:
        """Return (loss − perfect) / (one_wrong − perfect).

        0 at the floor; 1 if each query has one wrong image before all its positives. Its unit is a
        query, so it can be compared between losses, cut-offs and temperatures. Where few rankings
        are wrong it is close to the share of queries whose ranking is not perfect.

        Returns:
            A number below 0 if the loss is below the floor; NaN without a floor, or if a wrong
            image costs nothing.
        """
        step = self.one_wrong - self.perfect
        return (loss - self.perfect) / step if step > 0 else math.nan

    def is_nearly_solved(self, loss: float) -> bool:
        """Tell whether the excess is at most :data:`NEARLY_SOLVED`; False without a floor."""
        return self.excess(loss) <= NEARLY_SOLVED

    def describe(self, loss: float) -> str:
        """Write a training loss and its floor in one line."""
        if math.isnan(self.perfect):
            return f"training loss {loss:.3f}"
        text = f"training loss {loss:.3f}, floor {self.perfect:.3f}"
        if loss < self.perfect:
            return f"{text}: below the loss of a perfect ranking"
        return text + (": the batch is nearly solved" if self.is_nearly_solved(loss) else "")


NO_FLOOR = Floor(math.nan, math.nan)


def batch_floor(loss: nn.Module, positives: Mapping[int, int]) -> Floor:
    """Compute the floor of a loss for queries with these numbers of positives.

    Args:
        loss: a :class:`.RecallAtKLoss`, one of its variants, or a :class:`.SmoothAPLoss`. Any other
            module has no floor.
        positives: number of positives P → number of queries; see :func:`count_positives`.

    Returns:
        Means over the queries, as the loss is one.

    Raises:
        ValueError: if there is no query, or one without a positive.
    """
    if not positives or min(positives) < 1:
        raise ValueError(f"positives must hold queries with at least one each, not {positives}")
    if not isinstance(loss, (RecallAtKLoss, SmoothAPLoss)):
        return NO_FLOOR
    counts = torch.tensor([*positives.values()], dtype=torch.float64)
    means = (
        (perfect_ranking_loss(loss, [*positives], wrong) * counts).sum() / counts.sum()
        for wrong in (0, 1)
    )
    return Floor(*(mean.item() for mean in means))


def perfect_ranking_loss(
    loss: RecallAtKLoss | SmoothAPLoss, positives: Sequence[int], wrong_before: int = 0
) -> Tensor:
    """Compute the loss of queries whose well-spaced positives follow each other in the ranking.

    Args:
        loss: with its cut-offs, its τ₁ and its definition.
        positives: P of each of Q queries.
        wrong_before: images of other classes before the first positive.

    Returns:
        (Q,) float64.
    """
    among = torch.arange(1, max(positives) + 1, dtype=torch.float64).expand(len(positives), -1)
    real = among <= torch.tensor(positives)[:, None]  # (Q, P)
    ranks = among + wrong_before
    if isinstance(loss, SmoothAPLoss):
        return 1 - torch.where(real, among / ranks, 0).sum(dim=1) / real.sum(dim=1)
    ranks = ranks + loss.query_in_database
    return 1 - loss.recall(ranks.masked_fill(~real, torch.inf)).mean(dim=1)


def count_positives(
    class_sizes: Mapping[int, int], per_class: int, simix: bool = False
) -> dict[int, int]:
    """Count the queries of an epoch of :class:`.ClassBalancedSampler` by their positives.

    A class of m images is cut into groups of ``per_class``; what is left over is a group if it has
    two images or more. Of a group of n, n images are queries with n − 1 positives. SiMix makes them
    e = n (n + 1) / 2 examples, all of them queries with e − 1 positives: 9 for n = 4.

    It is a count over the epoch: a single batch may hold more of the smaller groups or fewer, and
    its last group may be cut.

    Args:
        class_sizes: number of images → number of classes that have so many.
        per_class: images of a class in a batch.
        simix: whether virtual examples are added.

    Returns:
        P → number of queries, for each P ≥ 1 that occurs.
    """
    groups: Counter[int] = Counter()
    for size, classes in class_sizes.items():
        groups[per_class] += size // per_class * classes
        groups[size % per_class] += classes
    examples = {n: n * (n + 1) // 2 if simix else n for n in groups if n > 1}
    return {e - 1: e * groups[n] for n, e in examples.items() if groups[n]}
