"""What a training shows: a bar that fits a terminal, lines in a file, nothing if not asked."""

import io
import os
import re
import sys
from dataclasses import replace

import pytest

from recallkit.config import Config
from recallkit.training import train
from recallkit.training.progress import Progress

CONFIG = Config(image_size=16, embedding_dim=8, batch_size=16, images=320, evaluations=4)


class Terminal(io.StringIO):
    """A terminal of 80 columns with the given encoding."""

    def __init__(self, encoding):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return True

    def fileno(self):
        return 2


def on_terminal(monkeypatch, encoding="utf-8"):
    """Let stderr be such a terminal; in the test itself, as pytest sets stderr before it."""
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((80, 24)))
    monkeypatch.setattr(sys, "stderr", Terminal(encoding))
    return sys.stderr


def states(terminal):
    return [text.rstrip() for text in re.split(r"[\r\n]", terminal.getvalue()) if text.strip()]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_bar_fits_into_80_columns(encoding, toy_splits, tmp_path, monkeypatch):
    terminal = on_terminal(monkeypatch, encoding)
    train(CONFIG, tmp_path / "run", splits=toy_splits, device="cpu")
    last = states(terminal)[-2]  # before the evaluation of the test images
    assert re.search(r"100% of 320 images .+/s, 00:00 left, loss 0\.\d{3}, R@1 [\d.]+%", last)
    assert re.search(r"peak [\d.]+ GB$", last)
    assert max(map(len, states(terminal))) < 80
    terminal.getvalue().encode(encoding)


def test_the_longest_numbers_do_not_cut_off_r_at_1(monkeypatch):
    terminal = on_terminal(monkeypatch)
    progress = Progress(4_000_000, 3_000_000, shown=True)
    progress.start -= 3600  # began an hour ago
    progress.bar.start_t -= 3600
    progress.evaluation({"step": 1, "steps": 2, "loss": 12.345, "R@1": 1.0})
    progress.step(1, 16_384, 12.345, 143_000_000_000)
    progress.bar.refresh()
    progress.close()
    last = states(terminal)[-1]
    assert re.search(r"75% of 4\.00M images .* \d+:\d\d:\d\d left, loss 12\.345, R@1 100\.0%", last)
    assert len(last) < 80


def test_a_file_gets_a_line_an_evaluation(capsys, toy_splits, tmp_path):
    train(CONFIG, tmp_path / "run", splits=toy_splits, device="cpu")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "building the network small",
        "evaluating test images: pixels",
        "evaluating test images: untrained network",
        "training: 20 steps of 16 images",
        *lines[4:8],
        "evaluating test images: trained network",
    ]
    for step, line in zip((5, 10, 15, 20), lines[4:8], strict=True):
        assert re.fullmatch(
            rf"step {step} of 20: loss \d\.\d{{3}}, validation R@1 [\d.]+%, \d\d:\d\d left", line
        )
    assert "\r" not in "".join(lines)


def test_batches_that_the_classes_cannot_fill_are_said_in_a_line(capsys, toy_splits, tmp_path):
    config = replace(CONFIG, batch_size=64, images=80, evaluations=1)
    train(
        config, tmp_path / "shown", splits=toy_splits, device="cpu"
    )  # a warning would be an error
    line = "training: 2 steps of 40 images, not 64: 10 classes give no more at 4 a class"
    assert line in capsys.readouterr().err.splitlines()
    with pytest.warns(UserWarning, match="a batch of 64 cannot be filled"):
        train(config, tmp_path / "quiet", splits=toy_splits, device="cpu", progress=False)


def test_what_loads_or_computes_first_is_announced(capsys, tmp_path, monkeypatch, toy_splits):
    monkeypatch.setattr("recallkit.training.loop.load", lambda *arguments: toy_splits)
    monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / "cache"))
    config = Config(network="timm/test_resnet", frozen=True, views=1, batch_size=16, images=16)
    train(config, tmp_path / "run", device="cpu")
    assert capsys.readouterr().err.splitlines()[:3] == [
        "loading the images of emoji",
        "features of timm/test_resnet: reading the cache, or computing them",
        "building the network timm/test_resnet",
    ]


def test_without_progress_nothing_is_shown(capsys, toy_splits, tmp_path):
    train(CONFIG, tmp_path / "run", splits=toy_splits, device="cpu", progress=False)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_the_time_left_is_that_of_the_images_left(monkeypatch):
    now = iter([100.0, 110.0])
    monkeypatch.setattr("recallkit.training.progress.time.monotonic", lambda: next(now))
    progress = Progress(1000, 500, shown=False)
    progress.step(1, 100, 0.5, None)
    assert progress.seconds_left() == pytest.approx(40.0)


def test_a_resumed_bar_begins_where_the_last_session_stopped(monkeypatch):
    terminal = on_terminal(monkeypatch)
    Progress(1000, 500, shown=True).close()
    assert "50% of 1.00k images" in states(terminal)[0]
