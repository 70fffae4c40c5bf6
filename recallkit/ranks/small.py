"""Ranks of a small problem: few operations, since each costs more to start than to compute.

The table of all comparisons is kept from the forward to the backward pass, as autograd would keep
it. The derivative is that of :mod:`recallkit.ranks.blocks`, written out. A batch that is its own
gallery has dL/dE = (w + wᵀ) E, one product in place of two. A product divides by τ as it goes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from recallkit.ranks.dense import dense_ranks
from recallkit.ranks.precision import products_in


class SmallProblem(NamedTuple):
    """Positives to be ranked for each query, and how; see :func:`.relaxed_ranks`.

    Attributes:
        positives: (Q, P) int64, −1 at padding.
        left_out: (Q,) int64, or None.
        temperature: τ.
        precision: of the matrix products.
        full: whether it is known that no entry of ``positives`` is padding, which saves time.
    """

    positives: Tensor
    left_out: Tensor | None
    temperature: float
    precision: str
    full: bool = False

    @property
    def index(self) -> Tensor:
        """Return the positives (Q, P), item 0 in place of padding."""
        return self.positives if self.full else self.positives.clamp(min=0)

    def padded(self, values: Tensor, value: float) -> Tensor:
        """Put ``value`` in place of padding, in a copy of ``values`` (Q, P) if there may be any."""
        return values if self.full else values.masked_fill(self.positives < 0, value)

    def steps(self, queries: Tensor, gallery: Tensor | None) -> Tensor:
        """Compare each positive with all items: sigmoid((s[q,z] − s[q,p]) / τ), (Q, P, N)."""
        gallery = queries if gallery is None else gallery
        similarity = self._product(queries, gallery.T)  # (Q, N), over τ
        own = similarity.gather(1, self.index)  # (Q, P)
        if self.left_out is not None:
            similarity.scatter_(1, self.left_out[:, None], -torch.inf)  # σ(−∞) = 0
        return (similarity[:, None] - own[:, :, None]).sigmoid_()

    def ranks(self, steps: Tensor) -> Tensor:
        """Sum the comparisons (Q, P, N) to ranks (Q, P), +∞ at padding."""
        # p itself was counted with σ(0) = ½, in place of the 1 of the definition.
        return self.padded(steps.sum(dim=2).add_(0.5), torch.inf)

    def weights(self, grad: Tensor, steps: Tensor) -> Tensor:
        """Compute τ dL/dS (Q, N) from dL/dr (Q, P), 0 at padding, and the comparisons."""
        slopes = torch.ops.aten.sigmoid_backward(grad[:, :, None], steps)  # (Q, P, N)
        # Padding has slope 0: taking it from item 0 changes nothing.
        return slopes.sum(dim=1).scatter_add_(1, self.index, slopes.sum(dim=2).neg_())

    def gradients(
        self, weights: Tensor, queries: Tensor, gallery: Tensor | None, wanted: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Compute the gradients of queries and gallery, where wanted, from τ dL/dS (Q, N)."""
        if gallery is None:
            return self._product(weights + weights.T, queries), None
        of_queries = self._product(weights, gallery) if wanted[0] else None
        return of_queries, self._product(weights.T, queries) if wanted[1] else None

    def _product(self, left: Tensor, right: Tensor) -> Tensor:
        """Multiply two matrices, and divide by τ."""
        with products_in(self.precision, left.device.type):
            nothing = left.new_empty(())  # is not read, since β = 0
            return torch.addmm(nothing, left, right, beta=0, alpha=1 / self.temperature)

    def ranks_by_definition(self, queries: Tensor, gallery: Tensor) -> Tensor:
        """Compute the ranks (Q, P) by the engine ``dense``, which can be differentiated again."""
        return dense_ranks(
            queries, gallery, self.positives, self.left_out, self.temperature, self.precision
        )


def small_ranks(
    queries: Tensor,
    gallery: Tensor,
    positives: Tensor,
    left_out: Tensor | None,
    temperature: float,
    precision: str,
    full: bool = False,
) -> Tensor:
    """Compute relaxed ranks from the whole Q×P×N table of comparisons; see :func:`.relaxed_ranks`.

    Memory O(Q·N·P). Differentiable any number of times: beyond once by the engine ``dense``. With
    ``full`` no entry of ``positives`` is padding, and nothing is done about it.
    """
    problem = SmallProblem(positives, left_out, temperature, precision, full)
    return _SmallRanks.apply(queries, None if gallery is queries else gallery, problem)


class _SmallRanks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, queries: Tensor, gallery: Tensor | None, problem: SmallProblem) -> Tensor:
        steps = problem.steps(queries, gallery)
        ctx.problem = problem
        ctx.save_for_backward(queries, gallery, steps)
        return problem.ranks(steps)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        queries, gallery, steps = ctx.saved_tensors
        problem, wanted = ctx.problem, ctx.needs_input_grad[:2]
        if torch.is_grad_enabled():  # a derivative of this derivative is asked for

            def ranks(*tensors: Tensor) -> Tensor:
                found = problem.ranks_by_definition(*tensors)
                return found.masked_fill(problem.positives < 0, 0)

            return *by_definition(problem, ranks, queries, gallery, grads[0]), None
        weights = problem.weights(problem.padded(grads[0], 0), steps)
        return *problem.gradients(weights, queries, gallery, wanted), None


def by_definition(
    problem: SmallProblem,
    function: Callable[[Tensor, Tensor], Tensor],
    queries: Tensor,
    gallery: Tensor | None,
    grad: Tensor,
) -> tuple[Tensor | None, Tensor | None]:
    """Differentiate a function of queries and gallery by autograd, so that it can be done again.

    Args:
        problem: what is ranked; its precision is that of the products here, too.
        function: computes a tensor from queries and gallery.
        queries: (Q, D).
        gallery: (N, D); None: the queries.
        grad: the gradient of the function's result.

    Returns:
        The gradients of queries and gallery, None where none is needed.
    """
    # As views: queries may be rows of the gallery, whose own gradient must not be in it twice.
    ours = queries.view_as(queries)
    others = ours if gallery is None else gallery.view_as(gallery)
    parts = (ours, None if gallery is None else others)
    wanted = [part for part in parts if part is not None and part.requires_grad]
    with products_in(problem.precision, queries.device.type):  # a caller may be in autocast
        value = function(ours, others)
        found = iter(torch.autograd.grad(value, wanted, grad, create_graph=True))
    first, second = (
        next(found) if part is not None and part.requires_grad else None for part in parts
    )
    return first, second
