"""The benchmarks of the literature: their contents, their makers, their layout on the disk.

None is part of recallkit, and most may not be passed on. Each is read from a folder of the user's
(``root``), in the layout in which its makers publish it.
"""

from recallkit.data.benchmarks.checks import Check, check
from recallkit.data.benchmarks.loading import load_benchmark
from recallkit.data.benchmarks.registry import BENCHMARKS, Benchmark

__all__ = ["BENCHMARKS", "Benchmark", "Check", "check", "load_benchmark"]
