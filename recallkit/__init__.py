"""Train image retrieval directly for recall@k: loss, mixup, large batches, and how to measure it.

Every name is imported from its module when it is first used. So ``import recallkit`` is quick, the
names of the core need torch, numpy and tqdm alone, and the others name the extra they need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recallkit.config import PRESETS, Config
    from recallkit.errors import RecallkitError
    from recallkit.evaluation import embed, embed_pixels, evaluate
    from recallkit.experiments import load_results
    from recallkit.gallery import load
    from recallkit.large_batch import LargeBatchStep
    from recallkit.losses import RecallAtKLoss, SmoothAPLoss
    from recallkit.metrics import (
        measure_retrieval,
        metrics_of_neighbours,
        retrieval_metrics,
        search,
    )
    from recallkit.networks import build_network, freeze_batch_norm
    from recallkit.ranks import find_positives, relaxed_ranks
    from recallkit.sampling import ClassBalancedSampler
    from recallkit.simix import SimilarityMixup, same_class_pairs
    from recallkit.soft_recall import soft_recall_at_k
    from recallkit.training import Training, choose_device, load_run, train

__version__ = "0.2.0"

__all__ = [
    "PRESETS",
    "ClassBalancedSampler",
    "Config",
    "LargeBatchStep",
    "RecallAtKLoss",
    "RecallkitError",
    "SimilarityMixup",
    "SmoothAPLoss",
    "Training",
    "build_network",
    "choose_device",
    "embed",
    "embed_pixels",
    "evaluate",
    "find_positives",
    "freeze_batch_norm",
    "load",
    "load_results",
    "load_run",
    "measure_retrieval",
    "metrics_of_neighbours",
    "relaxed_ranks",
    "retrieval_metrics",
    "same_class_pairs",
    "search",
    "soft_recall_at_k",
    "train",
]

_CORE = {
    "recallkit.errors": ["RecallkitError"],
    "recallkit.large_batch": ["LargeBatchStep"],
    "recallkit.losses": ["RecallAtKLoss", "SmoothAPLoss"],
    "recallkit.metrics": [
        "measure_retrieval",
        "metrics_of_neighbours",
        "retrieval_metrics",
        "search",
    ],
    "recallkit.ranks": ["find_positives", "relaxed_ranks"],
    "recallkit.sampling": ["ClassBalancedSampler"],
    "recallkit.simix": ["SimilarityMixup", "same_class_pairs"],
    "recallkit.soft_recall": ["soft_recall_at_k"],
}

_WITH_EXTRAS = {
    "recallkit.config": ["PRESETS", "Config"],
    "recallkit.evaluation": ["embed", "embed_pixels", "evaluate"],
    "recallkit.experiments": ["load_results"],
    "recallkit.gallery": ["load"],
    "recallkit.networks": ["build_network", "freeze_batch_norm"],
    "recallkit.training": ["Training", "choose_device", "load_run", "train"],
}

_MODULES = {name: module for module, names in (_CORE | _WITH_EXTRAS).items() for name in names}

_PACKAGES = ("bench", "course", "data", "evaluation", "experiments", "findings", "gallery")
_PACKAGES += ("metrics", "networks", "plots", "ranks", "related", "studies", "training")


def __getattr__(name: str) -> Any:
    """Import a public name, or a package, when it is first used.

    Raises:
        AttributeError: if there is none of that name.
        RecallkitError: if it needs an extra that is not installed.
    """
    if name not in _MODULES and name not in _PACKAGES:
        raise AttributeError(f"module 'recallkit' has no attribute {name!r}")
    from recallkit.errors import needs_extra

    with needs_extra(f"recallkit.{name}"):
        if name in _PACKAGES:
            return import_module(f"recallkit.{name}")
        value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PACKAGES})
