"""One entry for each benchmark: its reader, its published counts, its makers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from recallkit.data.benchmarks import cars, readers
from recallkit.data.benchmarks.download import Archive
from recallkit.data.benchmarks.landmarks import (
    Distractors,
    Landmarks,
    read_distractors,
    read_roxford,
    read_rparis,
)
from recallkit.data.benchmarks.list_files import Lists

Contents = Lists | Landmarks | Distractors


@dataclass(frozen=True)
class Benchmark:
    """A data set of the literature.

    Attributes:
        title: what papers call it.
        read: root folder → the images that its list files name; opens no image.
        counts: list → (images, classes); None where there are no classes.
        ks: the k of R@k that papers report.
        layout: files and folders in the root, a line each.
        source: who has it, what they ask for, and where to look.
        counts_from_memory: the counts were not taken from a text: a difference is a remark, not an
            error.
        archive: what can be downloaded; None where the makers want to be asked, or where no
            address is certain.
        marks: files and folders of which a root holds at least one; empty: the first of the layout.
    """

    title: str
    read: Callable[[Path], Contents]
    counts: Mapping[str, tuple[int, int | None]]
    ks: tuple[int, ...]
    layout: tuple[str, ...]
    source: str
    counts_from_memory: bool = False
    archive: Archive | None = None
    marks: tuple[str, ...] = ()


_REVISITED = (
    "The photographs: Visual Geometry Group, University of Oxford, the pages of the {} Buildings "
    "data set. The ground truth: the project page of Revisiting Oxford and Paris (revisitop, "
    "Radenović and others). No registration; the photographs belong to their photographers."
)


BENCHMARKS: dict[str, Benchmark] = {
    "cub": Benchmark(
        title="CUB-200-2011",
        read=readers.read_cub,
        counts={"train": (5_864, 100), "test": (5_924, 100)},
        ks=(1, 2, 4, 8, 16),
        layout=("images.txt", "image_class_labels.txt", "images/001.Black_footed_Albatross/*.jpg"),
        source=(
            "California Institute of Technology, https://data.caltech.edu/records/65de6-vp158. No "
            "registration; for research, the photographs belong to their photographers."
        ),
        archive=Archive(
            url="https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
            md5="97eceeb196236b17998738112f37df78",
            folder="CUB_200_2011",
        ),
    ),
    "cars196": Benchmark(
        title="Cars196",
        read=cars.read_cars,
        counts={"train": (8_054, 98), "test": (8_131, 98)},
        ks=(1, 2, 4, 8, 16),
        layout=(
            "cars_annos.mat, car_ims/000001.jpg …",
            "or devkit/cars_train_annos.mat, devkit/cars_test_annos_withlabels.mat,",
            "   cars_train/00001.jpg …, cars_test/00001.jpg …",
            "or train/CLASS/*.jpg, test/CLASS/*.jpg, 196 classes in each",
        ),
        marks=cars.MARKS,
        source=(
            "Stanford University (Krause and others, 3D Object Representations, 2013), whose page "
            "is closed; copies of its images and its devkit are passed on in the three layouts "
            "below. All hold the same 16,185 images. For research."
        ),
    ),
    "sop": Benchmark(
        title="Stanford Online Products",
        read=readers.read_sop,
        counts={"train": (59_551, 11_318), "test": (60_502, 11_316)},
        ks=(1, 10, 100, 1000),
        layout=("Ebay_train.txt", "Ebay_test.txt", "bicycle_final/*.JPG", "… 12 such folders"),
        source=(
            "Stanford University (Oh Song and others, CVPR 2016): the project page of Deep Metric "
            "Learning via Lifted Structured Feature Embedding links Stanford_Online_Products.zip, "
            "2.9 GB. No registration; for research."
        ),
    ),
    "inaturalist": Benchmark(
        title="iNaturalist 2018, split of Smooth-AP",
        read=readers.read_inaturalist,
        counts={"train": (325_846, 5_690), "test": (136_093, 2_452)},
        ks=(1, 4, 16, 32),
        layout=(
            "Inaturalist_train_set1.txt",
            "Inaturalist_test_set1.txt",
            "train_val2018/SUPER/CLASS/*.jpg",
        ),
        source=(
            "The photographs: the iNaturalist 2018 competition (visipedia/inat_comp), "
            "train_val2018.tar.gz, above 100 GB, for non-commercial research. The two lists: the "
            "README of Smooth-AP (Brown and others, ECCV 2020) links them. No registration."
        ),
        counts_from_memory=True,
    ),
    "vehicleid": Benchmark(
        title="PKU VehicleID",
        read=readers.read_vehicleid,
        counts={
            "train": (113_346, 13_164),
            "small": (6_493, 800),
            "medium": (13_377, 1_600),
            "large": (19_777, 2_400),
        },
        ks=(1, 5),
        layout=(
            "train_test_split/train_list.txt",
            "train_test_split/test_list_800.txt, test_list_1600.txt, test_list_2400.txt",
            "image/0000001.jpg …",
        ),
        source=(
            "Peking University (Liu and others, CVPR 2016): the makers ask for a signed request "
            "and then send a link. For research."
        ),
    ),
    "inshop": Benchmark(
        title="In-Shop Clothes Retrieval",
        read=readers.read_inshop,
        counts={"train": (25_882, 3_997), "query": (14_218, 3_985), "gallery": (12_612, 3_985)},
        ks=(1, 10, 20, 30),
        layout=("list_eval_partition.txt", "img/MEN/Denim/id_00000080/01_1_front.jpg …"),
        source=(
            "Multimedia Laboratory, The Chinese University of Hong Kong: the DeepFashion page, "
            "In-shop Clothes Retrieval Benchmark. The makers ask for a signed agreement and then "
            "give the password of the archive. For non-commercial research."
        ),
    ),
    "roxford5k": Benchmark(
        title="ROxford5k",
        read=read_roxford,
        counts={"images": (4_993, None), "queries": (70, None)},
        ks=(1, 5, 10),
        layout=("gnd_roxford5k.pkl", "jpg/*.jpg"),
        source=_REVISITED.format("Oxford"),
    ),
    "rparis6k": Benchmark(
        title="RParis6k",
        read=read_rparis,
        counts={"images": (6_322, None), "queries": (70, None)},
        ks=(1, 5, 10),
        layout=("gnd_rparis6k.pkl", "jpg/*.jpg, all in this one folder"),
        source=_REVISITED.format("Paris"),
    ),
    "revisitop1m": Benchmark(
        title="a million distractors for ROxford5k and RParis6k",
        read=read_distractors,
        counts={"images": (1_001_001, None)},
        ks=(1, 5, 10),
        layout=("revisitop1m.txt", "jpg/, the images under the names in revisitop1m.txt"),
        source="The project page of Revisiting Oxford and Paris (revisitop, Radenović and others).",
    ),
}
