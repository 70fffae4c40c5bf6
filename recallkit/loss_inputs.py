"""Inputs of a loss: names of another library, and lengths and cut-offs that cannot be meant.

pytorch-metric-learning calls a loss with (embeddings, labels, indices_tuple, ref_emb, ref_labels).
There ``ref_emb`` is what is called gallery here. ``indices_tuple`` lists the pairs or triplets that
a miner chose. The losses here rank each query among all items, so they cannot leave out any but the
query itself: that is what a tuple of all other pairs says.
"""

import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recallkit.checks import check_embeddings, check_labels, check_same_dimension
from recallkit.labels import canonical_labels

NO_POSITIVE = (
    "no query has a positive: each label occurs once. "
    "Sample at least two images of a class, as ClassBalancedSampler does."
)

LENGTHS = (0.5, 2.0)  # of the longest embedding, within which nothing is said
FLAT = 10.0  # τ₁ from k a sigmoid has a slope below 5e-5
SPREADS = (10.0, 400.0)  # (longest length)² / τ, within which nothing is said; the paper's is 100


class Gallery(NamedTuple):
    """The arguments ``gallery``, ``gallery_labels`` and ``itself`` of a loss."""

    gallery: Tensor | None
    gallery_labels: Any
    itself: Tensor | None


def as_gallery(embeddings: Tensor, given: Gallery, metric_learning: tuple) -> Gallery:
    """Translate the arguments of pytorch-metric-learning to those of a loss here.

    Args:
        embeddings: (Q, D), the queries.
        given: the arguments here; by position, pytorch-metric-learning puts its own there.
        metric_learning: its arguments by name: indices_tuple, ref_emb, ref_labels.

    Raises:
        ValueError: for a tuple that leaves out more than the query itself, or both kinds of
            arguments.
    """
    if _is_in_order_of_metric_learning(given):
        metric_learning, given = tuple(given), Gallery(None, None, None)
    indices, gallery, labels = metric_learning
    if gallery is not None and given.gallery is not None:
        raise ValueError("gallery and ref_emb are two names of the same argument: give one of them")
    if (gallery is None) != (labels is None):
        raise ValueError("ref_emb and ref_labels must be given together, or neither")
    if gallery is not None and gallery is not embeddings:
        given = Gallery(gallery, labels, given.itself)
    if indices is None:
        return given
    items = len(embeddings if given.gallery is None else given.gallery)
    itself = left_out_by(indices, len(embeddings), items)
    if given.gallery is not None:
        return given._replace(itself=itself)
    if itself is None or (itself != torch.arange(items, device=itself.device)).any():
        raise ValueError(_REFUSED)
    return given  # a batch that is its own gallery leaves out each query anyway


def checked_labels(
    queries: Tensor, query_labels: Any, gallery: Tensor | None, gallery_labels: Any
) -> list[Tensor]:
    """Refuse a batch that no loss can take; return its labels, and a gallery's.

    Args:
        queries: (Q, D).
        query_labels: (Q,) of any kind that :func:`.canonical_labels` takes.
        gallery: (N, D), or None.
        gallery_labels: (N,) of the same kind, given with ``gallery``.

    Returns:
        (Q,) int64, and with a gallery (N,) int64, on the device of the queries.

    Raises:
        ValueError: naming the argument: shapes that disagree, non-finite embeddings, missing or
            mixed labels.
    """
    if (gallery is None) != (gallery_labels is None):
        raise ValueError("gallery and gallery_labels must be given together, or neither")
    check_embeddings(queries, "embeddings" if gallery is None else "queries")
    given, lengths = {"labels": query_labels}, {"labels": len(queries)}
    if gallery is not None:
        check_embeddings(gallery, "gallery")
        check_same_dimension(queries, gallery)
        given["gallery_labels"], lengths["gallery_labels"] = gallery_labels, len(gallery)
    labels = canonical_labels(given)
    for name, numbers in zip(given, labels, strict=True):
        check_labels(numbers, lengths[name], name)
    return [numbers.to(queries.device) for numbers in labels]


def _is_in_order_of_metric_learning(given: Gallery) -> bool:
    """Tell whether the third argument is a tuple of indices, or the fourth are embeddings."""
    first, second, _ = given
    tuples = isinstance(first, tuple | list) and all(isinstance(part, Tensor) for part in first)
    return tuples or (first is None and isinstance(second, Tensor) and second.ndim == 2)


def left_out_by(indices: tuple[Tensor, ...], queries: int, items: int) -> Tensor | None:
    """Find the item that a tuple of all pairs leaves out for each query.

    Args:
        indices: (a, p, b, n): queries a with their positives p, and b with their negatives n.
        queries: Q.
        items: N, of the gallery.

    Returns:
        (Q,) int64; None if nothing is left out.

    Raises:
        ValueError: for triplets, for a pair that comes twice or lies outside the table of all
            pairs, or if another number of items is left out.
    """
    if len(indices) != 4:
        raise ValueError(_REFUSED)
    query, item = torch.cat([indices[0], indices[2]]), torch.cat([indices[1], indices[3]])
    if not (_within(query, queries) and _within(item, items)):
        raise ValueError(_REFUSED)
    listed = torch.zeros(queries, items, dtype=torch.bool, device=query.device)
    listed[query, item] = True
    pairs = listed.sum(dim=1)  # (Q,)
    repeated = pairs.sum() < len(query)
    if not repeated and (pairs == items).all():
        return None
    if repeated or (pairs != items - 1).any():
        raise ValueError(_REFUSED)
    return (~listed).nonzero()[:, 1]  # one for each query, in their order


