"""Queries and their nearest images: what the figures show is what was found."""

import base64
import io

import pytest
import torch
import traitlets
from helpers.explorables import IMAGES, NEAREST
from PIL import Image

from recallkit.config import Config
from recallkit.course.explorables import Neighbours, Replay
from recallkit.course.explorables.sprite import SIDE, sprite
from recallkit.data.image_set import ImageSet
from recallkit.files import embedded, read_json
from recallkit.training.floor import class_sizes_of, training_floor

FOLDER = embedded("results") / "replay"


def rows(text):
    return [[int(item) for item in row.split(" ")] for row in text.split(";")]


@pytest.fixture
def stored():
    return read_json(FOLDER / "replay.json")


def recall_at_1(table, labels):
    return sum(labels[row[0]] == labels[q] for q, row in enumerate(table)) / len(table)


def test_the_stored_run_has_ten_checkpoints_of_one_whole_gallery(stored):
    labels, checkpoints = stored["labels"], stored["checkpoints"]
    assert len(checkpoints) == 10
    assert len(labels) == len(stored["names"]) >= 100
    assert len(set(labels)) == 20
    for found in [*checkpoints, stored["pixels"]]:
        table = found["neighbours"]
        assert [len(row) for row in table] == [8] * len(labels)
        assert all(q not in row and len({*row}) == 8 for q, row in enumerate(table))
        assert found["recall"] == pytest.approx(recall_at_1(table, labels), abs=1e-4)
    assert [found["images"] for found in checkpoints][0::9] == [0, stored["curve"][-1][0]]


def test_the_stored_run_is_the_preset_and_says_how_it_was_made(stored):
    single = read_json(embedded("results") / "first-light-seed0.json")
    assert {**single["config"], **stored["config"]} == stored["config"]
    assert stored["seed"] == stored["config"]["seed"] == 0
    assert {"device", "commit", "libraries"} <= stored["environment"].keys()
    assert not stored["environment"]["commit"].endswith("-dirty")


def test_what_is_stored_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 130_000
    figures = Replay.stored(), Neighbours.stored()
    html = sum(len(figure.to_html("figure").encode()) for figure in figures)
    assert html < 300_000


def test_the_figures_show_the_stored_run(stored):
    replay, browsing = Replay.stored(), Neighbours.stored()
    found = [one["neighbours"] for one in stored["checkpoints"]]
    assert [rows(text) for text in replay.neighbours] == found
    assert replay.nearest(4).tolist() == found[4]
    assert replay.recall == [one["recall"] for one in stored["checkpoints"]]
    config = Config(**stored["config"])
    floor = training_floor(config, class_sizes_of(config, stored)).perfect
    assert replay.floor == pytest.approx(floor, abs=1e-6)  # rounded twice, it was 0.081
    assert browsing.embeddings == ["pixels", "untrained", "trained"]
    shown = [rows(text) for text in browsing.neighbours]
    assert shown == [stored["pixels"]["neighbours"], found[0], found[-1]]
    assert replay.stored_run
    assert browsing.stored_run


def opened(url):
    head, _, encoded = url.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")


def test_only_images_that_are_shown_are_in_the_page():
    neighbours = {"one": NEAREST, "two": NEAREST + 0}
    figure = Neighbours.of(IMAGES, [20, 3], neighbours, "Yours.")
    assert figure.names[:2] == ["class 5 (a)", "class 0 (d)"]
    assert figure.labels[:2] == [5, 0]
    assert len(figure.names) == 2 + len({*NEAREST[20].tolist(), *NEAREST[3].tolist()} - {3, 20})
    for text in figure.neighbours:
        names = [[figure.names[item] for item in row] for row in rows(text)]
        assert names == [[IMAGES.name(i) for i in NEAREST[q].tolist()] for q in (20, 3)]
    assert (figure.source, figure.stored_run) == ("Yours.", False)


def test_a_sprite_has_each_image_at_its_place():
    """One colour an image: the first row has twelve, the thirteenth stands below."""
    colours = [(20 * i, 255 - 20 * i, 100) for i in range(13)]
    images = torch.tensor(colours, dtype=torch.uint8)[:, :, None, None].expand(-1, -1, 8, 8)
    clear = torch.cat([images, torch.full((13, 1, 8, 8), 255, dtype=torch.uint8)], dim=1)
    clear[2, 3] = 0  # transparent: white
    sheet = Image.open(io.BytesIO(sprite(clear))).convert("RGB")
    assert sheet.size == (12 * SIDE, 2 * SIDE)
    for i, colour in enumerate(colours):
        at = ((i % 12) * SIDE + SIDE // 2, i // 12 * SIDE + SIDE // 2)
        assert sheet.getpixel(at) == pytest.approx((255,) * 3 if i == 2 else colour, abs=12)


def test_the_figure_that_stands_shows_ones_own():
    figure = Neighbours.stored()
    figure.query = 130
    own = ImageSet(IMAGES.images[:10], IMAGES.labels[:10], IMAGES.class_names)
    figure.show(own, [4, 5], {"mine": NEAREST[:10, :3] % 10}, "Your network.")
    assert (figure.query, figure.embeddings, figure.source) == (0, ["mine"], "Your network.")
    assert not figure.stored_run
    assert opened(figure.sprite).height == SIDE
    assert len(rows(figure.neighbours[0])) == 2


@pytest.mark.parametrize(("queries", "neighbours"), [([], {"a": NEAREST}), ([1], {})])
def test_nothing_to_show_is_refused(queries, neighbours):
    with pytest.raises(ValueError, match="queries and neighbours must not be empty"):
        Neighbours.of(IMAGES, queries, neighbours)


@pytest.mark.parametrize("tables", [["1 2;"], ["1,2"], [[]], [[[1], []]], ["-1"]])
def test_what_is_no_table_of_indices_is_refused(tables):
    with pytest.raises(traitlets.TraitError, match="neighbours must hold rows of indices"):
        Neighbours(neighbours=tables)
