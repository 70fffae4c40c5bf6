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
from recallkit.gallery.export import describe_run, example_images, export_run
from recallkit.gallery.extending import Changes, Embedding, extend_index, file_digest
from recallkit.gallery.index import Index, check_same_run
from recallkit.gallery.index_files import check_names, check_suffix, read_index, write_index
from recallkit.gallery.listing import FoundImages, check_queries, expand, find_images
from recallkit.gallery.loading import load
from recallkit.gallery.opening import (
    Gallery,
    GalleryPlan,
    digest_of_path,
    open_gallery,
    plan_gallery,
    remarks_on_index,
)
from recallkit.gallery.report import Report, is_class_table, make_report, write_class_table
from recallkit.gallery.report_html import is_report, report_page
from recallkit.gallery.run import TrainedRun, load_trained_run
from recallkit.gallery.searching import SearchResult, check_k, rows_of_file, search_files
from recallkit.gallery.thumbnails import image_reader

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
    "Report",
    "SearchResult",
    "TrainedRun",
    "check_k",
    "check_names",
    "check_queries",
    "check_same_run",
    "check_suffix",
    "confused_classes",
    "describe_run",
    "digest_of_path",
    "duplicate_groups",
    "duplicate_pairs",
    "example_images",
    "expand",
    "export_run",
    "extend_index",
    "file_digest",
    "find_images",
    "image_reader",
    "is_class_table",
    "is_report",
    "load",
    "load_trained_run",
    "make_report",
    "open_gallery",
    "plan_gallery",
    "read_index",
    "recall_per_class",
    "remarks_on_index",
    "report_page",
    "rows_of_file",
    "search_files",
    "write_class_table",
    "write_index",
]
