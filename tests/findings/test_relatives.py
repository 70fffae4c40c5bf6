"""Relatives and look-alikes of test classes: the scripts, what they stored, and what cards say."""

import bz2
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from recallkit.files import embedded, read_json

RESULTS = embedded("results")
SCRIPTS = Path(__file__).resolve().parents[2] / "data" / "results" / "duplicates"
NAMES = ("effect", "meaning", "pixels", "relatives")


@pytest.fixture(scope="module")
def scripts():
    """The modules beside the results, which import each other by their plain names."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in NAMES})
    finally:
        sys.path.remove(str(SCRIPTS))
        for name in NAMES:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def stored():
    return read_json(RESULTS / "duplicates" / "relatives.json")


@pytest.mark.parametrize(
    ("kind", "alike", "other"),
    [
        ("colour, size or direction", ("blue heart", "heavy black heart"), "broken heart"),
        ("colour, size or direction", ("leftwards hand", "rightwards hand"), "raised hand"),
        ("clock faces", ("clock face two oclock", "clock face nine-thirty"), "mantelpiece clock"),
        ("phases of the moon", ("new moon with face", "crescent moon"), "moon viewing ceremony"),
        ("signs of the zodiac", ("aries", "pisces"), "crab"),
        ("keycaps", ("keycap 0", "keycap: *"), "key"),
        ("medals by place", ("first place medal", "third place medal"), "sports medal"),
        ("letters and words in squares or circles", ("squared ok", "squared cl"), "ok hand sign"),
        ("an animal and its face", ("cat", "cat face"), "smiling cat face"),
        ("a face and that of a cat", ("pouting face", "pouting cat face"), "cat face"),
        ("man, woman, person", ("older man", "older woman"), "mantelpiece clock"),
    ],
)
def test_emoji_are_related_by_their_names(scripts, kind, alike, other):
    names = (other, *alike)
    assert scripts.meaning.relatives_of_emoji(names, ("1f600", "1f601", "1f602"))[kind] == {(1, 2)}


def test_emoji_are_related_by_their_code_points(scripts):
    codes = ("1f408", "1f408-200d-2b1b", "1f415", "2460", "0031")
    kinds = scripts.meaning.relatives_of_emoji([*"abcde"], codes)
    assert kinds["sequences that begin alike"] == {(0, 1)}
    assert kinds["compatibility forms"] == {(3, 4)}  # ① and 1


def test_characters_are_related_by_unihan_and_by_their_names(scripts, tmp_path):
    lines = [
        "# a comment\tkZVariant",
        "U+9A0D\tkSimplifiedVariant\tU+9A91 U+9A0E",
        "U+9A91\tkTraditionalVariant\tU+9A91 U+9A0E",
        "U+4EBA\tkSemanticVariant\tU+4EBB<kMatthews,kMeyerWempe",
        "U+4EBA\tkZVariant\tU+2F06",
        "U+4EBA\tkMandarin\tU+9A0E",
    ]
    (tmp_path / "variants.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))
    codes = ["9a0e", "9a91", "4ebb", "4eba", "3042", "3041", "30a2", "304b", "304c", "ac00"]
    kinds = scripts.meaning.relatives_of_glyphs(codes, tmp_path / "variants.bz2")
    assert {kind: pairs for kind, pairs in kinds.items() if pairs} == {
        "Han, simplified and traditional": {(0, 1)},
        "Han, semantic variants": {(2, 3)},
        "kana, small and full size": {(4, 5)},
        "hiragana and katakana": {(4, 6)},
        "kana, voiced and not": {(7, 8)},
    }


@pytest.mark.parametrize("channels", [1, 3])
def test_near_pairs_are_all_pairs_that_reach_the_threshold(scripts, channels):
    random = torch.Generator().manual_seed(0)
    shared = torch.randn(1, channels * 1024, generator=random)
    first, second = (
        normalize(shared + torch.randn(n, channels * 1024, generator=random), dim=1)
        for n in (1100, 50)
    )
    near = scripts.pixels.near_pairs(first, second, 0.5)
    cosines = (first.double() @ second.double().T).numpy()
    found = set(zip(near.first.tolist(), near.second.tolist(), strict=True))
    assert found >= set(zip(*np.nonzero(cosines >= 0.5 + 1e-6), strict=True))
    assert found <= set(zip(*np.nonzero(cosines >= 0.5 - 1e-6), strict=True))
    assert 1000 < len(found) < 54_000
    assert near.cosines.numpy() == pytest.approx(cosines[near.first, near.second], abs=1e-6)


def test_images_near_others_are_counted_by_what_the_others_are(scripts):
    labels, train = torch.tensor([5, 5, 6, 7]), torch.tensor([0, 1])
    near = scripts.pixels.Near
    to_train = near(torch.tensor([0, 3]), torch.tensor([1, 0]), torch.tensor([0.99, 0.91]))
    first, second = torch.tensor([0, 1, 0, 1, 2]), torch.tensor([0, 0, 1, 2, 1])
    to_test = near(first, second, torch.tensor([1, 0.96, 0.96, 0.92, 0.92]))
    counts = scripts.pixels.counts(to_train, to_test, labels)
    shown = [[row[name] for name in ("training", "test", "own")] for row in counts]
    assert shown == [[2, 2, 2], [1, 0, 2], [1, 0, 0]]
    assert [row["own classes"] for row in counts] == [1, 1, 0]
    assert scripts.pixels.with_training(to_train, labels, train, 0.95) == {(1, 5)}
    assert scripts.pixels.within_test(to_test, labels, 0.9) == {(5, 6)}


@pytest.fixture
def searched():
    """Labels of 200 images in 40 classes, and all others of each in random order."""
    random = np.random.default_rng(3)
    labels = np.repeat(np.arange(40), 5)
    near = random.normal(size=(200, 200)) + (labels[:, None] == labels)
    np.fill_diagonal(near, -np.inf)
    return labels, np.argsort(-near, axis=1)[:, :-1]


ACROSS = {(90, 0), (91, 0), (92, 1)}
WITHIN = {(1, 2), (3, 20), (3, 30)}


def test_the_effect_on_recall_is_that_of_a_plain_count(scripts, searched):
    labels, neighbours = searched
    related = WITHIN | {(b, a) for a, b in WITHIN}
    hits, without, wrong = [], [], []
    for label, row in zip(labels.tolist(), labels[neighbours].tolist(), strict=True):
        hits.append(row[0] == label)
        without.append(next(f for f in row if (label, f) not in related) == label)
        wrong += [] if row[0] == label else [(label, row[0]) in related]
    kept = [set(range(40)) - gone for gone in ({0, 1}, {1, 2, 3, 20, 30}, {0, 1, 2, 3, 20, 30})]
    subsets = [[h for h, y in zip(hits, labels, strict=True) if y in some] for some in kept]
    rows = scripts.effect.effect(labels, neighbours, ACROSS, WITHIN)
    assert [row["R@1"] for row in rows] == pytest.approx(
        [np.mean(values) for values in (hits, *subsets, without)]
    )
    assert [row["classes"] for row in rows] == [40, 38, 35, 34, 40]
    assert [row["number"] for row in rows] == [200, 190, 175, 170, 200]
    assert [row["difference"] for row in rows] == pytest.approx(
        [row["R@1"] - np.mean(hits) for row in rows]
    )
    assert rows[0]["relative first"] == pytest.approx(np.mean(wrong))


def test_the_interval_is_that_of_a_normal_mean_over_classes(scripts, searched):
    labels, neighbours = searched
    within = {(a, b) for a in range(0, 20, 2) for b in range(a + 1, 20, 3)}
    rows = scripts.effect.effect(labels, neighbours, ACROSS, within)
    related = np.zeros((41, 41), bool)
    for a, b in within:
        related[a, b] = related[b, a] = True
    found = labels[neighbours]
    first = (~related[labels[:, None], found]).argmax(1)
    changes = (found[np.arange(200), first] == labels) * 1.0 - (found[:, 0] == labels)
    means = changes.reshape(40, 5).mean(1)
    margin = 1.96 * means.std(ddof=1) / np.sqrt(40)
    last = rows[-1]
    assert last["difference"] == pytest.approx(means.mean())
    assert (last["high"] - last["low"]) / 2 == pytest.approx(margin, rel=0.1)
    assert rows[0]["low"] == rows[0]["high"] == 0


def test_neighbours_that_are_all_of_relatives_are_refused(scripts, searched):
    labels, neighbours = searched
    every = {(a, b) for a in range(40) for b in range(a + 1, 40)}
    with pytest.raises(ValueError, match="neighbours must be more"):
        scripts.effect.effect(labels, neighbours[:, :1], set(), every)


def test_the_stored_counts_are_those_of_the_data(scripts, stored):
    of_emoji = scripts.relatives.classes_of("emoji")
    kinds = scripts.relatives.relatives("emoji", of_emoji, SCRIPTS)  # Unihan is for glyphs alone
    rows = stored["datasets"]["emoji"]["meaning"]
    assert [row["kind"] for row in rows] == [*kinds, "any of these"]
    for row, pairs in zip(rows, [*kinds.values(), set().union(*kinds.values())], strict=True):
        across, within = scripts.relatives.by_split(pairs, of_emoji)
        assert row == scripts.relatives.counted(row["kind"], across, within)
    codes = [int(each["code"], 16) for each in scripts.relatives.classes_of("glyphs")]
    assert not any(0x1100 <= code < 0x1200 or 0x3130 <= code < 0x3190 for code in codes)  # jamo
    assert not any(code >= 0xF900 for code in codes)  # compatibility forms, half and full width


def rows_of(stored, dataset, kind):
    """The rows of R@1, by their queries."""
    return {row["queries"]: row for row in stored["datasets"][dataset]["effect"][kind]}


def test_what_the_card_of_emoji_says(stored):
    emoji = stored["datasets"]["emoji"]
    related, alike = emoji["meaning"][-1]["training classes"], emoji["pixels"][1]
    assert alike["threshold"] == stored["threshold"] == 0.95
    assert emoji["meaning"][-2]["test pairs"] == 0  # "no two classes are compatibility forms"
    assert round(emoji["classes"] / related) == 6  # "one test class in six"
    assert round(emoji["classes"] / alike["training classes"]) == 7  # "one in seven"
    either = rows_of(stored, "emoji", "either")
    assert either["all"]["relative first"] == pytest.approx(1 / 5, abs=0.025)  # "one in five"
    assert 0.045 < either["gallery without relatives"]["difference"] < 0.055  # "five points"
    assert either["gallery without relatives"]["low"] > 0.03
    none = rows_of(stored, "emoji", "meaning")["no relative in training"]
    assert none["low"] < 0 < none["high"]  # "the same within its interval"
    pixels = rows_of(stored, "emoji", "pixels")
    assert pixels["no relative in training"]["low"] > 0  # "are harder than others"
    in_either = emoji["classes"] - pixels["no relative in either"]["classes"]
    in_both = alike["training classes"] + alike["test classes"] - in_either
    assert in_both > alike["training classes"] / 2  # "most of these"


def test_what_the_card_of_glyphs_says(stored):
    glyphs, distorted = (stored["datasets"][name] for name in ("glyphs", "glyphs-distorted"))
    forms, *_, compatible, related = glyphs["meaning"]
    assert round(glyphs["classes"] / related["training classes"]) == 16  # "one in sixteen"
    assert forms["kind"] == "Han, simplified and traditional"
    assert forms["training classes"] > related["training classes"] / 2  # "mostly"
    assert compatible["training pairs"] == compatible["test pairs"] == 0
    pairs = [pair.split() for kind in glyphs["look-alikes"] for pair in kind]
    hangul = [pair for pair in pairs if all(0xAC00 <= int(code, 16) <= 0xD7A3 for code in pair)]
    assert len(hangul) > 0.95 * len(pairs)  # "nearly all"
    assert sum("Han" in row["kind"] for row in glyphs["meaning"][:4]) == 4
    han = sum(row["training pairs"] for row in glyphs["meaning"][:4])
    kana = sum(row["training pairs"] for row in glyphs["meaning"][4:7])
    assert kana < 0.05 * han  # "nearly all Han"
    assert all(distorted["pixels"][1][name] == 0 for name in ("training", "test", "own"))
    either = rows_of(stored, "glyphs-distorted", "either")
    assert either["all"]["relative first"] == pytest.approx(1 / 20, abs=0.005)  # "one in twenty"
    assert 0 < either["gallery without relatives"]["high"] < 0.01  # "less than one point"
    meaning, pixels = (rows_of(stored, "glyphs-distorted", kind) for kind in ("meaning", "pixels"))
    lower, higher = (rows["no relative in training"] for rows in (meaning, pixels))
    assert lower["high"] < 0
    assert lower["difference"] == pytest.approx(-0.002, abs=5e-4)  # "0.2 points lower"
    assert higher["low"] > 0
    assert higher["difference"] == pytest.approx(0.007, abs=5e-4)  # "0.7 points higher"
