"""The wheel, installed outside the checkout: the core alone, and the whole course."""

import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from sysconfig import get_paths
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

import recallkit
from recallkit.files import embedded

ROOT = Path(__file__).resolve().parents[1]
SITE = Path(get_paths()["purelib"])
BIN = "Scripts" if os.name == "nt" else "bin"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [file] = folder.glob(f"recallkit-{recallkit.__version__}-*.whl")
    assert file.stat().st_size < 60e6
    return file


class Installed:
    """A virtual environment with the wheel, and a folder of a user beside it."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        self.environment, self.user = folder / "environment", folder / "user"
        self.user.mkdir()
        subprocess.run(
            [sys.executable, "-m", "venv", "--without-pip", self.environment], check=True
        )
        self.python = self.environment / BIN / "python"
        pip = [sys.executable, "-m", "pip", "--python", self.python, "install", "--no-deps"]
        subprocess.run([*pip, "--no-index", "--quiet", "--no-compile", wheel], check=True)
        self.site = next(self.environment.glob("lib/python*/site-packages"))

    def run(self, *command, status=0):
        """Run a command of the environment as the user; return what it prints."""
        variables = {
            k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "RECALLKIT_R"))
        }
        variables |= {"PYTHONDONTWRITEBYTECODE": "1", "RECALLKIT_PROFILE": "smoke"}
        done = subprocess.run(
            [self.environment / BIN / command[0], *command[1:]],
            cwd=self.user,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout if status == 0 else done.stderr


def with_dependencies(names):
    """The distributions of these names, and those that they need in turn."""
    needed, due = {}, list(names)
    while due:
        name = due.pop()
        if name not in needed:
            needed[name] = distribution(name)
            required = map(Requirement, needed[name].requires or [])
            due += [r.name for r in required if not r.marker or r.marker.evaluate({"extra": ""})]
    return needed.values()


@pytest.fixture(scope="session")
def core(wheel, tmp_path_factory):
    """The wheel with torch, numpy, tqdm and what these need, by links; nothing else."""
    installed = Installed(tmp_path_factory.mktemp("core"), wheel)
    for needed in with_dependencies(["torch", "numpy", "tqdm"]):
        for top in {path.parts[0] for path in needed.files} - {"..", "__pycache__"}:
            if not (installed.site / top).exists() and not top.endswith(".pth"):
                (installed.site / top).symlink_to(needed.locate_file(top))
    return installed


@pytest.fixture(scope="session")
def course(wheel, tmp_path_factory):
    """The wheel with every package that the tests have."""
    installed = Installed(tmp_path_factory.mktemp("course"), wheel)
    (installed.site / "packages.pth").write_text(str(SITE))
    return installed


CORE = """
import torch
from recallkit import *
from recallkit import __file__ as place

labels = torch.arange(32) // 4
images = torch.randn(32, 8)
network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Flatten())
step = LargeBatchStep(network, RecallAtKLoss(ks=(1, 2)), chunk_size=8, mixup=SimilarityMixup())
assert 0 < step(images, labels) < 1
assert network[0].weight.grad.abs().sum() > 0
embeddings = torch.nn.functional.normalize(network(images), dim=1)
assert SmoothAPLoss()(embeddings, labels).isfinite()
assert relaxed_ranks(embeddings, embeddings, find_positives(labels, labels)).isfinite().all()
assert search(embeddings, k=2)[1].shape == (32, 2)
assert set(retrieval_metrics(embeddings, labels)) > {"R@1", "mAP@R"}
print(place)
"""


def test_the_wheel_has_the_modules_of_the_live_figures(wheel):
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "recallkit").rglob("*.js")}
    assert "recallkit/course/explorables/maths/ranks.js" in modules
    assert modules <= set(ZipFile(wheel).namelist())


def test_the_core_alone_has_the_loss_and_its_kin(core):
    code = CORE.replace("import *", f"import {', '.join(CORE_NAMES)}")
    assert core.run("python", "-c", code).strip().startswith(str(core.site))


CORE_NAMES = ["LargeBatchStep", "RecallAtKLoss", "SimilarityMixup", "SmoothAPLoss"]
CORE_NAMES += ["find_positives", "relaxed_ranks", "retrieval_metrics", "search"]


@pytest.mark.parametrize(
    ("code", "user", "extra"),
    [
        ("from recallkit import train", "recallkit.train", "train"),
        ("from recallkit import load_results", "recallkit.load_results", "train"),
        ("from recallkit import plots; plots.plot_learning_curve([])", "recallkit.plots", "train"),
        ("from recallkit.course import widgets", "recallkit.course.widgets", "course"),
    ],
)
def test_the_core_alone_names_the_missing_extra(core, code, user, extra):
    message = core.run("python", "-c", code, status=1).splitlines()[-1]
    assert message.startswith(
        f"recallkit.errors.MissingExtraError: {user} needs the extra [{extra}]"
    )
    assert message.endswith(f'Run: pip install "recallkit[{extra}]"')


def test_the_core_alone_names_the_extra_with_faiss(core):
    code = "import torch, recallkit; recallkit.search(torch.eye(4), k=2, engine='faiss')"
    assert "recallkit[course]" in core.run("python", "-c", code, status=1).splitlines()[-1]


def test_the_command_of_the_core_alone(core):
    assert "recallkit COMMAND --help" in core.run("recallkit", "--help")
    [line] = core.run("recallkit", "train", status=1).splitlines()
    assert line.startswith("recallkit: error: recallkit train needs the extra [train]")


def listing(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_the_course_outside_the_checkout(course):
    """Train, plot, bench and open the course; nothing is written beside the package."""
    before = listing(course.environment)
    shown = course.run(
        "recallkit", "train", "--images", "2000", "--evaluations", "1", "--store", "my"
    )
    assert "| trained" in shown
    assert "drew " in course.run("recallkit", "plot", "batch-size")
    assert "stored " in course.run("recallkit", "bench", "precision")
    course.run("recallkit", "lab", "lessons", "--", "--allow-root", "--version")
    course.run("recallkit", "notebooks", "01", "--folder", "lessons")
    assert listing(course.environment) == before
    results = {path.name for path in (course.user / "results").rglob("*.*")}
    assert {"my-seed0.json", "precision-cpu.json", "batch-size.svg"} <= results
    originals = {path.name for path in embedded("notebooks").glob("*.ipynb")}
    assert {path.name for path in (course.user / "lessons").glob("*.ipynb")} == originals


SOURCES = """
from pathlib import Path
from recallkit.course.book.sources import write_sources
from recallkit.course.translation import find_language
from recallkit.files import embedded

write_sources(embedded("notebooks"), Path("sources"), find_language("de", embedded("notebooks")))
"""


def test_the_wheel_has_all_that_the_book_is_made_of(course):
    course.run("python", "-c", SOURCES)
    written = {path.relative_to(course.user) for path in course.user.glob("sources/**/*.*")}
    pages = (
        "01_relaxed_ranking.ipynb",
        "cover.png",
        "cite.md",
        "guide/sweeps.md",
        "api/recallkit.rst",
    )
    assert {Path("sources") / page for page in pages} <= written
    assert "Der Kurs" in (course.user / "sources/index.md").read_text(encoding="utf-8")
    assert list(course.site.glob("recallkit/course/book/static/book.css"))


def test_no_checkout_no_project(course):
    for command in (["bench", "precision", "--project"], ["train", "--store", "a", "--project"]):
        [line] = course.run("recallkit", *command, status=1).splitlines()
        assert "--project stores results in a checkout" in line
    assert "name a folder" in course.run("recallkit", "prepare", "emoji", status=1)
