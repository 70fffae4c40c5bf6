"""Cars196 in its three layouts: the same images, the same split."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from helpers.trees import make_cars, picture

from recallkit.data.benchmarks import check, load_benchmark, registry
from recallkit.errors import RecallkitError

# Some of the 196 names, in the order of the makers; "Eagle Talon" is class 98, "FIAT Abarth" 99.
NAMES = {
    1: "AM General Hummer SUV 2000",
    2: "Acura RL Sedan 2012",
    6: "Acura Integra Type R 2001",
    26: "BMW ActiveHybrid 5 Sedan 2012",
    39: "Bentley Arnage Sedan 2009",
    97: "Dodge Charger SRT-8 2009",
    98: "Eagle Talon Hatchback 1998",
}
AFTER = {99: "FIAT 500 Abarth 2012", 101: "Ferrari FF Coupe 2012", 196: "smart fortwo 2012"}


def annotate(file, rows):
    from scipy.io import savemat

    file.parent.mkdir(parents=True, exist_ok=True)
    entries = np.zeros((1, len(rows)), [(name, object) for name in ("bbox_x1", "class", "fname")])
    for i, (number, name) in enumerate(rows):
        entries[0, i] = (1, np.uint8(number), name)
    savemat(file, {"annotations": entries})


def make_devkit(root, twice=False, beside=False):
    """Two images of each class in each half, in no order."""
    for half, name in (("train", "annos"), ("test", "annos_withlabels")):
        rows = [
            (c, f"{i:05}.jpg") for i, c in enumerate([98, 1, 196, 50, 99, 2, 1, 98, 196, 50, 99, 2])
        ]
        folder = root / f"cars_{half}" / f"cars_{half}" if twice else root / f"cars_{half}"
        for number, file in rows:
            picture(folder / file, number)
        annotate((root if beside else root / "devkit") / f"cars_{half}_{name}.mat", rows)
    return {"train": (16, 4), "test": (8, 2)}


@pytest.fixture
def counts(monkeypatch):
    def set_counts(values):
        small = replace(registry.BENCHMARKS["cars196"], counts=values)
        monkeypatch.setitem(registry.BENCHMARKS, "cars196", small)
        return small

    return set_counts


@pytest.mark.parametrize("way", [{}, {"twice": True}, {"beside": True}])
def test_the_devkit(tmp_path, counts, way):
    benchmark = counts(make_devkit(tmp_path, **way))
    assert check(benchmark, tmp_path).problems == ()
    splits = load_benchmark("cars196", tmp_path, image_size=7)
    assert set(splits.test.class_names.values()) == {"car 099", "car 196"}
    trained = {**splits.train.class_names, **splits.validation.class_names}
    assert trained == {
        0: "car 001",
        1: "car 002",
        2: "car 050",
        3: "car 098",
    }  # numbered as in the whole list
    assert all(path.startswith("cars_t") for path in splits.test.sources)


def test_the_devkit_beside_a_list_whose_images_nobody_has(tmp_path, counts):
    make_cars(tmp_path)
    shutil.rmtree(tmp_path / "car_ims")
    assert check(counts(make_devkit(tmp_path)), tmp_path).problems == ()


def test_folders_by_class(tmp_path, counts):
    names = {**NAMES, **AFTER}
    fill = [f"Audi {i}" for i in range(98 - len(NAMES))]  # so that Eagle is the 98th
    for half in ("train", "test"):
        for name in [*names.values(), *fill]:
            picture(tmp_path / half / name / "0.jpg")
    benchmark = counts({"train": (2 * 98, 98), "test": (6, 3)})
    assert check(benchmark, tmp_path).problems == ()
    splits = load_benchmark("cars196", tmp_path, image_size=7)
    assert set(splits.test.class_names.values()) == set(AFTER.values())


def test_a_wrong_count_is_refused(tmp_path, counts):
    counts(make_devkit(tmp_path) | {"test": (9, 2)})
    with pytest.raises(RecallkitError, match="lists 8 images of 2 classes, not 9 images"):
        load_benchmark("cars196", tmp_path)


def test_what_is_missing_is_named(tmp_path, counts):
    benchmark = counts(make_devkit(tmp_path))
    (tmp_path / "cars_test" / "00000.jpg").unlink()
    assert "cars_test/00000.jpg" in check(benchmark, tmp_path).problems[0]
    labelled = tmp_path / "devkit" / "cars_test_annos_withlabels.mat"
    labelled.rename(labelled.with_name("cars_test_annos.mat"))
    [problem] = check(benchmark, tmp_path).problems
    assert "cars_test_annos.mat is without classes" in problem
    (tmp_path / "other").mkdir()
    [problem] = check(benchmark, tmp_path / "other").problems
    assert "it has no cars_annos.mat or devkit" in problem
