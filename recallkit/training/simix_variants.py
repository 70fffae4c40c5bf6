"""SiMix with one element changed, for experiments on what makes it help or harm."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from recallkit.checks import check_embeddings, check_labels
from recallkit.labels import canonical_labels
from recallkit.losses import RankingTask, RecallAtKLoss
from recallkit.ranks import find_positives
from recallkit.simix import SimilarityMixup, same_class_pairs

WEIGHTS = ("middle", "ends")
ROLES = ("queries", "gallery", "no-relatives")
VARIANTS = (*WEIGHTS, *ROLES)


class MixupVariant(SimilarityMixup):
    """SiMix with other weights α of the two parents.

        middle    α = ½, halfway between the parents
        ends      α = sin²(πu/2), u ~ U(0, 1): the arcsine law, most of it near a parent

    Args:
        weights: one of these.

    Raises:
        ValueError: for other weights.
    """

    def __init__(self, weights: str) -> None:
        super().__init__()
        if weights not in WEIGHTS:
            raise ValueError(f"weights must be one of {WEIGHTS}, not {weights!r}")
        self.weights = weights

    def draw(self, count: int, like: Tensor) -> Tensor:
        """Draw α of ``count`` pairs: (M,) from 0 to 1, with dtype and device of ``like``."""
        uniform = super().draw(count, like)
        if self.weights == "middle":
            return torch.full_like(uniform, 0.5)
        return (math.pi / 2 * uniform).sin().square()


class SimixRoleLoss(nn.Module):
    """RS@k of a batch with virtual examples in another role than SiMix gives them.

        queries         virtual examples search, and are not found: the gallery is the batch
        gallery         virtual examples are found, and do not search: the queries are the batch
        no-relatives    they do both, but a virtual example and its two parents are neither
                        positives nor competitors of each other

    In SiMix virtual examples search and are found, and their parents count like all others. The
    mean is over all queries that have a positive, real and virtual alike.

    Args:
        role: one of these.
        loss: RS@k or a variant; its definition and temperatures are taken.

    Raises:
        ValueError: for another role.
    """

    def __init__(self, role: str, loss: RecallAtKLoss) -> None:
        super().__init__()
        if role not in ROLES:
            raise ValueError(f"role must be one of {ROLES}, not {role!r}")
        self.role, self.loss, self.mixup = role, loss, SimilarityMixup()

    def forward(self, embeddings: Tensor, labels: Any) -> Tensor:
        """Compute the loss of a batch: (B, D) embeddings, (B,) labels → scalar."""
        check_embeddings(embeddings)
        [labels] = canonical_labels({"labels": labels})
        check_labels(labels, len(embeddings))
        mixed, mixed_labels = self.mixup(embeddings, labels.to(embeddings.device))
        task, absent = role_task(self.role, len(embeddings), mixed, mixed_labels)
        settings = self.loss.rank_temperature, self.loss.engine, self.loss.precision
        if self.loss.query_in_database:
            absent = absent[:, 1:]
        ranks = task.ranks(*settings) - competition(task, absent, self.loss.rank_temperature)
        return 1 - self.loss.recall(ranks).mean()


def role_task(role: str, real: int, mixed: Tensor, labels: Tensor) -> tuple[RankingTask, Tensor]:
    """Choose queries, gallery and positives, and what is absent from each ranking.

    Args:
        role: see :class:`SimixRoleLoss`.
        real: B, the number of real examples, which come first.
        mixed: (B', D) real and virtual examples.
        labels: (B',) their classes.

    Returns:
        The task, in which everything competes; and (Q, 1 + R) places in the gallery that are to be
        taken out again: the query itself first, then its relatives; −1 for nothing.

    Raises:
        ValueError: if no query has a positive.
    """
    queries = torch.arange(real if role == "gallery" else len(mixed), device=mixed.device)
    gallery = mixed[:real] if role == "queries" else mixed
    absent = torch.where(queries < len(gallery), queries, -1)[:, None]
    if role == "no-relatives":
        absent = torch.cat([absent, relatives(labels[:real])], dim=1)
    positives = find_positives(labels[queries], labels[: len(gallery)])  # (Q, P)
    hidden = (positives[:, :, None] == absent[:, None]).any(dim=2)
    positives = positives.masked_fill(hidden, -1)
    kept = (positives >= 0).any(dim=1)
    if not kept.any():
        raise ValueError("no query has a positive: sample at least two images of a class")
    return RankingTask(mixed[queries[kept]], gallery, positives[kept], None), absent[kept]


def relatives(labels: Tensor) -> Tensor:
    """List the parents of each virtual example, and the virtual examples of each real one.

    Args:
        labels: (B,) of the real examples.

    Returns:
        (B', R) int64 places among real and virtual examples, −1 at padding.
    """
    first, second = same_class_pairs(labels)  # (M,)
    real, pairs = torch.arange(len(labels), device=labels.device), len(first)
    children = find_positives(real, torch.cat([first, second]))  # (B, C), −1 at padding
    children = torch.where(children < 0, -1, len(labels) + children % max(1, pairs))
    parents = torch.stack([first, second], dim=1)  # (M, 2)
    width = max(2, children.shape[1])
    table = children.new_full((len(labels) + pairs, width), -1)
    table[: len(labels), : children.shape[1]] = children
    table[len(labels) :, :2] = parents
    return table


def competition(task: RankingTask, items: Tensor, temperature: float) -> Tensor:
    """Sum what some gallery items add to the ranks of the positives: (Q, P), 0 at padding.

        Σ_{z ∈ items[q]} sigmoid((s[q,z] − s[q,p]) / τ)

    Args:
        task: queries, gallery and positives.
        items: (Q, R) places in the gallery, −1 at padding.
        temperature: τ.
    """
    others, own = (_similarities(task, places) for places in (items, task.positives))
    above = torch.sigmoid((others[:, None] - own[:, :, None]) / temperature)  # (Q, P, R)
    counted = (items >= 0)[:, None] & (task.positives >= 0)[:, :, None]
    return torch.where(counted, above, 0).sum(dim=2)


def _similarities(task: RankingTask, places: Tensor) -> Tensor:
    return torch.einsum("qd,qpd->qp", task.queries, task.gallery[places.clamp(min=0)])
