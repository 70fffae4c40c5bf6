"""The split by a hash of the names of classes."""

import hashlib

import pytest

from recallkit.data.split import PARTS, hold_out_validation, split_classes


def sizes(count, start=0):
    return {f"product {i}": 2 for i in range(start, start + count)}


def counts(parts):
    return [sum(part == name for part in parts.values()) for name in PARTS]


def test_shares_of_many_classes():
    train, validation, test = counts(split_classes(sizes(7000)))
    assert abs(test - 3500) < 130  # three standard deviations
    assert abs(validation - 500) < 65
    assert train + validation + test == 7000


def test_a_class_that_is_added_moves_no_other():
    before = split_classes(sizes(60))
    for i in range(100, 200):
        after = split_classes(sizes(60) | {f"new {i}": 5})
        assert {name: after[name] for name in before} == before
    half = split_classes(sizes(30))  # nor one that is taken away
    assert all(before[name] == part for name, part in half.items())


def test_the_hash_is_the_one_that_is_stated():
    """Independent of the implementation: the sentence at the head of the module."""
    for name, part in split_classes(sizes(200), seed=3).items():
        digest = hashlib.sha256(f"3, {name}".encode()).hexdigest()
        x = int(digest[:12], 16) / 16**12
        assert part == ("test" if x < 1 / 2 else "validation" if x < 1 / 2 + 1 / 14 else "train")


@pytest.mark.parametrize("start", range(0, 300, 6))
def test_six_classes_give_three_splits(start):
    assert counts(split_classes(sizes(6, start))) == [2, 1, 3]


@pytest.mark.parametrize("count", [7, 9, 15, 40])
def test_no_split_is_too_small(count):
    for start in range(0, 2000, 50):
        train, validation, test = counts(split_classes(sizes(count, start)))
        assert train >= 2
        assert validation >= 1
        assert test >= 3


def test_classes_of_one_image_do_not_count():
    """Every split gets classes that have a query, however many classes of one image there are."""
    for start in range(0, 500, 10):
        many = sizes(5, start) | {f"single {i}": 1 for i in range(200)}
        parts = split_classes(many)
        for part in PARTS:
            assert any(many[name] > 1 for name, own in parts.items() if own == part)


def test_the_seed_and_the_name_decide():
    assert split_classes(sizes(50), 0) != split_classes(sizes(50), 1)
    backwards = dict(reversed(sizes(50).items()))
    assert split_classes(backwards) == split_classes(sizes(50))


@pytest.mark.parametrize("count", [3, 4, 10, 100])
def test_validation_out_of_train(count):
    held_out = hold_out_validation(sizes(count))
    assert 1 <= len(held_out) <= count - 2
    assert hold_out_validation(sizes(count)) == held_out
