"""A loss by its name: those of this package, its variants, and those of pytorch-metric-learning.

What stands in the settings of a training becomes an object here; the other library is loaded only
for a loss of its own.
"""

from typing import Any

import torch
from torch import Tensor, nn

from recallkit.losses import RecallAtKLoss, SmoothAPLoss
from recallkit.presets import Config

# Of the other library: class, and its settings on cosines. Those of contrastive and triplet loss
# there are for distances; the others are the library's own, which are their authors'.
PEERS: dict[str, tuple[str, dict[str, float]]] = {
    "contrastive": ("ContrastiveLoss", {"pos_margin": 1.0, "neg_margin": 0.5}),
    "triplet": ("TripletMarginLoss", {"margin": 0.1}),
    "multi-similarity": ("MultiSimilarityLoss", {"alpha": 2.0, "beta": 50.0, "base": 0.5}),
    "nt-xent": ("NTXentLoss", {"temperature": 0.07}),
    "circle": ("CircleLoss", {"m": 0.4, "gamma": 80.0}),
    "proxy-anchor": ("ProxyAnchorLoss", {"margin": 0.1, "alpha": 32.0}),
}
VARIANTS = ("recall@k-no-cap", "recall@k-over-positives", "recall@k-over-k")


def make_loss(config: Config, labels: Tensor) -> nn.Module:
    """The loss that ``config`` names: (B, D) embeddings, (B,) labels → scalar.

    Args:
        config: the settings; those of RS@k hold for its variants too, and SmoothAP has
            ``rank_temperature``. The others have settings of their own, see ``PEERS``.
        labels: (N,) of all training images; a loss with proxies has one for each class. These are
            drawn from torch's default generator.
    """
    if config.loss in PEERS:
        return _Peer(config, labels)
    if config.loss == "smooth-ap":
        return SmoothAPLoss(config.rank_temperature)
    settings = (config.ks, config.k_temperature, config.rank_temperature, config.query_in_database)
    if config.loss in VARIANTS:
        return RecallVariant(config.loss, *settings)
    return RecallAtKLoss(*settings)


def make_peer(name: str, **others: Any) -> nn.Module:
    """A loss of pytorch-metric-learning.

    Args:
        name: among ``PEERS``.
        others: further arguments of its class.
    """
    from pytorch_metric_learning import losses

    kind, settings = PEERS[name]
    return getattr(losses, kind)(**settings, **others)


class _Peer(nn.Module):
    """A loss of the other library on cosines, with any labels and any dtype.

    Its default distances differ from loss to loss; for contrastive and triplet loss the margins of
    ``PEERS`` are those of cosines. Classes are numbered by size of label, as proxies must be.
    """

    def __init__(self, config: Config, labels: Tensor) -> None:
        from pytorch_metric_learning.distances import CosineSimilarity

        super().__init__()
        self.register_buffer("classes", labels.unique(), persistent=False)  # (C,)
        proxies = {"num_classes": len(self.classes), "embedding_size": config.embedding_dim}
        others = proxies if config.loss == "proxy-anchor" else {}
        self.loss = make_peer(config.loss, distance=CosineSimilarity(), **others)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        numbers = torch.searchsorted(self.classes, labels.to(self.classes.device))
        return self.loss(embeddings.to(dtype), numbers)


class RecallVariant(RecallAtKLoss):
    r"""RS@k with one piece of its definition left out or changed, to see what the piece is for.

    The recall of :func:`.soft_recall_at_k` is min(Σ_p sigmoid((k − r[q,p]) / τ₁), k) / min(k, P_q).

    Args:
        variant: "recall@k-no-cap" leaves min(·, k) out; "recall@k-over-positives" divides by P_q,
            "recall@k-over-k" by k.
        settings: as :class:`.RecallAtKLoss`.

    Raises:
        ValueError: for another variant, else as :class:`.RecallAtKLoss`.
    """

    def __init__(self, variant: str, *settings: Any) -> None:
        super().__init__(*settings)
        if variant not in VARIANTS:
            raise ValueError(f"variant must be one of {VARIANTS}, not {variant!r}")
        self.variant = variant

    def recall(self, ranks: Tensor) -> Tensor:
        """(Q, P) relaxed ranks, +∞ at padding → (Q, K) recall of the variant."""
        k = torch.tensor(self.ks, dtype=ranks.dtype, device=ranks.device)  # (K,)
        found = torch.sigmoid((k - ranks[:, :, None]) / self.k_temperature).sum(dim=1)  # (Q, K)
        positives = ranks.isfinite().sum(dim=1, keepdim=True)  # (Q, 1)
        if self.variant != "recall@k-no-cap":
            found = torch.minimum(found, k)
        if self.variant == "recall@k-over-positives":
            return found / positives
        return found / (k if self.variant == "recall@k-over-k" else torch.minimum(k, positives))
