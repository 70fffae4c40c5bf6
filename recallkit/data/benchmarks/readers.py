"""The layouts of the benchmarks: one function each, from the root folder to lists of images."""

from collections import defaultdict
from pathlib import Path

from recallkit.data.benchmarks.list_files import (
    Listing,
    Lists,
    Search,
    bad_line,
    listing,
    numbers,
    read_rows,
    read_words,
)
from recallkit.errors import RecallkitError

Entry = tuple[str, str, int]  # path, class, line of an image


def _listing(file: Path, entries: list[Entry]) -> Listing:
    paths, classes, lines = zip(*entries, strict=True)
    return listing(file, paths, classes, lines)


def read_cub(root: Path) -> Lists:
    """Read CUB-200-2011: ``images.txt`` and ``image_class_labels.txt``; classes 1–100 train."""
    file, labels = root / "images.txt", root / "image_class_labels.txt"
    rows, label_rows = read_rows(file, 2), read_rows(labels, 2)
    classes = dict(
        zip((row[0] for row in label_rows), numbers(labels, label_rows, 1, 1), strict=True)
    )
    if len(classes) < len(label_rows):
        raise RecallkitError(f"{labels} lists an image twice. Download it again.")
    _check_folders(file, rows, classes)
    train: list[Entry] = []
    test: list[Entry] = []
    for line, (image, path) in enumerate(rows, 1):
        entries = train if classes[image] <= 100 else test
        entries.append((f"images/{path}", path.split("/")[0], line))
    if not (train and test):
        raise RecallkitError(
            f"{labels} has no class from 1 to 100, or none above. Download it again."
        )
    return Lists(_listing(file, train), {"": Search(_listing(file, test))})


def _check_folders(file: Path, rows: list[list[str]], classes: dict[str, int]) -> None:
    """Check that each folder holds one class, and that each class has one folder."""
    of_folder: dict[str, int] = {}
    of_class: dict[int, str] = {}
    for line, (image, path) in enumerate(rows, 1):
        if image not in classes:
            raise bad_line(file, line, f"image {image} has no class")
        folder, label = path.split("/")[0], classes[image]
        first_label = of_folder.setdefault(folder, label)
        first_folder = of_class.setdefault(label, folder)
        if (first_label, first_folder) != (label, folder):
            raise bad_line(
                file,
                line,
                f"duplicate classes: {folder} is class {label}, but above {folder} is class "
                f"{first_label} and class {label} is {first_folder}",
            )


def read_sop(root: Path) -> Lists:
    """Read Stanford Online Products: ``Ebay_train.txt`` and ``Ebay_test.txt``."""
    train, test = (_ebay(root / f"Ebay_{split}.txt") for split in ("train", "test"))
    return Lists(train, {"": Search(test)})


def _ebay(file: Path) -> Listing:
    rows = read_rows(file, 4, ["image_id class_id super_class_id path"])
    numbers(file, rows, 1, 2)
    paths, classes = (row[3] for row in rows), (f"product {row[1]}" for row in rows)
    return listing(file, paths, classes, range(2, len(rows) + 2))


def read_inaturalist(root: Path) -> Lists:
    """Read iNaturalist 2018 as split by Smooth-AP.

    Each line of ``Inaturalist_train_set1.txt`` and ``Inaturalist_test_set1.txt`` is a path, whose
    last two folders are the class.
    """
    train, test = (_species(root / f"Inaturalist_{split}_set1.txt") for split in ("train", "test"))
    return Lists(train, {"": Search(test)})


def _species(file: Path) -> Listing:
    paths = read_words(file)
    folders = [path.rpartition("/")[0] for path in paths]
    names = {folder: "/".join(folder.split("/")[-2:]) for folder in set(folders)}
    for line, folder in enumerate(folders, 1):
        if folder.count("/") < 2:
            raise bad_line(file, line, f"{paths[line - 1]} is not …/SUPER/CLASS/IMAGE")
    return listing(file, paths, (names[folder] for folder in folders), range(1, len(paths) + 1))


VEHICLE_TESTS = {"small": 800, "medium": 1600, "large": 2400}  # name → vehicles


def read_vehicleid(root: Path) -> Lists:
    """Read PKU VehicleID: ``train_test_split/*.txt``; three test sets, each searched by itself."""
    folder = root / "train_test_split"
    searches = {
        name: Search(_vehicles(folder / f"test_list_{count}.txt"))
        for name, count in VEHICLE_TESTS.items()
    }
    return Lists(_vehicles(folder / "train_list.txt"), searches)


def _vehicles(file: Path) -> Listing:
    rows = read_rows(file, 2)
    images, vehicles = numbers(file, rows, 0, 1), numbers(file, rows, 1, 1)
    paths, classes = (f"image/{i:07}.jpg" for i in images), (f"vehicle {v}" for v in vehicles)
    return listing(file, paths, classes, range(1, len(rows) + 1))


def read_inshop(root: Path) -> Lists:
    """Read In-Shop Clothes Retrieval: ``list_eval_partition.txt``; queries against a gallery."""
    file = root / "list_eval_partition.txt"
    rows = read_rows(file, 3, ["*", "image_name item_id evaluation_status"])
    by_status: dict[str, list[Entry]] = defaultdict(list)
    for line, (path, item, status) in enumerate(rows, 3):
        by_status[status].append((path, item, line))
    if unknown := set(by_status) - {"train", "query", "gallery"}:
        status = min(unknown)
        raise bad_line(
            file, by_status[status][0][2], f"{status!r} is not one of train, query, gallery"
        )
    if missing := {"train", "query", "gallery"} - set(by_status):
        raise RecallkitError(
            f"{file} has no image for {', '.join(sorted(missing))}. Download it again."
        )
    train, query, gallery = (
        _listing(file, by_status[status]) for status in ("train", "query", "gallery")
    )
    return Lists(train, {"": Search(query, gallery)})
