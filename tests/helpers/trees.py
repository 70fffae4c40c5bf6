"""Small trees in exactly the layouts of the benchmarks."""

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from recallkit.data.benchmarks import registry as table


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def picture(path: Path, shade: int = 0, size: tuple[int, int] = (20, 16)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade % 256, 7 * shade % 256, 50)).save(path, "JPEG")


def write_images(root: Path, classes: int = 12, each: int = 3) -> None:
    """A folder of noise, one sub-folder a class."""
    random = np.random.default_rng(0)
    for c in range(classes):
        (root / f"class {c}").mkdir(parents=True)
        for i in range(each):
            pixels = random.integers(0, 256, (8, 9, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / f"class {c}" / f"{i}.png")


def make_cub(root: Path) -> dict:
    images, labels, number = [], [], 0
    for c in (1, 2, 3, 4, 99, 100, 101, 102, 200):
        for i in range(3):
            number += 1
            name = f"{c:03}.Bird_{c}/Bird_{i}.jpg"
            images.append(f"{number} {name}\n")
            labels.append(f"{number} {c}\n")
            picture(root / "images" / name, c)
    write(root / "images.txt", "".join(images))
    write(root / "image_class_labels.txt", "".join(labels))
    return {"train": (18, 6), "test": (9, 3)}


def make_cars(root: Path) -> dict:
    from scipy.io import savemat

    fields = ("relative_im_path", "bbox_x1", "bbox_y1", "bbox_x2", "bbox_y2", "class", "test")
    rows = []
    for number, c in enumerate([1, 1, 2, 2, 50, 50, 97, 97, 98, 98, 99, 99, 196, 196], 1):
        path = f"car_ims/{number:06}.jpg"
        picture(root / path, c)
        rows.append((path, 1, 1, 9, 9, c, number % 2))
    entries = np.array([rows], dtype=[(name, object) for name in fields])
    savemat(root / "cars_annos.mat", {"annotations": entries})
    return {"train": (10, 5), "test": (4, 2)}


def make_sop(root: Path, classes: int = 6) -> dict:
    number, first = 0, 1
    for part in ("train", "test"):
        lines = ["image_id class_id super_class_id path\n"]
        for c in range(first, first + classes):
            for i in range(2):
                number += 1
                path = f"bicycle_final/{c:012}_{i}.JPG"
                picture(root / path, 9 * c)
                lines.append(f"{number} {c} 1 {path}\n")
        write(root / f"Ebay_{part}.txt", "".join(lines))
        first += classes
    return {"train": (2 * classes, classes), "test": (2 * classes, classes)}


def make_inaturalist(root: Path) -> dict:
    for part, species in (("train", range(5)), ("test", range(5, 8))):
        paths = [f"train_val2018/Aves/{s}/{s}{i:031x}.jpg" for s in species for i in range(2)]
        for shade, path in enumerate(paths):
            picture(root / path, 20 * shade)
        write(root / f"Inaturalist_{part}_set1.txt", "\n".join(paths) + "\n")
    return {"train": (10, 5), "test": (6, 3)}


def make_vehicleid(root: Path) -> dict:
    lists = {
        "train_list": range(1, 6),
        "test_list_800": range(10, 12),
        "test_list_1600": range(10, 14),
        "test_list_2400": range(12, 18),
    }
    for name, vehicles in lists.items():
        rows = [(2 * v + i, v) for v in vehicles for i in range(2)]
        for image, v in rows:
            picture(root / "image" / f"{image:07}.jpg", 10 * v)
        write(root / "train_test_split" / f"{name}.txt", "".join(f"{i:07} {v}\n" for i, v in rows))
    return {"train": (10, 5), "small": (4, 2), "medium": (8, 4), "large": (12, 6)}


def make_inshop(root: Path) -> dict:
    rows = []
    for c in range(9):
        item = f"id_{c:08}"
        for i in range(3):
            path = f"img/MEN/Denim/{item}/{i:02}_1_front.jpg"
            picture(root / path, 25 * c + i)
            rows.append(f"{path} {item} {'train' if c < 5 else 'query' if i == 0 else 'gallery'}\n")
    head = f"{len(rows)}\nimage_name item_id evaluation_status\n"
    write(root / "list_eval_partition.txt", head + "".join(rows))
    return {"train": (15, 5), "query": (4, 4), "gallery": (8, 4)}


def ground_truth(images: int = 6, queries: int = 2) -> dict:
    return {
        "imlist": [f"all_souls_{i:06}" for i in range(images)],
        "qimlist": [f"query_{q}" for q in range(queries)],
        "gnd": [
            {
                "bbx": np.array([1.0, 2.0, 15.5, 12.0]),
                "easy": [q],
                "hard": np.array([q + 2], dtype=np.int64),
                "junk": [np.int64(5)],
            }
            for q in range(queries)
        ],
    }


def make_roxford5k(root: Path, name: str = "roxford5k") -> dict:
    truth = ground_truth()
    root.mkdir(parents=True, exist_ok=True)
    (root / f"gnd_{name}.pkl").write_bytes(pickle.dumps(truth, protocol=2))
    for shade, image in enumerate(truth["imlist"] + truth["qimlist"]):
        picture(root / "jpg" / f"{image}.jpg", 30 * shade)
    return {"images": (6, None), "queries": (2, None)}


def make_rparis6k(root: Path) -> dict:
    return make_roxford5k(root, "rparis6k")


def make_revisitop1m(root: Path) -> dict:
    names = [f"{i}/{i:04x}.jpg" for i in range(5)]
    for name in names:
        picture(root / "jpg" / name)
    write(root / "revisitop1m.txt", "\n".join(names) + "\n")
    return {"images": (5, None)}


MAKERS = {
    "cub": make_cub,
    "cars196": make_cars,
    "sop": make_sop,
    "inaturalist": make_inaturalist,
    "vehicleid": make_vehicleid,
    "inshop": make_inshop,
    "roxford5k": make_roxford5k,
    "rparis6k": make_rparis6k,
    "revisitop1m": make_revisitop1m,
}
TRAINED = [name for name in MAKERS if name not in ("roxford5k", "rparis6k", "revisitop1m")]


def make_tree(name: str, root: Path, monkeypatch) -> None:
    """A small tree of the benchmark, and its counts in place of the real ones."""
    counts = MAKERS[name](root)
    small = replace(table.BENCHMARKS[name], counts=counts)
    monkeypatch.setitem(table.BENCHMARKS, name, small)
