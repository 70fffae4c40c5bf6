"""The gain of one setting, all else equal, over all stored sweeps: SiMix, a larger batch.

Each side of a difference has the learning rate that was tuned for it. Intervals are those of
Welch's t, each for its difference alone; verdicts are those of :func:`.contrasts`.
"""

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from recallkit.constants import PAPERS_KS, SIMIX_KS
from recallkit.experiments.results import SETTINGS
from recallkit.experiments.statistics import compare
from recallkit.experiments.sweep_files import declared_names
from recallkit.experiments.sweep_tables import TUNED, compared_runs, past_sweeps
from recallkit.findings.notes import far_apart

REFERENCE = 512  # the batch size that others are compared with: the one most sweeps have


def simix_gains(runs: pd.DataFrame) -> pd.DataFrame:
    """Tabulate what SiMix adds to RS@k, beside how far the training is from its floor without it.

    Args:
        runs: of :func:`.load_results`.

    Returns:
        A row for each two settings that differ in SiMix alone: "sweep", "trained" in words,
        "batch_size", "per_class" images of a class in a batch, "largest k", "images" of the
        training, "updates", "training classes"; "distance", the training loss without SiMix less
        that of a perfect ranking; "change" of R@1 on test classes from off to on, and "margin",
        half of its 95 % interval, as shares; "far apart", if a run of either side ended far below
        its seeds, so that the change says little.
    """
    rows = [
        _about(off) | {"distance": (off["training loss"] - off["floor"]).mean()} | _change(off, on)
        for off, on in _pairs(_all_compared_runs(runs), "simix", False)
        if on["simix"].all()
    ]
    return _once(rows, "distance")


def batch_gains(runs: pd.DataFrame, reference: int = REFERENCE) -> pd.DataFrame:
    """Tabulate what a batch adds to one of ``reference`` images, by RS@k, after as many images.

    With the paper's five cut-offs.

    Args:
        runs: of :func:`.load_results`.
        reference: the batch size that is compared with.

    Returns:
        A row for each batch size of each declared sweep that has the reference and others; that of
        the reference has the change 0, without a margin. Columns are those of :func:`simix_gains`,
        with "simix"; "batch / classes", images of a batch for each training class, in place of
        "distance".
    """
    compared = _all_compared_runs(runs)
    usual = ~compared["sweep"].isin(past_sweeps(runs)) & compared["ks"].isin([PAPERS_KS])
    compared = compared[usual]
    rows = [
        _about(size)
        | {"simix": bool(size["simix"].iloc[0])}
        | {"batch / classes": size["batch_size"].iloc[0] / size["training classes"].iloc[0]}
        | _change(same, size)
        for same, size in _pairs(compared, "batch_size", reference)
    ]
    return _once(rows, "batch / classes")


def _all_compared_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the final runs of all sweeps, with the "sweep" they count for; some count for two.

    Only those of RS@k with the query left out, and with the paper's cut-offs, without SiMix or with
    it: what differs in these need not gain as it does.
    """
    names = [*sorted(declared_names()), *past_sweeps(runs)]
    every = pd.concat([compared_runs(name, runs)[1].assign(sweep=name) for name in names])
    papers = (every["loss"] == "recall@k") & every["ks"].isin([PAPERS_KS, SIMIX_KS])
    return every[papers & ~every["query_in_database"].astype(bool)]


def _pairs(runs: pd.DataFrame, name: str, before: Any) -> Iterator[tuple[pd.DataFrame, ...]]:
    """Yield the runs with one value of a setting, and those with each value, all else equal."""
    fixed = [setting for setting in SETTINGS if setting not in (name, *TUNED)]
    groups = runs.groupby(["sweep", *fixed], dropna=False, sort=False)
    for _, group in groups:
        values = dict(iter(group.groupby(name)))
        if before in values and len(values) > 1:
            yield from ((values[before], side) for side in values.values())


def _about(runs: pd.DataFrame) -> dict[str, Any]:
    run = runs.iloc[0]
    columns = ("sweep", "batch_size", "per_class", "images", "training classes")
    about = {name: run[name] for name in columns} | {"updates": run["steps"]}
    return about | {"largest k": max(run["ks"]), "trained": trained_on(run)}


def trained_on(run: Any) -> str:
    """Return what is trained in a few words: the data set, and how the backbone starts.

    Args:
        run: a row of :func:`.load_results`.
    """
    if run["frozen"]:
        return f"{run['dataset']}, frozen features"
    return f"{run['dataset']}, pretrained" if run["pretrained"] else run["dataset"]


def trained_in_words(trained: str) -> str:
    """Return what :func:`trained_on` says as a legend says it: "distorted glyphs", no name."""
    return trained.replace("glyphs-distorted", "distorted glyphs")


def _change(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, Any]:
    change = compare(before["R@1"], after["R@1"])
    margin = math.nan if before is after else change.margin
    keys = " ".join(sorted([*before["key"], *after["key"]]))
    apart = far_apart([*before["R@1"]]) or far_apart([*after["R@1"]])
    return {"change": change.change, "margin": margin, "far apart": apart, "keys": keys}


def _once(rows: list[dict[str, Any]], needed: str) -> pd.DataFrame:
    """Return a table in which runs that several sweeps share count once."""
    columns = ["sweep", "batch_size", "per_class", "images", "training classes", "updates"]
    columns += ["largest k", "trained", "simix", needed, "change", "margin", "far apart", "keys"]
    table = pd.DataFrame(rows, columns=list(rows[0]) if rows else columns)
    table = table.drop_duplicates("keys").drop(columns="keys")
    return table.dropna(subset=[needed, "change"]).reset_index(drop=True)
