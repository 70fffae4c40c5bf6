"""The loaders of the benchmarks, on small trees in exactly their layouts."""

import os
import subprocess
import sys

import pytest
import torch
from helpers.trees import MAKERS, TRAINED, make_tree, picture, write

from recallkit.data import load
from recallkit.data.benchmarks import BENCHMARKS, check, load_benchmark
from recallkit.data.benchmarks.readers import read_inaturalist, read_sop
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import evaluate_embeddings
from recallkit.metrics import retrieval_metrics


@pytest.fixture
def tree(tmp_path, monkeypatch):
    def make(name):
        make_tree(name, tmp_path / name, monkeypatch)
        return tmp_path / name

    return make


@pytest.mark.parametrize("name", TRAINED)
def test_splits_share_no_class_and_decode_what_the_lists_say(tree, name):
    splits = load_benchmark(name, tree(name), image_size=7)
    parts = (splits.train, splits.validation, splits.test)
    labels = [set(part.labels.tolist()) for part in parts]
    assert len(set.union(*labels)) == sum(map(len, labels))
    assert len(labels[1]) == 2
    counts = BENCHMARKS[name].counts
    assert len(labels[0]) + 2 == counts["train"][1]
    for part in parts:
        side = 8 if part is splits.train else 7
        assert part.images.to("cpu").shape == part.images.shape == (len(part), 3, side, side)
        assert set(part.class_names) == set(part.labels.tolist())
        assert all(part.name(i) for i in range(len(part)))
    assert splits.test.protocol.ks == BENCHMARKS[name].ks


@pytest.mark.parametrize("name", MAKERS)
def test_a_complete_tree_has_no_problem(tree, name):
    root = tree(name)
    found = check(BENCHMARKS[name], root)
    assert found.problems == ()
    assert [line.split(":")[0] for line in found.lines] == list(BENCHMARKS[name].counts)


def test_the_known_counts_are_those_of_the_literature():
    total = {n: sum(c[0] for c in b.counts.values()) for n, b in BENCHMARKS.items()}
    assert (total["cub"], total["cars196"], total["sop"]) == (11_788, 16_185, 120_053)
    assert total["inshop"] == 52_712
    assert BENCHMARKS["inaturalist"].counts_from_memory
    assert [name for name, b in BENCHMARKS.items() if b.archive] == ["cub"]
    assert all(b.source and b.layout for b in BENCHMARKS.values())


def test_cub_is_split_by_class_number(tree):
    test = load_benchmark("cub", tree("cub")).test
    assert set(test.class_names.values()) == {f"{c}.Bird_{c}" for c in (101, 102, 200)}


def test_inshop_searches_queries_in_the_gallery(tree):
    test = load_benchmark("inshop", tree("inshop")).test
    embeddings = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    [(queries, gallery)] = test.protocol.searches.values()
    assert all(test.sources[i].endswith("00_1_front.jpg") for i in queries)
    assert len(gallery) == 8
    test = test.__class__(
        **vars(test) | {"protocol": type(test.protocol)((1,), test.protocol.searches)}
    )
    expected = retrieval_metrics(
        embeddings[queries], test.labels[queries], embeddings[gallery], test.labels[gallery], (1,)
    )
    assert evaluate_embeddings(embeddings, test) == expected


def test_vehicleid_is_searched_three_times(tree):
    test = load_benchmark("vehicleid", tree("vehicleid")).test
    assert len(test) == 16  # eight vehicles of two images; some are in two lists
    embeddings = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
    test = test.__class__(
        **vars(test) | {"protocol": type(test.protocol)((1,), test.protocol.searches)}
    )
    found = evaluate_embeddings(embeddings, test)
    chosen = [i for i, path in enumerate(test.sources) if int(path[6:13]) < 24]  # vehicles 10, 11
    small = retrieval_metrics(embeddings[chosen], test.labels[chosen], ks=(1,))
    assert found["small R@1"] == small["R@1"]
    assert {name.split()[0] for name in found} == {"small", "medium", "large"}


def test_held_out_classes_are_always_the_same_and_more_if_asked(tree):
    root = tree("sop")
    once, again = (load_benchmark("sop", root).validation for _ in range(2))
    assert once.sources == again.sources
    assert len(load_benchmark("sop", root, held_out=0.5).validation.class_names) == 3
    with pytest.raises(ValueError, match="held_out must be a share"):
        load_benchmark("sop", root, held_out=1.0)
    with pytest.raises(RecallkitError, match="too few training classes"):
        load_benchmark("sop", root, held_out=0.9)


