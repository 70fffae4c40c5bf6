"""Train image retrieval directly for recall@k: loss, mixup, large batches, and how to measure it.

Importing recallkit loads torch and nothing heavier.
"""

from recallkit.large_batch import LargeBatchStep
from recallkit.losses import RecallAtKLoss, SmoothAPLoss
from recallkit.metrics import retrieval_metrics
from recallkit.ranks import find_positives, relaxed_ranks
from recallkit.sampling import ClassBalancedSampler
from recallkit.simix import SimilarityMixup

__all__ = [
    "ClassBalancedSampler",
    "LargeBatchStep",
    "RecallAtKLoss",
    "SimilarityMixup",
    "SmoothAPLoss",
    "find_positives",
    "relaxed_ranks",
    "retrieval_metrics",
]
