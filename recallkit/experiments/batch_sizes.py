"""The sweeps over batch sizes side by side: what SiMix adds, and what a longer training changes.

In all functions ``runs`` is a table of :func:`.load_results`. What was not run is left out. "p" and
"verdict" are corrected for all comparisons of a sweep, see :func:`.contrasts`.
"""

import pandas as pd

from recallkit.config import Config
from recallkit.experiments.statistics import Comparison
from recallkit.experiments.sweep_files import SWEEPS
from recallkit.experiments.sweep_tables import contrasts, settings_of, sweep_summary
from recallkit.experiments.sweeps import Sweep


def batch_sweeps() -> list[Sweep]:
    """Return the sweeps over batch sizes, by what they train and how long."""

    def order(sweep: Sweep) -> tuple[str, bool, bool, int]:
        config = sweep.config({})
        return config.dataset, config.pretrained, not config.frozen, config.images

    return sorted((s for s in SWEEPS.values() if s.axes[:1] == ("batch_size",)), key=order)


def trained_on(config: Config) -> str:
    """Return what is trained in a few words: the data set, and how the backbone starts."""
    if config.frozen:
        return f"{config.dataset}, frozen features"
    return f"{config.dataset}, pretrained" if config.pretrained else config.dataset


def batch_summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise all sweeps over batch sizes: a row a setting that was run.

    Returns:
        The columns of :func:`.sweep_summary`, and "sweep", "dataset", "trained" in words, "images"
        of a whole training; "simix" also where a sweep does not vary it.
    """
    tables = []
    for sweep in batch_sweeps():
        config = sweep.config({})
        about = {"sweep": sweep.name, "dataset": config.dataset, "network": config.network}
        about |= {"trained": trained_on(config), "images": config.images, "simix": config.simix}
        tables.append(pd.DataFrame({**about, **sweep_summary(sweep, runs)}))
    summary = pd.concat(tables, ignore_index=True)
    return summary[summary["seeds"] > 0]


def simix_effects(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare SiMix on with SiMix off, at each batch size of each sweep that varies both.

    Returns:
        "sweep", "dataset", "trained" in words, "images" of a whole training, "batch_size"; the
        fields of a :class:`.Comparison` of R@1 on test classes, from off to on.
    """
    summary = batch_summary(runs).set_index(["sweep", "batch_size"], drop=False)
    off, on = (summary[summary["simix"] == mixed] for mixed in (False, True))
    both = off.index.intersection(on.index, sort=False)
    about = off.loc[both, ["sweep", "dataset", "trained", "images", "batch_size"]]
    return about.join(_changes(off.loc[both], on.loc[both], runs)).reset_index(drop=True)


def length_effects(runs: pd.DataFrame) -> pd.DataFrame:
    """Compare the larger of two batches with the smaller, after trainings of different length.

    The two are the smallest and the largest size that all lengths of a family have in common.

    Returns:
        "trained" in words, "simix", "images" of a whole training, the "smaller" and "larger" batch;
        the fields of a :class:`.Comparison` of R@1 on test classes, from smaller to larger;
        "smaller on" and "larger on", the devices. Families with one length are left out.
    """
    families = batch_summary(runs).groupby(["network", "trained", "simix"])
    tables = [_by_length(family, runs) for _, family in families]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _by_length(family: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    family = family[family.groupby("images")["batch_size"].transform("size") > 1]
    lengths = family.groupby("batch_size")["images"].size()
    common = lengths[lengths == family["images"].nunique()].index
    if len(common) < 2 or family["images"].nunique() < 2:
        return pd.DataFrame()
    ends = (family[family["batch_size"] == common[place]] for place in (0, -1))
    smaller, larger = (rows.set_index("images", drop=False).sort_index() for rows in ends)
    table = smaller[["trained", "simix", "images", "batch_size"]]
    table = table.rename(columns={"batch_size": "smaller"}).assign(larger=larger["batch_size"])
    devices = {"smaller on": smaller["device"], "larger on": larger["device"]}
    return table.join(_changes(smaller, larger, runs)).assign(**devices)


def _changes(before: pd.DataFrame, after: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Compare each row of :func:`batch_summary` with another of the same sweep."""
    changes = []
    for place, name in enumerate(before["sweep"]):
        rows = (side.iloc[[place]] for side in (before, after))
        [low], [high] = (settings_of(SWEEPS[name], row) for row in rows)
        changes += contrasts(name, [(low, high)], runs)
    return pd.DataFrame(changes, before.index, Comparison._fields)


def equal_updates(history: pd.DataFrame) -> pd.DataFrame:
    """Read runs with different batch sizes after equal numbers of updates.

    Args:
        history: of :func:`.sweep_history` of a sweep over batch sizes, of one value of SiMix.

    Returns:
        For each number of updates at which a batch size ended and another was on its way:
        "updates", "batch_size", "R@1" on validation classes (on a straight line between two
        evaluations), and "at its end", R@1 after equal numbers of images.
    """
    curves = history.pivot(index="updates", columns="batch_size", values="R@1")
    ends = history.groupby("batch_size")["updates"].max()
    read = curves.interpolate("index", limit_area="inside").loc[sorted(set(ends))]
    several = read[read.count(axis=1) > 1].reset_index()
    readings = several.melt("updates", var_name="batch_size", value_name="R@1").dropna()
    last = readings["batch_size"].map(history.groupby("batch_size")["R@1"].last())
    readings = readings.assign(**{"at its end": last}).sort_values(["updates", "batch_size"])
    return readings.reset_index(drop=True)
