r"""UniLoss: any metric that is a function of comparisons, interpolated between known outcomes.

    scores → differences d of a positive's and a negative's score
           → comparisons b = 2 σ(d / τ) − 1, in −1 … 1 where the metric has b ∈ {−1, 1}
           → ĝ(b) = Σ_i g(b_i) / ‖b − b_i‖ ÷ Σ_i 1 / ‖b − b_i‖

The metric g itself is computed at some corners b_i of the cube only, the *anchors*. The metric gets
no gradient, and needs no relaxation: only the distances to the anchors have one.

Source: L. Liu, M. Wang, J. Deng, *A Unified Framework of Surrogate Loss by Refactoring and
Interpolation*, ECCV 2020, arXiv 2007.13870.
"""

from collections.abc import Callable, Iterator
from functools import partial
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from recallkit.checks import check_temperature, check_tensor
from recallkit.loss_inputs import Gallery, as_gallery
from recallkit.related.pairs import all_pairs

Metric = Callable[[Tensor], Tensor]
"""(A, R, P, N) comparisons of +1, −1 and 0 at padding → (A,), larger is better."""

BLOCK = 2**22  # comparisons of anchors that are handled at a time


def interpolate(values: Tensor, comparisons: Tensor, anchors: Tensor) -> Tensor:
    r"""Interpolate a metric between anchors, by their inverse distances.

        ĝ = Σ_i g_i / d_i ÷ Σ_i 1 / d_i,    d_i = ‖b − b_i‖₂
        ∂ĝ/∂b = −Σ_i (g_i − ĝ) (b − b_i) / d_i³ ÷ Σ_i 1 / d_i

    At an anchor ĝ is exactly the value there. Beside it, ĝ rises or falls in proportion to the
    distance, like a cone; value and gradient are computed without the differences of large numbers
    that the formulas have there. At the tip of the cone no direction is preferred, and the gradient
    is 0. Anchors that are equal count as often as they occur; give them equal values.

    Memory besides the inputs: a few times C numbers, and at most 2²² more.

    Args:
        values: (A,) g_i, the metric at the anchors. They have no gradient.
        comparisons: (C,) floating, b.
        anchors: (A, C) of any number type, b_i. They have no gradient.

    Returns:
        A scalar of the dtype of ``comparisons``, between the least and the largest value.
        Differentiable once.

    Raises:
        ValueError: for shapes that do not fit each other, no anchor, or no comparison.
    """
    given = {"values": values, "comparisons": comparisons, "anchors": anchors}
    for name, tensor in given.items():
        check_tensor(tensor, name)
    if comparisons.ndim != 1 or not len(comparisons) or not comparisons.is_floating_point():
        raise ValueError(
            f"comparisons must be a non-empty floating tensor (C,), "
            f"not {comparisons.dtype} of shape {tuple(comparisons.shape)}"
        )
    if anchors.ndim != 2 or not len(anchors) or anchors.shape[1] != len(comparisons):
        raise ValueError(
            f"anchors must be of shape (A, {len(comparisons)}) with at least one row, "
            f"not {tuple(anchors.shape)}"
        )
    if values.shape != anchors.shape[:1]:
        raise ValueError(
            f"values must be of shape ({len(anchors)},), one for each anchor, "
            f"not {tuple(values.shape)}"
        )
    return _Interpolation.apply(values.detach().to(comparisons), comparisons, anchors)


class _Interpolation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, comparisons, anchors):
        distances = torch.cat([a.square().sum(dim=1) for a in _offsets(comparisons, anchors)])
        distances = distances.sqrt()  # (A,)
        nearest = distances.argmin()
        weights = distances[nearest] / distances  # 1/d, as shares of the largest
        weights = torch.where(distances == 0, 1, weights)
        relative = values - values[nearest]
        shift = (relative * weights).sum() / weights.sum()  # ĝ − g of the nearest
        slope = (relative - shift) * weights / weights.sum() / distances / distances
        slope = torch.where(distances == 0, 0, slope)  # (A,)
        ctx.save_for_backward(slope, comparisons, anchors)
        return values[nearest] + shift

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        slope, comparisons, anchors = ctx.saved_tensors
        gradient = torch.zeros_like(comparisons)
        blocks = slope.split(_rows(anchors))
        for weights, offsets in zip(blocks, _offsets(comparisons, anchors), strict=True):
            gradient -= weights @ offsets
        return None, grad * gradient, None