def test_load_by_name_wants_a_root(tree):
    assert load("sop", 224, str(tree("sop"))).train.images.shape[-1] == 256
    with pytest.raises(ValueError, match="--root DIR"):
        load("sop")
    with pytest.raises(ValueError, match=r"known data sets are: emoji.*, cub, "):
        load("holidays")
    with pytest.raises(ValueError, match=r"no data set or folder 'soup'; did you mean sop "):
        load("soup")


# Bad input


def replace_text(path, old, new):
    path.write_text(path.read_text().replace(old, new, 1))


def damage_columns(root):
    replace_text(root / "Ebay_train.txt", "3 2 1 bicycle", "3 2 bicycle")


def damage_number(root):
    replace_text(root / "Ebay_test.txt", "13 7 1", "13 seven 1")


def damage_header(root):
    replace_text(root / "Ebay_test.txt", "image_id", "picture")


def damage_twice(root):
    lines = (root / "Ebay_train.txt").read_text().splitlines(keepends=True)
    (root / "Ebay_train.txt").write_text("".join([*lines, lines[-1]]))


def damage_both(root):
    replace_text(root / "Ebay_test.txt", "13 7 1", "13 6 1")


def damage_outside(root):
    replace_text(root / "Ebay_train.txt", "bicycle_final/", "../../etc/")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_columns, r"Ebay_train\.txt, line 4: expected 4 words, found 3"),
        (damage_number, r"Ebay_test\.txt, line 2: 'seven' is not a whole number"),
        (damage_header, r"Ebay_test\.txt, line 1: expected 'image_id class_id"),
        (damage_twice, r"Ebay_train\.txt, line 14: bicycle_final/.* is listed twice"),
        (damage_both, r"1 classes are in both .*Ebay_train\.txt.*Ebay_test.*product 6"),
        (damage_outside, r"Ebay_train\.txt, line 2: .* leads out of the folder"),
        (lambda root: (root / "Ebay_test.txt").unlink(), r"Ebay_test\.txt is missing"),
        (lambda root: write(root / "Ebay_test.txt", ""), r"Ebay_test\.txt, line 1: expected"),
        (lambda root: (root / "Ebay_test.txt").write_bytes(b"\xff\xfe"), "cannot be read as text"),
        (
            lambda root: (root / "bicycle_final" / "000000000002_0.JPG").unlink(),
            r"1 of 12 images of Ebay_train\.txt are not on disk, the first is "
            r"bicycle_final/000000000002_0\.JPG \(line 4\)",
        ),
        (
            lambda root: replace_text(
                root / "Ebay_train.txt", "12 6 1 bicycle_final/000000000006_1.JPG\n", ""
            ),
            "lists 11 images of 6 classes, not 12 images of 6 classes",
        ),
    ],
)
def test_what_is_wrong_with_lists_is_named_before_any_training(tree, damage, message):
    root = tree("sop")
    damage(root)
    with pytest.raises(RecallkitError, match=message):
        load_benchmark("sop", root)
    found = check(BENCHMARKS["sop"], root)
    assert found.problems
    assert any("Ebay_train.txt" in line for line in found.lines)  # the expected layout
    assert any("Stanford University" in line for line in found.lines)  # and from whom to get it


def test_a_wrong_root_is_named_and_the_right_one_guessed(tree, tmp_path):
    root = tree("sop")
    with pytest.raises(RecallkitError, match="there is no folder"):
        load_benchmark("sop", tmp_path / "gone")
    with pytest.raises(RecallkitError, match=rf"it has no Ebay_train\.txt; but {root} has it"):
        load_benchmark("sop", tmp_path)


def test_duplicate_classes_of_cub_are_named(tree):
    root = tree("cub")
    replace_text(root / "images.txt", "003.Bird_3/Bird_0", "002.Bird_2/Bird_9")
    picture(root / "images" / "002.Bird_2" / "Bird_9.jpg")
    with pytest.raises(RecallkitError, match=r"images\.txt, line 7: duplicate classes: 002"):
        load_benchmark("cub", root)


def test_lists_of_cub_that_do_not_agree(tree):
    root = tree("cub")
    replace_text(root / "image_class_labels.txt", "27 200\n", "26 200\n")
    with pytest.raises(RecallkitError, match="lists an image twice"):
        load_benchmark("cub", root)
    replace_text(root / "image_class_labels.txt", "26 200\n26 200\n", "26 200\n")
    with pytest.raises(RecallkitError, match=r"images\.txt, line 27: image 27 has no class"):
        load_benchmark("cub", root)


