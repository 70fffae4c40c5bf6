"""Five losses that weight pixels, on scenes with rare classes."""

from functools import cache

import torch
from torch import Tensor

from recallkit.data import Scenes, SceneSplits, load_scenes
from recallkit.metrics import SegmentationMetrics
from recallkit.studies.segmentation import measure_segmenter, pixel_losses, train_segmenter
from recallkit.studies.study import Outcome, Study

LEARNING_RATES = (0.003, 0.01, 0.03)


def run(method: str, candidate: float, seed: int) -> Outcome:
    """Train with one loss, learning rate and seed; chosen by the mean IoU of validation scenes."""
    scenes = study_scenes()
    loss = pixel_losses(scenes.train.labels)[method]
    trained = train_segmenter(loss, scenes.train, scenes.validation, candidate, seed=seed)
    validation = measure_segmenter(trained.network, scenes.validation)
    test = measure_segmenter(trained.network, scenes.test)
    metrics = test.means() | _rare_means(test, scenes.test)
    return Outcome(validation.means()["mean IoU"], metrics, trained.history)


@cache
def study_scenes() -> SceneSplits:
    """The scenes of all runs of the study, made once in a process."""
    return load_scenes(train=800, validation=150, test=500, rare_things=1)


def _rare_means(metrics: SegmentationMetrics, scenes: Scenes) -> dict[str, float]:
    def mean(values: Tensor) -> float:
        return values[torch.tensor(scenes.rare)].nanmean().item()

    return {"rare recall": mean(metrics.recall), "rare precision": mean(metrics.precision)}


STUDY = Study(
    name="segmentation-losses",
    question="Which pixels should a segmentation loss weight where classes are rare?",
    tuned="learning_rate",
    candidates=dict.fromkeys(
        ("cross-entropy", "inverse frequency", "focal", "recall", "structure"), LEARNING_RATES
    ),
    run=run,
    shown=("mean recall", "mean precision", "mean IoU", "boundary IoU"),
    note="a small U-Net, 600 updates of 8 scenes; a common class has 17 times the pixels of a rare "
    "one; learning rates chosen by the mean IoU of scenes drawn by another foundry",
)
