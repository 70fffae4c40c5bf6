"""``recallkit export``, ``report`` and ``serve``."""

import os
import re
import sys
import urllib.request

import pytest
from helpers.processes import command, interrupt
from helpers.random_run import draw, make_run

from recallkit import cli
from recallkit.gallery import server


@pytest.fixture
def run(tmp_path):
    """A run on a folder of sixteen classes of three images."""
    for c in range(16):
        for i in range(3):
            draw(tmp_path / "photos" / f"class {c}" / f"{i}.png", 10 * c + i)
    (tmp_path / "photos" / "notes.txt").write_text("mine")
    return make_run(tmp_path / "runs" / "one", "photos")


@pytest.fixture
def served(monkeypatch):
    """Keep what would be served: site, port, browser."""
    kept = []
    monkeypatch.setattr(server, "serve", lambda *arguments: kept.append(arguments))
    return kept


def test_a_report_of_the_latest_run(run, capsys):
    cli.main(["report", "--device", "cpu"])
    text, page = capsys.readouterr().out, (run / "report.html").read_text()
    assert re.search(r"wrote runs/one/report\.html and report\.classes\.csv: R@1 \d+\.\d %", text)
    assert f"R@1 {re.search('R@1</dt><dd>([0-9.]+)', page)[1]} %" in text
    assert "Report on the run one" in page
    assert "test split" in page
    assert "1 file of no image format (.txt 1)" in page
    assert (run / "report.classes.csv").read_text().startswith("class,images,R@1\n")


def test_a_report_measures_what_evaluate_measures(run, capsys):
    cli.main(["evaluate", "runs/one", "--device", "cpu"])
    table = capsys.readouterr().out
    row = re.search(r"^\| trained +\|(.*)\|$", table, re.MULTILINE)[1].split("|")
    *recalls, precision, mean_at_r, _ = (cell.strip() for cell in row)
    assert precision == recalls[0]
    expected = [*recalls, mean_at_r]
    cli.main(["report", "runs/one", "--device", "cpu"])
    assert re.findall(r"([0-9.]+) %", capsys.readouterr().out) == expected


@pytest.mark.parametrize("value", ["[1, 2]", "3", "null", '"text"'])
@pytest.mark.parametrize("command", ["report", "export"])
def test_a_result_that_is_no_object_is_named(run, failing, command, value):
    (run / "result.json").write_text(value)
    message = failing(command, "runs/one")
    assert "result.json is damaged: it must hold a JSON object" in message


def test_a_report_replaces_a_report_and_nothing_else(run, failing, tmp_path):
    own, table = tmp_path / "own.html", tmp_path / "new.classes.csv"
    own.write_text("mine")
    table.write_text("mine")
    assert "own.html exists, and is not a report" in failing("report", "--out", "own.html")
    assert "new.classes.csv exists" in failing("report", "--out", "new.html")
    assert (own.read_text(), table.read_text()) == ("mine", "mine")
    assert not (tmp_path / "new.html").exists()
    for _ in range(2):
        cli.main(["report", "--out", "mine.html", "--device", "cpu"])


def test_a_report_of_images_that_have_moved(run, failing, tmp_path):
    (tmp_path / "photos").rename(tmp_path / "moved")
    assert "--dataset" in failing("report", "--device", "cpu")
    cli.main(["report", "--dataset", "moved", "--device", "cpu"])
    assert (run / "report.html").exists()


def test_export(run, capsys, failing, tmp_path):
    cli.main(["export"])
    text = capsys.readouterr().out
    assert text.startswith("wrote runs/one/model.pt2: largest difference from the network:")
    assert "on 16 images of the run (at most 1e-04 is allowed)" in text
    (tmp_path / "photos").rename(tmp_path / "moved")
    cli.main(["export", "runs/one"])
    assert "not compared on images of the run, which are not there" in capsys.readouterr().out
    (tmp_path / "mine.pt2").write_text("mine")
    assert "mine.pt2 exists" in failing("export", "--out", "mine.pt2")
    assert (tmp_path / "mine.pt2").read_text() == "mine"


def test_the_format_of_an_export(run, failing):
    assert "must end in .pt2 or .onnx" in failing("export", "--out", "model.bin")
    assert "must end in .onnx" in failing("export", "--out", "a.pt2", "--format", "onnx")
    assert "must end in .pt2" in failing("export", "--out", "a.onnx", "--format", "torch")


def test_export_as_onnx_says_what_to_install(run, failing, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert 'pip install "recallkit[export]"' in failing("export", "--out", "model.onnx")


def test_serve_searches_all_images_of_a_run(run, served, capsys):
    cli.main(["serve", "--no-browser", "--device", "cpu"])
    cli.main(["serve", "runs/one", "--port", "8123", "--k", "3", "--device", "cpu"])
    (first, *options), (second, *others) = served
    assert len(first) == len(second) == 48
    assert (first.k, second.k) == (24, 3)
    assert (options, others) == ([0, False], [8123, True])
    assert "used 48 images of 16 classes" in capsys.readouterr().err


def test_serve_searches_a_folder_or_an_index(run, served, failing, tmp_path):
    draw(tmp_path / "album" / "a.png", 1)
    draw(tmp_path / "album" / "b.png", 2)
    cli.main(["serve", "album", "--run", "runs/one", "--device", "cpu"])
    cli.main(["embed", "album", "--out", "album.npz", "--device", "cpu"])
    make_run(tmp_path / "runs" / "two", "photos", seed=1)
    cli.main(["serve", "album.npz", "--device", "cpu"])  # by its own run, not the latest
    assert [site.name for site, *_ in served] == ["album", "album.npz"]
    assert [len(site) for site, *_ in served] == [2, 2]
    assert served[1][0].run.folder.name == "one"
    assert "another run" in failing("serve", "album.npz", "--run", "runs/two", "--device", "cpu")
    assert "is a run itself" in failing("serve", "runs/one", "--run", "runs/two")
    assert "neither a folder nor an index" in failing("serve", "album/a.png")
    assert "there is no folder or index" in failing("serve", "nothing")


@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")
def test_serve_until_ctrl_c(run, tmp_path):
    with command("serve", "--no-browser", "--device", "cpu", cwd=tmp_path) as process:
        url = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())[0]
        with urllib.request.urlopen(url, timeout=30) as answer:
            assert b"48 images" in answer.read()
        out, err = interrupt(process)
    assert process.returncode == 0
    assert "Traceback" not in err
    assert out.strip() == ""