def test_other_lists_with_bad_lines(tree):
    root = tree("inshop")
    replace_text(root / "list_eval_partition.txt", "id_00000001 train", "id_00000001 spare")
    with pytest.raises(RecallkitError, match=r"line 6: 'spare' is not one of train"):
        load_benchmark("inshop", root)
    root = tree("inaturalist")
    replace_text(root / "Inaturalist_test_set1.txt", "train_val2018/Aves/", "")
    with pytest.raises(RecallkitError, match=r"test_set1\.txt, line 1: .* is not …/SUPER/CLASS"):
        load_benchmark("inaturalist", root)
    root = tree("inaturalist")
    replace_text(root / "Inaturalist_test_set1.txt", ".jpg", " .jpg")
    with pytest.raises(RecallkitError, match=r"test_set1\.txt, line 1: expected 1 words, found 2"):
        load_benchmark("inaturalist", root)
    root = tree("cars196")
    content = (root / "cars_annos.mat").read_bytes()
    (root / "cars_annos.mat").write_bytes(content[: len(content) // 2])
    with pytest.raises(RecallkitError, match=r"cars_annos\.mat cannot be read as the annotations"):
        load_benchmark("cars196", root)


def test_counts_from_memory_are_told_not_enforced(tree, monkeypatch):
    root = tree("inaturalist")
    replace_text(root / "Inaturalist_test_set1.txt", "train", "train")
    entry = BENCHMARKS["inaturalist"]
    other = type(entry)(**vars(entry) | {"counts": {"train": (11, 5), "test": (6, 3)}})
    monkeypatch.setitem(BENCHMARKS, "inaturalist", other)
    found = check(other, root)
    assert found.problems == ()
    assert "unverified: 11 images of 5 classes" in found.lines[0]
    assert load_benchmark("inaturalist", root)


def test_without_scipy_the_remedy_is_named(tree, monkeypatch):
    root = tree("cars196")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(RecallkitError, match=r"pip install \"recallkit\[train\]\""):
        load_benchmark("cars196", root)


@pytest.mark.parametrize("name", ["roxford5k", "revisitop1m"])
def test_sets_without_classes_are_not_trained_on(tree, name):
    with pytest.raises(ValueError, match="has no training classes"):
        load_benchmark(name, tree(name))


# Full-size lists


def test_the_full_lists_of_sop_are_read(tmp_path):
    number, first = 0, 1
    for part, images, classes in (("train", 59_551, 11_318), ("test", 60_502, 11_316)):
        lines = ["image_id class_id super_class_id path"]
        for i in range(images):
            number += 1
            c = first + i * classes // images
            lines.append(f"{number} {c} {1 + c % 12} bicycle_final/{111085122871 + c}_{i}.JPG")
        write(tmp_path / f"Ebay_{part}.txt", "\n".join(lines) + "\n")
        first += classes
    lists = read_sop(tmp_path)
    counts = {name: (len(p), len(set(p.classes))) for name, p in lists.listings().items()}
    assert counts == BENCHMARKS["sop"].counts


def test_the_full_lists_of_inaturalist_are_read(tmp_path):
    first = 0
    for part, images, classes in (("train", 325_846, 5_690), ("test", 136_093, 2_452)):
        paths = (
            f"train_val2018/Aves/{first + i * classes // images}/{i:032x}.jpg"
            for i in range(images)
        )
        write(tmp_path / f"Inaturalist_{part}_set1.txt", "\n".join(paths) + "\n")
        first += classes
    lists = read_inaturalist(tmp_path)
    counts = {name: (len(p), len(set(p.classes))) for name, p in lists.listings().items()}
    assert counts == BENCHMARKS["inaturalist"].counts


# The command


def run_prepare(*arguments):
    from recallkit import cli

    try:
        cli.main(["prepare", *arguments])
    except SystemExit as stop:
        return stop.code
    return None


def test_prepare_says_complete_and_what_comes_next(tree, capsys):
    assert run_prepare("sop", "--root", str(tree("sop"))) is None
    shown = capsys.readouterr().out
    assert "train: 12 images of 6 classes" in shown
    assert "complete." in shown


def test_prepare_of_nothing_says_what_to_get_from_whom_and_which_layout(tmp_path, capsys):
    message = run_prepare("vehicleid", "--root", str(tmp_path))
    assert "the data set is not complete" in message
    assert "it has no train_test_split/train_list.txt" in message
    shown = capsys.readouterr().out
    assert "signed request" in shown
    assert "train_test_split/train_list.txt" in shown
    assert "--root DIR" in run_prepare("sop")
    assert "cannot be fetched by a program" in run_prepare("sop", "--root", ".", "--fetch")


def test_no_benchmark_needs_scipy_timm_or_faiss_to_be_imported():
    code = "import sys, recallkit.data; print({'scipy', 'timm', 'faiss'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout.strip() == "set()"
