"""The page of a search: complete, self-contained, and safe against names."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from helpers.user_names import NAMES
from PIL import Image

from recallkit.course import figures

VOID = {"meta", "input", "img", "br"}


class Page(HTMLParser):
    """All tags, with a check that they nest."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def searched(toy_splits):
    neighbours, similarities = (
        torch.tensor([[1, 4], [8, 5]]),
        torch.tensor([[0.9, 0.8], [0.7, 0.5]]),
    )
    return toy_splits.test, [0, 4], neighbours, similarities


def test_right_and_wrong_are_marked_by_class_and_sign(searched):
    page = Page(figures.search_page("Mine", *searched, metrics={"R@1": 0.625}))
    kinds = [attributes["class"] for attributes in page.all("li")]
    assert kinds == ["query", "right", "wrong", "query", "wrong", "right"]
    assert [attributes["class"] for attributes in page.all("ol")] == ["found", "missed"]
    assert "R@1 62.5 %" in page.text
    for words in ("query: pattern 14", "✓ 0.90 pattern 14", "✗ 0.80 pattern 15"):
        assert words in page.text


def test_images_are_inside(searched):
    images = Page(figures.search_page("Mine", *searched)).all("img")
    assert all(p["src"].startswith("data:image/webp;base64,") for p in images)
    decoded = Image.open(io.BytesIO(base64.b64decode(images[1]["src"].split(",")[1])))
    original = searched[0].images[1].permute(1, 2, 0).numpy()
    assert decoded.size == (16, 16)
    assert np.abs(np.asarray(decoded, float) - original).mean() < 25  # WebP loses a little


def test_nothing_is_loaded_from_outside(searched):
    page = figures.search_page("Mine", *searched)
    assert "http" not in page
    assert "<script" not in page


def test_names_cannot_become_tags(searched):
    images, *rest = searched
    evil = '"><script>alert(1)</script>&amp;'
    images = replace(images, class_names=dict.fromkeys(images.class_names, evil))
    page = Page(figures.search_page(evil, images, *rest, metrics={evil: 1.0}))
    assert page.all("script") == []
    assert page.all("img")[0]["alt"] == evil
    assert page.text.count(evil) == 9  # two titles, a metric, six captions


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_any_name_is_text(searched, name, tmp_path):
    images, *rest = searched
    images = replace(images, class_names=dict.fromkeys(images.class_names, name))
    text = figures.search_page(name, images, *rest, metrics={name: 1.0})
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    page = Page(text)
    assert len(page.all("bdi")) == len(page.all("img")) == 6
    if name.isprintable():
        assert page.all("img")[0]["alt"] == name
        assert page.text.count(f"query: {name}") == 2


def test_without_its_style_sheet_the_page_keeps_its_looks(searched):
    """A notebook that is not trusted drops the sheet, and disables boxes."""
    page = Page(figures.search_page("Mine", *searched))
    assert all("flex" in row["style"] for row in page.all("ol"))
    frames = [image["style"].split("border: ")[1].split()[1] for image in page.all("img")]
    assert frames == ["solid", "solid", "dashed", "solid", "dashed", "solid"]
    hidden = [*page.all("input"), *page.all("label")]
    assert [tag["style"] for tag in hidden] == ["display: none"] * 2
    assert all("tick" in tag["class"].split() for tag in hidden)


def test_the_box_is_large_enough_for_a_finger(searched):
    text = figures.search_page("Mine", *searched)
    for kind in (".tick", ".misses"):
        [rule] = re.findall(rf"^\.searches {kind} {{(.*)}}$", text, re.MULTILINE)
        assert int(re.findall(r"(?:^|\s)(?:min-)?height: (\d+)px", rule)[0]) >= 24


def test_an_image_that_is_not_square_is_not_stretched(searched):
    images, *rest = searched
    tall = images.images.repeat(1, 1, 2, 1)
    for pixels, side in ((tall, "height"), (tall.transpose(2, 3), "width")):
        page = Page(figures.search_page("Mine", replace(images, images=pixels), *rest))
        styles = {image["style"].split(":")[0] for image in page.all("img")}
        assert styles == {side}
