"""A stored number names the code that made it."""

import pickle
import shutil
import subprocess
import sys

import pytest

from recallkit.files import read_json
from recallkit.training.environment import commit_of


@pytest.fixture
def checkout(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    (tmp_path / "data" / "results").mkdir(parents=True)
    (tmp_path / "package").mkdir()
    for name in ("package/code.py", "data/images.bin", "data/results/run.json"):
        (tmp_path / name).write_text("first")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-qm", "first")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_the_commit_in_twelve_digits(checkout):
    name = commit_of(checkout / "package")
    assert len(name) == 12
    assert set(name) <= set("0123456789abcdef")


def test_a_result_stored_over_another_is_no_other_code(checkout):
    clean = commit_of(checkout / "package")
    (checkout / "data" / "results" / "run.json").write_text("second")
    assert commit_of(checkout / "package") == clean


@pytest.mark.parametrize("name", ["package/code.py", "data/images.bin"])
def test_changed_code_and_data_are_told(checkout, name):
    clean = commit_of(checkout / "package")
    (checkout / name).write_text("second")
    assert commit_of(checkout / "package") == f"{clean}-dirty"
    (checkout / name).write_text("first")
    assert commit_of(checkout / "package") == clean


def test_outside_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit_of(tmp_path) == "unknown"


def test_a_package_installed_below_a_checkout_is_not_of_its_commit(checkout):
    installed = checkout / ".venv" / "package"
    installed.mkdir(parents=True)
    (installed / "code.py").write_text("installed")
    assert commit_of(installed) == "unknown"


def test_training_works_where_python_has_no_resource(tmp_path, toy_splits):
    """As on Windows: the peak of memory is then unknown."""
    (tmp_path / "splits").write_bytes(pickle.dumps(toy_splits))
    code = (
        "import sys, pickle\n"
        "sys.modules['resource'] = None\n"
        "from pathlib import Path\n"
        "from recallkit.config import Config\n"
        "from recallkit.training import train\n"
        "splits = pickle.loads(Path('splits').read_bytes())\n"
        "config = Config(image_size=16, embedding_dim=8, batch_size=16, images=32, evaluations=1)\n"
        "train(config, Path('run'), splits=splits, device='cpu')\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert read_json(tmp_path / "run" / "result.json")["peak_memory_mb"] is None
