"""What relatives do to R@1: over all queries, without some of them, and without their relatives."""

from collections.abc import Iterable
from typing import Any

import numpy as np

SAMPLES = 2000  # of the bootstrap

Pairs = Iterable[tuple[int, int]]  # of classes


def effect(labels: np.ndarray, neighbours: np.ndarray, across: Pairs, within: Pairs) -> list[dict]:
    """Compute R@1 over all queries and in four other ways, with intervals of the differences.

    Args:
        labels: (N,) of the test images, each of which is a query.
        neighbours: (N, k) their nearest among the other test images, nearest first; k is so large
            that each row has an image that is of no relative.
        across: pairs (training class, test class) of relatives.
        within: pairs of test classes that are relatives.

    Returns:
        Rows with "queries", their "number" and "classes", "R@1", its "difference" from that of
        all queries, and "low" and "high", the ends of its 95 % interval. Three rows drop queries
        and keep the gallery. The last keeps all queries and leaves out of the gallery of each the
        images of its relatives. The row of all queries also has "relative first": the share of
        wrong answers that are of a relative.
    """
    within, found = set(within), labels[neighbours]  # (N, k)
    right, relative = found == labels[:, None], _related(labels, found, within)
    if relative.all(1).any():
        raise ValueError("neighbours must be more: some are of relatives alone")
    seen = np.isin(labels, [test for _, test in across])
    alike = np.isin(labels, [label for pair in within for label in pair])
    kept = {
        "all": np.ones(len(labels), bool),
        "no relative in training": ~seen,
        "no relative in the test": ~alike,
        "no relative in either": ~seen & ~alike,
    }
    hits = right[:, 0]
    rows = [_row(name, labels, hits, hits, queries) for name, queries in kept.items()]
    rows[0]["relative first"] = float(relative[~hits, 0].mean())
    without = right[np.arange(len(labels)), relative.argmin(axis=1)]  # the first of no relative
    return [*rows, _row("gallery without relatives", labels, hits, without, kept["all"])]


def _related(labels: np.ndarray, found: np.ndarray, within: set[tuple[int, int]]) -> np.ndarray:
    """Tell which of the found labels (N, k) are of a relative of the query's class."""
    size = int(labels.max()) + 1
    both = [a * size + b for a, b in within] + [b * size + a for a, b in within]
    return np.isin(labels[:, None] * size + found, both)


def _row(
    name: str, labels: np.ndarray, before: np.ndarray, after: np.ndarray, kept: np.ndarray
) -> dict[str, Any]:
    """Compare the hits of all queries before with those of the kept queries after."""
    classes = np.unique(labels, return_inverse=True)[1]
    ones = np.ones(len(labels))
    sums = [np.bincount(classes, values) for values in (before, ones, after * kept, kept)]
    differences = _resampled(np.stack(sums, axis=1))
    low, high = np.quantile(differences, (0.025, 0.975))
    recall = float(after[kept].mean())
    return {
        "queries": name,
        "number": int(kept.sum()),
        "classes": len(np.unique(labels[kept])),
        "R@1": recall,
        "difference": recall - float(before.mean()),
        "low": float(low),
        "high": float(high),
    }


def _resampled(sums: np.ndarray) -> np.ndarray:
    """Draw classes with replacement, and return the difference of R@1 in each sample, (SAMPLES,).

    Args:
        sums: (C, 4) of each class: hits and queries before, hits and queries after.
    """
    random, classes = np.random.default_rng(0), len(sums)
    differences = []
    for _ in range(SAMPLES):
        drawn = np.bincount(random.integers(classes, size=classes), minlength=classes)
        hits, queries, hits_after, queries_after = drawn @ sums
        differences.append(hits_after / queries_after - hits / queries)
    return np.array(differences)
