"""Names from outside are shown as they are, and stay within their place."""

import matplotlib.pyplot as plt
import pytest
from helpers.user_names import NAMES
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from recallkit.plots.names import fitted, legible, line_label, name_style, show_names

each = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("kind", ["dollars", "formula", "backslash", "scripts", "braces", "markup"])
def test_what_the_font_has_stays(kind):
    assert legible(NAMES[kind]) == NAMES[kind]
    style = name_style(NAMES[kind])
    assert (style["parse_math"], style["usetex"]) == (False, False)


def test_what_would_break_a_line_or_turn_the_text_around_goes():
    assert legible("a\nb\r\nc\u2028d\te") == "a b  c d e"
    assert legible("a\x00b\x1b[31m") == "a b [31m"
    assert legible("photo\u202egpj.exe") == "photogpj.exe"
    assert legible("Cafe\u0301") == "Café"


def test_a_character_without_a_glyph_is_a_box():
    private = "\U000f1234"  # no font has it
    assert legible(f"{private}{private} a\udcff") == "□□ a□"
    assert legible("👩\u200d👩\ufe0f") in ("□\u200d□", "□\u200d□\ufe0f")


def test_another_font_has_what_the_first_one_lacks():
    own = FT2Font(font_manager.findfont("DejaVu Sans"))
    other = FT2Font(font_manager.findfont("STIXGeneral"))
    character = next(
        chr(code)
        for code in sorted(other.get_charmap())
        if code > 0x2000 and chr(code).isprintable() and not own.get_char_index(code)
    )
    assert legible(character) == character
    families = name_style(character)["fontfamily"]
    assert len(families) > 1
    fig = plt.figure()
    fig.text(0, 0, character, **name_style(character))
    fig.canvas.draw()  # a missing glyph would be a warning, and thereby an error


@each
@pytest.mark.parametrize("dpi", [72, 100, 150, 220])
def test_a_fitted_name_is_no_wider_than_its_place(name, dpi):
    fig = plt.figure(dpi=dpi)
    for width, lines in ((30, 1), (84, 2), (200, 3)):
        shown = fitted(name, width, lines)
        assert shown.count("\n") < lines
        text = fig.text(0, 0, shown, fontsize=7, **name_style(shown))
        box = text.get_window_extent()
        assert box.width * 72 / dpi <= width + 0.5
        assert box.height * 72 / dpi <= 1.2 * 7 * lines + 3


def test_a_name_that_fits_is_whole_and_a_longer_one_keeps_its_end():
    assert fitted("IMG_02521.jpg", 84) == "IMG_02521.jpg"
    for kind in ("long", "long file"):
        shown = fitted(NAMES[kind], 84)
        assert "…" in shown
        assert shown.split("…")[1].removesuffix(".jpeg").removesuffix(".jpg").endswith("02521")
    first, second = fitted("Abyssinian cat, longhaired", 84, 2).split("\n")
    assert (first, second) == ("Abyssinian cat,", "longhaired")
    assert fitted("a_long_name_of_a_file", 84, 2) == "a_long_name_of_a_\nfile"


def test_a_word_that_is_longer_than_a_line_gets_a_hyphen_and_a_file_name_none():
    assert fitted("expressionless face", 44, 2) == "expression-\nless face"
    assert fitted("expressionlessface", 44, 2) == "expressionl\nessface"
    assert fitted("disappointed face", 48, 2) == "disappoint-\ned face"
    assert fitted("upside (openmoji.png)", 50, 3) == "upside\n(openmoji\n.png)"
    assert fitted("表情のない顔の 絵文字", 44, 2).count("-") == 0


@each
def test_a_legend_shows_names(name):
    fig, ax = plt.subplots()
    for label in (name, "other"):
        ax.plot([0, 1], label=line_label(label))
    legend = ax.legend(title=name)
    show_names(legend)
    fig.canvas.draw()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts[-1] == "other"
    if legible(name):
        assert len(texts) == 2
        assert texts[0].split("…")[0] == legible(name)[: len(texts[0].split("…")[0])]
