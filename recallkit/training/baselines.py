"""The baseline losses, on cosines: pytorch-metric-learning's, and one of them in less memory."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from recallkit.config import Config
from recallkit.errors import needs_extra
from recallkit.loss_inputs import Gallery
from recallkit.related.pairs import all_pairs

# Losses of pytorch-metric-learning: class, and its settings on cosines. The library's margins for
# contrastive and triplet loss are for distances, so ours differ. All others are its defaults.
BASELINE_LOSSES: dict[str, tuple[str, dict[str, float]]] = {
    "contrastive": ("ContrastiveLoss", {"pos_margin": 1.0, "neg_margin": 0.5}),
    "triplet": ("TripletMarginLoss", {"margin": 0.1}),
    "multi-similarity": ("MultiSimilarityLoss", {"alpha": 2.0, "beta": 50.0, "base": 0.5}),
    "nt-xent": ("NTXentLoss", {"temperature": 0.07}),
    "proxy-anchor": ("ProxyAnchorLoss", {"margin": 0.1, "alpha": 32.0}),
}


def make_baseline_loss(name: str, **arguments: Any) -> nn.Module:
    """Make a loss of pytorch-metric-learning.

    Args:
        name: a key of ``BASELINE_LOSSES``.
        arguments: further arguments of its class.
    """
    with needs_extra(f"the loss {name}"):
        from pytorch_metric_learning import losses

    kind, settings = BASELINE_LOSSES[name]
    return getattr(losses, kind)(**settings, **arguments)


class BaselineLoss(nn.Module):
    """A baseline loss on cosines, with any labels and any dtype.

    The library's default distances differ from loss to loss; here all losses see cosines. Classes
    are numbered in the order of their labels, because proxies need numbers from 0 on.
    """

    classes: Tensor  # (C,) labels in order

    def __init__(self, config: Config, labels: Tensor) -> None:
        with needs_extra(f"the loss {config.loss}"):
            from pytorch_metric_learning.distances import CosineSimilarity

        super().__init__()
        self.register_buffer("classes", labels.unique(), persistent=False)
        arguments: dict[str, Any] = {"distance": CosineSimilarity()}
        if config.loss == "proxy-anchor":
            arguments["num_classes"] = len(self.classes)
            arguments["embedding_size"] = config.embedding_dim
        self.loss = (
            NTXentLoss()
            if config.loss == "nt-xent"
            else make_baseline_loss(config.loss, **arguments)
        )

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss: (B, D) embeddings, (B,) labels of the data set → scalar."""
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        numbers = torch.searchsorted(self.classes, labels.to(self.classes.device))
        return self.loss(embeddings.to(dtype), numbers)


class NTXentLoss(nn.Module):
    r"""NT-Xent (Chen and others, ICML 2020) of a batch, each positive against all negatives.

        L = mean over positive pairs (q, p) of log(1 + Σ_n exp((s_n − s_p) / T)),  n negatives of q

    It is that of pytorch-metric-learning on cosines. The library makes a table of all positive
    pairs by all negative ones, which grows with the cube of the batch. Here it grows with the
    square.

    Args:
        temperature: T. 0.07 is the library's choice.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Compute the loss: (B, D) embeddings of any length, (B,) labels → scalar."""
        pairs = all_pairs(normalize(embeddings, dim=1), labels, Gallery(None, None, None))
        logits = pairs.similarities / self.temperature  # (B, B)
        rivals = logits.masked_fill(~pairs.negative, -torch.inf).logsumexp(dim=1, keepdim=True)
        losses = torch.logaddexp(rivals - logits, torch.zeros_like(logits))
        return (losses * pairs.positive).sum() / pairs.positive.sum()
