"""A stored sweep as a table for a notebook."""

import math
from typing import TYPE_CHECKING, Any

from recallkit.experiments import Sweep, contrast, find_sweep, sweep_summary
from recallkit.experiments.report_tables import reference_of

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
        R@1 from the preset's in percentage points with half of its interval, "change ±"; "verdict".
        The last three are empty for the preset's own setting.

    Raises:
        ValueError: if there is no sweep of that name.
    """
    sweep = find_sweep(sweep) if isinstance(sweep, str) else sweep
    summary = sweep_summary(sweep, runs)
    stored = summary.loc[summary["seeds"] > 0]
    names = [*sweep.axes, *sweep.tuned]
    table = stored.loc[:, names].assign(**{"R@1": 100 * stored["R@1"], "±": 100 * stored["R@1 ±"]})
    settings = stored.loc[:, [*sweep.axes]].to_dict("records")
    changes = [_change(sweep, setting, runs) for setting in settings]
    columns = {name: [change[name] for change in changes] for name in ("change", "change ±")}
    verdicts = [change["verdict"] for change in changes]
    return table.assign(seeds=stored["seeds"], **columns, verdict=verdicts).round(
        dict.fromkeys(("R@1", "±", "change", "change ±"), 1)
    )


def _change(sweep: Sweep, setting: dict[Any, Any], runs: "pd.DataFrame") -> dict[str, Any]:
    reference = reference_of(sweep, setting)
    if reference == setting:
        return {"change": math.nan, "change ±": math.nan, "verdict": ""}
    change = contrast(sweep, reference, setting, runs)
    return {
        "change": 100 * change.change,
        "change ±": 100 * change.margin,
        "verdict": change.verdict,
    }
