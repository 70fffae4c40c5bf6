"""The builder, on small typefaces made here: boxes whose places tell the character."""

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from recallkit import cli
from recallkit.data.glyphs import build as glyphs_builder
from recallkit.data.glyphs import clean as glyphs_cleaning
from recallkit.data.glyphs import load_glyphs
from recallkit.data.glyphs import sources as glyphs_sources
from recallkit.data.glyphs.archive import FILE
from recallkit.data.glyphs.build import arrange, build, split_classes
from recallkit.data.glyphs.render import BLOCKS, Renderer, block_of, characters
from recallkit.data.glyphs.sources import find, find_own, typefaces, unpacked
from recallkit.errors import RecallkitError

CODES = [0x3042 + 2 * i for i in range(4)] + [0x4E00 + i for i in range(40)]
CODES += [0xAC00 + i for i in range(10)]
BLANK, TWIN, TWIN_OF, WRONG = 0x4E03, 0x4E05, 0x4E04, 0x4E08
PLACEHOLDERS = (0xAC07, 0xAC08, 0xAC09)


@pytest.fixture(autouse=True)
def _own_cache_and_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def boxes(code, face):
    """Ten boxes whose places the character decides; each face draws them a little differently."""
    places = np.random.default_rng(code).permutation(36)[:10]
    jitter = np.random.default_rng([code, face]).integers(-25, 26, (10, 2))
    sides = 120 + 8 * face
    for place, (right, up) in zip(places.tolist(), jitter.tolist(), strict=True):
        left, bottom = 40 + 160 * (place % 6) + right, -100 + 160 * (place // 6) + up
        yield left, bottom, left + sides, bottom + 200 - 6 * face


def glyph(rectangles):
    pen = TTGlyphPen(None)
    for left, bottom, right, top in rectangles:
        pen.moveTo((left, bottom))
        for corner in ((left, top), (right, top), (right, bottom)):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def write_typeface(path, drawn, ascent=880):
    """A TrueType file of ``drawn``: code → rectangles."""
    names = {code: f"u{code:04X}" for code in drawn}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    glyphs = {names[code]: glyph(rectangles) for code, rectangles in drawn.items()}
    builder.setupGlyf({".notdef": glyph([]), **glyphs})
    lefts = {names[c]: min((box[0] for box in drawn[c]), default=0) for c in drawn}
    metrics = {name: (1000, left) for name, left in {".notdef": 0, **lefts}.items()}
    builder.setupHorizontalMetrics(metrics)
    builder.setupHorizontalHeader(ascent=ascent, descent=-120)
    builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=ascent, usWinAscent=ascent, usWinDescent=120)
    builder.setupPost()
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)


def drawings(face):
    drawn = {code: list(boxes(code, face)) for code in CODES}
    if face == 1:
        drawn[BLANK] = []
        drawn[WRONG] = list(boxes(0x9998, face))
        drawn |= {code: [(0, 0, 900, 700)] for code in PLACEHOLDERS}
    drawn[TWIN] = drawn[TWIN_OF]
    return drawn


@pytest.fixture(scope="module")
def fonts(tmp_path_factory):
    """Seven typefaces with known faults, and one with characters of no block."""
    folder = tmp_path_factory.mktemp("fonts")
    for face in range(7):
        write_typeface(folder / f"Face-{face}.ttf", drawings(face))
    write_typeface(folder / "deep" / "Copy-Of-2.ttf", drawings(2))
    write_typeface(folder / "latin.ttf", {ord("A"): [(0, 0, 500, 700)]})
    return folder


@pytest.fixture(scope="module")
def built(fonts, tmp_path_factory):
    output = tmp_path_factory.mktemp("built")
    build(output, fonts=fonts)
    return output


def index_of(folder):
    with zipfile.ZipFile(folder / FILE) as archive:
        return json.loads(archive.read("index.json"))


