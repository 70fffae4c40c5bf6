"""The subcommand ``bench``."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

if TYPE_CHECKING:
    pass
from recallkit.cli.shared import latest_run, save_figure


def bench(
    what: Positional[Literal["ranks", "step", "precision", "skipping", "search"]],
    batch_sizes: tuple[int, ...] = (),
    methods: tuple[str, ...] = (),
    run: Path | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int = 2,
    limit_s: float = 300,
    limit_gb: float = 16,
    out: Path | None = None,
) -> None:
    """Measure what things cost, in time, memory and digits.

    "ranks": every engine and its peers, with the ratio to the matrix products that no method can
    avoid. "step": a whole step of training in chunks beside a plain one, and what kept graphs buy;
    the small network on the CPU, ResNet-50 and ViT-B/16 at 224 px on a GPU. "precision": how far
    each engine and rounding is from float64. "skipping": how much of the work the engine `blocks`
    leaves out on the images of a run. "search": exact search, beside its products. Prints a
    table, and stores the numbers and, for the first two, a figure.

    Examples:
      recallkit bench ranks
      recallkit bench step --threads 1 --out my-machine
      recallkit bench ranks --batch-sizes 1000 4000 --methods dense blocks --limit-s 60
      recallkit bench ranks --device cuda --batch-sizes 4000 65536 131072
      recallkit bench skipping --run runs/large

    Args:
        what: the benchmark.
        batch_sizes: in images, ascending; by default 250 to 32,768, for a step 256 to 16,384, for
            skipping 512 to 4,096.
        methods: which; by default all that can run here. Of ranks only.
        run: a run folder, by default the latest finished one below runs/. Of skipping only.
        device: "auto" takes a GPU if there is one.
        threads: of the CPU.
        limit_s: seconds that a case may take; larger batches of its method are then left out.
        limit_gb: GB of memory that a case may take on the CPU.
        out: a folder for WHAT-DEVICE.json and .png; by default bench in $RECALLKIT_RESULTS.
    """
    import torch

    from recallkit.bench.reports import REPORTS, BenchOptions
    from recallkit.files import results_folder, write_json
    from recallkit.training.environment import choose_device

    torch.set_num_threads(threads)
    device = choose_device(device).type
    if what == "skipping":
        run = run or latest_run()
    options = BenchOptions(device, threads, batch_sizes, methods, run, limit_s, limit_gb)
    report = REPORTS[what](options)
    print(report.table)
    folder = out or results_folder() / "bench"
    write_json(folder / f"{what}-{device}.json", report.measured)
    if report.figure is not None:
        save_figure(report.figure, folder / f"{what}-{device}.png")
