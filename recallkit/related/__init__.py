"""The paper's relatives: other systems that change a loss so that it agrees with a metric.

Each stands in a file or package of its own, needs torch only, and imports nothing of its siblings.
"""

from recallkit.related.segmentation import (
    FocalLoss,
    InverseFrequencyCrossEntropy,
    RecallCrossEntropy,
    StructuralSimilarityLoss,
    recall_weights,
)

__all__ = [
    "FocalLoss",
    "InverseFrequencyCrossEntropy",
    "RecallCrossEntropy",
    "StructuralSimilarityLoss",
    "recall_weights",
]
