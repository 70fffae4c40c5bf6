"""The revisited protocol against the loops of the original, written here on Python lists."""

import pytest
import torch
from helpers.strategies import embeddings
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from recallkit.metrics import revisited_metrics, revisited_of_embeddings, search

ROLES = {  # positives, ignored
    "easy": ({"easy"}, {"junk", "hard"}),
    "medium": ({"easy", "hard"}, {"junk"}),
    "hard": ({"hard"}, {"junk", "easy"}),
}


def by_loops(rankings, judgements, ks):
    """Area under the precision–recall curve, walked image by image.

    Settings without a positive are absent.
    """
    means = {}
    for setting, (positive, ignored) in ROLES.items():
        rows = []
        for ranking, judgement in zip(rankings, judgements, strict=True):
            wanted = {i for kind in positive for i in judgement[kind]}
            gone = {i for kind in ignored for i in judgement[kind]}
            if wanted:
                rows.append(_walk([i in wanted for i in ranking if i not in gone], ks))
        for name in rows[0] if rows else ():
            means[f"{setting} {name}"] = sum(row[name] for row in rows) / len(rows)
    return means


def _walk(relevant, ks):
    number, hits, area, precision, recall = sum(relevant), 0, 0.0, 1.0, 0.0
    for seen, hit in enumerate(relevant, start=1):
        hits += hit
        new_precision, new_recall = hits / seen, hits / number
        area += (new_recall - recall) * (precision + new_precision) / 2
        precision, recall = new_precision, new_recall
    last = max(i for i, hit in enumerate(relevant, start=1) if hit)
    row = {"mAP": area}
    for k in ks:
        reach = min(k, last)
        row[f"mP@{k}"] = sum(relevant[:reach]) / reach
    return row


@st.composite
def judged(draw, queries, gallery):
    kinds = st.sampled_from(["easy", "hard", "junk", ""])
    table = [
        draw(st.lists(kinds, min_size=gallery, max_size=gallery).map(tuple)) for _ in range(queries)
    ]
    return [
        {
            kind: [i for i, judged in enumerate(row) if judged == kind]
            for kind in ("easy", "hard", "junk")
        }
        for row in table
    ]


@settings(max_examples=150)
@given(data=st.data())
def test_is_the_original_walked_by_loops(data):
    queries, gallery = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 12))
    rankings = [data.draw(st.permutations(range(gallery))) for _ in range(queries)]
    judgements = data.draw(judged(queries, gallery))
    expected = by_loops(rankings, judgements, (1, 5, 10))
    assume(expected)
    assert revisited_metrics(rankings, judgements) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60)
@given(data=st.data())
def test_of_embeddings_is_of_their_ranked_lists_ties_included(data):
    points = data.draw(embeddings(12, 3))
    queries, gallery = points[:3], points[3:]
    judgements = data.draw(judged(3, 9))
    assume(any(judgement["easy"] + judgement["hard"] for judgement in judgements))
    _, rankings = search(queries, gallery, k=9)
    metrics = revisited_of_embeddings(queries, gallery, judgements, ks=(1, 2))
    assert metrics == revisited_metrics(rankings, judgements, ks=(1, 2))


def test_worked_example():
    """The ranking of notebook 08: easy at places 1, 5; hard at 3, 8; junk at 4, 9 of ten."""
    judgement = {"easy": [0, 4], "hard": [2, 7], "junk": [3, 8], "bbx": [0, 0, 9, 9]}
    metrics = revisited_metrics([list(range(10))], [judgement], ks=(1, 5))
    # Easy: places 1 and 3. Medium: 1, 3, 4, 7. Hard: 2 and 5.
    assert metrics["easy mAP"] == pytest.approx((1 + (1 / 2 + 2 / 3) / 2) / 2)
    assert metrics["hard mAP"] == pytest.approx(((0 + 1 / 2) / 2 + (1 / 4 + 2 / 5) / 2) / 2)
    assert metrics["medium mP@5"] == 3 / 5
    assert metrics["easy mP@5"] == 2 / 3  # images behind the last positive, place 3, do not count
    assert metrics["hard mP@1"] == 0


def test_queries_without_positives_are_left_out_of_a_setting():
    full = {"easy": [1], "hard": [2], "junk": []}
    only_easy = {"easy": [1], "hard": [], "junk": []}
    metrics = revisited_metrics([[0, 1, 2], [1, 0, 2]], [full, only_easy], ks=(1,))
    assert metrics["hard mAP"] == revisited_metrics([[0, 1, 2]], [full])["hard mAP"]
    without = revisited_metrics([[1, 0, 2]], [only_easy])
    assert not any(name.startswith("hard") for name in without)


GOOD = {"easy": [1], "hard": [2], "junk": [0]}


@pytest.mark.parametrize(
    ("rankings", "judgements", "message"),
    [
        ([[0, 1, 2]], [GOOD, GOOD], r"rankings must be of shape \(2, N\)"),
        ([[0, 1, 1]], [GOOD], "query 0 has an index twice"),
        ([[0, 1, 3]], [GOOD], "query 0 lacks 1 of its positives; rank the whole gallery"),
        ([[0, 1, 2]], [GOOD | {"junk": [2]}], "query 0 has an image twice, or of two kinds"),
        ([[0, 1, 2]], [{"easy": [1]}], r"query 0 lacks \['hard', 'junk'\]"),
        ([[0, 1, 2]], [{"easy": [], "hard": [], "junk": [0]}], "no query has a positive"),
    ],
)
def test_wrong_arguments_are_refused(rankings, judgements, message):
    with pytest.raises(ValueError, match=message):
        revisited_metrics(rankings, judgements)


@pytest.mark.parametrize("index", [3, -1])
def test_judged_images_must_be_in_the_gallery(index):
    judgements = [GOOD, GOOD | {"junk": [0, index]}]
    with pytest.raises(ValueError, match=f"query 1 names image {index}, but the gallery has 3"):
        revisited_of_embeddings(torch.eye(3)[:2], torch.eye(3), judgements)


def test_of_embeddings_needs_a_judgement_for_each_query():
    with pytest.raises(ValueError, match="queries must be 1"):
        revisited_of_embeddings(torch.eye(3), torch.eye(3), [GOOD])


@settings(max_examples=60)
@given(data=st.data())
def test_distractors_are_as_if_they_stood_behind_the_gallery(data):
    points = data.draw(embeddings(18, 3))
    queries, gallery, distractors = points[:3], points[3:12], points[12:]
    judgements = data.draw(judged(3, 9))
    assume(any(judgement["easy"] + judgement["hard"] for judgement in judgements))
    metrics = revisited_of_embeddings(queries, gallery, judgements, distractors=distractors)
    assert metrics == revisited_of_embeddings(queries, points[3:], judgements)
