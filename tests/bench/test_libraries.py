"""Other libraries are found by the methods that name them, and their versions are stored."""

from importlib.metadata import version

import pytest
import torch

from recallkit.bench import libraries
from recallkit.bench.libraries import bench_environment, installed, use_threads


def test_a_method_needs_the_libraries_that_it_names(monkeypatch):
    monkeypatch.setitem(libraries.MODULES, "GradCache", "no_such_module")
    monkeypatch.setitem(libraries.MODULES, "faiss", "json")
    assert installed("blocks")
    assert installed("search of faiss")
    assert not installed("GradCache")
    assert not installed("faiss by GradCache")


def test_versions_of_installed_libraries_are_stored(monkeypatch):
    monkeypatch.setattr(libraries, "MODULES", {"tests": "pytest", "missing": "no_such_module"})
    stored = bench_environment("cpu")["libraries"]
    assert stored["tests"] == version("pytest")
    assert "missing" not in stored
    assert stored["torch"] == version("torch")


def test_faiss_gets_the_threads_of_torch():
    faiss = pytest.importorskip("faiss")
    before = torch.get_num_threads(), faiss.omp_get_max_threads()
    use_threads(1)
    assert (torch.get_num_threads(), faiss.omp_get_max_threads()) == (1, 1)
    torch.set_num_threads(before[0])
    faiss.omp_set_num_threads(before[1])
