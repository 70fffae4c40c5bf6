"""Cars196 in the three layouts in which it is passed on; all hold the same 16,185 images.

    cars_annos.mat                       and car_ims/
    devkit/cars_train_annos.mat,
    cars_test_annos_withlabels.mat       and cars_train/, cars_test/
    train/CLASS/, test/CLASS/            sorted by class

The makers split the images of each class. The benchmark takes both halves together, and splits by
class instead: the first 98 of the 196 classes train. In the third layout classes are counted in the
order of their names, capitals before small letters. Within a make that is not the makers' order,
but the first 98 are the same: both end with the makes up to Dodge, and Eagle.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recallkit.data.benchmarks.list_files import Listing, Lists, Search, listing
from recallkit.data.listing import list_folder
from recallkit.errors import RecallkitError, needs_extra

TRAIN_CLASSES = 98

MARKS = ("cars_annos.mat", "devkit", "cars_train", "train")  # what a root may be known by

_LABELLED = ("cars_train_annos.mat", "cars_test_annos_withlabels.mat")


class _Image(NamedTuple):
    path: str
    number: int  # of its class, from 1
    name: str  # of its class


def read_cars(root: Path) -> Lists:
    """Read Cars196 in any of its layouts; classes 1–98 train."""
    in_parts = (root / "cars_train").is_dir() and not (root / "car_ims").is_dir()
    if (root / "cars_annos.mat").is_file() and not in_parts:
        return _lists(root / "cars_annos.mat", _whole(root / "cars_annos.mat"))
    if (root / "train").is_dir() and (root / "test").is_dir():
        return _lists(root / "train", _by_class(root))
    return _lists(_annotations(root, _LABELLED[0]), _devkit(root))


def _lists(file: Path, images: Sequence[_Image]) -> Lists:
    train, test = [], []
    for line, image in enumerate(images, 1):
        (train if image.number <= TRAIN_CLASSES else test).append((image, line))
    return Lists(_listing(file, train), {"": Search(_listing(file, test))})


def _listing(file: Path, images: list[tuple[_Image, int]]) -> Listing:
    paths, classes = (image.path for image, _ in images), (image.name for image, _ in images)
    return listing(file, paths, classes, [line for _, line in images])


def _whole(file: Path) -> list[_Image]:
    return [_image(path, number) for path, number in _entries(file, "relative_im_path")]


def _image(path: str, number: int) -> _Image:
    return _Image(path, number, f"car {number:03}")


def _devkit(root: Path) -> list[_Image]:
    """Read the makers' two lists; sorted by class, as in ``cars_annos.mat``."""
    images = []
    for name, folder in zip(_LABELLED, ("cars_train", "cars_test"), strict=True):
        twice = f"{folder}/{folder}"  # as some archives are unpacked
        place = twice if (root / twice).is_dir() else folder
        entries = _entries(_annotations(root, name), "fname")
        images += [_image(f"{place}/{path}", number) for path, number in entries]
    return sorted(images, key=lambda image: image.number)


def _annotations(root: Path, name: str) -> Path:
    """Find a list of the devkit: in its folder, or beside it.

    Raises:
        RecallkitError: if it is not there.
    """
    for folder in ("devkit", ".", "car_devkit/devkit"):
        if (root / folder / name).is_file():
            return root / folder / name
    why = ""
    if (root / "devkit" / "cars_test_annos.mat").is_file() and name == _LABELLED[1]:
        why = ": the devkit's cars_test_annos.mat is without classes, this other file has them"
    raise RecallkitError(f"{root / 'devkit' / name} is missing{why}")


def _entries(file: Path, path_field: str) -> list[tuple[str, int]]:
    """Read path and class of each entry of the struct array ``annotations``."""
    with needs_extra(f"reading {file}"):
        from scipy.io import loadmat
    try:
        entries = loadmat(file, squeeze_me=True)["annotations"].reshape(-1)
        paths, numbers = entries[path_field].tolist(), entries["class"].tolist()
        return [(str(path), int(number)) for path, number in zip(paths, numbers, strict=True)]
    except Exception as error:  # a damaged file fails in many ways, each of them final
        raise RecallkitError(
            f"{file} cannot be read as the annotations of Cars196 ({error}). Download it again."
        ) from error


def _by_class(root: Path) -> list[_Image]:
    """List ``train/CLASS`` and ``test/CLASS``; classes are counted in the order of their names."""
    images = list_folder(root)
    names = sorted(set(images.classes), key=_class_order)
    numbers = {name: number for number, name in enumerate(names, 1)}
    found = [
        _Image(path.relative_to(images.source).as_posix(), numbers[name], name)
        for path, name in zip(images.paths, images.classes, strict=True)
    ]
    return sorted(found, key=lambda image: image.number)


def _class_order(name: str) -> tuple[int, str]:
    return (int(name) if name.isdecimal() else 0, name)
