"""The parts of README.md that come from stored results: ``python -m recallkit.experiments.readme``.

Each stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` and is written anew from
``data/results``; a test proves that what stands there is what the stored results say.
"""

import re
from collections.abc import Callable
from pathlib import Path

from recallkit.experiments.store import load_results, select
from recallkit.experiments.summary import Estimate, over_seeds
from recallkit.experiments.tables import text_table
from recallkit.presets import PRESETS

ROOT = Path(__file__).resolve().parents[2]
ROWS = {"pixels": "raw pixels", "untrained": "network, untrained", "trained": "network, trained"}
COLUMNS = ("R@1", "R@2", "R@4", "R@8", "mAP@R")


def first_light() -> str:
    """What ``recallkit train`` prints, over the stored seeds of its preset."""
    results = select(load_results(), PRESETS["emoji"], free=["seed"])
    if not results:
        return "No run of this preset is stored."
    rows = [
        [name, *(percent(over_seeds(results, row)[column]) for column in COLUMNS)]
        for row, name in ROWS.items()
    ]
    seconds = sorted(round(result["seconds"]) for result in results)
    first = results[0]
    return "\n".join(
        [
            f"Then it trains for about {seconds[len(seconds) // 2]} seconds on "
            f"{first['threads']} cores and prints, for emoji it has never seen:",
            "",
            text_table(["test classes, %", *COLUMNS], rows),
            "",
            f"*Mean ± 95 % interval of {len(results)} seeds; all settings were chosen on "
            f"validation classes. {first['device']}, {first['threads']} threads, {seconds[0]} to "
            f"{seconds[-1]} s of training a run, torch {first['libraries']['torch']}, commit "
            f"{first['commit']}; the files: `data/results/first-light-seed*.json`, made by "
            f"`recallkit train --seed N --store first-light`.*",
        ]
    )


def percent(value: Estimate) -> str:
    """Mean and half of the interval, in percent."""
    if value.margin < 5e-4:  # the same for every seed, as raw pixels are
        return f"{100 * value.mean:.1f}"
    return f"{100 * value.mean:.1f} ± {100 * value.margin:.1f}"


BLOCKS: dict[str, Callable[[], str]] = {"first-light": first_light}


def filled(text: str) -> str:
    """``text`` with every block written anew.

    Raises:
        ValueError: if a block is not there exactly once.
    """
    for name, make in BLOCKS.items():
        text = with_block(text, name, make(), "README.md")
    return text


def with_block(text: str, name: str, body: str, file: str) -> str:
    """``text`` with ``body`` between the marks of the block ``name``.

    Raises:
        ValueError: naming ``file``, if the block is not there exactly once.
    """
    pattern = rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)"
    found = re.findall(pattern, text, re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"{file} must have the block {name!r} once, not {len(found)} times")
    return re.sub(pattern, lambda match: f"{match[1]}\n{body}\n\n{match[2]}", text, flags=re.DOTALL)


def main() -> None:
    """Rewrite README.md."""
    path = ROOT / "README.md"
    path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