def _rows(anchors: Tensor) -> int:
    """Return how many anchors are handled at a time."""
    return max(1, BLOCK // anchors.shape[1])


def _offsets(comparisons: Tensor, anchors: Tensor) -> Iterator[Tensor]:
    """Yield b − b_i, block by block of anchors."""
    for block in anchors.split(_rows(anchors)):
        yield comparisons - block.to(comparisons.dtype)


def draw_anchors(
    comparisons: Tensor, real: Tensor, count: int = 16, generator: torch.Generator | None = None
) -> Tensor:
    """Draw the anchors of UniLoss: corners of the cube near the truth, near here, and anywhere.

        1        the truth: all comparisons are right
        count    good: the truth with one comparison wrong
        count    near: the signs of the comparisons with one wrong one mended; if none is wrong,
                 one comparison of the truth is made wrong, as for the good ones
        count    random: each comparison right or wrong, with equal chance

    A comparison of 0, a tie, counts as wrong.

    Args:
        comparisons: (C,) numbers, b; above 0 is right.
        real: (C,) bool, False at padding, where all anchors are 0. At least one is True.
        count: of each of three kinds; 16 in the released code, so 49 anchors in all.
        generator: the source of the random numbers; its device may differ. None: the default
            generator of the comparisons' device.

    Returns:
        (1 + 3 · count, C) int8: +1, −1, and 0 at padding.

    Raises:
        ValueError: for comparisons that are no numbers (C,), a mask of another form, or a count
            below 1.
    """
    _check_anchors_of(comparisons, real, count)
    draw = partial(_draw, count=count, generator=generator, device=comparisons.device)
    truth = real.to(torch.int8)
    places, wrong = (x.nonzero().squeeze(1) for x in (real, real & (comparisons <= 0)))
    start, mended = truth, places
    if len(wrong):
        start, mended = torch.where(comparisons > 0, truth, -truth), wrong
    anywhere = torch.randint(
        2,
        (count, len(places)),
        generator=generator,
        dtype=torch.int8,
        device=comparisons.device if generator is None else generator.device,
    )
    random = truth.repeat(count, 1)
    random[:, places] = 2 * anywhere.to(comparisons.device) - 1
    return torch.cat(
        [truth[None], _with_flips(truth, draw(places)), _with_flips(start, draw(mended)), random]
    )


def _check_anchors_of(comparisons: Tensor, real: Tensor, count: int) -> None:
    check_tensor(comparisons, "comparisons")
    check_tensor(real, "real")
    if comparisons.ndim != 1 or comparisons.is_complex() or comparisons.dtype == torch.bool:
        raise ValueError(
            f"comparisons must be numbers (C,), not {comparisons.dtype} of shape "
            f"{tuple(comparisons.shape)}"
        )
    if real.dtype != torch.bool or real.shape != comparisons.shape or not real.any():
        raise ValueError(
            f"real must be bool of shape {tuple(comparisons.shape)} with at least one True, "
            f"not {real.dtype} of shape {tuple(real.shape)}"
        )
    if count < 1:
        raise ValueError(f"count must be at least 1, not {count}")


def _draw(
    places: Tensor, count: int, generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """Draw ``count`` of some places, with repetition."""
    source = device if generator is None else generator.device
    chosen = torch.randint(len(places), (count,), generator=generator, device=source)
    return places[chosen.to(device)]


def _with_flips(start: Tensor, places: Tensor) -> Tensor:
    """Return a copy of (C,) for each place, where that one has the other sign."""
    copies = start.repeat(len(places), 1)
    rows = torch.arange(len(places), device=places.device)
    copies[rows, places] *= -1
    return copies


class UniLoss(nn.Module):
    r"""One minus a metric that is interpolated between outcomes (Liu and others, ECCV 2020).

        L = 1 − ĝ(b)

    with ĝ of :func:`interpolate`, the comparisons b of a positive with a negative, and new
    :func:`draw_anchors` in each call; so L is random. All comparisons of a batch are one vector, as
    in the released code: the metric is that of the batch.

    What it costs. With Q queries of P positives and N negatives each, there are C = Q·P·N
    comparisons; with a batch of B in classes of n images about (n − 1)·B², so they grow with the
    square of the batch. The anchors take 49·C bytes, twice that while they are drawn, and the rest
    some 20·C numbers: 9 MB for B = 128 and n = 4, and 9 GB for B = 4,000, in float32. Blocks of a
    few million numbers come on top. SiMix makes ten examples of four images, and 19 times as many
    comparisons. Each step computes the metric 49 times.

    Orderings with cycles. The comparisons of an anchor may contradict each other. The metric must
    say what that is worth: :func:`.average_precision` gives such a ranking 0, as the release does,
    and :func:`.recall_at_k` and :func:`.accuracy` only count, and need no rule.

    Args:
        metric: (A, R, P, N) comparisons → (A,) values, larger is better:
            :func:`.average_precision`, :func:`.recall_at_k`, :func:`.accuracy`, or a function of
            yours. ``functools.partial(recall_at_k, ks=(1, 2))`` for other cut-offs. It needs no
            gradient.
        anchors: number of good, of near and of random anchors; 16 in the released code. There is
            one more, the truth.
        temperature: τ, in differences of scores. 1 is the released code's; there scores lie
            between 0 and 1. For cosines a smaller one makes the comparisons nearly binary.
        generator: the source of the anchors, for results that can be repeated. None: the default
            generator of the device, which ``torch.manual_seed`` sets.

    Raises:
        ValueError: for a metric that cannot be called, fewer than one anchor of a kind, a
            temperature that is not above 0; on call as :class:`.RecallAtKLoss`, and for a metric
            that does not return A finite numbers.

    Example:
        >>> loss = UniLoss(recall_at_k)
        >>> embeddings = torch.nn.functional.normalize(torch.randn(8, 16), dim=1)
        >>> value = loss(embeddings, torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]))
    """

    def __init__(
        self,
        metric: Metric,
        anchors: int = 16,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if not callable(metric):
            raise ValueError(f"metric must be a function such as recall_at_k, not {metric!r}")
        if isinstance(anchors, bool) or not isinstance(anchors, Integral) or anchors < 1:
            raise ValueError(f"anchors must be a whole number of at least 1, not {anchors!r}")
        self.metric, self.anchors, self.generator = metric, int(anchors), generator
        self.temperature = check_temperature(temperature, "temperature")

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

        Each query that has a positive is a ranking; the others only compete. The arguments are
        those of :meth:`.RecallAtKLoss.forward`.

        Returns:
            A scalar, float32 or float64.
        """
        given = Gallery(gallery, gallery_labels, itself)
        given = as_gallery(embeddings, given, (indices_tuple, ref_emb, ref_labels))
        pairs = all_pairs(embeddings, labels, given).of_queries_with_positives()
        return self.of_scores(pairs.similarities, pairs.positive, pairs.negative)

    def of_scores(self, scores: Tensor, positive: Tensor, negative: Tensor | None = None) -> Tensor:
        """Compute the loss of scores, for tasks that are no retrieval.

        Of a binary classifier whose scores (B,) shall rank images: ``scores[None]`` and
        ``targets[None]``, with :func:`.average_precision`. Of a classifier with scores (B, K):
        ``one_hot(labels, K).bool()``, with :func:`.accuracy`.

        Args:
            scores: (R, N) floating, a row a ranking.
            positive: (R, N) bool.
            negative: (R, N) bool; None: all that are not positive.

        Returns:
            A scalar, float32 or float64. 1 − the metric without a gradient, where no ranking has
            both a positive and a negative.

        Raises:
            ValueError: for shapes or types that do not fit, or scores that are not finite.
        """
        negative = _checked_negative(scores, positive, negative)
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        differences, real = differences_of(scores, positive, negative)  # (R, P, N)
        soft = torch.where(real, torch.tanh(differences / (2 * self.temperature)), 0)
        if not real.any():
            return 1 - self._measured(soft[None])[0] + 0 * soft.sum()
        anchors = draw_anchors(
            soft.detach().flatten(), real.flatten(), self.anchors, self.generator
        )
        blocks = (block.to(soft.dtype) for block in anchors.split(_rows(anchors)))
        values = torch.cat([self._measured(block.reshape(-1, *real.shape)) for block in blocks])
        return 1 - interpolate(values, soft.flatten(), anchors)

    def _measured(self, comparisons: Tensor) -> Tensor:
        """Return the metric of comparisons (A, R, P, N), and refuse what is none."""
        with torch.no_grad():
            values = self.metric(comparisons)
        if not isinstance(values, Tensor) or values.shape != comparisons.shape[:1]:
            shape = getattr(values, "shape", type(values).__name__)
            raise ValueError(
                f"metric must return {len(comparisons)} numbers for comparisons of shape "
                f"{tuple(comparisons.shape)}, not {shape}"
            )
        if not values.isfinite().all():
            raise ValueError("metric must return finite numbers")
        return values

    def extra_repr(self) -> str:
        """Return the settings that ``print(loss)`` shows."""
        function = self.metric.func if isinstance(self.metric, partial) else self.metric
        name = getattr(function, "__name__", repr(function))
        return f"metric={name}, anchors={self.anchors}, temperature={self.temperature}"


def differences_of(scores: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Subtract the score of each negative from the score of each positive of its ranking.

    Args:
        scores: (R, N).
        positive: (R, N) bool.
        negative: (R, N) bool.

    Returns:
        (R, P, N) differences, P the largest number of positives (at least 1); and (R, P, N) bool,
        where such a comparison exists.
    """
    most = max(1, int(positive.sum(dim=1).max()))
    exists, place = positive.to(torch.int8).sort(dim=1, descending=True, stable=True)
    own = scores.gather(1, place[:, :most])  # (R, P)
    real = exists[:, :most, None].bool() & negative[:, None]  # (R, P, N)
    return own[:, :, None] - scores[:, None], real


def _checked_negative(scores: Tensor, positive: Tensor, negative: Tensor | None) -> Tensor:
    """Refuse scores that cannot be ranked; return the mask of the negatives."""
    check_tensor(scores, "scores")
    if scores.ndim != 2 or 0 in scores.shape or not scores.is_floating_point():
        raise ValueError(
            f"scores must be a non-empty floating tensor (R, N), "
            f"not {scores.dtype} of shape {tuple(scores.shape)}"
        )
    if not scores.isfinite().all():
        raise ValueError("scores must be finite")
    masks = {"positive": positive} | ({} if negative is None else {"negative": negative})
    for name, mask in masks.items():
        check_tensor(mask, name)
        if mask.dtype != torch.bool or mask.shape != scores.shape:
            raise ValueError(f"{name} must be bool of shape {tuple(scores.shape)}, as the scores")
    if negative is not None and (positive & negative).any():
        raise ValueError("negative must not hold what is positive")
    return ~positive if negative is None else negative