class TestRendering:
    def test_characters_are_those_of_the_blocks(self, fonts):
        assert characters(fonts / "Face-0.ttf") == sorted(CODES)
        assert characters(fonts / "latin.ttf") == []
        assert {block_of(code) for code in (0x3042, 0x3400, 0x4E00, 0xAC00)} == set(BLOCKS)

    def test_ink_is_centred_and_of_sixteen_levels(self, fonts):
        render = Renderer(fonts / "Face-0.ttf", CODES)
        for code in CODES:
            image = render(code)
            assert image.shape == (32, 32)
            assert image.max() == 15
            rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
            assert abs((rows[0] + rows[-1]) / 2 - 15.5) <= 1
            assert abs((columns[0] + columns[-1]) / 2 - 15.5) <= 1

    def test_most_glyphs_of_a_typeface_of_any_size_fill_the_image(self, tmp_path):
        tiny = {c: [[v // 3 for v in box] for box in boxes(c, 0)] for c in CODES}
        write_typeface(tmp_path / "tiny.ttf", tiny)
        render = Renderer(tmp_path / "tiny.ttf", CODES)
        sides = [max(np.ptp(np.nonzero(render(code)), axis=1)) + 1 for code in CODES]
        assert 28 <= np.median(sides) <= 31

    def test_a_huge_glyph_is_shrunk_and_a_small_one_stays_small(self, tmp_path):
        drawn = {code: list(boxes(code, 0)) for code in CODES}
        drawn |= {0x4E00: [(-900, -900, 1900, 1900)], 0x4E01: [(400, 300, 500, 400)]}
        write_typeface(tmp_path / "odd.ttf", drawn)
        render = Renderer(tmp_path / "odd.ttf", CODES)
        assert render(0x4E00).any(axis=0).sum() == 32  # 31 pixels, centred: two halves
        assert render(0x4E01).any(axis=0).sum() <= 5

    def test_a_blank_slot_gives_nothing(self, fonts):
        assert Renderer(fonts / "Face-1.ttf", CODES)(BLANK) is None

    def test_a_file_that_is_no_typeface_is_named(self, tmp_path):
        (tmp_path / "bad.ttf").write_bytes(b"no typeface at all")
        with pytest.raises(RecallkitError, match=r"bad\.ttf cannot be read as a typeface"):
            characters(tmp_path / "bad.ttf")
        with pytest.raises(RecallkitError, match=r"bad\.ttf cannot be read as a typeface"):
            Renderer(tmp_path / "bad.ttf", CODES)

    def test_without_fonttools_it_says_what_to_install(self, fonts, monkeypatch):
        monkeypatch.setitem(sys.modules, "fontTools", None)
        with pytest.raises(RecallkitError, match=r"fontTools is not installed.*recallkit\[prepare"):
            characters(fonts / "Face-0.ttf")


@pytest.fixture(scope="module")
def kept(fonts):
    """What is left of the typefaces: (code, name of the typeface)."""
    codes, faces, ink = glyphs_builder.draw_all(find_own(fonts))
    names = [typeface.name for typeface in find_own(fonts)]
    return {(int(codes[i]), names[faces[i]]) for i in glyphs_cleaning.clean(codes, faces, ink)}


class TestCleaning:
    def test_what_is_right_stays(self, kept):
        faults = {BLANK, TWIN, TWIN_OF, WRONG, *PLACEHOLDERS}
        wanted = {(c, f"face-{f}") for c in CODES if c not in faults for f in (0, 1, 3, 4, 5, 6)}
        assert len(wanted - kept) <= 0.02 * len(wanted)  # boxes may look alike by chance

    def test_blank_slots_placeholders_and_wrong_shapes_go(self, kept):
        for code in (BLANK, WRONG, *PLACEHOLDERS):
            assert (code, "face-1") not in kept
            assert (code, "face-4") in kept

    def test_of_two_that_look_the_same_twice_the_lower_stays(self, kept):
        assert TWIN not in {code for code, _ in kept}
        assert (TWIN_OF, "face-4") in kept

    def test_a_copy_of_a_typeface_adds_nothing(self, kept):
        assert not {code for code, face in kept if face == "copy-of-2"}
        assert {code for code, face in kept if face == "face-2"}

    def test_two_that_look_the_same_once_both_go_there_alone(self):
        codes, faces, ink = glyphs_of(range(6), CODES)
        other = (faces == 3) & (codes == TWIN)
        ink[other] = ink[(faces == 3) & (codes == TWIN_OF)]
        doubled = glyphs_cleaning.doubles(codes, faces, ink)
        assert set(zip(codes[doubled].tolist(), faces[doubled].tolist(), strict=True)) == {
            (TWIN, 3),
            (TWIN_OF, 3),
        }

    def test_a_typeface_that_fails_in_half_of_a_block_loses_it(self):
        codes, faces, ink = glyphs_of(range(6), range(0x4E00, 0x4E00 + 60))
        last = np.flatnonzero(faces == 5)
        ink[last[:50]] = ink[last[:50]][::-1]
        strange = glyphs_cleaning.strangers(codes, faces, ink)
        assert strange[last].all()
        assert not strange[faces < 5].any()


def glyphs_of(faces, codes):
    """Codes, faces and ink of boxes drawn straight onto pixels."""
    ink = np.zeros((len(faces) * len(codes), 32, 32), np.uint8)
    listed = [(face, code) for face in faces for code in codes]
    for image, (face, code) in zip(ink, listed, strict=True):
        for box in boxes(code, face):
            left, bottom, right, top = (max(0, min(32, round((v + 100) / 37))) for v in box)
            image[bottom:top, left:right] = 15
    return np.array([c for _, c in listed]), np.array([f for f, _ in listed]), ink


class TestChoice:
    def test_split_is_fixed_and_does_not_depend_on_order(self):
        codes = list(range(0x4E00, 0x4E00 + 40))
        split = split_classes(codes)
        assert split == split_classes(codes[::-1])
        counts = [list(split.values()).count(s) for s in ("train", "validation", "test")]
        assert counts == [15, 5, 20]

    def test_no_more_classes_and_images_than_wanted(self, monkeypatch):
        monkeypatch.setattr(glyphs_builder, "CLASSES", 20)
        monkeypatch.setattr(glyphs_builder, "TRAIN_IMAGES", 54)
        monkeypatch.setattr(glyphs_builder, "TEST_IMAGES", 53)
        places = {
            0x4E00 + i: list(range(9 * i, 9 * i + (5 if i % 4 == 0 else 9))) for i in range(30)
        }
        classes, order = arrange(places, np.tile(np.arange(9), 30))
        images = dict.fromkeys(("train", "validation", "test"), 0)
        for kind in classes:
            images[kind["split"]] += len(kind["typefaces"])
            assert len(kind["typefaces"]) in (5, 6)
        assert len(classes) == 20
        assert images["train"] + images["validation"] == 54
        assert images["test"] == 53
        assert len(set(order)) == len(order) == 107

    def test_the_sizes_of_the_embedded_set_can_be_dealt(self):
        for images in (glyphs_builder.TRAIN_IMAGES, glyphs_builder.TEST_IMAGES):
            assert 5 < images / (glyphs_builder.CLASSES / 2) < 6


class TestBuild:
    def test_what_is_built_loads(self, built):
        splits = load_glyphs(built)
        classes = [len(getattr(splits, s).class_names) for s in ("train", "validation", "test")]
        assert classes == [21, 6, 26]
        assert len(load_glyphs(built, distorted=True).test) == len(splits.test)
        assert (built / "contact_sheet.png").stat().st_size > 1000

    def test_a_second_run_gives_the_same_bytes(self, built, fonts, tmp_path):
        build(tmp_path / "again", fonts=fonts)
        for name in (FILE, "typefaces.tsv", "contact_sheet.png"):
            assert (tmp_path / "again" / name).read_bytes() == (built / name).read_bytes()

    def test_the_index_says_where_it_comes_from(self, built, fonts):
        index = index_of(built)
        sums = {s["name"]: s["sha256"] for s in index["sources"]}
        assert sums["face-3"] == hashlib.sha256((fonts / "Face-3.ttf").read_bytes()).hexdigest()
        assert "Pillow" in index["made_with"]
        assert "FreeType" in index["made_with"]

    def test_too_few_typefaces(self, fonts, tmp_path):
        few = tmp_path / "few"
        few.mkdir()
        for face in range(4):
            (few / f"{face}.ttf").write_bytes((fonts / f"Face-{face}.ttf").read_bytes())
        with pytest.raises(RecallkitError, match="only 0 characters are in 5 or more of the 4"):
            build(tmp_path / "out", fonts=few)
        assert not (tmp_path / "out" / FILE).exists()

    def test_folders_without_typefaces(self, tmp_path):
        with pytest.raises(RecallkitError, match="there is no folder"):
            find_own(tmp_path / "nowhere")
        with pytest.raises(RecallkitError, match="there is no typeface in"):
            find_own(tmp_path)

    def test_two_files_of_one_name(self, tmp_path):
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "Face.ttf").write_bytes(folder.encode())
        with pytest.raises(RecallkitError, match="several files called face"):
            find_own(tmp_path)

    def test_the_command(self, fonts, capsys):
        cli.main(["prepare", "glyphs", "--fonts", str(fonts), "--out", "own"])
        assert "wrote own/glyphs.zip" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [(["glyphs"], "--fonts needs --out"), (["emoji"], "--fonts is for glyphs")],
    )
    def test_the_command_refuses(self, arguments, message):
        with pytest.raises(SystemExit) as stop:
            cli.main(["prepare", *arguments, "--fonts", "x"])
        assert message in stop.value.code


class TestSources:
    def test_the_table_is_whole(self):
        listed = typefaces()
        assert len({t.name for t in listed}) == len(listed) == 54
        assert len({t.package for t in listed}) == 39
        assert all(len(t.sha256) == 64 and t.version and t.licence for t in listed)

    def test_missing_packages_are_named_with_the_command(self, tmp_path):
        with (
            pytest.raises(RecallkitError, match=r"(?s)missing.*apt-get download fonts-klee="),
            unpacked(tmp_path),
        ):
            pass

    def test_without_debian_it_says_what_else(self, monkeypatch):
        monkeypatch.setenv("PATH", "")
        with pytest.raises(RecallkitError, match=r"no apt-get here.*--fonts"), unpacked(None):
            pass

    def test_a_tool_that_fails_is_quoted(self, monkeypatch):
        def fail(command, **options):
            raise subprocess.CalledProcessError(100, command, stderr="E: Unable to locate")

        monkeypatch.setattr(glyphs_sources.subprocess, "run", fail)
        with pytest.raises(RecallkitError, match=r"Unable to locate.*Debian 12"), unpacked(None):
            pass

    def test_a_missing_and_another_file_are_named(self, tmp_path, monkeypatch):
        one = replace(typefaces()[0], package="pack", file="one.ttf")
        monkeypatch.setattr(glyphs_sources, "typefaces", lambda: [one])
        with pytest.raises(RecallkitError, match=r"pack .* has no one\.ttf"):
            find(tmp_path)
        (tmp_path / "pack").mkdir()
        (tmp_path / "pack" / "one.ttf").write_bytes(b"another")
        with pytest.raises(RecallkitError, match=r"one\.ttf of pack is not the file"):
            find(tmp_path)
        right = replace(one, sha256=hashlib.sha256(b"another").hexdigest())
        monkeypatch.setattr(glyphs_sources, "typefaces", lambda: [right])
        assert find(tmp_path) == {right: tmp_path / "pack" / "one.ttf"}
