import io
import json
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from recallkit.data.emoji import clean as emoji_cleaning
from recallkit.data.emoji import load_emoji
from recallkit.data.emoji import sources as emoji_sources
from recallkit.data.emoji.build import build, split_classes
from recallkit.data.emoji.match import Names, emoji_classes, match
from recallkit.data.emoji.render import render
from recallkit.data.emoji.sources import CHARACTERS, FOUNDRIES, IconSet
from recallkit.errors import RecallkitError

SVG_SET = {"width": 32, "height": 32}


def character(code, name, category="Objects", short=None):
    short = short or name.lower().replace(" ", "_")
    return {"unified": code, "name": name, "category": category, "short_names": [short]}


def icon_set(icons=(), chars=None, aliases=None):
    icons = {name: {"body": ""} for name in icons}
    return IconSet(icons, aliases or {}, chars or {}, (32, 32))


def box(x, y, size, colour):
    return {"body": f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="{colour}"/>'}


def write_package(folder, package, **members):
    with tarfile.open(folder / package.archive, "w:gz") as archive:
        about = {"version": package.version, "license": package.licence}
        for name, value in {"package": about, **members}.items():
            data = json.dumps(value).encode()
            info = tarfile.TarInfo(f"package/{name}.json")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


# Ten emoji, and entries that must not become a class. A drawing is a box: its place shows the
# emoji, its size the foundry.
CODES = [f"1F60{i}" for i in range(10)]
NAMES = [f"THING {chr(65 + i)}" for i in range(10)]
LEFT_OUT = [
    character("1F1E6-1F1F9", "AUSTRIA FLAG", "Flags"),
    character("1F3FB", "LIGHT SKIN TONE", "Component"),
    character("1F44B-1F3FB", "WAVE WITH LIGHT SKIN TONE", "People & Body"),
    character("1F468-200D-1F680", "MAN ASTRONAUT", "People & Body"),
    character("1F3C3-200D-2640-FE0F", "WOMAN RUNNING", "People & Body"),
]


@pytest.fixture
def packages(tmp_path):
    """A folder with made-up packages of all foundries."""
    folder = tmp_path / "packages"
    folder.mkdir()
    known = [character(c, n) for c, n in zip(CODES, NAMES, strict=True)] + LEFT_OUT
    write_package(folder, CHARACTERS, emoji=known)
    for number, (foundry, package) in enumerate(FOUNDRIES.items()):
        names = [c["name"].lower().replace(" ", "-") for c in known]
        codes = [c["unified"].lower() for c in known]
        icons = {
            name: box(2 * i, i, 3 + 3 * number, f"#{20 * number:02x}{15 * i:02x}88")
            for i, name in enumerate(names)
        }
        if foundry == "fxemoji":
            icons = {name.replace("-", ""): icon for name, icon in icons.items()}
        given = foundry in ("twemoji", "noto", "openmoji", "fluent-emoji-flat")
        chars = dict(zip(codes, names, strict=True)) if given else {}
        write_package(folder, package, icons={"icons": icons, **SVG_SET}, chars=chars)
    return folder


class TestClasses:
    def test_flags_skin_tones_people_and_genders_are_left_out(self):
        assert emoji_classes(LEFT_OUT) == {}

    def test_other_sequences_stay(self):
        kept = [character("1F408-200D-2B1B", "BLACK CAT"), character("0023-FE0F-20E3", "HASH KEY")]
        assert {code: c.name for code, c in emoji_classes(kept).items()} == {
            "1f408-200d-2b1b": "black cat",
            "0023-20e3": "hash key",
        }


class TestMatch:
    characters = (
        character("1F4D6", "OPEN BOOK", short="book"),
        character("1F4D8", "BLUE BOOK"),
        character("1F436", "DOG FACE", short="dog"),
        character("1F415", "DOG", short="dog2"),
        character("1F647", "PERSON BOWING", short="bow"),
    )
    coded = icon_set(
        chars={"1f4d6": "open-book", "1f415": "dog", "e001": "blue-book", "1f4d8": "blue-book"},
        aliases={"book": {"parent": "open-book"}, "koob": {"parent": "open-book", "hFlip": True}},
    )

    @pytest.fixture
    def names(self):
        return Names({"coded": self.coded}, self.characters)

    def test_code_points_come_first(self, names):
        found = match("twemoji", icon_set(["x"], {"0023-fe0f-20e3": "x"}), names)
        assert found == {"0023-20e3": "x"}

    def test_names_are_those_of_other_sets_then_unicodes(self, names):
        found = match("emojione", icon_set(["open-book", "dog-face", "strange"]), names)
        assert found == {"1f4d6": "open-book", "1f436": "dog-face"}

    def test_aliases_help_but_not_mirrored_ones(self, names):
        aliases = {"book": {"parent": "tome"}}
        assert match("emojione", icon_set(["tome"], aliases=aliases), names) == {"1f4d6": "tome"}
        assert match("emojione", icon_set(["koob"]), names) == {}

    def test_private_code_points_teach_no_names(self, names):
        assert match("emojione", icon_set(["blue-book"]), names) == {"1f4d8": "blue-book"}

    def test_two_drawings_of_one_emoji_are_both_dropped(self, names):
        assert match("emojione", icon_set(["open-book", "book", "dog"]), names) == {"1f415": "dog"}

    def test_a_name_used_otherwise_is_left_out(self):
        names = Names({"coded": icon_set(chars={"2328": "keyboard"})}, self.characters)
        assert match("emojione", icon_set(["keyboard"]), names) == {"2328": "keyboard"}
        assert match("emojione-v1", icon_set(["keyboard"]), names) == {}

    def test_joined_names_must_mean_one_thing_and_be_full_names(self, names):
        found = match("fxemoji", icon_set(["openbook", "book2", "dogface"]), names)
        assert found == {"1f4d6": "openbook", "1f436": "dogface"}

    def test_published_code_points_beat_names(self, names):
        """Here "bow" is a ribbon, "dog" a dog's face, and the foxes do not stand for cats."""
        found = match("fxemoji", icon_set(["bow", "dog", "dogface", "foxgrin"]), names)
        assert found == {"1f380": "bow", "1f436": "dog"}


def drawings(*levels):
    """One flat grey drawing for each level."""
    pixels = np.zeros((len(levels), 64, 64, 4), np.uint8)
    pixels[..., :3] = np.array(levels)[:, None, None, None]
    pixels[..., 3] = 255
    return pixels


class TestClean:
    def test_near_pairs_agree_with_all_distances(self):
        generator = np.random.default_rng(0)
        pixels = generator.integers(0, 256, (12, 64, 64, 4), dtype=np.uint8)
        pixels[6:] = pixels[:6] + generator.integers(0, 3, (6, 64, 64, 4), dtype=np.uint8)
        flat = emoji_cleaning.premultiplied(pixels).reshape(12, -1).astype(float)
        distance = np.sqrt(((flat[:, None] - flat[None]) ** 2).mean(-1))
        wanted = [(i, j) for i in range(12) for j in range(i + 1, 12) if distance[i, j] < 22]
        found = emoji_cleaning.near_pairs(pixels, 22)
        assert len(wanted) >= 2
        assert sorted((i, j) for i, j, _ in found) == wanted
        assert all(d == pytest.approx(distance[i, j]) for i, j, d in found)

    def test_colours_under_transparency_do_not_count(self):
        pixels = drawings(0, 255)
        pixels[..., 3] = 0
        assert emoji_cleaning.near_pairs(pixels, 1) == [(0, 1, 0.0)]

    def test_a_near_copy_within_a_class_is_dropped_the_first_kept(self):
        codes = ["1f600"] * 5
        assert emoji_cleaning.clean(codes, drawings(0, 60, 120, 130, 180)) == [0, 1, 2, 4]

    def test_a_chain_of_copies_loses_only_those_near_a_kept_one(self):
        codes = ["1f600"] * 6
        kept = emoji_cleaning.clean(codes, drawings(0, 20, 40, 100, 150, 200))
        assert kept == [0, 2, 3, 4, 5]

    def test_one_drawing_shared_by_two_classes_leaves_both(self):
        codes = ["1f600"] * 5 + ["1f601"] * 5
        kept = emoji_cleaning.clean(codes, drawings(0, 50, 100, 150, 200, 2, 75, 125, 175, 225))
        assert kept == [1, 2, 3, 4, 6, 7, 8, 9]

    def test_of_classes_that_share_two_drawings_the_smaller_is_dropped(self):
        codes = ["1f600"] * 4 + ["1f601"] * 5
        kept = emoji_cleaning.clean(codes, drawings(0, 50, 100, 150, 2, 52, 80, 125, 175))
        assert kept == [4, 5, 6, 7, 8]

    def test_of_equal_classes_the_later_is_dropped(self):
        codes = ["1f600"] * 4 + ["1f601"] * 4
        kept = emoji_cleaning.clean(codes, drawings(0, 50, 100, 150, 2, 52, 80, 125))
        assert kept == [0, 1, 2, 3]

    def test_a_class_of_three_is_dropped(self):
        codes = ["1f600"] * 3 + ["1f601"] * 4
        kept = emoji_cleaning.clean(codes, drawings(0, 100, 200, 25, 75, 125, 175))
        assert kept == [3, 4, 5, 6]


class TestSplit:
    codes = tuple(f"{i:x}" for i in range(1000, 2400))

    def test_half_is_test_and_a_hundred_validation(self):
        split = split_classes(self.codes)
        parts = list(split.values())
        assert [parts.count(p) for p in ("test", "validation", "train")] == [700, 100, 600]

    def test_it_does_not_depend_on_the_order(self):
        assert split_classes(self.codes) == split_classes(self.codes[::-1])


class TestRender:
    @pytest.fixture(autouse=True)
    def _needs_resvg(self):
        pytest.importorskip("resvg_py")

    def test_size_and_colours(self):
        icons = IconSet({"a": box(0, 0, 16, "#ff0000")}, {}, {}, (32, 32))
        pixels = render(icons, "a")
        assert pixels.shape == (64, 64, 4)
        assert (pixels[:32, :32] == [255, 0, 0, 255]).all()
        assert not pixels[32:].any()
        assert not pixels[:, 32:].any()

    def test_alpha_is_not_multiplied_in(self):
        icon = {"body": '<rect width="32" height="32" fill="#ff0000" fill-opacity="0.5"/>'}
        pixels = render(IconSet({"a": icon}, {}, {}, (32, 32)), "a")
        assert (pixels[..., 0] >= 254).all()
        assert (abs(pixels[..., 3].astype(int) - 128) <= 1).all()

    def test_proportions_are_kept(self):
        icon = {"body": '<rect width="32" height="16" fill="#ff0000"/>', "height": 16}
        alpha = render(IconSet({"a": icon}, {}, {}, (32, 32)), "a")[..., 3]
        assert alpha[16:48].all()
        assert not alpha[:16].any()
        assert not alpha[48:].any()

    @pytest.mark.parametrize(
        ("change", "corner"),
        [
            ({}, (0, 0)),
            ({"hFlip": True}, (0, 63)),
            ({"vFlip": True}, (63, 0)),
            ({"rotate": 1}, (0, 63)),
            ({"rotate": 2}, (63, 63)),
        ],
    )
    def test_turned_aliases(self, change, corner):
        aliases = {"b": {"parent": "a", **change}}
        pixels = render(IconSet({"a": box(0, 0, 4, "#ff0000")}, aliases, {}, (32, 32)), "b")
        assert pixels[corner][3] == 255
        assert (pixels[..., 3] > 0).sum() == 64


class TestBuild:
    @pytest.fixture(autouse=True)
    def _needs_resvg(self, tmp_path, monkeypatch):
        pytest.importorskip("resvg_py")
        monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / "cache"))

    def test_what_it_makes_can_be_loaded(self, packages, tmp_path):
        path = build(tmp_path / "out", packages)
        assert path.parent == tmp_path / "out"
        splits = load_emoji(path.parent)
        parts = [splits.train, splits.validation, splits.test]
        assert [len(p.class_names) for p in parts] == [3, 2, 5]
        names = {n for p in parts for n in p.class_names.values()}
        assert names == {n.lower() for n in NAMES}
        assert {s for p in parts for s in p.sources} == set(FOUNDRIES)
        assert (tmp_path / "out" / "contact_sheet.webp").is_file()
        table = (tmp_path / "out" / "classes.tsv").read_text(encoding="utf-8")
        assert len(table.splitlines()) == 11

    def test_twice_gives_the_same_bytes(self, packages, tmp_path):
        for name in ("a", "b"):
            build(tmp_path / name, packages)
        files = sorted(p.name for p in (tmp_path / "a").iterdir())
        assert files == ["classes.tsv", "contact_sheet.webp", "emoji.zip"]
        for name in files:
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

    def test_nothing_to_draw(self, packages, tmp_path):
        write_package(packages, CHARACTERS, emoji=LEFT_OUT)
        with pytest.raises(RecallkitError, match="no emoji has 4 drawings"):
            build(tmp_path / "out", packages)
        assert not (tmp_path / "out").exists()

    def test_output_that_cannot_be_written(self, packages, tmp_path):
        (tmp_path / "out").write_text("a file")
        with pytest.raises(RecallkitError, match="cannot write"):
            build(tmp_path / "out", packages)


