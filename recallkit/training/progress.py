"""The screen while a training runs: a bar, or lines."""

import sys
import time

from tqdm import tqdm

from recallkit.training.run_folder import Line

# At its longest it fits into 80 columns; the bar takes what is left.
_BAR = "{percentage:3.0f}% of {total_fmt} images {bar} {rate_noinv_fmt}, {remaining} left{postfix}"


def announce(text: str, shown: bool) -> None:
    """Print what begins now, where it may take more than two seconds."""
    if shown:
        print(text, file=sys.stderr, flush=True)


class Progress:
    """The progress of a training: a bar on a terminal, elsewhere a line an evaluation.

    The bar shows images a second, the time left, the loss, R@1 on the validation classes and the
    peak of memory. A file gets lines instead, because it would keep every state of a bar.

    Args:
        total: images of the whole training.
        done: images seen in earlier sessions.
        shown: whether anything is shown.
    """

    def __init__(self, total: int, done: int, shown: bool) -> None:
        on_terminal = sys.stderr.isatty()
        self.total, self.done, self.seen = total, done, done
        self.lines_shown = shown and not on_terminal
        self.values: dict[str, str] = {}
        self.start = time.monotonic()
        self.bar = tqdm(
            total=total,
            initial=done,
            disable=not (shown and on_terminal),
            bar_format=_BAR,
            unit="",
            unit_scale=True,
            mininterval=0.5,
            dynamic_ncols=True,
        )

    def step(self, step: int, images: int, loss: float, peak_bytes: int | None) -> None:
        """Move the bar on by the images of a step, and show its loss."""
        self.seen += images
        peak = {} if peak_bytes is None else {"peak": _gigabytes(peak_bytes)}
        self._show({"loss": f"{loss:.3f}"} | peak)
        self.bar.update(images)

    def evaluation(self, line: Line) -> None:
        """Show an evaluation on the validation classes."""
        recall, left = f"{line['R@1']:.1%}", tqdm.format_interval(self.seconds_left())
        self._show({"R@1": recall})
        announce(
            f"step {line['step']} of {line['steps']}: loss {line['loss']:.3f}, "
            f"validation R@1 {recall}, {left} left",
            self.lines_shown,
        )

    def _show(self, values: dict[str, str]) -> None:
        self.values |= values
        shown = [f"{k} {self.values[k]}" for k in ("loss", "R@1", "peak") if k in self.values]
        self.bar.set_postfix_str(", ".join(shown), refresh=False)

    def seconds_left(self) -> float:
        """Return the seconds to the end at the speed of this session, evaluations included."""
        elapsed = time.monotonic() - self.start
        return elapsed * (self.total - self.seen) / max(1, self.seen - self.done)

    def close(self) -> None:
        """End the bar."""
        self.bar.close()


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size < 1e10 else f"{size / 1e9:.0f} GB"
