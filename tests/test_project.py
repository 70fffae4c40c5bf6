"""The project as a whole: packages in one place, names loaded when used, style clean."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

import recallkit
from recallkit.errors import EXTRAS, MissingExtraError, RecallkitError, needs_extra

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CORE = {"torch", "numpy", "tqdm"}


def python(code: str) -> str:
    """Run code in a fresh process; return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def names_of(requirements: list[str]) -> set[str]:
    """The names in requirements such as ``torch>=2.9``, spelled in one way."""
    names = {re.match(r"[\w-]+", requirement).group() for requirement in requirements}
    return {name.lower().replace("_", "-") for name in names}


def test_the_core_needs_three_packages():
    assert names_of(PROJECT["dependencies"]) == CORE


def test_the_environment_is_python_pip_the_course_and_its_book():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python_version, pip, installed = environment["dependencies"]
    assert python_version == f"python{PROJECT['requires-python']}"
    assert pip == "pip"
    assert installed == {"pip": ["--editable .[course,book]"]}
    assert environment["name"] == PROJECT["name"]


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_packages_of_an_extra_are_those_of_the_project(extra):
    """Messages about a missing package name the extra that pyproject.toml declares it in."""
    declared = names_of(PROJECT["optional-dependencies"][extra]) - {"recallkit", "faiss-cpu"}
    distributions = packages_distributions()
    if extra in ("files", "export", "cluster") and not distributions.keys() >= set(EXTRAS[extra]):
        pytest.skip(f"the extra [{extra}] is not installed")
    imported = {name for package in EXTRAS[extra] for name in distributions[package]}
    assert names_of(sorted(imported)) == declared


def test_a_missing_extra_is_one_line():
    with pytest.raises(MissingExtraError) as error, needs_extra("recallkit.train"):
        raise ModuleNotFoundError("No module named 'PIL.Image'", name="PIL.Image")
    assert str(error.value) == (
        "recallkit.train needs the extra [train] (PIL is not installed). "
        'Run: pip install "recallkit[train]"'
    )
    with pytest.raises(MissingExtraError) as lab, needs_extra("recallkit lab", "course"):
        raise ModuleNotFoundError("No module named 'tyro'", name="tyro")
    assert "needs the extra [course] (tyro is not installed)" in str(lab.value)
    assert isinstance(error.value, RecallkitError)
    assert isinstance(error.value, ImportError)
    with pytest.raises(ModuleNotFoundError, match="elsewhere"), needs_extra("recallkit.train"):
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")


def test_every_public_name_can_be_loaded():
    for name in recallkit.__all__:
        assert getattr(recallkit, name) is not None
    assert set(recallkit.__all__) <= set(dir(recallkit))
    with pytest.raises(AttributeError, match="no attribute 'recall'"):
        _ = recallkit.recall


def test_type_checkers_see_the_same_names_and_places():
    tree = ast.parse(Path(recallkit.__file__).read_text(encoding="utf-8"))
    [checked] = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in checked.body for alias in node.names}
    assert set(seen) == set(recallkit.__all__)
    for name, module in seen.items():
        assert getattr(sys.modules[module], name) is getattr(recallkit, name)


def test_importing_recallkit_loads_no_package():
    code = "import sys, recallkit; print([m for m in sys.modules if m.startswith('recallkit')])"
    assert python(code) == "['recallkit']"
    assert python("import sys, recallkit; print('torch' in sys.modules)") == "False"


def test_the_core_loads_what_torch_loads():
    """RS@k, SiMix, the large batch step, sampler, metrics and search cost what torch costs."""
    names = "ClassBalancedSampler LargeBatchStep RecallAtKLoss SimilarityMixup search"
    code = f"""
import sys, torch, numpy.random, tqdm
before = {{name.partition(".")[0] for name in sys.modules}}
from recallkit import {names.replace(" ", ", ")}
after = {{name.partition(".")[0] for name in sys.modules}} - before
print(sorted(after - set(sys.stdlib_module_names)))
"""
    assert python(code) == "['recallkit']"


TRAINING = {"torchvision", "PIL", "safetensors", "filelock"}  # and timm, for its backbones


def test_a_training_needs_few_packages_of_its_extra():
    """On a bare GPU machine: no tables, figures, search library or command line."""
    missing = sorted({package for names in EXTRAS.values() for package in names} - TRAINING)
    code = f"""
import sys
sys.modules.update(dict.fromkeys({missing!r}))  # importing these now fails
import recallkit.training.loop, recallkit.bench.step, recallkit.bench.ranks
from recallkit import build_network, search
import torch
search(torch.eye(4), k=2)
build_network("small", 8)
"""
    python(code)


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_style(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
