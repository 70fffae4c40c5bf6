"""A stored sweep as a table for a notebook."""

from typing import TYPE_CHECKING

from recallkit.experiments import Sweep, find_sweep, sweep_changes

if TYPE_CHECKING:
    import pandas as pd


def against_preset(sweep: str | Sweep, runs: "pd.DataFrame") -> "pd.DataFrame":
    """Tabulate a sweep: each setting that was run, compared with the setting of the preset.

    Where the sweep varies SiMix, a setting is compared with the preset's at the same SiMix.

    Args:
        sweep: the sweep, or its name.
        runs: of :func:`recallkit.experiments.load_results`.

    Returns:
        A row for each setting, in the order of its values: the compared and the tuned settings;
        "R@1" on test classes in percent with half of its 95 % interval, "±"; "seeds"; "change" of
        R@1 from the preset's in percentage points with half of its interval, "change ±"; "verdict",
        corrected by Holm over all comparisons of the sweep. The last three are empty for the
        preset's own setting.

    Raises:
        RecallkitError: if there is no sweep of that name.
    """
    sweep = find_sweep(sweep) if isinstance(sweep, str) else sweep
    names = {"R@1": "R@1", "R@1 ±": "±", "change": "change", "margin": "change ±"}
    changes = sweep_changes(sweep, runs)
    changes[[*names]] = (100 * changes[[*names]].astype(float)).round(1)
    shown = [*sweep.axes, *sweep.tuned, "R@1", "R@1 ±", "seeds", "change", "margin", "verdict"]
    return changes[shown].rename(columns=names).fillna({"verdict": ""})
