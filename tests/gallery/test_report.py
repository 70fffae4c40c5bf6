"""The report of a run: its numbers by brute force, its page without network, with any names."""

import csv
import html.parser
import re

import pytest
import torch
from helpers.brute_force import metrics, rankings
from helpers.random_run import draw
from helpers.strategies import unit_vectors
from helpers.user_names import NAMES

from recallkit.errors import RecallkitError
from recallkit.gallery import (
    extend_index,
    find_images,
    image_reader,
    is_class_table,
    is_report,
    make_report,
    report_page,
    write_class_table,
)
from recallkit.gallery.report import worst_cases

TAGS = {  # none of them runs or loads anything
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "dl", "div", "dt", "dd", "p"),
    *("table", "thead", "tbody", "tr", "th", "td", "section", "ul", "li", "img", "span"),
    *("strong", "bdi"),
}


class Page(html.parser.HTMLParser):
    """The text, tags and sources of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.alts, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        self.alts += [value for name, value in attrs if name == "alt"]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text += data


def index_of(run, folder):
    return extend_index(run, find_images(folder))[0]


def page_of(report, **options):
    read = image_reader(report.index, lambda path: None, side=32)
    return report_page(report, read, "A report", {"run": "here"}, **options)


def squeezed(text):
    return " ".join(text.split())


@pytest.mark.parametrize("seed", range(3))
def test_worst_cases_are_those_of_brute_force(seed):
    embeddings = unit_vectors(40, 3, seed=seed)
    labels = torch.randint(0, 12, (40,), generator=torch.Generator().manual_seed(seed))
    numbers = labels.tolist()
    expected = []
    orders = [order for order, _ in rankings(embeddings.tolist())]
    for query, order in enumerate(orders):
        ranks = [r for r, z in enumerate(order, 1) if numbers[z] == numbers[query]]
        if ranks and ranks[0] > 1:
            expected.append((-ranks[0], query, order[0], order[ranks[0] - 1]))
    neighbours = torch.tensor([order[:1] for order in orders])
    found = worst_cases(embeddings, labels, neighbours, 100)
    assert [(-c.rank, c.query, c.nearest, c.positive) for c in found] == sorted(expected)
    for case in found:
        own, other = (
            float(embeddings[case.query] @ embeddings[row]) for row in (case.positive, case.nearest)
        )
        assert case.similarities == pytest.approx((other, own), abs=1e-6)
    assert worst_cases(embeddings, labels, neighbours, 2) == found[:2]


def test_the_metrics_are_those_of_brute_force(run, photos):
    index = index_of(run, photos)
    report = make_report(index)
    expected = metrics(index.embeddings.tolist(), list(index.labels), ks=(1, 2, 4, 8))
    assert report.retrieval.metrics == pytest.approx(expected)
    text = Page(page_of(report)).text
    for name in ("R@1", "R@8", "mAP@R"):
        assert f"{name}{100 * expected[name]:.1f}\N{NO-BREAK SPACE}%" in text
    assert "24 queries of 8 classes" in text
    assert "the cosine among all 23 other test images" in squeezed(text)
    assert "No image is left out of the means" in text


def test_images_that_are_alone_are_counted(run, photos):
    for c in (1, 2):
        for i in (0, 1):
            (photos / f"class {c}" / f"{i}.png").unlink()
    report = make_report(index_of(run, photos))
    text = squeezed(Page(page_of(report)).text)
    assert "18 queries of 6 classes" in text
    assert "2 images are the only one of their class" in text


def test_nothing_to_measure_is_an_error(run, album, photos):
    with pytest.raises(RecallkitError, match="have no class"):
        make_report(index_of(run, album))
    index = index_of(run, photos)
    with pytest.raises(RecallkitError, match="no two of the 8 images"):
        make_report(index.rows(range(0, 24, 3)))


def test_the_page_needs_nothing_else(run, photos):
    draw(photos / "class 0" / "copy.png", 31)  # that of class 3
    page = Page(page_of(make_report(index_of(run, photos)), notes=["nothing is left out"]))
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert page.sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert page.tags.count("img") == len(page.sources) == len(page.alts)
    assert all(re.match(r"class \d: class \d/\w+\.png$", alt) for alt in page.alts)
    text = squeezed(page.text)
    assert "nothing is left out" in text
    assert "copies of one file" in text


def test_two_classes(run, photos):
    index = index_of(run, photos).rows(range(6))
    page = Page(page_of(make_report(index)))
    assert "3 queries" not in page.text
    assert "6 queries of 2 classes" in page.text
    assert "more" not in page.text


def test_many_classes_are_cut_and_the_table_has_all(run, photos, tmp_path):
    index = index_of(run, photos)
    index = index.rows([row for row in range(24) for _ in range(30)])
    labels = tuple(f"class {i // 6:03}" for i in range(len(index)))
    index = type(index)(**{**vars(index), "labels": labels})
    report = make_report(index)
    text = Page(page_of(report, table="report.classes.csv")).text
    assert len(report.classes) == 120
    assert "and 70 more" in text
    assert "All classes are in report.classes.csv" in text
    write_class_table(report, tmp_path / "classes.csv")
    with (tmp_path / "classes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["class"] for row in rows) == sorted(set(labels))
    assert [float(row["R@1"]) for row in rows] == sorted(float(row["R@1"]) for row in rows)
    assert {row["images"] for row in rows} == {"6"}


def test_names_are_escaped(run, photos):
    index = index_of(run, photos)
    names = [name.strip() or "a" for name in NAMES.values()] + [
        "<img src=x onerror=alert(1)>",
        '" on="',
    ]
    for start in range(0, len(names), 8):
        own = (names[start : start + 8] * 8)[:8]
        labels = tuple(own[row // 3] for row in range(24))
        paths = tuple(f"{label}/{row}.png" for row, label in enumerate(labels))
        changed = type(index)(**{**vars(index), "labels": labels, "paths": paths})
        page = Page(page_of(make_report(changed), notes=labels))
        assert set(page.tags) <= TAGS
        shown = {re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", label) for label in labels}
        assert all(name in page.text for name in shown)


def test_images_that_are_gone_are_told(run, photos):
    report = make_report(index_of(run, photos))
    for file in photos.rglob("*.png"):
        file.unlink()
    page = Page(page_of(report))
    assert "img" not in page.tags
    assert "the image cannot be read any more: class" in page.text


def test_a_perfect_network(run, photos):
    index = index_of(run, photos)
    for row in range(24):
        index.embeddings[row] = torch.eye(8)[row // 3]
    report = make_report(index)
    text = Page(page_of(report)).text
    assert report.worst == []
    assert "every query finds its class first" in text
    assert "8 of 8 classes have an R@1 of 100.0" in text


def test_a_network_that_has_collapsed(run, photos):
    index = index_of(run, photos)
    index = index.rows([row for row in range(24) for _ in range(90)])
    index.embeddings[:] = torch.eye(8)[0]
    report = make_report(index)
    assert report.duplicates is None
    assert "Too many to list" in Page(page_of(report)).text


def test_a_threshold_that_no_cosine_reaches_is_refused(run, photos):
    with pytest.raises(ValueError, match="threshold must be from -1 to 1, not 2"):
        make_report(index_of(run, photos), threshold=2.0)


def test_a_report_knows_its_own_files(run, photos, tmp_path):
    report = make_report(index_of(run, photos))
    (tmp_path / "report.html").write_text(page_of(report))
    write_class_table(report, tmp_path / "classes.csv")
    (tmp_path / "own.html").write_text("<html></html>")
    (tmp_path / "own.csv").write_text("class,label\n")
    assert is_report(tmp_path / "report.html")
    assert is_class_table(tmp_path / "classes.csv")
    assert not is_report(tmp_path / "own.html")
    assert not is_class_table(tmp_path / "own.csv")
