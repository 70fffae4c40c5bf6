"""From images and files to numbers: embed, then compute metrics by the protocol of a data set."""

from recallkit.evaluation.embedding import (
    SCALES,
    describe,
    embed,
    embed_pixels,
    evaluate,
    evaluate_embeddings,
    evaluate_features,
    evaluate_pixels,
    multi_scale,
)
from recallkit.evaluation.embedding_files import number_labels, read_embeddings, write_embeddings
from recallkit.evaluation.protocols import (
    DISTRACTORS,
    EvaluationData,
    EvaluationOptions,
    evaluate_files,
    evaluate_run,
    evaluate_run_on_landmarks,
    save_distractors,
)

__all__ = [
    "DISTRACTORS",
    "SCALES",
    "EvaluationData",
    "EvaluationOptions",
    "describe",
    "embed",
    "embed_pixels",
    "evaluate",
    "evaluate_embeddings",
    "evaluate_features",
    "evaluate_files",
    "evaluate_pixels",
    "evaluate_run",
    "evaluate_run_on_landmarks",
    "multi_scale",
    "number_labels",
    "read_embeddings",
    "save_distractors",
    "write_embeddings",
]
