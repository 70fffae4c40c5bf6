"""A stored number names the code that made it."""

import os
import pickle
import platform
import shutil
import subprocess
import sys

import pytest

from recallkit.files import read_json
from recallkit.training.environment import commit_of, keep_freed_memory


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


LIKE_WINDOWS = """
import fcntl, os, pickle, stat, sys
from pathlib import Path

sys.modules["resource"] = None
fsync = os.fsync


def fsync_writable(handle):
    read_only = fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    if read_only and not stat.S_ISDIR(os.fstat(handle).st_mode):
        raise OSError(9, "Bad file descriptor")
    fsync(handle)


os.fsync = fsync_writable
from recallkit.config import Config
from recallkit.training import train

splits = pickle.loads(Path("splits").read_bytes())
config = Config(image_size=16, embedding_dim=8, batch_size=16, images=32, evaluations=1)
train(config, Path("run"), splits=splits, device="cpu", progress=True)
"""


def test_training_works_without_what_only_unix_has(tmp_path, toy_splits):
    """No module ``resource``, so the peak of memory is unknown; a flush wants a writable handle."""
    (tmp_path / "splits").write_bytes(pickle.dumps(toy_splits))
    subprocess.run([sys.executable, "-c", LIKE_WINDOWS], cwd=tmp_path, check=True)
    assert read_json(tmp_path / "run" / "result.json")["peak_memory_mb"] is None


FAULTS = """
import resource
import torch
from recallkit.training.environment import keep_freed_memory
kept = keep_freed_memory() if {keep} else None
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    torch.zeros(8, 2**20).add_(1)  # 32 MB
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep, **variables):
    """Whether memory is kept, and the page faults of twenty tensors of 32 MB, one at a time."""
    program = [sys.executable, "-c", FAULTS.format(keep=keep)]
    others = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(program, env=others | variables, stdout=subprocess.PIPE, check=True)
    kept, count = done.stdout.split()
    return kept.decode(), int(count)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other systems keep it anyway")
def test_freed_memory_is_kept_unless_the_environment_says_otherwise():
    assert faults(True)[0] == "True"
    assert faults(True)[1] < faults(False)[1] / 4
    assert faults(True, MALLOC_MMAP_THRESHOLD_="131072")[0] == "False"


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
