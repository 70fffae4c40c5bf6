"""Numbers from images and files: embed, then compute metrics by the protocol of a data set."""

from recallkit.evaluation.embedding import (
    SCALES,
    describe,
    embed,
    embed_pixels,
    evaluate,
    evaluate_among,
    evaluate_embeddings,
    evaluate_features,
    evaluate_pixels,
    multi_scale,
)
from recallkit.evaluation.embedding_files import (
    EmbeddingFile,
    read_embedding_file,
    read_embeddings,
    write_embeddings,
)
from recallkit.evaluation.file_evaluation import Source, evaluate_files
from recallkit.evaluation.protocols import (
    DISTRACTORS,
    EvaluationData,
    EvaluationOptions,
    evaluate_run,
    evaluate_run_on_landmarks,
    save_distractors,
)
from recallkit.evaluation.result import Evaluation

__all__ = [
    "DISTRACTORS",
    "SCALES",
    "EmbeddingFile",
    "Evaluation",
    "EvaluationData",
    "EvaluationOptions",
    "Source",
    "describe",
    "embed",
    "embed_pixels",
    "evaluate",
    "evaluate_among",
    "evaluate_embeddings",
    "evaluate_features",
    "evaluate_files",
    "evaluate_pixels",
    "evaluate_run",
    "evaluate_run_on_landmarks",
    "multi_scale",
    "read_embedding_file",
    "read_embeddings",
    "save_distractors",
    "write_embeddings",
]
