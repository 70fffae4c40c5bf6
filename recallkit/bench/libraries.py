"""Other libraries in the benchmarks: each is measured where it is installed.

They are no dependencies of recallkit. A method that needs one has its name in its own, as in
"SmoothAP of pytorch-metric-learning". GradCache must come from its repository, since the package
of that name on PyPI cannot import its own class.
"""

from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from typing import Any

import torch

from recallkit.metrics.faiss_index import faiss_or_none
from recallkit.training.environment import environment

MODULES = {
    "pytorch-metric-learning": "pytorch_metric_learning",
    "open-metric-learning": "oml",
    "GradCache": "grad_cache",
    "faiss": "faiss",
}
"""Library, as methods name it → the module that it is imported by."""


def installed(method: str) -> bool:
    """Tell whether the libraries that a method has in its name are installed."""
    needed = [module for name, module in MODULES.items() if name in method]
    return all(find_spec(module) is not None for module in needed)


def bench_environment(device: str) -> dict[str, Any]:
    """Return what a stored number depends on, with the versions of the libraries installed."""
    about, packages = environment(torch.device(device)), packages_distributions()
    found = {name: packages[module] for name, module in MODULES.items() if module in packages}
    versions = {name: version(package) for name, [package, *_] in found.items()}
    return about | {"libraries": about["libraries"] | versions}


def use_threads(count: int) -> None:
    """Let torch compute on ``count`` threads, and faiss, which has a setting of its own."""
    torch.set_num_threads(count)
    if (faiss := faiss_or_none()) is not None:
        faiss.omp_set_num_threads(count)
