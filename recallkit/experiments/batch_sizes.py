"""The sweeps over batch sizes side by side: what SiMix adds, and what a longer training changes.

In all functions ``runs`` is a table of :func:`.load_results`. What was not run is left out.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recallkit.config import Config
from recallkit.experiments.statistics import (
    NOT_RUN,
    compare,
    contrast,
    joined,
    sweep_runs,
    sweep_summary,
)
from recallkit.experiments.sweep_files import SWEEPS
from recallkit.experiments.sweeps import Sweep

FAMILY = ["dataset", "network", "pretrained", "frozen", "simix"]  # beside length and batch size


def batch_sweeps(sweeps: Mapping[str, Sweep] = SWEEPS) -> list[Sweep]:
    """Return the sweeps over batch sizes, by what they train and how long."""

    def order(sweep: Sweep) -> tuple[str, bool, bool, int]:
        config = sweep.config({})
        return config.dataset, config.pretrained, not config.frozen, config.images

    return sorted((s for s in sweeps.values() if s.axes[:1] == ("batch_size",)), key=order)


def trained_on(config: Config) -> str:
    """Return what is trained in a few words: the data set, and how the backbone starts."""
    if config.frozen:
        return f"{config.dataset}, frozen features"
    return f"{config.dataset}, pretrained" if config.pretrained else config.dataset


def batch_summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise all sweeps over batch sizes of which a final run is stored.

    Returns:
        The columns of :func:`.sweep_summary`, and "sweep", "preset", "trained" in words, "images"
        of a whole training; "simix" also where a sweep does not vary it.
    """
    tables = []
    for sweep in batch_sweeps():
        table = sweep_summary(sweep, runs)
        if table["seeds"].any():
            tables.append(pd.DataFrame({**_about(sweep), "simix": sweep.config({}).simix, **table}))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _about(sweep: Sweep) -> dict[str, str | int]:
    config = sweep.config({})
    about = {"sweep": sweep.name, "preset": sweep.preset, "trained": trained_on(config)}
    return {**about, "images": config.images}


def simix_effects(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare SiMix on with SiMix off, at each batch size of each sweep that varies both.

    Returns:
        "sweep", "preset", "trained" in words, "images" of a whole training, "batch_size"; "change"
        of R@1 on test classes by SiMix, its "margin" and "verdict".
    """
    rows = []
    for sweep in batch_sweeps():
        sizes = sorted({setting["batch_size"] for setting in sweep.compared})
        for size in sizes if "simix" in sweep.axes else ():
            off, on = ({"batch_size": size, "simix": mixed} for mixed in (False, True))
            change = contrast(sweep, off, on, runs)
            if change.verdict != NOT_RUN:
                rows.append(_about(sweep) | {"batch_size": size} | change._asdict())
    return pd.DataFrame(rows)


def length_effects(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare the larger of two batches with the smaller, after trainings of different length.

    The two are the smallest and the largest size that all lengths of a family have in common.

    Returns:
        "trained" in words, "simix", "images" of a whole training, the "smaller" and "larger" batch;
        "change" of R@1 on test classes by the larger one, its "margin" and "verdict"; "smaller on"
        and "larger on", the devices. Families with one length are left out.
    """
    finals = [
        sweep_runs(sweep, runs).assign(trained=_about(sweep)["trained"]) for sweep in batch_sweeps()
    ]
    families = pd.concat(finals).drop_duplicates("key").groupby(FAMILY)
    return pd.DataFrame([row for _, family in families for row in _by_length(family)])


def _by_length(family: pd.DataFrame) -> list[dict[str, object]]:
    sizes = family.groupby("images")["batch_size"].agg(set)
    sizes = sizes[sizes.map(len) > 1]
    common = sorted(set.intersection(*sizes)) if len(sizes) > 1 else []
    if len(common) < 2:
        return []
    smaller, larger = common[0], common[-1]
    rows = []
    for images in sizes.index:
        runs = family[family["images"] == images]
        before, after = (runs[runs["batch_size"] == size] for size in (smaller, larger))
        about = {"trained": runs["trained"].iloc[0], "simix": runs["simix"].iloc[0]}
        about |= {"images": images, "smaller": smaller, "larger": larger}
        on = {"smaller on": joined(before["device"]), "larger on": joined(after["device"])}
        rows.append(about | compare(before["R@1"], after["R@1"])._asdict() | on)
    return rows


def equal_updates(history: pd.DataFrame) -> pd.DataFrame:
    """Read runs with different batch sizes after equal numbers of updates.

    Args:
        history: of :func:`.sweep_history` of a sweep over batch sizes, of one value of SiMix.

    Returns:
        For each number of updates at which a batch size ended and another was on its way:
        "updates", "batch_size", "R@1" on validation classes (on a straight line between two
        evaluations), and "at its end", R@1 after equal numbers of images.
    """
    curves = dict(list(history.groupby("batch_size")))
    rows = []
    for updates in sorted(lines["updates"].max() for lines in curves.values()):
        there = {
            size: lines
            for size, lines in curves.items()
            if lines["updates"].min() <= updates <= lines["updates"].max()
        }
        for size, lines in there.items() if len(there) > 1 else ():
            recall = np.interp(updates, lines["updates"], lines["R@1"])
            end = lines["R@1"].iloc[-1]
            rows.append({"updates": updates, "batch_size": size, "R@1": recall, "at its end": end})
    return pd.DataFrame(rows)
