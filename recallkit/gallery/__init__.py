"""After a training: embed and search images by a run, and see what its embeddings tell of them."""

from recallkit.gallery.confusions import (
    ClassRecall,
    Confusion,
    confused_classes,
    recall_per_class,
)
from recallkit.gallery.duplicates import (
    THRESHOLD,
    DuplicateGroup,
    duplicate_groups,
    duplicate_pairs,
)
from recallkit.gallery.extending import Changes, Embedding, extend_index
from recallkit.gallery.index import Index, check_same_run
from recallkit.gallery.index_files import check_suffix, read_index, write_index
from recallkit.gallery.listing import FoundImages, check_queries, expand, find_images
from recallkit.gallery.loading import load
from recallkit.gallery.opening import Gallery, GalleryPlan, open_gallery, plan_gallery
from recallkit.gallery.run import TrainedRun, load_trained_run
from recallkit.gallery.searching import SearchResult, check_k, rows_of_file, search_files

__all__ = [
    "THRESHOLD",
    "Changes",
    "ClassRecall",
    "Confusion",
    "DuplicateGroup",
    "Embedding",
    "FoundImages",
    "Gallery",
    "GalleryPlan",
    "Index",
    "SearchResult",
    "TrainedRun",
    "check_k",
    "check_queries",
    "check_same_run",
    "check_suffix",
    "confused_classes",
    "duplicate_groups",
    "duplicate_pairs",
    "expand",
    "extend_index",
    "find_images",
    "load",
    "load_trained_run",
    "open_gallery",
    "plan_gallery",
    "read_index",
    "recall_per_class",
    "rows_of_file",
    "search_files",
    "write_index",
]
