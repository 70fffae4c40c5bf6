"""What several test files share."""

import os
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from recallkit.data.image_set import ImageSet, Splits

if not torch.cuda.is_available():  # the kernels are then interpreted
    os.environ["TRITON_INTERPRET"] = "1"  # before anything imports triton, which reads it then

if "PYTEST_XDIST_WORKER" in os.environ:  # tests side by side share the cores
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)

with suppress(ImportError):  # the tests of the core run without it
    import matplotlib

    matplotlib.use("Agg")  # here only: a variable would reach the kernels of notebooks too

settings.register_profile("shared machine", deadline=None)  # an example may take any time
settings.load_profile("shared machine")

TESTS = Path(__file__).parent
LONG = [  # they take the most time, the longest first
    "notebooks/test_running.py",
    "browser/test_explorables.py",
    "browser/test_accessibility.py",
    "browser/test_book.py",
    "browser/test_lecture.py",
    "browser/test_predictions.py",
    "browser/test_widgets.py",
    "test_wheel.py",
    "test_types.py",
    "course/assignments/test_isolation.py",
    "experiments/test_run.py",
    "course/test_notebooks.py",
    "training/test_training.py",
    "browser/test_explorables_in_lab.py",
    "browser/test_same_walk.py",
    "browser/test_search_page.py",
    "browser/test_serve.py",
    "test_own_loop.py",
    "experiments/test_cluster.py",
    "cli/test_training.py",
    "training/test_distributed.py",
    "training/test_benchmark_training.py",
    "experiments/test_statistics.py",
    "cli/test_run_pages.py",
    "bench/test_ranks.py",
    "bench/test_step.py",
    "cli/test_sweeps.py",
    "cli/test_outputs.py",
    "training/test_build.py",
    "training/test_environment.py",
]


def pytest_configure(config):
    """Let pytest-xdist hand out the files in the order of ``pytest_collection_modifyitems``."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Let coverage rest where lines repeat; where processes share the tests, begin with long files.

    Else one process would run a long file at the end, while the others wait.
    """
    for item in items:  # counting makes Python slower by half
        function = getattr(item, "obj", None)  # a cell of a notebook has none
        is_property = getattr(function, "is_hypothesis_test", False)  # of a hundred examples
        if is_property or item.get_closest_marker("browser"):
            item.add_marker("no_cover")
    if "PYTEST_XDIST_WORKER" in os.environ:
        places = {TESTS / name: place for place, name in enumerate(LONG)}
        counts = Counter(item.path for item in items)
        items.sort(key=lambda item: (places.get(item.path, len(LONG)), -counts[item.path]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Where coverage rests, let it rest in the processes that the test starts, too."""
    if not item.get_closest_marker("no_cover"):
        return (yield)
    from helpers.processes import uncounted

    with uncounted():
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def _separate_folders(tmp_path_factory):
    """Keep the caches and results of the tests apart from the user's."""
    os.environ["RECALLKIT_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["RECALLKIT_RESULTS"] = str(tmp_path_factory.mktemp("results"))
    os.environ["JUPYTER_DATA_DIR"] = str(tmp_path_factory.mktemp("jupyter"))  # trusted notebooks


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_reaches_processes():
    """Let processes of the tests hear SIGINT, also where a shell ignores it: ``command &``."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def make_images(classes: range, per_class: int, generator: torch.Generator) -> ImageSet:
    """Classes are coarse random patterns; the images of a class are noisy copies of it."""
    patterns = torch.randint(0, 256, (len(classes), 1, 3, 4, 4), generator=generator)
    noise = torch.randint(-60, 61, (len(classes), per_class, 3, 4, 4), generator=generator)
    coarse = (patterns + noise).clamp(0, 255).to(torch.uint8).flatten(0, 1)
    images = coarse.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    return ImageSet(
        images=images,
        labels=torch.tensor(classes).repeat_interleave(per_class),
        class_names={c: f"pattern {c}" for c in classes},
    )


@pytest.fixture(scope="session")
def toy_splits() -> Splits:
    """Twenty classes of four 16-pixel images; train, validation and test share none."""
    generator = torch.Generator().manual_seed(0)
    splits = (range(10), range(10, 14), range(14, 20))
    return Splits(*(make_images(classes, 4, generator) for classes in splits))


@pytest.fixture
def two_queries(monkeypatch):
    """Draw two queries instead of eight: most of the time of a small training goes into them."""
    from recallkit import plots

    draw = plots.random_queries
    monkeypatch.setattr(plots, "random_queries", lambda images, count: draw(images, min(count, 2)))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory):
    """A folder that all processes of pytest-xdist share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def book(shared_folder):
    """The folder of the book, built by the command."""
    from helpers.books import build_once, whole

    return build_once(shared_folder, "book", whole)


@pytest.fixture(scope="session")
def pseudo_book(shared_folder):
    """The folder of a book of one chapter in a pseudo-language that is written from the right."""
    from helpers.books import build_once, pseudo

    return build_once(shared_folder, "pseudo-book", pseudo)
