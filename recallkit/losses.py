"""Losses on embeddings: small functions of the relaxed ranks, and thin modules over them.

The recall@k loss (RS@k), its variants for experiments, and Smooth-AP. Each begins with
:func:`ranking_task`, which turns labels into queries and positives, and goes on with the ranks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from recallkit.checks import check_indices, check_ks, check_temperature
from recallkit.constants import PAPERS_KS
from recallkit.loss_inputs import (
    NO_POSITIVE,
    CutoffCheck,
    Gallery,
    LengthCheck,
    as_gallery,
    checked_labels,
)
from recallkit.ranks import (
    SmallProblem,
    check_engine,
    check_precision,
    compute_ranks,
    is_small,
    ranks_among_positives,
    table_of_positives,
)
from recallkit.small_recall import small_recall_loss
from recallkit.soft_recall import soft_count, soft_recall_at_k


class RecallAtKLoss(nn.Module):
    r"""The recall@k surrogate RS@k (Patel, Tolias, Matas, CVPR 2022).

        L = mean over queries q and over k of 1 − recall[q,k]

    with the recall of :func:`soft_recall_at_k` on the ranks of :func:`.relaxed_ranks`. Queries
    without a positive are left out of the mean. A perfect ranking does not reach 0: a positive at
    rank 1 counts sigmoid(0) = ½ for k = 1.

    Args:
        ks: the cut-offs. The paper's (1, 2, 4, 8, 16) spread the gradient over near and far ranks.
        k_temperature: τ₁ of the step at k, in ranks.
        rank_temperature: τ₂ of the ranks, in similarities. If it is too large, far items drown the
            near ones; if it is too small, only near ties have a gradient.
        query_in_database: False, as in the benchmarks: a query does not compete in its own
            ranking. True, as in the authors' released code: it does, with similarity 1, so every
            rank is about 1 larger. With a gallery it counts only where ``itself`` is given.
        engine, precision: see :func:`.relaxed_ranks`.

    Raises:
        ValueError: for a k below 1, a temperature that is not above 0, an unknown engine or
            precision; and on call for shapes that disagree, non-finite embeddings, places that are
            not in the gallery, or if no query has a positive.

    Example:
        >>> loss = RecallAtKLoss()
        >>> embeddings = torch.nn.functional.normalize(torch.randn(8, 16), dim=1)
        >>> value = loss(embeddings, torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    """

    def __init__(
        self,
        ks: Sequence[int] = PAPERS_KS,
        k_temperature: float = 1.0,
        rank_temperature: float = 0.01,
        query_in_database: bool = False,
        engine: str = "auto",
        precision: str = "float32",
    ) -> None:
        super().__init__()
        self.ks = check_ks(ks)
        self.k_temperature = check_temperature(k_temperature, "k_temperature")
        self.rank_temperature = check_temperature(rank_temperature, "rank_temperature")
        self.check_lengths = LengthCheck(self.rank_temperature)
        self.check_cutoffs = CutoffCheck(self.ks, self.k_temperature)
        check_engine(engine)
        check_precision(precision)
        self.query_in_database = query_in_database
        self.engine, self.precision = engine, precision

    def forward(
        self,
        embeddings: Tensor,
        labels: Any,
        gallery: Tensor | None = None,
        gallery_labels: Any = None,
        itself: Tensor | None = None,
        *,
        indices_tuple: tuple[Tensor, ...] | None = None,
        ref_emb: Tensor | None = None,
        ref_labels: Any = None,
    ) -> Tensor:
        """Compute the loss of a batch against itself, or of queries against a gallery.

        Args:
            embeddings: (B, D), or the queries (Q, D).
            labels: (B,) integers or text, in any order, classes of any size; of any kind that
                :func:`.canonical_labels` takes.
            gallery: (N, D), or None: the batch is its own gallery.
            gallery_labels: (N,), given with ``gallery``.
            itself: (Q,) int64, the place of each query in the gallery. A query is then not its own
                positive. None: the gallery holds none of the queries.
            indices_tuple: of pytorch-metric-learning, which may give its three arguments by
                position too. A tuple of all pairs, or of all but the query itself, is taken. A
                miner's choice is refused, since the loss ranks all items.
            ref_emb: its name for ``gallery``.
            ref_labels: its name for ``gallery_labels``.

        Returns:
            A scalar, float32 or float64.
        """
        given = Gallery(gallery, gallery_labels, itself)
        given = as_gallery(embeddings, given, (indices_tuple, ref_emb, ref_labels))
        task = ranking_task(embeddings, labels, *given, self.query_in_database)
        self.check_lengths(task.queries, task.gallery)
        self.check_cutoffs(len(task.gallery) - (task.left_out is not None))
        return self.of_task(task)

    def of_task(self, task: "RankingTask") -> Tensor:
        """Compute the loss of queries with their positives; a small batch takes a short cut."""
        if not is_small(self.engine, task.queries, task.gallery, task.positives):
            return self._by_ranks(task)
        problem = task.small_problem(self.rank_temperature, self.precision)
        return small_recall_loss(task.queries, task.gallery, problem, self.ks, self.k_temperature)

    def _by_ranks(self, task: "RankingTask") -> Tensor:
        ranks = task.ranks(self.rank_temperature, self.engine, self.precision)  # (Q', P)
        return 1 - self.recall(ranks).mean()

    def recall(self, ranks: Tensor) -> Tensor:
        """Compute :func:`soft_recall_at_k`: (Q, P) relaxed ranks, +∞ at padding → (Q, K) recall."""
        return soft_recall_at_k(ranks, self.ks, self.k_temperature)

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        return (
            f"ks={self.ks}, k_temperature={self.k_temperature}, "
            f"rank_temperature={self.rank_temperature}, "
            f"query_in_database={self.query_in_database}, "
            f"engine={self.engine!r}, precision={self.precision!r}"
        )


VARIANTS = ("recall@k-no-cap", "recall@k-over-positives", "recall@k-over-k")


class RecallVariant(RecallAtKLoss):
    r"""RS@k with one element of its definition changed, for experiments on that element.

    RS@k takes recall[q,k] = min(c, k) / min(k, P_q), with the soft count c of positives among the
    first k, c = Σ_p sigmoid((k − r[q,p]) / τ₁); see :func:`soft_recall_at_k`. The variants take

        recall@k-no-cap            c / min(k, P_q), which may exceed 1: the loss may be negative
        recall@k-over-positives    min(c, k) / P_q, which cannot reach 1 for k < P_q
        recall@k-over-k            min(c, k) / k, which cannot reach 1 for k > P_q

    Args:
        variant: one of :data:`VARIANTS`.
        settings, named: the arguments of :class:`RecallAtKLoss`, by position or by name.

    Raises:
        ValueError: for another variant, and as :class:`RecallAtKLoss`.
    """

    def __init__(self, variant: str, *settings: Any, **named: Any) -> None:
        super().__init__(*settings, **named)
        if variant not in VARIANTS:
            raise ValueError(f"variant must be one of {VARIANTS}, not {variant!r}")
        self.variant = variant

    def of_task(self, task: "RankingTask") -> Tensor:
        """Compute the loss of queries with their positives."""
        return self._by_ranks(task)

    def recall(self, ranks: Tensor) -> Tensor:
        """Compute the recall of the variant: (Q, P) ranks, +∞ at padding → (Q, K)."""
        k = torch.tensor(self.ks, dtype=ranks.dtype, device=ranks.device)  # (K,)
        count = soft_count(ranks, k, self.k_temperature)  # (Q, K)
        if self.variant != "recall@k-no-cap":
            count = torch.minimum(count, k)
        positives = ranks.isfinite().sum(dim=1, keepdim=True)  # (Q, 1)
        if self.variant == "recall@k-over-positives":
            return count / positives
        return count / (k if self.variant == "recall@k-over-k" else torch.minimum(k, positives))

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        return f"variant={self.variant!r}, {super().extra_repr()}"


class SmoothAPLoss(nn.Module):
    r"""Smooth-AP (Brown et al., ECCV 2020): one minus the relaxed average precision.

        L = mean over queries of 1 − 1/P_q · Σ_p r⁺[q,p] / r[q,p]

    with r the relaxed rank among all items (:func:`.relaxed_ranks`) and r⁺ that among the query's
    positives. A query never competes in its own ranking; queries without a positive are left out
    of the mean; classes may have any size. A perfect ranking has loss 0.

    Args:
        rank_temperature: τ, in similarities; 0.01 is the choice of Brown et al.
        engine, precision: see :func:`.relaxed_ranks`.

    Raises:
        ValueError: as :class:`RecallAtKLoss`.
    """

    def __init__(
        self, rank_temperature: float = 0.01, engine: str = "auto", precision: str = "float32"
    ) -> None:
        super().__init__()
        self.rank_temperature = check_temperature(rank_temperature, "rank_temperature")
        self.check_lengths = LengthCheck(self.rank_temperature, least=0)
        check_engine(engine)
        check_precision(precision)
        self.engine, self.precision = engine, precision

    def forward(
        self,
        embeddings: Tensor,
        labels: Any,
        gallery: Tensor | None = None,
        gallery_labels: Any = None,
        itself: Tensor | None = None,
        *,
        indices_tuple: tuple[Tensor, ...] | None = None,
        ref_emb: Tensor | None = None,
        ref_labels: Any = None,
    ) -> Tensor:
        """Compute the loss of a batch against itself, or of queries against a gallery.

        The arguments are those of :meth:`RecallAtKLoss.forward`.
        """
        given = Gallery(gallery, gallery_labels, itself)
        given = as_gallery(embeddings, given, (indices_tuple, ref_emb, ref_labels))
        task = ranking_task(embeddings, labels, *given)
        self.check_lengths(task.queries, task.gallery)
        ranks = task.ranks(self.rank_temperature, self.engine, self.precision)  # (Q', P)
        among = task.ranks_among_positives(self.rank_temperature, self.engine)  # (Q', P)
        precision = torch.where(ranks.isfinite(), among / ranks, 0)
        return 1 - (precision.sum(dim=1) / ranks.isfinite().sum(dim=1)).mean()

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        return (
            f"rank_temperature={self.rank_temperature}, "
            f"engine={self.engine!r}, precision={self.precision!r}"
        )


@dataclass(frozen=True)
class RankingTask:
    """Queries with the positives to be ranked: the arguments of :func:`.relaxed_ranks`.

    Attributes:
        queries: (Q, D), each with at least one positive.
        gallery: (N, D).
        positives: (Q, P) int64 indices into the gallery, −1 at padding.
        left_out: (Q,) int64, the gallery item that does not compete for each query; or None.
        full: whether it is known that no entry of ``positives`` is padding, which saves time.
    """

    queries: Tensor
    gallery: Tensor
    positives: Tensor
    left_out: Tensor | None
    full: bool = False

    def ranks(self, temperature: float, engine: str = "auto", precision: str = "float32") -> Tensor:
        """Compute the relaxed ranks (Q, P) of the positives; see :func:`.relaxed_ranks`."""
        return compute_ranks(
            self.queries,
            self.gallery,
            self.positives,
            self.left_out,
            temperature,
            engine,
            precision,
            self.full,
        )

    def small_problem(self, temperature: float, precision: str) -> SmallProblem:
        """Return what :func:`.small_recall_loss` takes beside queries and gallery."""
        return SmallProblem(self.positives, self.left_out, temperature, precision, self.full)

    def ranks_among_positives(self, temperature: float, engine: str = "auto") -> Tensor:
        """Compute the ranks (Q, P) among positives; see :func:`.ranks_among_positives`."""
        return ranks_among_positives(
            self.queries, self.gallery, self.positives, temperature, engine
        )


def ranking_task(
    queries: Tensor,
    query_labels: Any,
    gallery: Tensor | None = None,
    gallery_labels: Any = None,
    itself: Tensor | None = None,
    query_in_database: bool = False,
) -> RankingTask:
    """Turn labels into queries and positives to be ranked.

    Args:
        queries: (Q, D).
        query_labels: (Q,) integers or text.
        gallery: (N, D), or None: the queries are their own gallery.
        gallery_labels: (N,) of the same kind, given with ``gallery``.
        itself: (Q,) int64, the place of each query in a gallery that is given; or None.
        query_in_database: whether a query competes in its own ranking.

    Returns:
        The Q' queries that have a positive, in their order, and the gallery that they are ranked
        in.

    Raises:
        ValueError: as :class:`RecallAtKLoss`.
    """
    labels = checked_labels(queries, query_labels, gallery, gallery_labels)
    positives, full = table_of_positives(*labels)  # (Q, P)
    if gallery is None:
        if itself is not None:
            raise ValueError("itself is the place of each query in a gallery: give gallery, too")
        gallery, itself = queries, torch.arange(len(queries), device=queries.device)
    elif itself is not None:
        check_indices(itself, (len(queries),), len(gallery), "itself")
        itself = itself.to(queries.device)
        positives = positives.masked_fill(positives == itself[:, None], -1)
        full = bool(positives.min() >= 0)
    left_out = None if query_in_database else itself
    if full:
        return RankingTask(queries, gallery, positives, left_out, full)
    has_positive = (positives >= 0).any(dim=1)  # (Q,)
    if has_positive.all():  # no copies: queries that are their own gallery stay one tensor
        return RankingTask(queries, gallery, positives, left_out)
    kept = has_positive.nonzero().squeeze(1)  # (Q',)
    if len(kept) == 0:
        raise ValueError(NO_POSITIVE)
    left_out = None if left_out is None else left_out[kept]
    return RankingTask(queries[kept], gallery, positives[kept], left_out)
