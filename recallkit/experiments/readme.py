"""The parts of README.md that come from stored results: ``python -m recallkit.experiments.readme``.

Each stands between ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` and is written anew from
``data/results``; a test proves that what stands there is what the stored results say.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from recallkit.bench.cases import NOT_TRIED
from recallkit.bench.precision import precision_table
from recallkit.bench.ranks import ranks_table
from recallkit.bench.skipping import skipping_table
from recallkit.config import PRESETS
from recallkit.experiments.against import against_paper
from recallkit.experiments.devices import say_devices
from recallkit.experiments.findings import batch_table, collect_all, findings
from recallkit.experiments.plan import ABLATIONS, Stored
from recallkit.experiments.recipes import recipe_table
from recallkit.experiments.store import FOLDER, config_of, load_results, select
from recallkit.experiments.summary import Estimate, over_seeds
from recallkit.files import read_json
from recallkit.tables import text_table

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


def benchmarks() -> str:
    """What was trained here, a line for each set of settings, over its stored seeds."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in runs_of_presets():
        settings = json.dumps(result["config"] | {"seed": None}, sort_keys=True)
        groups.setdefault(settings, []).append(result)
    if not groups:
        return "No run is stored."
    header = ["data set", "network", "batch", "epochs or images", "R@1, %", "mAP@R, %"]
    header += ["seeds", "device"]
    return "\n".join(
        [
            text_table([*header, "commit"], [_benchmark(group) for group in groups.values()]),
            "",
            "*Test classes, last epoch; mean ± 95 % interval over seeds, from "
            "`data/results/*.json` and the presets' runs in `data/results/ablations`. "
            "`recallkit compare` has published numbers beside them.*",
        ]
    )


def runs_of_presets() -> list[dict[str, Any]]:
    """Runs stored by name, then final runs of sweeps whose settings are a preset's."""
    results = load_results()
    known = {config_of(result) for result in results}
    finals = sorted(Stored.read(ABLATIONS).final.items(), key=lambda item: item[0].seed)
    presets = set(PRESETS.values())
    more = [r for c, r in finals if c not in known and replace(c, seed=0) in presets]
    return results + more


def _benchmark(results: list[dict[str, Any]]) -> list[str]:
    config, first, values = config_of(results[0]), results[0], over_seeds(results, "trained")
    seen = f"{config.epochs} epochs" if config.epochs else f"{config.images:,} images"
    scores = [percent(values[name]) if name in values else "–" for name in ("R@1", "mAP@R")]
    seeds = ", ".join(str(result["seed"]) for result in results)
    commits = ", ".join(dict.fromkeys(result["commit"][:7] for result in results))
    network = f"{config.network}{', frozen' * config.frozen}"
    batch = f"{config.batch_size:,}{' + SiMix' * config.simix}"
    return [config.dataset, network, batch, seen, *scores, seeds, first["device"], commits]


def percent(value: Estimate) -> str:
    """Mean and half of the interval, in percent."""
    if value.margin < 5e-4 or value.count == 1:  # one seed, or all the same, as raw pixels
        return f"{100 * value.mean:.1f}"
    return f"{100 * value.mean:.1f} ± {100 * value.margin:.1f}"


def batch_cost() -> str:
    """Time and memory of the loss against batch size, from the stored benchmarks."""
    parts = [_batch_cost(FOLDER / "bench" / f"ranks-{device}.json") for device in ("cpu", "cuda")]
    return "\n\n".join(filter(None, parts)) or "No benchmark is stored."


def _batch_cost(path: Path) -> str:
    if not path.is_file():
        return ""
    stored = read_json(path)
    tried = [case for case in stored["cases"] if case.get("failed") != NOT_TRIED]
    cases = [case for case in tried if case["batch_size"] >= 1000]
    picture = path.with_suffix(".png")
    shown = f"![Seconds and memory against batch size](data/results/bench/{picture.name})"
    return "\n".join(
        [
            ranks_table(cases),
            "",
            *([shown, ""] if picture.is_file() else []),
            f"*RS@k and SmoothAP, forward and backward, D = {cases[0]['dim']}, 4 images a class. "
            f"{_floor(cases, stored['device'])} {_where(stored)}; made by "
            f"`recallkit bench ranks`.*",
        ]
    )


# TFLOP/s of float32 without tensor cores, by the makers' data sheets.
_PEAKS = {"NVIDIA H200": 67}


