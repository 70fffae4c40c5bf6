import json
import math
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from recallkit.data import load
from recallkit.data.archive import read_index
from recallkit.data.cache import checksum
from recallkit.data.glyphs import archive as glyphs_file
from recallkit.data.glyphs import distortion as glyphs_distortion
from recallkit.data.glyphs import load_glyphs
from recallkit.data.glyphs.archive import FILE
from recallkit.data.glyphs.build import split_classes
from recallkit.data.glyphs.distortion import distort, seed_of, splitmix64
from recallkit.data.glyphs.render import block_of
from recallkit.data.glyphs.splits import class_name, seeds
from recallkit.errors import RecallkitError
from recallkit.evaluation.embedding import embed_pixels
from recallkit.files import embedded

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def sets(shared_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECALLKIT_CACHE", str(shared_cache))
        return {name: load(name) for name in ("glyphs", "glyphs-distorted")}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("RECALLKIT_CACHE", str(folder))
    return folder


def make_index():
    kinds = [("3042", "train", [0, 1, 2]), ("4e00", "train", [2, 3]), ("ac00", "validation", [0])]
    return {
        "typefaces": ["a", "b", "c", "d"],
        "classes": [
            {"code": code, "split": split, "typefaces": faces}
            for code, split, faces in [*kinds, ("ac01", "test", [0, 3])]
        ],
    }


@pytest.fixture
def small(tmp_path):
    """A folder with a packed file of eight random images, and the images' ink."""
    ink = np.random.default_rng(0).integers(0, 16, (8, 32, 32), dtype=np.uint8)
    folder = tmp_path / "small"
    write(folder, make_index(), ink)
    return folder, ink


def write(folder, index, ink, **change):
    grey = glyphs_file.to_grey(ink)
    distorted = checksum(distort(grey, seeds(index)))
    glyphs_file.write_packed(folder / FILE, index | {"distorted_crc32": distorted} | change, ink)


def grey(splits):
    return torch.cat([getattr(splits, s).images[:, 0] for s in SPLITS]).numpy()


class TestEmbedded:
    @pytest.mark.parametrize("name", ["glyphs", "glyphs-distorted"])
    def test_counts(self, sets, name):
        parts = [getattr(sets[name], s) for s in SPLITS]
        assert [len(p.class_names) for p in parts] == [10_317, 1_000, 11_317]
        assert len(parts[0]) + len(parts[1]) == 60_379
        assert len(parts[2]) == 60_265

    @pytest.mark.parametrize("split", SPLITS)
    def test_types_and_shapes(self, sets, split):
        part = getattr(sets["glyphs"], split)
        assert part.images.dtype == torch.uint8
        assert part.images.shape == (len(part), 3, 32, 32)
        assert part.labels.dtype == torch.int64
        assert len(part.sources) == len(part)

    def test_three_channels_take_the_memory_of_one(self, sets):
        images = sets["glyphs"].train.images
        assert images.stride(1) == 0
        assert torch.equal(images[:9, 0], images[:9, 2])

    @pytest.mark.parametrize("split", SPLITS)
    def test_every_class_has_five_or_six_typefaces(self, sets, split):
        part = getattr(sets["glyphs"], split)
        labels, counts = part.labels.unique(return_counts=True)
        assert set(counts.tolist()) == {5, 6}
        assert set(labels.tolist()) == set(part.class_names)
        assert len(set(zip(part.labels.tolist(), part.sources, strict=True))) == len(part)

    def test_no_class_is_in_two_splits(self, sets):
        names = [n for s in SPLITS for n in getattr(sets["glyphs"], s).class_names.values()]
        labels = [c for s in SPLITS for c in getattr(sets["glyphs"], s).class_names]
        assert len(names) == len(set(names)) == len(set(labels)) == 22_634

    def test_names_are_readable_in_any_font(self, sets):
        names = [n for s in SPLITS for n in getattr(sets["glyphs"], s).class_names.values()]
        assert all(name.isascii() for name in names)
        assert class_name(0x4E00) == "han 4e00"
        assert class_name(0xAC01) == "hangul syllable gag"

    def test_no_image_is_blank_or_stands_twice(self, sets):
        images = grey(sets["glyphs"])
        assert images.reshape(len(images), -1).min(1).max() < 128
        assert len({image.tobytes() for image in images}) == len(images)

    def test_the_distorted_are_the_same_images_in_the_same_order(self, sets):
        for split in SPLITS:
            clean, distorted = (getattr(sets[n], split) for n in ("glyphs", "glyphs-distorted"))
            assert torch.equal(clean.labels, distorted.labels)
            assert clean.sources == distorted.sources
            assert clean.class_names == distorted.class_names
            assert not torch.equal(clean.images[:9], distorted.images[:9])

    def test_a_distorted_image_can_be_made_alone(self, sets):
        test, distorted = sets["glyphs"].test, sets["glyphs-distorted"].test
        code = index_of_embedded()["classes"][-1]["code"]
        seed = seed_of(int(code, 16), test.sources[-1])
        assert np.array_equal(
            distort(test.images[-1:, 0].numpy(), [seed])[0], distorted.images[-1, 0].numpy()
        )

    def test_the_split_is_the_one_the_seed_gives(self):
        classes = index_of_embedded()["classes"]
        assert split_classes([int(c["code"], 16) for c in classes]) == {
            int(c["code"], 16): c["split"] for c in classes
        }

    def test_licences_stand_beside_it(self):
        sources = index_of_embedded()["sources"]
        assert [s["name"] for s in sources] == index_of_embedded()["typefaces"]
        licences = (embedded("glyphs") / "LICENSES.md").read_text(encoding="utf-8")
        for source in sources:
            text = embedded("glyphs") / "licences" / f"{source['package']}.txt"
            assert text.stat().st_size > 300
            assert f"`{source['name']}`" in licences
            assert source["licence"] in licences

    def test_the_table_beside_it_agrees(self, sets):
        lines = (embedded("glyphs") / "typefaces.tsv").read_text(encoding="utf-8").splitlines()
        head, *rows = (line.split("\t") for line in lines)
        sources = [s for split in SPLITS for s in getattr(sets["glyphs"], split).sources]
        assert {r[0]: int(r[head.index("images")]) for r in rows if r[-1] != "0"} == {
            name: sources.count(name) for name in set(sources)
        }

    def test_the_card_counts_right(self, sets):
        card = (embedded("glyphs") / "README.md").read_text(encoding="utf-8")
        for split in SPLITS:
            part = getattr(sets["glyphs"], split)
            assert f"| {split} | {len(part.class_names):,} | {len(part):,} |" in card
        codes = [int(c["code"], 16) for c in index_of_embedded()["classes"]]
        for block in ("han", "hangul", "han-extension-a", "kana"):
            assert f"| {sum(block_of(code) == block for code in codes):,} |" in card

    def test_it_is_small_enough_for_a_repository(self):
        assert (embedded("glyphs") / FILE).stat().st_size <= 26_000_000
        with Image.open(embedded("glyphs") / "contact_sheet.png") as sheet:
            assert sheet.size[0] > 500


def index_of_embedded():
    with zipfile.ZipFile(embedded("glyphs") / FILE) as archive:
        return read_index(archive, glyphs_file.FORMAT)


class TestPackedFile:
    def test_gives_back_what_was_packed(self, small, cache):
        folder, ink = small
        splits = load_glyphs(folder)
        assert np.array_equal(grey(splits), 255 - 17 * ink)
        assert splits.train.labels.tolist() == [0, 0, 0, 1, 1]
        assert splits.test.class_names == {3: "hangul syllable gag"}
        assert splits.test.sources == ("a", "d")

    def test_more_images_than_a_block(self, small, cache, monkeypatch):
        folder, ink = small
        monkeypatch.setattr(glyphs_file, "BLOCK", 3)
        write(folder, make_index(), ink)
        assert np.array_equal(grey(load_glyphs(folder)), 255 - 17 * ink)

    def test_the_same_data_give_the_same_bytes(self, small, tmp_path):
        folder, ink = small
        write(tmp_path / "again", make_index(), ink)
        assert (tmp_path / "again" / FILE).read_bytes() == (folder / FILE).read_bytes()

    def test_a_folder_with_one_can_be_loaded_by_its_path(self, small, cache):
        assert len(load(str(small[0])).train) == 5

    @pytest.mark.parametrize("distorted", [False, True])
    def test_the_second_time_it_comes_from_the_cache(self, small, cache, monkeypatch, distorted):
        first = grey(load_glyphs(small[0], distorted=distorted))
        monkeypatch.setattr("recallkit.data.glyphs.splits.read_images", None)
        monkeypatch.setattr("recallkit.data.glyphs.splits.distort", None)
        assert np.array_equal(grey(load_glyphs(small[0], distorted=distorted)), first)


class TestBadFile:
    def check(self, folder, match, **options):
        with pytest.raises(RecallkitError, match=match) as error:
            load_glyphs(folder, **options)
        assert str(folder / FILE) in str(error.value)
        assert "prepare glyphs" in str(error.value)

    def test_missing(self, tmp_path, cache):
        self.check(tmp_path, "missing")

    @pytest.mark.parametrize("part", [0, 0.1, 0.5, 0.99])
    def test_truncated(self, small, cache, part):
        whole = (small[0] / FILE).read_bytes()
        (small[0] / FILE).write_bytes(whole[: int(part * len(whole))])
        self.check(small[0], "damaged")

    def test_a_changed_byte(self, small, cache):
        data = bytearray((small[0] / FILE).read_bytes())
        data[len(data) // 2] ^= 1
        (small[0] / FILE).write_bytes(data)
        self.check(small[0], "damaged")

    def test_a_block_that_is_not_compressed_by_lzma(self, small, cache):
        with zipfile.ZipFile(small[0] / FILE) as archive:
            index = archive.read("index.json")
        with zipfile.ZipFile(small[0] / FILE, "w") as archive:
            archive.writestr("index.json", index)
            archive.writestr("ink-00.xz", b"plain")
        self.check(small[0], "damaged")

    @pytest.mark.parametrize("index", [None, [], {}, {"format": "another"}])
    def test_another_zip(self, tmp_path, cache, index):
        with zipfile.ZipFile(tmp_path / FILE, "w") as archive:
            archive.writestr("a.txt" if index is None else "index.json", json.dumps(index))
        self.check(tmp_path, "not the glyphs data")

    @pytest.mark.parametrize("change", [{"images": 7}, {"crc32": 1}, {"typefaces": ["a"]}])
    def test_a_wrong_index(self, small, cache, change):
        folder = small[0]
        with zipfile.ZipFile(folder / FILE) as archive:
            index = json.loads(archive.read("index.json")) | change
            block = archive.read("ink-00.xz")
        with zipfile.ZipFile(folder / FILE, "w") as archive:
            archive.writestr("index.json", json.dumps(index))
            archive.writestr("ink-00.xz", block)
        self.check(folder, "damaged")

    def test_a_distortion_with_other_pixels(self, small, cache):
        folder, ink = small
        write(folder, make_index(), ink, distorted_crc32=1)
        self.check(folder, "distorted", distorted=True)


class TestDistortion:
    images = 255 - 17 * np.random.default_rng(1).integers(0, 16, (700, 32, 32), dtype=np.uint8)
    seeds = tuple(seed_of(0x4E00 + i, "face") for i in range(700))

    def test_splitmix_gives_its_published_numbers(self):
        found = splitmix64(np.array([1234567], np.uint64), 0, 5)[0]
        assert found.tolist() == [
            6457827717110365317,
            3203168211198807973,
            9817491932198370423,
            4593380528125082431,
            16408922859458223821,
        ]

    def test_neither_order_nor_threads_nor_company_matter(self, monkeypatch):
        whole = distort(self.images, self.seeds)
        backwards = distort(self.images[::-1], self.seeds[::-1])[::-1]
        alone = np.concatenate([distort(self.images[[i]], [self.seeds[i]]) for i in (0, 333, 699)])
        monkeypatch.setattr(glyphs_distortion, "THREADS", 1)
        assert np.array_equal(whole, distort(self.images, self.seeds))
        assert np.array_equal(whole, backwards)
        assert np.array_equal(whole[[0, 333, 699]], alone)

    def test_the_seed_depends_on_character_and_typeface(self):
        numbers = {seed_of(c, t) for c in (0x4E00, 0x4E01) for t in ("a", "b")}
        assert len(numbers) == 4
        assert seed_of(0x4E00, "a") in numbers
        assert all(0 <= n < 2**64 for n in numbers)

    def test_pixels_are_those_of_an_independent_computation(self):
        smooth = ndimage.gaussian_filter(self.images[:40].astype(float), (0, 2, 2))
        images = smooth.round().astype(np.uint8)
        found = distort(images, self.seeds[:40]).astype(int)
        for image, seed, own in zip(images, self.seeds, found, strict=False):
            assert np.abs(reference(image, seed) - own).max() <= 1

    def test_a_blank_image_shows_the_ground_alone(self):
        ground = distort(np.full((200, 32, 32), 255, np.uint8), self.seeds[:200])
        assert ground.mean(axis=(1, 2)).min() > 255 * (1 - glyphs_distortion.GROUND) - 15
        assert ground.std(axis=(1, 2)).max() < 60


def reference(image, seed):
    """The same in float64, by trigonometry and SciPy."""
    numbers = splitmix64(np.array([seed], np.uint64), 0, 25 + 1024)[0]
    draws = [int(n) / 2**64 for n in numbers[:25]]
    turn, size, aspect, shear, right, down, blur, ground, noise = draws[:9]
    angle = 2 * math.atan((2 * turn - 1) * 0.105)
    height = 0.8 + 0.25 * size
    width = height * (1 + (2 * aspect - 1) * 0.1)
    rows, columns = np.mgrid[:32, :32] - 15.5
    x, y = columns - (2 * right - 1) * 2, rows - (2 * down - 1) * 2
    x, y = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    x = (x + y * (2 * shear - 1) * 0.12) / width
    places = [y / height + 15.5, x + 15.5]
    ink = ndimage.map_coordinates(1 - image / 255, places, order=1, mode="grid-constant")
    kernel = [blur * 0.245, 1 - 2 * blur * 0.245, blur * 0.245]
    for axis in (0, 1):
        ink = ndimage.convolve1d(ink, kernel, axis=axis, mode="constant")
    grid = np.array(draws[9:]).reshape(4, 4) * ground * 0.3
    shade = ndimage.map_coordinates(grid, np.mgrid[:32, :32] * 3 / 31, order=1)
    fields = [[(int(n) >> shift) & 0xFFFF for shift in (0, 16, 32, 48)] for n in numbers[25:]]
    speckle = (np.array(fields).sum(1).reshape(32, 32) - 131070) / (65536 / math.sqrt(3))
    light = (1 - shade) * (1 - ink) + speckle * noise * 0.05
    return np.floor(light.clip(0, 1) * 255 + 0.5).astype(int)


def test_pixels_of_grey_images_are_taken_once():
    generator = torch.Generator().manual_seed(0)
    one = torch.randint(0, 256, (6, 1, 32, 32), dtype=torch.uint8, generator=generator)
    seen_thrice = embed_pixels(one.expand(-1, 3, -1, -1), 32)
    stored_thrice = embed_pixels(one.repeat(1, 3, 1, 1), 32)
    assert seen_thrice.shape == (6, 1024)
    assert stored_thrice.shape == (6, 3072)
    torch.testing.assert_close(seen_thrice @ seen_thrice.T, stored_thrice @ stored_thrice.T)
