"""The derivative of a loss in the similarity of each pair, for any loss of dot products.

A loss takes embeddings, but uses them only through S = Q Gᵀ. With the rows of S as queries and the
unit matrix as gallery, the product is S itself, entry by entry. So autograd gives dL/dS exactly.
"""

import inspect
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from recallkit.losses import RecallAtKLoss, SmoothAPLoss
from recallkit.training.baselines import make_baseline_loss

Loss = Callable[..., Tensor]


def losses_to_compare(rank_temperature: float = 0.01) -> dict[str, Loss]:
    """The losses that the figures of gradients show side by side, all on dot products.

    For unit vectors the dot product is the cosine. The margins of triplet and contrastive loss
    are chosen for it, because the library's defaults are for distances. NT-Xent has the library's
    temperature.

    Args:
        rank_temperature: τ₂ of RS@k and SmoothAP; the others do not have it.

    Returns:
        Name → loss, to be called with embeddings and labels.
    """
    from pytorch_metric_learning.distances import DotProductSimilarity

    dot = DotProductSimilarity(normalize_embeddings=False)
    return {
        "RS@k": RecallAtKLoss(rank_temperature=rank_temperature, engine="dense"),
        "SmoothAP": SmoothAPLoss(rank_temperature, engine="dense"),
        "triplet": make_baseline_loss("triplet", distance=dot),
        "contrastive": make_baseline_loss("contrastive", distance=dot),
        "NT-Xent": make_baseline_loss("nt-xent", distance=dot),
    }


def pair_gradients(loss: Loss, similarity: Tensor, labels: Tensor) -> Tensor:
    """The derivative of a batch's loss in each similarity, one row for each query.

    Args:
        loss: one of recallkit's, or one of pytorch-metric-learning's with
            ``distance=DotProductSimilarity(normalize_embeddings=False)``.
        similarity: (B, B), symmetric or not.
        labels: (B,) integers.

    Returns:
        G (B, B): row q, column z is dL/ds where q is the query (the anchor) and z in its gallery.
        The diagonal is 0 unless ``query_in_database``. With S = E Eᵀ, dL/dE = (G + Gᵀ) E.
    """
    leaf = similarity.detach().clone().requires_grad_()
    return torch.autograd.grad(_of_similarities(loss, leaf, labels), leaf)[0]


def list_gradient(loss: Loss, similarity: Tensor, positive: Tensor) -> Tensor:
    """The derivative of one query's loss in its similarity to each item of a gallery.

    Args:
        loss: as for :func:`pair_gradients`.
        similarity: (N,) of the query to the items.
        positive: (N,) bool, True for items of its class.

    Returns:
        (N,): negative where a step of descent raises the similarity.
    """
    leaf = similarity.detach().clone().requires_grad_()
    value = _query_loss(loss, leaf, torch.ones_like(positive[:1]).long(), positive.long())
    return torch.autograd.grad(value, leaf)[0]


def pull_by_rank(loss: Loss, similarity: Tensor) -> Tensor:
    """The pull on a query's only positive, for each rank that it may have.

    Args:
        loss: as for :func:`pair_gradients`.
        similarity: (N,) of the items to the query, the nearest first.

    Returns:
        (N,): −dL/ds of the positive at rank 1, 2, …, N.
    """
    places = torch.eye(len(similarity), dtype=torch.bool)
    return torch.stack([-list_gradient(loss, similarity, only)[only][0] for only in places])


def _of_similarities(loss: Loss, similarity: Tensor, labels: Tensor) -> Tensor:
    """The loss of a batch against itself as a function of its similarities."""
    if _has_references(loss):  # the same tensor of labels twice: an image is no pair with itself
        gallery = torch.eye(len(labels)).to(similarity)
        return loss(similarity, labels, ref_emb=gallery, ref_labels=labels)
    counts = (labels == labels[:, None]).sum(dim=1)
    values = [
        _row_loss(loss, similarity[q], labels, q) for q in range(len(labels)) if counts[q] > 1
    ]
    return torch.stack(values).mean()


def _row_loss(loss: Loss, row: Tensor, labels: Tensor, q: int) -> Tensor:
    """The loss of query q of a batch. The query is left out of its gallery, or competes in it."""
    if getattr(loss, "query_in_database", False):
        elsewhere = labels.clone()
        elsewhere[q] = labels.max() + 1
        return _query_loss(loss, row, labels[q, None], elsewhere)
    others = torch.arange(len(labels), device=row.device) != q
    return _query_loss(loss, row[others], labels[q, None], labels[others])


def _query_loss(loss: Loss, row: Tensor, label: Tensor, gallery_labels: Tensor) -> Tensor:
    """The loss of one query with similarities ``row`` (N,) to its gallery."""
    gallery = torch.eye(len(row)).to(row)
    if _has_references(loss):
        return loss(row[None], label, ref_emb=gallery, ref_labels=gallery_labels)
    return loss(row[None], label, gallery, gallery_labels)


def _has_references(loss: Loss) -> bool:
    """True if the loss names its gallery as pytorch-metric-learning does, and in no other way."""
    names = inspect.signature(getattr(loss, "forward", loss)).parameters
    return "ref_emb" in names and "gallery" not in names


def sphere_gradient(loss: Loss, embeddings: Tensor, labels: Tensor) -> Tensor:
    """The component of dL/dE along the sphere of unit vectors.

    Args:
        loss: ``loss(embeddings, labels)``.
        embeddings: (B, D) of unit length.
        labels: (B,) integers.

    Returns:
        (B, D), each row at a right angle to its embedding.
    """
    leaf = embeddings.detach().clone().requires_grad_()
    gradient = torch.autograd.grad(loss(leaf, labels), leaf)[0]
    return gradient - (gradient * embeddings).sum(dim=1, keepdim=True) * embeddings


def descend(
    loss: Loss, start: Tensor, labels: Tensor, steps: int, first_step: float = 0.05
) -> Tensor:
    """Plain gradient descent of points on the unit sphere, with no network in between.

    The learning rate is fixed. It is chosen such that the fastest point moves by ``first_step`` in
    the first step. So losses of different scale can be compared, and a loss whose gradient fades
    stops visibly.

    Args:
        loss: ``loss(embeddings, labels)``.
        start: (B, D) of unit length.
        labels: (B,) integers.
        steps: number of steps.
        first_step: the largest length of the first step, in radians.

    Returns:
        (steps + 1, B, D): the points after each step, ``start`` first.

    Raises:
        ValueError: if the loss has no gradient at the start.
    """
    points, path = start, [start]
    steepest = sphere_gradient(loss, start, labels).norm(dim=1).max()
    if steepest == 0:
        raise ValueError("the loss has no gradient at the start: nothing would move")
    learning_rate = first_step / steepest
    for _ in range(steps):
        gradient = sphere_gradient(loss, points, labels)
        points = normalize(points - learning_rate * gradient, dim=1)
        path.append(points)
    return torch.stack(path)
