"""The subcommand ``bench``."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from recallkit.cli.shared import latest_run, results_to_write, save_figure
from recallkit.ranges import Range


def bench(
    what: Positional[
        Literal["ranks", "step", "precision", "skipping", "search", "training", "commands"]
    ],
    batch_sizes: Annotated[tuple[int, ...], Range(2, 2**24)] = (),
    methods: tuple[str, ...] = (),
    run: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: Annotated[int, Range(1, 1024)] = 2,
    limit_s: Annotated[float, Range(1.0, 1e6)] = 300.0,
    limit_gb: Annotated[float, Range(0.1, 1e5)] = 16.0,
    out: Path | None = None,
    project: bool = False,
) -> None:
    """Measure time, memory and precision.

    Benchmarks:
      ranks      time and memory of each engine and of the baseline losses, with the ratio to the
                 matrix products that every method needs
      step       a training step in chunks beside a plain one, and what kept graphs save; on the
                 CPU with the small network, on a GPU with ResNet-50 and ViT-B/16 at 224 px
      precision  the error of each engine and of each rounding against float64
      skipping   the share of the work that the engine `blocks` leaves out on the images of a run
      search     time and memory of exact search and of metrics, with the ratio to their matrix
                 products
      training   a step of the presets emoji and glyphs-short beside its matrix products
      commands   seconds until a command answers

    Ranks, step and search also measure faiss, pytorch-metric-learning, open-metric-learning and
    GradCache, each where it is installed.

    Prints a table. Stores the numbers and, for ranks and step, a figure.

    Examples:
      recallkit bench ranks
      recallkit bench step --threads 1 --out my-machine
      recallkit bench ranks --batch-sizes 1000 4000 --methods dense blocks --limit-s 60
      recallkit bench ranks --device cuda --batch-sizes 4000 65536 131072
      recallkit bench skipping --run runs/large

    Args:
        what: the benchmark.
        batch_sizes: in images, in ascending order. The defaults: 64 to 32,768 for ranks, 256 to
            16,384 for step, 512 to 4,096 for skipping.
        methods: for ranks and search: which methods. The default: all that can run here.
        run: for skipping: a run folder. The default: the latest finished run below runs/.
        device: "auto" takes a GPU if there is one.
        threads: CPU threads.
        limit_s: seconds that a case may take. A method that exceeds it skips its larger batches.
        limit_gb: GB of memory that a case may take on the CPU.
        out: a folder for WHAT-DEVICE.json and .png. The default: bench in $RECALLKIT_RESULTS, or
            in ./results.
        project: store in data/results/bench of the checkout (for maintainers).
    """
    import torch

    from recallkit.bench.reports import REPORTS, BenchOptions
    from recallkit.files import write_json
    from recallkit.training.environment import choose_device

    folder = out or results_to_write(project) / "bench"
    torch.set_num_threads(threads)
    kind = choose_device(device).type
    if what == "skipping":
        run = run or latest_run()
    options = BenchOptions(kind, threads, batch_sizes, methods, run, limit_s, limit_gb)
    report = REPORTS[what](options)
    print(report.table)
    write_json(folder / f"{what}-{kind}.json", report.measured)
    print(f"stored {folder / f'{what}-{kind}.json'}")
    if report.figure is not None:
        save_figure(report.figure, folder / f"{what}-{kind}.png")
