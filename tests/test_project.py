"""The project as a whole: dependencies in one place, imports light, style clean, README true."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_environment_is_python_pip_and_the_project_itself():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, installed = environment["dependencies"]
    assert python == f"python{PROJECT['requires-python']}"
    assert pip == "pip"
    assert installed == {"pip": ["--editable .[test]"]}
    assert environment["name"] == PROJECT["name"]


HEAVY = "faiss timm matplotlib ipywidgets pytorch_metric_learning tyro torchvision safetensors"


def test_import_loads_torch_and_nothing_heavier():
    code = f"import sys, recallkit; print([m for m in {HEAVY.split()} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


BLOCKED = [*HEAVY.replace("torchvision", "").split(), "jupyterlab", "scipy", "pandas"]
BLOCKED += ["tensorboard"]


def test_the_core_needs_only_torch_torchvision_numpy_pillow_and_tqdm():
    code = f"""
import sys
sys.modules.update(dict.fromkeys({BLOCKED!r}))  # importing these now fails
import recallkit.training.trainer, recallkit.data, recallkit.networks, recallkit.metrics
from recallkit.metrics import search
import torch
search(torch.eye(4), k=2)
recallkit.networks.build_network("small", 8)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_style(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_has_its_two_commands_and_no_dead_links():
    readme = (ROOT / "README.md").read_text()
    for name, end in (("train", "recallkit train"), ("test", "pytest -n 2 --dist loadfile --cov")):
        [command] = re.findall(rf"<!-- {name} command -->\n```sh\n(.*?)\n```", readme, re.DOTALL)
        assert command.strip().endswith(end)
        assert "python3 -m venv" in command
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", readme) + re.findall(r'src="([^"]+)"', readme)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_data_travels_with_a_wheel():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    for source in included:
        assert (ROOT / source).is_dir()
