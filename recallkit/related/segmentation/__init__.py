"""Losses of segmentation that weigh pixels: by recall, structure, frequency or confidence.

All take logits (B, C, H, W) and integer labels (B, H, W). Pixels with the label ``ignore_index``
are left out exactly: neither their labels nor their logits change the loss or its gradient. CE
stands for the cross-entropy of a pixel, −log softmax(logits)[label].
"""

from recallkit.related.segmentation.baselines import FocalLoss, InverseFrequencyCrossEntropy
from recallkit.related.segmentation.recall import RecallCrossEntropy, recall_weights
from recallkit.related.segmentation.structure import StructuralSimilarityLoss

__all__ = [
    "FocalLoss",
    "InverseFrequencyCrossEntropy",
    "RecallCrossEntropy",
    "StructuralSimilarityLoss",
    "recall_weights",
]
