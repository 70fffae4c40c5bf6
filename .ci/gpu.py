"""What a GPU is needed for: ``python .ci/gpu.py FOLDER STAGE…``; results are left in FOLDER.

Each of these calls takes less than ten minutes:

    python .ci/gpu.py out tests ranks precision
    python .ci/gpu.py out sweep      (distorted glyphs, batches of up to 16,384; again: it goes on)
    python .ci/gpu.py out step
    python .ci/gpu.py out resnet
    python .ci/gpu.py out emoji glyphs
    python .ci/gpu.py out distorted

Needs torch, torchvision, triton, timm, safetensors, numpy, pillow and tqdm. The stage tests also
needs pytest, pytest-xdist and hypothesis, the stage sweep pandas. A stage that takes too
long is stopped.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # recallkit need not be installed

SECONDS = {"tests": 240, "ranks": 300, "precision": 50, "step": 540, "resnet": 560}
SECONDS |= {"emoji": 200, "glyphs": 350, "distorted": 560}
SECONDS["sweep"] = int(os.environ.get("SWEEP_SECONDS", "540"))


def main() -> None:
    """Run each stage in a process of its own, with a limit of time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the results go")
    parser.add_argument("stages", nargs="+", choices=SECONDS, metavar="STAGE", help=f"{[*SECONDS]}")
    parser.add_argument("--here", action="store_true", help="in this process, without a limit")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for stage in options.stages:
        if options.here:
            RUN[stage](folder)
        else:
            print(f"== {stage}", flush=True)
            _in_a_process(folder, stage)


def _in_a_process(folder: Path, stage: str) -> None:
    """Run a stage; interrupt it as Ctrl-C does when its time is over."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    command = [sys.executable, __file__, str(folder), stage, "--here"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            process.wait(timeout=SECONDS[stage])
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)


def tests(folder: Path) -> None:
    """Run the tests of the kernels and of memory; those that fill the GPU not beside others."""
    pytest = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", ".", "-q", "-rs"]
    pytest += ["--import-mode=importlib", "-p", "no:cacheprovider", "-p", "no:warnings"]
    pytest += ["-o", "markers=gpu:CUDA", "tests/large_batch"]
    others = ["tests/ranks/test_fused.py", "tests/bench/test_memory.py"]
    subprocess.run([*pytest, *others, "-n", "8", "-k", "not auto_and_budget"], cwd=ROOT)
    subprocess.run([*pytest, "-k", "auto_and_budget"], cwd=ROOT)


def ranks(folder: Path) -> None:
    """Measure the engines at four batch sizes."""
    from recallkit.bench.ranks import bench_ranks, ranks_table
    from recallkit.files import write_json

    sizes, methods = [4000, 16_384, 65_536, 131_072], ["blocks", "fused"]
    measured = bench_ranks(sizes, methods, "cuda", threads=8, limit_s=60, simix_batch=None)
    print(ranks_table(measured["cases"]))
    write_json(folder / "ranks-cuda.json", measured)


def precision(folder: Path) -> None:
    """Measure the error of the engines."""
    from recallkit.bench.precision import bench_precision, precision_table
    from recallkit.files import write_json

    measured = bench_precision(4000, "cuda")
    print(precision_table(measured["rows"]))
    write_json(folder / "precision-cuda.json", measured)


def step(folder: Path) -> None:
    """Measure training steps of ResNet-50 and ViT-B/16."""
    from recallkit.bench.step import bench_step, step_cases, step_table
    from recallkit.files import write_json

    measured = bench_step(step_cases([256, 1024, 4096, 16384], "cuda", 8), limit_s=90)
    print(step_table(measured["cases"]))
    write_json(folder / "step-cuda.json", measured)


def train_preset(folder: Path, name: str, preset: str = "", **changes: Any) -> None:
    """Train a preset, with changes, and leave its result as it is stored under ``name``."""
    from recallkit.config import PRESETS
    from recallkit.training.loop import train

    config = replace(PRESETS[preset or name], **changes)
    train(config, folder / name, device="cuda", progress=False)
    shutil.copy(folder / name / "result.json", folder / f"{name}-seed0.json")


def resnet(folder: Path) -> None:
    """Train ResNet-50 from scratch on a folder of glyphs, at the paper's 224 pixels."""
    images = write_glyphs(folder / "images", classes=2000)
    changes = {"pretrained": False, "query_in_database": False, "images": 300_000}
    changes |= {"epochs": 0, "milestones": ()}
    try:
        train_preset(folder, "folder-resnet50", "sop-resnet50", dataset=str(images), **changes)
    finally:
        shutil.rmtree(images)


def write_glyphs(root: Path, classes: int) -> Path:
    """Write distorted glyphs as PNG files, a sub-folder a class."""
    from PIL import Image

    from recallkit import load

    train = load("glyphs-distorted", 32).train.of_some_classes(classes)
    for i, label in enumerate(train.labels.tolist()):
        path = root / str(label) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(train.images[i].permute(1, 2, 0).numpy()).save(path)
    return root


def sweep(folder: Path) -> None:
    """Run what the sweeps on distorted glyphs lack until Ctrl-C, and pack it into FOLDER.

    It is stored in the checkout. Runs on their way at the end save their state, and are not stored.
    """
    from recallkit.experiments import SWEEPS, SweepOptions, ablate

    # Several runs at a time: one of small images fills neither the GPU nor the cores.
    results = ROOT / "data" / "results"
    options = SweepOptions(results, jobs=8, threads=2, device="cuda")
    try:
        for name in SWEEPS:
            if name.startswith("distorted-"):
                ablate(SWEEPS[name], options)
    finally:
        with tarfile.open(folder / "ablations.tgz", "w:gz") as archive:
            archive.add(results / "ablations", "ablations")


RUN = {
    "tests": tests,
    "ranks": ranks,
    "precision": precision,
    "step": step,
    "resnet": resnet,
    "emoji": lambda folder: train_preset(folder, "emoji"),
    "glyphs": lambda folder: train_preset(folder, "glyphs"),
    "distorted": lambda folder: train_preset(
        folder, "glyphs-distorted", "glyphs", dataset="glyphs-distorted", distractors=True
    ),
    "sweep": sweep,
}

if __name__ == "__main__":
    main()