def _within(places: Tensor, length: int) -> bool:
    return bool(((places >= 0) & (places < length)).all())


_REFUSED = (
    "indices_tuple holds a choice of pairs or triplets, but this loss ranks each query among all "
    "items: leave out the miner. Items that cannot change a rank have no gradient anyway."
)


class CutoffCheck:
    """A warning, once, that every cut-off k lies far beyond the end of the ranking.

    All positives are then among the first k of any embeddings. The sigmoids of (k − r) / τ₁ are
    flat for every rank r there is, so loss and gradient are next to 0. This happens where cut-offs
    chosen for a large batch meet a small one.

    Args:
        ks: the cut-offs.
        temperature: τ₁, in ranks.
    """

    def __init__(self, ks: tuple[int, ...], temperature: float) -> None:
        self.smallest, self.temperature, self.warned = min(ks), temperature, False

    def __call__(self, ranked: int) -> None:
        """Compare the cut-offs with the number of items that a query is ranked among."""
        near = self.smallest - ranked < FLAT * self.temperature
        if near or self.warned or torch.compiler.is_compiling():
            return
        self.warned = True
        warnings.warn(
            f"each query is ranked among {ranked} items, and the smallest k is {self.smallest}: "
            f"recall@k is 1 whatever the embeddings are, so its gradient is next to 0. Choose a "
            f"smaller k, or a larger batch or gallery",
            RuntimeWarning,
            stacklevel=5,
        )


class LengthCheck:
    """A warning, once, about embeddings that are clearly not of unit length.

    The loss depends on s/τ. Unit vectors at τ = 0.01 have s/τ within ±100. With vectors of length
    10 it is within ±10,000: nearly all sigmoids are flat, and the relative gradient of a batch of
    64 falls from 6e-2 to 7e-7. With vectors of length 0.1 it is within ±1: all items have nearly
    the same rank, N/2. The recall@k loss of a batch of 256 is then 1, without a gradient.

    Only the longest embedding counts. So the virtual examples of SiMix, which are shorter than
    their parents, cause no warning. With a gallery, both must be too long, or both too short. The
    lengths are read at calls 1, 2, 4, 8, …, since reading makes the host wait for the device; not
    in compiled code.

    Args:
        temperature: τ.
        least: the smallest (longest length)² / τ that is taken.
    """

    def __init__(self, temperature: float, least: float = SPREADS[0]) -> None:
        self.temperature, self.least = temperature, least
        self.calls, self.warned = 0, False

    def __call__(self, queries: Tensor, gallery: Tensor) -> None:
        """Look at queries (Q, D) and gallery (N, D), if it is their turn."""
        if torch.compiler.is_compiling() or self.warned:
            return
        self.calls += 1
        if self.calls & (self.calls - 1) == 0:
            tensors = (queries,) if gallery is queries else (queries, gallery)
            lengths = [torch.linalg.vector_norm(t.detach().float(), dim=1).max() for t in tensors]
            shortest, longest = torch.stack(lengths).aminmax()
            self._look(shortest.item() if shortest > 1 else min(1.0, longest.item()))

    def _look(self, longest: float) -> None:
        spread = longest**2 / self.temperature
        if LENGTHS[0] <= longest <= LENGTHS[1] or self.least <= spread <= SPREADS[1]:
            return
        self.warned = True
        effect = "all items have nearly the same rank, and a large batch has no gradient"
        if longest > 1:
            effect = "most sigmoids are flat, and there is nearly no gradient"
        warnings.warn(
            f"embeddings have lengths up to {longest:.3g}, not 1. At rank_temperature = "
            f"{self.temperature:g} {effect}. "
            f"Divide them by their lengths, torch.nn.functional.normalize(embeddings, dim=1), or "
            f"choose rank_temperature near {0.01 * longest**2:.2g}",
            RuntimeWarning,
            stacklevel=6,
        )


class UnitLengthCheck(LengthCheck):
    """A warning, once, about embeddings that are clearly not of unit length, for losses on cosines.

    Such a loss compares similarities with fixed numbers, which must then be cosines. The lengths
    are read as in :class:`LengthCheck`.
    """

    def __init__(self) -> None:
        super().__init__(temperature=1.0)

    def _look(self, longest: float) -> None:
        if LENGTHS[0] <= longest <= LENGTHS[1]:
            return
        self.warned = True
        warnings.warn(
            f"embeddings have lengths up to {longest:.3g}, not 1, but this loss compares "
            f"similarities with margins made for cosines. Divide them by their lengths, "
            f"torch.nn.functional.normalize(embeddings, dim=1)",
            RuntimeWarning,
            stacklevel=6,
        )
