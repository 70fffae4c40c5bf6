"""`recallkit evaluate`: a run, or files of embeddings, by the protocol of a data set."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.trees import ground_truth, make_tree

from recallkit import cli
from recallkit.evaluation import protocols, read_embeddings
from recallkit.metrics import (
    fit_whitening,
    measure_retrieval,
    retrieval_metrics,
    revisited_of_embeddings,
)

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
    expected = retrieval_metrics(points(20), labels, ks=(1, 3), distance="cosine")
    assert shown(capsys, "file.npz", "--ks", "1", "3") == percent(expected)


def test_queries_against_a_gallery_with_words_for_labels(capsys):
    words = np.array([f"class {i // 4}" for i in range(20)])
    np.save("gallery.npy", points(20).numpy())
    np.save("gallery.labels.npy", words)
    torch.save({"embeddings": points(5, seed=1), "labels": torch.zeros(5)}, "q.pt")
    np.save("words.npy", words[::4])
    expected = retrieval_metrics(
        *(points(5, seed=1), torch.arange(5), points(20), torch.arange(20) // 4),
        ks=(1, 10, 20),
        distance="cosine",
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
    some = np.array(["a", ""] * 25)  # which a whitening does not need
    np.savez("other.npz", embeddings=np.load("other.npy"), labels=some)
    assert shown(capsys, "file.npz", "--ks", "1", "--whiten", "other.npz") == percent(expected)
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
    assert shown(capsys, *arguments, "--distance", "dot") == percent(expected)
    expected = revisited_of_embeddings(
        *(points(2), points(6, 1), judgements, (1,), points(30, 2)), distance="cosine"
    )
    metrics = shown(capsys, *arguments, "--ks", "1", "--distractors", "d.npy")
    assert metrics == percent(expected)
    assert "--gallery FILE" in failing("q.npy", "--dataset", "roxford5k", "--root", "tree")


def never_called(*_):
    """Stand for what takes long, where a file must be refused before."""
    raise AssertionError("images were embedded before the file was refused")


def test_a_run_on_its_own_data_and_on_landmarks(tmp_path, monkeypatch, capsys):
    make_tree("sop", tmp_path / "tree", monkeypatch)
    make_tree("roxford5k", tmp_path / "oxford", monkeypatch)
    make_tree("revisitop1m", tmp_path / "far", monkeypatch)
    train = ["train", "--preset", "sop-resnet50", "--root", "tree", *SMALL, "--out", "run"]
    cli.main([*train, "--device", "cpu", "--no-simix"])
    on_sop = shown(capsys, "run", "--save", "kept.npz")
    assert "R@1000" in on_sop
    assert "R@3" in shown(capsys, "run", "--ks", "3")
    assert "Ranked by cosine similarity (the dot product of unit vectors)" in told(capsys, "run")
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
        assert "far.npy exists, and is not replaced" in failing(*far)
        (tmp_path / "far.npy").unlink()
        assert all(value <= metrics[name] for name, value in among_more.items())
    assert "save must name a .npy" in failing("run", "--dataset", "revisitop1m", "--root", "far")
    (tmp_path / "mine.npz").write_text("mine")
    monkeypatch.setattr(protocols, "embed", never_called)
    monkeypatch.setattr(protocols, "describe", never_called)
    for data in ([], ["--dataset", "roxford5k", "--root", "oxford"]):
        assert "mine.npz cannot be read" in failing("run", *data, "--save", "mine.npz")


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
    message = failing("good.npz", "--distractors", "file.npy")
    assert "--distractors has no effect on a file of embeddings: they are for --dataset" in message


def told(capsys, *arguments):
    """All that is printed beside the table."""
    capsys.readouterr()
    cli.main(["evaluate", *map(str, arguments)])
    out = capsys.readouterr().out
    return "\n".join(line for line in out.splitlines() if not line.startswith("|"))


def store(name, array, labels, **more):
    np.savez(name, embeddings=array.numpy(), labels=labels, **more)


UNIT = torch.nn.functional.normalize(points(20), dim=1)
FOURS = np.arange(20) // 4


def test_the_measure_is_said_and_that_lengths_differ(capsys):
    store("unit.npz", UNIT, FOURS)
    store("raw.npz", UNIT * torch.arange(1, 21)[:, None], FOURS)
    metrics = {}
    for distance in ("cosine", "dot", "l2"):
        text = told(capsys, "raw.npz", "--ks", 1, "--distance", distance)
        words = {"cosine": "cosine similarity", "dot": "dot product", "l2": "Euclidean distance"}
        assert f"Ranked by {words[distance]}" in text
        assert "lengths of the embeddings differ (1 to 20)" in text
        metrics[distance] = shown(capsys, "raw.npz", "--ks", "1", "--distance", distance)
        assert "lengths" not in told(capsys, "unit.npz", "--ks", 1, "--distance", distance)
    assert metrics["cosine"] == shown(capsys, "unit.npz", "--ks", "1")
    assert len({str(values) for values in metrics.values()}) == 3


def test_over_how_many_queries_is_said_and_why_not_over_all(capsys):
    store("q.npz", UNIT, FOURS)
    store("g.npz", points(3, 1), np.array([0, 0, 1]))
    text = told(capsys, "q.npz", "--gallery", "g.npz", "--ks", 1, 3)
    assert "in a gallery of 3; means over 8 of 20 queries, of 2 classes; 12 left out" in text
    assert "R@3 is 100 % whatever the embeddings: only 3 items are searched" in text
    assert "exactly the same vector" not in text
    text = told(capsys, "q.npz", "--gallery", "q.npz")
    assert "20 of 20 queries stand in the gallery as exactly the same vector" in text
    assert "means over 20 of 20 queries, of 5 classes." in text
    store("some.npz", torch.cat([UNIT[4:6], points(5, 3)]).double(), np.zeros(7, int))
    assert "2 of 20 queries stand" in told(capsys, "q.npz", "--gallery", "some.npz", "--ks", 1)


def test_groups_are_left_out_by_name_by_file_and_of_a_gallery(capsys):
    camera = np.arange(20) % 3
    store("q.npz", UNIT, FOURS, camera=camera)
    expected = retrieval_metrics(UNIT, FOURS, ks=(1,), distance="cosine", groups=camera)
    assert "which was not used: --groups camera" in told(capsys, "q.npz", "--ks", 1)
    assert shown(capsys, "q.npz", "--ks", "1", "--groups", "camera") == percent(expected)
    Path("c.txt").write_text("\n".join(map(str, camera)))
    assert shown(capsys, "q.npz", "--ks", "1", "--groups", "c.txt") == percent(expected)
    assert "the query's own group left out" in told(capsys, "q.npz", "--groups", "camera")
    gallery = points(9, 2)
    store("g.npz", gallery, np.arange(9) % 5, camera=np.arange(9) % 2)
    expected = retrieval_metrics(
        *(UNIT, FOURS, gallery, np.arange(9) % 5, (1,), "cosine"), camera, np.arange(9) % 2
    )
    arguments = ["q.npz", "--gallery", "g.npz", "--ks", "1", "--groups", "camera"]
    assert shown(capsys, *arguments) == percent(expected)
    store("g.npz", gallery, np.arange(9) % 5)
    assert "g.npz has no 'camera'" in failing(*arguments)
    assert "did you mean camera?" in failing("q.npz", "--groups", "camara")


def test_means_over_classes_are_a_row_of_their_own(capsys):
    labels = np.array([0] * 14 + [1] * 4 + [2] * 2)
    store("q.npz", UNIT, labels)
    expected = measure_retrieval(UNIT, labels, ks=(1,), distance="cosine")
    assert expected.metrics != expected.class_metrics
    assert shown(capsys, "q.npz", "--ks", "1", "--per-class") == percent(expected.class_metrics)


def test_labels_of_two_kinds_are_compared_exactly_or_as_text(capsys):
    ids = np.arange(20) // 4 + 2**60
    store("signed.npz", UNIT, ids)
    store("unsigned.npz", points(20, 1), ids.astype(np.uint64))
    store("same.npz", points(20, 1), ids)
    store("text.npz", points(20, 1), ids.astype(str))
    arguments = ["signed.npz", "--ks", "1", "--gallery"]
    expected = shown(capsys, *arguments, "same.npz")
    assert shown(capsys, *arguments, "unsigned.npz") == expected
    assert shown(capsys, *arguments, "text.npz") == expected
    assert "labels of text.npz are text, the others integers: compared as decimal text" in told(
        capsys, *arguments, "text.npz"
    )


IDLE = [
    (["file.npz", "--save", "x.npz"], "--save has no effect on a file of embeddings"),
    (["file.npz", "--root", "x"], "--root has no effect on a file"),
    (["file.npz", "--split", "train", "--longest", "5"], "--longest, --split have no effect"),
    (["file.npz", "--device", "cuda"], "files are measured on the CPU"),
    (["file.npz", "--dataset", "sop", "--labels", "y"], "--labels has no effect on a file by"),
    (["file.npz", "--dataset", "roxford5k", "--per-class"], "no effect on files of landmarks"),
    (["run", "--gallery", "file.npz"], "--gallery has no effect on a run on images with classes"),
    (["run", "--distance", "l2"], "its embeddings have unit length"),
    (["run", "--scales", "1"], "--scales has no effect on a run"),
    (["run", "--dataset", "roxford5k", "--split", "train"], "--split has no effect on a run on"),
    (["run", "--dataset", "roxford5k", "--longest", "0", "--scales", "1"], "squares have one size"),
    (["run", "--dataset", "revisitop1m", "--ks", "1"], "--ks has no effect on the distractors"),
    (["file.npz", "--ks"], "ks must be"),
    (["file.npz", "--ks", "0"], "ks must be"),
    (["file.npz", "--gallery-groups", "x"], "gallery_groups need"),
]


@pytest.mark.parametrize(("arguments", "message"), IDLE)
def test_an_option_without_effect_is_an_error(arguments, message):
    store("file.npz", UNIT, FOURS)
    assert message in failing(*arguments)


def test_columns_in_another_order_are_refused(capsys):
    header = "label,a,b,c"
    rows = [f"{i // 2},{i},{i * i},{1 - i}" for i in range(1, 7)]
    Path("q.csv").write_text("\n".join([header, *rows]))
    Path("g.csv").write_text("\n".join(["label,b,a,c", *rows]))
    assert "same columns in the same order" in failing("q.csv", "--gallery", "g.csv")
    assert "labels from 'label'" in told(capsys, "q.csv", "--ks", 1)