def _floor(cases: list[dict[str, Any]], device: str) -> str:
    """What the seconds are to be compared with: products in the same run, or operations."""
    if all("ratio" in case for case in cases if "failed" not in case):
        return (
            "“× products”: the time over that of the four matrix products that no method can "
            "avoid, taken in turn with them; “4,000 → 10,000” is a batch with its virtual examples."
        )
    rates = [
        f"`{engine}` does {max(_teraflops(c) for c in cases if c['method'] == engine):.0f}"
        for engine in dict.fromkeys(case["method"] for case in cases)
    ]
    said = (
        f"The floor is four products, 8 B² D operations: {', '.join(rates)} TFLOP/s of them at "
        f"best. Tensor cores help `fused`, which makes each float32 product of three in TF32"
    )
    peak = _PEAKS.get(device)
    return said + (f"; without them the data sheet promises {peak}." if peak else ".")


def _teraflops(case: dict[str, Any]) -> float:
    operations = 8 * case["batch_size"] ** 2 * case["dim"]
    return operations / (case["forward_s"] + case["backward_s"]) / 1e12


def _where(stored: dict[str, Any]) -> str:
    on_cpu = stored.get("device_type", "cpu") == "cpu"
    threads = f", {stored['cases'][0]['threads']} threads" if on_cpu else ""
    torch = stored["libraries"]["torch"]
    return f"{stored['device']}{threads}, torch {torch}, commit {stored['commit']}"


# Measured before the engine rounded these factors, and not since.
_OUTDATED = ("fused, TF32",)


def precision() -> str:
    """Errors against float64, and how often work is skipped, from the stored measurements."""
    folder, parts = FOLDER / "bench", []
    for device in ("cpu", "cuda"):
        if (folder / f"precision-{device}.json").is_file():
            stored = read_json(folder / f"precision-{device}.json")
            rows = [row for row in stored["rows"] if row["name"] not in _OUTDATED]
            parts += [precision_table(rows), "", _made_by(stored, "precision"), ""]
    if (folder / "skipping-cpu.json").is_file():
        stored = read_json(folder / "skipping-cpu.json")
        parts += [skipping_table(stored["rows"]), "", _made_by(stored, "skipping")]
    return "\n".join(parts).strip() or "Nothing is stored."


def _made_by(stored: dict[str, Any], what: str) -> str:
    return f"*{stored['device']}, commit {stored['commit']}; made by `recallkit bench {what}`.*"


PICTURES = {
    "batch-sizes": "R@1 against batch size, a panel for each thing trained",
    "lengths": "What the larger of two batches adds, against the length of training",
    "simix": "What SiMix adds, against batch size",
}


def found() -> str:
    """What a practitioner should do, as far as stored sweeps tell."""
    stored = Stored.read(ABLATIONS)
    return "\n".join(
        [
            *(f"{place}. {sentence}" for place, sentence in enumerate(findings(stored), 1)),
            "",
            batch_table(collect_all(stored)),
            "",
            *(line for said in say_devices(stored) for line in (said, "")),
            *_pictures(),
            "*R@1 on test classes, means over seeds ± half of the 95 % interval; differences in "
            "points by Welch’s t. A verdict other than “no difference seen” needs an interval "
            "without 0. Of twenty settings that do not differ, one is expected to be said to. "
            "`emoji` and the others are presets. From `data/results/ablations`; drawn by "
            "`recallkit plot all`.*",
        ]
    )


def _pictures() -> list[str]:
    names = {f"{name}.png": said for name, said in PICTURES.items()}
    return [
        line
        for name, said in names.items()
        if (FOLDER / "figures" / name).is_file()
        for line in (f"![{said}](data/results/figures/{name})", "")
    ]


def recipes() -> str:
    """The presets to train now, and what validation classes say of their rivals."""
    return recipe_table(collect_all(Stored.read(ABLATIONS)))


def against() -> str:
    """The paper's claims and conditions beside what stored sweeps found."""
    return against_paper(Stored.read(ABLATIONS))


BLOCKS: dict[str, Callable[[], str]] = {
    "first-light": first_light,
    "batch-cost": batch_cost,
    "precision": precision,
    "benchmarks": benchmarks,
    "recipes": recipes,
    "findings": found,
    "against-paper": against,
}


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
