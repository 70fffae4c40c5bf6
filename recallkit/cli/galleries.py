"""The run and the gallery that flags name, and how the gallery's images are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from recallkit.cli.gallery_results import say
from recallkit.cli.shared import latest_run
from recallkit.ranges import Range

if TYPE_CHECKING:
    from recallkit.gallery import Embedding, Gallery, GalleryPlan, Index, TrainedRun

Split = Literal["all", "test", "validation", "train"]
OnBadImage = Literal["raise", "skip"]
Workers = Annotated[int, Range(0, 1024)]


def source_and_run(what: Path | None, run: Path | None) -> tuple[Path | None, Path | None]:
    """Tell whether ``what`` is a run; return the folder or index besides, and the run.

    Raises:
        ValueError: for two runs.
    """
    if what is None or not (what / "config.json").is_file():
        return what, run
    if run is not None:
        raise ValueError(f"--run is for an index or a folder of images, and {what} is a run itself")
    return None, what


def run_of(index: "Index | None", run: Path | None) -> Path:
    """Return the run that was asked for, else that of the index, else the latest; say which."""
    if run is not None:
        return run
    if index is not None and Path(index.run_folder).is_dir():
        say(f"run {index.run_folder}, that of the index")
        return Path(index.run_folder)
    latest = latest_run()
    say(f"run {latest}, the latest finished one")
    return latest


def plan_for(
    gallery: Path | None, run: Path | None, split: Split, dataset: str, root: str
) -> "tuple[GalleryPlan, Path]":
    """Plan what is searched, and by which run."""
    from recallkit.gallery import plan_gallery

    folder = run or latest_run() if gallery is None or gallery.is_dir() else run or Path()
    plan = plan_gallery(folder, gallery, dataset=dataset, root=root, split=split)
    return plan, run_of(plan.index, run)


def embedding_for(
    run: Path, own_images: bool, on_bad_image: OnBadImage | None, workers: int
) -> "Embedding":
    """Return how images are embedded: those of the run as in its training, if nothing is asked."""
    from recallkit.gallery import Embedding
    from recallkit.training.run_folder import reading_of_run

    asked = on_bad_image or (reading_of_run(run).on_bad_image if own_images else "raise")
    return Embedding(asked, workers)


def open_for(run: "TrainedRun", plan: "GalleryPlan", options: "Embedding") -> "Gallery":
    """Open a gallery, and say what there is to say about it."""
    from recallkit.gallery import open_gallery

    gallery = open_gallery(run, plan, options)
    for message in filter(None, gallery.messages):
        say(message)
    return gallery
