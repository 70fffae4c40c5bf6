"""Answers that a student may well give, and that are wrong: each is told so, whatever the seed."""

import math
import random

import pytest
import torch

from recallkit import course

SEEDS = range(8)


def first_is_the_query(similarity, labels, k):
    nearest = similarity.topk(k + 1).indices[:, 1:]
    is_query = (labels[:, None] == labels).sum(dim=1) > 1
    right = (labels[nearest] == labels[:, None]).any(dim=1) & is_query
    return right.sum(), is_query.sum()


def all_are_queries(similarity, labels, k):
    nearest = similarity.clone().fill_diagonal_(-1).topk(k).indices
    return (labels[nearest] == labels[:, None]).any(dim=1).sum(), len(labels)


def copies_are_the_query(similarity, labels, k):
    nearest = similarity.where(similarity < 1, -torch.inf).fill_diagonal_(-torch.inf)
    same = labels[:, None] == labels
    right = same.gather(1, nearest.topk(k).indices).any(dim=1) & (same.sum(dim=1) > 1)
    return right.sum(), (same.sum(dim=1) > 1).sum()


def ignored_are_wrong(kinds, setting, k):
    positive = {"Easy": ["easy"], "Medium": ["easy", "hard"], "Hard": ["hard"]}[setting]
    return sum(kind in positive for kind in kinds[:k]) / k


def always_by_k(kinds, setting, k):
    ignored = {"Easy": ["junk", "hard"], "Medium": ["junk"], "Hard": ["junk", "easy"]}[setting]
    return sum(kind != "other" for kind in [k for k in kinds if k not in ignored][:k]) / k


def best_epoch_of_an_honest_training(validation, test):
    return test[validation[:, -1].argmax()].max()


def last_of_all(validation, test):
    return test[-1, -1]


def every_query_a_draw(first, second, labels):
    return (first.double() - second.double()).std(correction=0) / len(labels) ** 0.5


def every_pair(images, threshold):
    return [(i, j) for i in range(len(images)) for j in range(i + 1, len(images))]


def both_halves(images, threshold):
    unit = torch.nn.functional.normalize(images, dim=1)
    return (unit @ unit.T > threshold).fill_diagonal_(False).nonzero().tolist()


def one_copy_only(images, threshold):
    unit = torch.nn.functional.normalize(images, dim=1)
    table = (unit @ unit.T).triu(diagonal=1)
    return [(i, int(row.argmax())) for i, row in enumerate(table) if row.max() > threshold]


def shuffled(names, share):
    places = random.Random(0).sample(range(len(names)), round(share * len(names)))
    return [place in places for place in range(len(names))]


def first_of_the_alphabet(names, share):
    return [ord(name[0]) < ord("a") + 26 * share for name in names]


def salted(names, share):
    return [hash(name) % 1000 < 1000 * share for name in names]


def by_chance(names, share):
    return [random.random() < share for _ in names]


def each_by_itself(ahead, negatives, kept):
    return sum((1 - count / negatives) ** kept for count in ahead) / len(ahead)


def one_pixel_to_the_right(image):
    return 0, 1


def two_right_labels(measured, wrong, classes):
    return measured / (1 - wrong) ** 2


def without_the_cut(similarity, positive, margin):
    return (1 + margin - similarity).where(positive, similarity + margin)


def upper_half_of_the_circle(negative, margin):
    return 1 + math.sqrt(2 * margin**2 - negative**2)


def overflowing(similarity, labels, margin, gamma):
    rows, columns = torch.triu_indices(len(labels), len(labels), offset=1)
    s, same = similarity[rows, columns], labels[rows] == labels[columns]
    pushed = (gamma * (s + margin) * (s - margin))[~same].exp().sum()
    pulled = (-gamma * (1 + margin - s) * (s - 1 + margin))[same].exp().sum()
    return (1 + pushed * pulled).log()


def negative_weights(s_p, s_n, margin, gamma):
    alpha_p, alpha_n = 1 + margin - s_p, s_n + margin
    z = gamma * (alpha_n * (s_n - margin) - alpha_p * (s_p - 1 + margin))
    return -gamma * alpha_p / (1 + math.exp(-z)), gamma * alpha_n / (1 + math.exp(-z))


def one_for_both(number, temperature):
    return 0.2 + torch.cat([torch.zeros(1), 0.01 * temperature + torch.arange(number)]) / 12


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("08/recall_at", first_is_the_query),
        ("08/recall_at", all_are_queries),
        ("08/recall_at", copies_are_the_query),
        ("08/revisited_precision", ignored_are_wrong),
        ("08/revisited_precision", always_by_k),
        ("08/honest_report", best_epoch_of_an_honest_training),
        ("08/honest_report", last_of_all),
        ("08/error_of_lead", every_query_a_draw),
        ("09/near_copies", every_pair),
        ("09/near_copies", both_halves),
        ("09/near_copies", one_copy_only),
        ("09/lasting_split", shuffled),
        ("09/lasting_split", first_of_the_alphabet),
        ("09/lasting_split", salted),
        ("09/lasting_split", by_chance),
        ("09/recall_in_smaller", each_by_itself),
        ("09/hiding_move", one_pixel_to_the_right),
        ("09/true_recall", two_right_labels),
        ("10/circle_weights", without_the_cut),
        ("10/balanced_positive", upper_half_of_the_circle),
        ("10/batch_circle", overflowing),
        ("10/circle_slopes", negative_weights),
        ("10/two_opinions", one_for_both),
    ],
)
def test_a_likely_wrong_answer_is_told_so(name, answer):
    for seed in SEEDS:
        assert course.problems(name, answer, seed), seed


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("08/honest_report", lambda validation, test: test[validation[:, -1].argmax(), -1]),
        (
            "09/lasting_split",
            lambda names, share: [random.Random(n).random() < share for n in names],
        ),
    ],
)
def test_another_right_answer_passes(name, answer):
    for seed in SEEDS:
        assert course.problems(name, answer, seed) == []
