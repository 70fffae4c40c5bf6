"""One command to train on a benchmark, on small trees in its layout."""

import json

import pytest
import torch
from helpers.trees import TRAINED, make_tree, picture

from recallkit import cli, metrics, plots
from recallkit.evaluation.embedding import embed
from recallkit.run_files import read_config
from recallkit.training import load_run

SMALL = ["--network", "small", "--no-pretrained", "--image-size", "16", "--embedding-dim", "8"]
SMALL += ["--batch-size", "6", "--device", "cpu"]
SHORT = ["--epochs", "2", "--milestones", "1", "--evaluations", "1"]
PRESET = {"cub": "cub-vit-b16", "inshop": None}  # the paper has no schedule for In-Shop


@pytest.mark.usefixtures("two_queries")
@pytest.mark.parametrize("name", TRAINED)
def test_trained_and_measured_by_its_own_protocol(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make_tree(name, tmp_path / "tree", monkeypatch)
    preset = PRESET.get(name, f"{name}-resnet50")
    chosen = ["--preset", preset] if preset else ["--dataset", name]
    cli.main(["train", *chosen, "--root", "tree", *SMALL, *SHORT, "--out", "run"])
    trained = json.loads((tmp_path / "run" / "result.json").read_text())["test"]["trained"]
    expected = {"vehicleid": {"small R@1", "medium R@1", "large R@1"}}.get(name, {"R@1"})
    assert expected <= set(trained)
    config = read_config(tmp_path / "run")
    assert (config.dataset, config.root, config.milestones) == (name, "tree", (1,))
    assert "trained in" in capsys.readouterr().out


@pytest.mark.usefixtures("two_queries")
def test_landmarks_by_recall_at_k_and_beside_it_by_smooth_ap(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for c in range(8):
        for i in range(3):
            picture(tmp_path / "landmarks" / f"place {c}" / f"{i}.jpg", 30 * c + i, (24, 16))
    small = [*SMALL, "--images", "12", "--evaluations", "1"]
    for out, loss in (("a", "recall@k"), ("b", "smooth-ap")):
        cli.main(["train", "--preset", "landmarks", "--loss", loss, *small, "--out", out])
    a, b = (json.loads((tmp_path / out / "result.json").read_text()) for out in "ab")
    assert a["config"]["loss"] == "recall@k"
    assert b["config"]["loss"] == "smooth-ap"
    assert a["validation"][-1]["loss"] != b["validation"][-1]["loss"]


def test_the_drawn_neighbours_are_those_of_a_search_through_all(tmp_path, monkeypatch):
    """Eight queries are searched instead of all, with the embeddings that were evaluated."""
    monkeypatch.chdir(tmp_path)
    drawn, draw, searched, search = [], plots.plot_neighbours, [], metrics.search

    def plot(images, chosen, gallery, neighbours, similarities):
        drawn.append((images, chosen, neighbours, similarities))
        return draw(images, chosen, gallery, neighbours, similarities)

    def searching(queries, *arguments, **options):
        searched.append(len(queries))
        return search(queries, *arguments, **options)

    monkeypatch.setattr(plots, "plot_neighbours", plot)
    monkeypatch.setattr(metrics, "search", searching)
    small = [*SMALL, "--batch-size", "64", "--images", "64", "--evaluations", "1"]
    cli.main(["train", *small, "--out", "run"])
    [(images, chosen, neighbours, similarities)] = drawn
    assert searched == [8]
    _, network = load_run(tmp_path / "run", "cpu")
    expected = search(embed(network, images.images, 16), k=8)
    torch.testing.assert_close(similarities, expected[0][chosen])
    assert neighbours.equal(expected[1][chosen])


def test_the_wrong_root_ends_before_any_training(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--preset", "sop-resnet50", "--root", "gone", *SMALL])
    assert "there is no folder gone" in stop.value.code
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--preset", "sop-resnet50", *SMALL])
    assert "root must name the folder that holds sop" in stop.value.code


def test_show_prints_every_setting_and_trains_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cli.main(["train", "--preset", "sop-resnet50", "--show", "--learning-rate", "0.5"])
    shown = capsys.readouterr().out
    lines = [line.replace(" ", "").split("|") for line in shown.splitlines()[1:]]
    cells = {line[1]: line[2] for line in lines}
    assert cells["milestones"] == "(25,50)"
    assert cells["learning_rate"] == "0.5"
    from recallkit.config import Config

    assert set(vars(Config())) <= set(cells)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_decoded_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_tree("sop", tmp_path / "tree", monkeypatch)
    broken = tmp_path / "tree" / "bicycle_final" / "000000000008_0.JPG"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--preset", "sop-resnet50", "--root", "tree", *SMALL, *SHORT])
    assert "000000000008_0.JPG cannot be read as an image" in stop.value.code
