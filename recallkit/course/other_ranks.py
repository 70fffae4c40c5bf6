r"""Other answers to "how can a rank have a gradient?", each in a few lines, for whole lists.

A list is the similarities (N,) of one query to N items; the largest has rank 1. Every function
takes many lists at once, (…, N), and returns a number for each item. Dtype and device are those of
the similarities.

Five of the answers give a relaxed rank, which autograd differentiates: ``gaussian_ranks``,
``neural_sort``, ``soft_sort``, ``projected_ranks`` and ``histogram_ranks``. Two keep the true rank
and write down a gradient: ``swap_gradient`` and ``blackbox_gradient``.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor


def true_ranks(similarity: Tensor) -> Tensor:
    """One plus the number of items that are more similar, (…, N) → (…, N). Ties share the best."""
    return 1 + (_ahead(similarity) > 0).sum(dim=-1).to(similarity)


def sigmoid_ranks(similarity: Tensor, temperature: float) -> Tensor:
    r"""The relaxed rank of this course, r_p = 1 + Σ_{z ≠ p} σ((s_z − s_p) / τ).

    Qin, Liu, Li, Information Retrieval 2010; Brown et al., ECCV 2020; Patel et al., CVPR 2022.

    Args:
        similarity: (…, N).
        temperature: τ, in units of similarity.

    Returns:
        (…, N).
    """
    return 0.5 + torch.sigmoid(_ahead(similarity) / temperature).sum(dim=-1)  # z = p counts ½


def gaussian_ranks(similarity: Tensor, noise: float) -> Tensor:
    r"""SoftRank: the expected rank if each similarity gets Gaussian noise.

        r_p = 1 + Σ_{z ≠ p} Φ((s_z − s_p) / (√2 σ))

    The difference of two noises has the standard deviation √2 σ. Taylor, Guiver, Robertson, Minka,
    WSDM 2008.

    Args:
        similarity: (…, N).
        noise: σ, in units of similarity.

    Returns:
        (…, N).
    """
    ahead = _ahead(similarity) / (math.sqrt(2) * noise)
    return 0.5 + torch.special.ndtr(ahead).sum(dim=-1)  # z = p counts ½


def neural_sort(similarity: Tensor, temperature: float) -> Tensor:
    r"""NeuralSort: the permutation matrix of the sort, with a softmax for each place.

        P[i, j] = softmax over j of ((N + 1 − 2i) s_j − Σ_k |s_j − s_k|) / τ,   i = 1 … N

    Grover, Wang, Zweig, Ermon, ICLR 2019.

    Args:
        similarity: (…, N).
        temperature: τ, in units of similarity.

    Returns:
        (…, N places, N items). Rows add up to 1, columns need not.
    """
    number = similarity.shape[-1]
    slope = number + 1 - 2 * torch.arange(1, number + 1).to(similarity)  # (N places,)
    spread = _ahead(similarity).abs().sum(dim=-1)  # (…, N items)
    scores = slope[:, None] * similarity[..., None, :] - spread[..., None, :]
    return torch.softmax(scores / temperature, dim=-1)


def soft_sort(similarity: Tensor, temperature: float) -> Tensor:
    r"""SoftSort: for each place, a softmax of how near the items are to the one that belongs there.

        P[i, j] = softmax over j of −|s_(i) − s_j| / τ,   s_(i) the i-th largest similarity

    Prillo, Eisenschlos, ICML 2020, with the absolute difference as the distance.

    Args:
        similarity: (…, N).
        temperature: τ, in units of similarity.

    Returns:
        (…, N places, N items). Rows add up to 1, columns need not.
    """
    ordered = similarity.sort(dim=-1, descending=True).values
    far = (ordered[..., :, None] - similarity[..., None, :]).abs()
    return torch.softmax(-far / temperature, dim=-1)


def ranks_of_sort(permutation: Tensor) -> Tensor:
    r"""The ranks that a relaxed permutation matrix implies, r_j = Σ_i i · P[i, j].

    Args:
        permutation: (…, N places, N items).

    Returns:
        (…, N). A column that does not add up to 1 gives a rank that is too small or too large.
    """
    places = torch.arange(1, permutation.shape[-2] + 1).to(permutation)
    return places @ permutation


def projected_ranks(similarity: Tensor, strength: float) -> Tensor:
    r"""Fast soft ranks: the point of the permutahedron that is nearest to −s / ε.

    The permutahedron is the hull of all orders of 1 … N. Blondel, Teboul, Berthet, Djolonga, ICML
    2020, with the quadratic regulariser.

    Args:
        similarity: (…, N).
        strength: ε, in units of similarity. Where all gaps are at least ε, the ranks are exact.

    Returns:
        (…, N).
    """
    lists = similarity.reshape(-1, similarity.shape[-1])
    nearest = [_project_on_permutahedron(-one / strength) for one in lists]
    return torch.stack(nearest).view_as(similarity)


def _project_on_permutahedron(point: Tensor) -> Tensor:
    """Sort, then average what breaks the order (isotonic regression), (N,) → (N,)."""
    from scipy.optimize import isotonic_regression

    ordered, order = point.sort(descending=True)
    excess = ordered - torch.arange(len(point), 0, -1).to(point)
    fitted = isotonic_regression(excess.detach().cpu().numpy(), increasing=False)
    sizes = torch.from_numpy(fitted.blocks).diff().to(point.device)
    block = torch.arange(len(sizes), device=point.device).repeat_interleave(sizes)  # (N,)
    mean = point.new_zeros(len(sizes)).index_add(0, block, excess) / sizes
    return (ordered - mean[block])[order.argsort()]


def histogram_ranks(similarity: Tensor, bins: int) -> Tensor:
    r"""The rank in FastAP's formula: the soft count of the other items that are not farther.

        r_p = 1 + Σ_j δ_j(p) · Σ_{i ≤ j} Σ_{z ≠ p} δ_i(z),   δ_j(z) = max(0, 1 − |d_z² − c_j| / w)

    with bins at c_0 = 0 … c_L = 4, in steps of w. FastAP itself (Cakir, He, Xia, Kulis, Sclaroff,
    CVPR 2019) has no rank of an item. It sums over the bins; its divisor, the cumulative histogram,
    stands here in the place of a rank. For unit vectors d² = 2 − 2s.

    Args:
        similarity: (…, N), from −1 to 1.
        bins: L; one is 2 / L wide in units of similarity.

    Returns:
        (…, N).
    """
    centres = 1 - 2 * torch.arange(bins + 1).to(similarity) / bins  # from near to far
    share = (1 - (similarity[..., None] - centres).abs() * bins / 2).relu()  # (…, N, L + 1)
    reached = share.cumsum(dim=-1)
    others = reached.sum(dim=-2, keepdim=True) - reached
    return 1 + (share * others).sum(dim=-1)


def swap_gradient(similarity: Tensor, relevant: Tensor, temperature: float) -> Tensor:
    r"""LambdaRank's gradient, which is written down, and is that of no known loss.

    RankNet's push of a relevant item i and an irrelevant j apart, times the change of the metric
    if the two changed places:

        λ_ij = σ((s_j − s_i) / τ) / τ · |D(r_i) − D(r_j)|,   D(r) = 1 / log₂(1 + r)

    D is the discount of NDCG. Burges, Ragno, Le, NIPS 2006. Its NDCG is divided by that of the
    best order.

    Args:
        similarity: (…, N).
        relevant: (N,) or (…, N) bool.
        temperature: τ, in units of similarity.

    Returns:
        (…, N), as of a loss: negative where the similarity should grow.
    """
    discount = 1 / torch.log2(1 + true_ranks(similarity))
    best = 1 / torch.log2(2 + torch.arange(similarity.shape[-1]).to(similarity))
    number = relevant.sum(dim=-1, keepdim=True)
    ideal = best.cumsum(dim=-1)[number - 1]  # (…, 1)
    change = (discount[..., None, :] - discount[..., :, None]).abs() / ideal[..., None]
    pair = relevant[..., :, None] & ~relevant[..., None, :]
    push = pair * change * torch.sigmoid(_ahead(similarity) / temperature) / temperature
    return push.sum(dim=-2) - push.sum(dim=-1)


def blackbox_gradient(similarity: Tensor, of_ranks: Tensor, reach: float) -> Tensor:
    r"""Blackbox differentiation: the gradient from a second sort.

        ∂L/∂s := −(r(s) − r(s + λ · ∂L/∂r)) / λ

    Vlastelica et al., ICLR 2020, for any solver; Rolínek et al., CVPR 2020, for ranks.

    Args:
        similarity: (…, N).
        of_ranks: ∂L/∂r, the gradient of the loss by the true ranks, (…, N).
        reach: λ, in units of similarity where ``of_ranks`` is 1.

    Returns:
        (…, N).
    """
    return (true_ranks(similarity + reach * of_ranks) - true_ranks(similarity)) / reach


def of_equal_slope(temperature: float) -> dict[str, Callable[[Tensor], Tensor]]:
    r"""The relaxed ranks, each with the setting that makes them comparable.

    The rule: where an item ties with its only rival, its rank falls by 1 / (4 τ) per unit of
    similarity, as it does with our sigmoid. FastAP's slope depends on the place of the tie in its
    bin; for it, the mean over places follows the rule.

    Args:
        temperature: τ of our relaxed rank.

    Returns:
        Name → a function from similarities (…, N) to ranks (…, N).
    """
    noise, bins = 2 * temperature / math.sqrt(math.pi), round(1 / temperature)
    return {
        "sigmoids": partial(sigmoid_ranks, temperature=temperature),
        "SoftRank": partial(gaussian_ranks, noise=noise),
        "NeuralSort": lambda lists: ranks_of_sort(neural_sort(lists, temperature)),
        "SoftSort": lambda lists: ranks_of_sort(soft_sort(lists, temperature)),
        "fast soft ranks": partial(projected_ranks, strength=2 * temperature),
        "FastAP": partial(histogram_ranks, bins=bins),
    }


def _ahead(similarity: Tensor) -> Tensor:
    """Measure by how much item z is ahead of item p, (…, N) → (…, N p, N z)."""
    return similarity[..., None, :] - similarity[..., :, None]