class TestSources:
    def test_all_missing_packages_are_named(self, packages, tmp_path):
        for package in (FOUNDRIES["noto"], CHARACTERS):
            (packages / package.archive).unlink()
        with pytest.raises(RecallkitError) as error, emoji_sources.archives(packages):
            pass
        assert "npm pack @iconify-json/noto@1.2.9" in str(error.value)
        assert "npm pack emoji-datasource-google@16.0.0" in str(error.value)
        assert "twemoji" not in str(error.value)

    @pytest.mark.parametrize("damage", ["truncated", "text", "empty"])
    def test_a_damaged_package(self, packages, damage):
        path = packages / FOUNDRIES["noto"].archive
        whole = path.read_bytes()
        contents = {"truncated": whole[: len(whole) // 2], "text": b"not found", "empty": b""}
        path.write_bytes(contents[damage])
        with pytest.raises(RecallkitError, match=r"noto-1\.2\.9\.tgz is not the package"):
            emoji_sources.read_icon_set(packages, FOUNDRIES["noto"])

    def test_another_version_or_licence(self, packages):
        path = packages / FOUNDRIES["noto"].archive
        path.write_bytes((packages / FOUNDRIES["openmoji"].archive).read_bytes())
        with pytest.raises(RecallkitError, match=r"says version 1\.2\.29, licence CC-BY-SA-4\.0"):
            emoji_sources.read_icon_set(packages, FOUNDRIES["noto"])

    def test_npm_is_asked_for_each_package(self, monkeypatch):
        calls = []
        monkeypatch.setattr(subprocess, "run", lambda command, **_: calls.append(command[-1]))
        with emoji_sources.archives(None) as folder:
            assert folder.is_dir()
        assert len(calls) == 9
        assert "@iconify-json/twemoji@1.2.5" in calls

    def test_npm_is_not_installed(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(RecallkitError, match="npm is not installed"):
            emoji_sources.archives(None).__enter__()

    def test_npm_fails(self, monkeypatch):
        def fail(command, **_):
            raise subprocess.CalledProcessError(1, command, stderr="npm error network\n")

        monkeypatch.setattr(subprocess, "run", fail)
        with pytest.raises(RecallkitError, match=r"npm pack .* failed: npm error network"):
            emoji_sources.archives(None).__enter__()


def test_without_resvg_the_remedy_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(RecallkitError, match=r"pip install \"recallkit\[prepare\]\""):
        build(tmp_path / "out")
