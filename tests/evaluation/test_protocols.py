"""`recallkit evaluate`: a run, or files of embeddings, by the protocol of a data set."""

import re

import numpy as np
import pytest
import torch
from helpers.trees import ground_truth, make_tree

from recallkit import cli
from recallkit.evaluation import read_embeddings
from recallkit.metrics import fit_whitening, retrieval_metrics, revisited_of_embeddings

SMALL = ["--network", "small", "--no-pretrained", "--image-size", "16", "--embedding-dim", "8"]
SMALL += ["--batch-size", "6", "--epochs", "1", "--milestones", "--evaluations", "1"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def points(n, seed=0, d=6):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def shown(capsys, *arguments):
    """The printed metrics, in percent."""
    capsys.readouterr()
    cli.main(["evaluate", *arguments])
    values, names = {}, []
    for line in capsys.readouterr().out.splitlines():
        cells = re.split(r"\s*\|\s*", line.strip("| "))[1:]
        if not cells or cells[0].startswith("-"):
            continue
        if any(character.isalpha() for character in cells[0]):
            names = cells
        else:
            values |= dict(zip(names, map(float, cells), strict=True))
    return values


def percent(metrics):
    return {name: pytest.approx(100 * value, abs=0.051) for name, value in metrics.items()}


def failing(*arguments):
    with pytest.raises(SystemExit) as stop:
        cli.main(["evaluate", *arguments])
    return stop.value.code


def test_a_file_all_against_all(capsys):
    labels = torch.arange(20) // 4
    np.savez("file.npz", features=points(20).numpy(), labels=labels.numpy())
    expected = retrieval_metrics(points(20), labels, ks=(1, 3))
    assert shown(capsys, "file.npz", "--ks", "1", "3") == percent(expected)


def test_queries_against_a_gallery_with_words_for_labels(capsys):
    words = np.array([f"class {i // 4}" for i in range(20)])
    np.save("gallery.npy", points(20).numpy())
    np.save("gallery.labels.npy", words)
    torch.save({"embeddings": points(5, seed=1), "labels": torch.zeros(5)}, "q.pt")
    np.save("words.npy", words[::4])
    expected = retrieval_metrics(
        points(5, seed=1), torch.arange(5), points(20), torch.arange(20) // 4, ks=(1, 10, 20)
    )
    arguments = ["q.pt", "--labels", "words.npy", "--gallery", "gallery.npy"]
    assert shown(capsys, *arguments, "--ks", "1", "10", "20") == percent(expected)


def test_whitening_is_learnt_on_another_file(capsys):
    labels = torch.arange(20) // 4
    np.savez("file.npz", features=points(20).numpy(), labels=labels.numpy())
    np.save("other.npy", (points(50, seed=2) * torch.arange(1, 7)).numpy())
    white = fit_whitening(points(50, seed=2) * torch.arange(1, 7))
    expected = retrieval_metrics(white(points(20)), labels, ks=(1,))
    assert shown(capsys, "file.npz", "--ks", "1", "--whiten", "other.npy") == percent(expected)
    assert expected != retrieval_metrics(points(20), labels, ks=(1,))


def test_a_file_by_the_protocol_of_vehicleid(tmp_path, monkeypatch, capsys):
    make_tree("vehicleid", tmp_path / "tree", monkeypatch)
    np.save("test.npy", points(16).numpy())
    metrics = shown(capsys, "test.npy", "--dataset", "vehicleid", "--root", "tree")
    assert {"small R@1", "medium R@5", "large mAP"} <= set(metrics)
    np.save("short.npy", points(15).numpy())
    message = failing("short.npy", "--dataset", "vehicleid", "--root", "tree")
    assert "16 test images" in message
    assert "15 embeddings" in message


def test_files_by_the_revisited_protocol_with_distractors(tmp_path, monkeypatch, capsys):
    make_tree("roxford5k", tmp_path / "tree", monkeypatch)
    for name, array in (("q", points(2)), ("g", points(6, 1)), ("d", points(30, 2))):
        np.save(f"{name}.npy", array.numpy())
    judgements = ground_truth()["gnd"]
    arguments = ["q.npy", "--gallery", "g.npy", "--dataset", "roxford5k", "--root", "tree"]
    expected = revisited_of_embeddings(points(2), points(6, 1), judgements)
    assert shown(capsys, *arguments) == percent(expected)
    expected = revisited_of_embeddings(points(2), points(6, 1), judgements, (1,), points(30, 2))
    metrics = shown(capsys, *arguments, "--ks", "1", "--distractors", "d.npy")
    assert metrics == percent(expected)
    assert "--gallery FILE" in failing("q.npy", "--dataset", "roxford5k", "--root", "tree")


def test_a_run_on_its_own_data_and_on_landmarks(tmp_path, monkeypatch, capsys):
    make_tree("sop", tmp_path / "tree", monkeypatch)
    make_tree("roxford5k", tmp_path / "oxford", monkeypatch)
    make_tree("revisitop1m", tmp_path / "far", monkeypatch)
    train = ["train", "--preset", "sop-resnet50", "--root", "tree", *SMALL, "--out", "run"]
    cli.main([*train, "--device", "cpu", "--no-simix"])
    on_sop = shown(capsys, "run", "--save", "kept.npz")
    assert "R@1000" in on_sop
    embeddings, labels = read_embeddings(tmp_path / "kept.npz")
    assert embeddings.shape == (12, 8)
    assert shown(capsys, "kept.npz", "--ks", "1")["R@1"] == on_sop["R@1"]
    assert len(labels) == 12
    landmarks = ["run", "--dataset", "roxford5k", "--root", "oxford"]
    for more in (["--longest", "32", "--scales", "1", "0.7"], ["--longest", "0"]):
        metrics = shown(capsys, *landmarks, *more)
        assert {"easy mAP", "medium mP@10", "hard mP@1"} <= set(metrics)
        far = ["run", "--dataset", "revisitop1m", "--root", "far", "--save", "far.npy"]
        cli.main(["evaluate", *far, *more])
        assert read_embeddings(tmp_path / "far.npy")[0].shape == (5, 8)
        among_more = shown(capsys, *landmarks, *more, "--distractors", "far.npy")
        assert all(value <= metrics[name] for name, value in among_more.items())
    assert "save must name a .npy" in failing("run", "--dataset", "revisitop1m", "--root", "far")


def test_bad_input_is_one_line(tmp_path):
    np.save("file.npy", points(4).numpy())
    assert "file.npy has no labels" in failing("file.npy")
    assert "there is no file gone.npy" in failing("gone.npy")
    assert "is not a run" in failing("gone")
    assert "dataset must be one of cub" in failing("file.npy", "--dataset", "birds")
    np.savez("bad.npz", features=np.full((4, 2), np.nan, np.float32), labels=np.arange(4))
    assert "bad.npz: 4 of 4 rows hold NaN or infinity, the first is row 0" in failing("bad.npz")
    np.savez("good.npz", features=points(4).numpy(), labels=np.arange(4) // 2)
    np.savez("narrow.npz", features=points(4, d=2).numpy(), labels=np.arange(4) // 2)
    assert "narrow.npz must agree" in failing("good.npz", "--gallery", "narrow.npz")
    np.save("three.npy", np.arange(3))
    for arguments in (["good.npz"], ["good.npz", "--gallery", "good.npz"]):
        option = "--gallery-labels" if "--gallery" in arguments else "--labels"
        message = failing(*arguments, option, "three.npy")
        assert "three.npy: there must be a label for each of the 4 embeddings" in message
    assert "gallery_labels need" in failing("good.npz", "--gallery-labels", "three.npy")
    assert "distractors are for" in failing("good.npz", "--distractors", "file.npy")
