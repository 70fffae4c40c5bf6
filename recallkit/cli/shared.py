"""What several subcommands need."""

from pathlib import Path
from typing import TYPE_CHECKING

from recallkit.errors import RecallkitError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


RUNS = Path("runs")


def latest_run() -> Path:
    """Return the finished run below ``runs`` that ended last."""
    finished = sorted(RUNS.glob("*/result.json"), key=lambda path: path.stat().st_mtime)
    if not finished:
        raise RecallkitError(
            f"there is no finished run below {RUNS.resolve()}. Train one with: recallkit train"
        )
    return finished[-1].parent


def save_figure(fig: "Figure", path: Path) -> None:
    """Write a figure to ``path``, close it, and print where it is."""
    import matplotlib.pyplot as plt

    from recallkit.files import write_atomically

    write_atomically(path, lambda temporary: fig.savefig(temporary, dpi=150))
    plt.close(fig)
    print(f"drew {path}")
