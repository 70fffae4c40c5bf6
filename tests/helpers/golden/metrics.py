"""Cases of metrics.js and revisited.js."""

import numpy as np
import torch
from helpers.golden.lists import as_queries, some_lists

from recallkit.metrics import positive_ranks, retrieval_metrics, search
from recallkit.metrics.revisited import revisited_metrics

SETTINGS = ("easy", "medium", "hard")


def order():
    for one in some_lists(1):
        query, gallery = as_queries(one.similarity)
        yield [one.similarity], search(query, gallery, k=len(gallery))[1][0].tolist()


def _metrics(similarity, positives, ks):
    query, gallery = as_queries(similarity)
    labels = torch.zeros(len(gallery), dtype=torch.int64)
    labels[positives] = 1
    return retrieval_metrics(query, [1], gallery, labels, ks)


def _ranks(seed):
    """Ranks of positives in no order, the list that has them there, and a cut-off."""
    rng = np.random.default_rng(seed)
    for number in range(60):
        size = number + 1
        count = int(rng.integers(1, size + 1)) if number % 3 else 1
        places = rng.permutation(size)[:count]
        similarity = np.linspace(1, 0, size) if size > 1 else np.ones(1)
        k = int(rng.choice([1, 2, 4, 10, size, size + 5]))
        yield (places + 1).tolist(), similarity.tolist(), places.tolist(), k


def any_positive():
    for ranks, similarity, positives, k in _ranks(2):
        yield [ranks, k], _metrics(similarity, positives, (k,))[f"R@{k}"]


def share():
    """The mean of R@k over queries that have one of the positives each."""
    for ranks, similarity, positives, k in _ranks(3):
        query, gallery = as_queries(similarity)
        labels = torch.full((len(gallery),), -1)
        labels[positives] = torch.arange(len(positives))
        alone = retrieval_metrics(
            query.repeat(len(positives), 1), range(len(positives)), gallery, labels, (k,)
        )
        yield [ranks, k], alone[f"R@{k}"]


def _named(name, seed):
    for ranks, similarity, positives, _ in _ranks(seed):
        yield [ranks], _metrics(similarity, positives, (1,))[name]


def precision_at_one():
    yield from _named("P@1", 4)


def average_precision():
    yield from _named("mAP", 5)


def average_precision_at_r():
    yield from _named("mAP@R", 6)


def of_list():
    for one in some_lists(7):
        ks = [1, 2, 10, 100]
        values = _metrics(one.similarity, one.positives, ks)
        query, gallery = as_queries(one.similarity)
        ranks = positive_ranks(query, torch.tensor([one.positives]), gallery)[0]
        expected = {
            "ranks": ranks.tolist(),
            "recallAny": [values[f"R@{k}"] for k in ks],
            "recallShare": [(ranks <= k).double().mean().item() for k in ks],
            "precisionAtOne": values["P@1"],
            "averagePrecision": values["mAP"],
            "averagePrecisionAtR": values["mAP@R"],
        }
        yield [one.similarity, one.positives, ks], expected


def _judged(seed):
    """The kinds of a list's items, nearest first, and the metrics of the three settings."""
    rng = np.random.default_rng(seed)
    for number in range(60):
        share = ((0.25, 0.25, 0.25, 0.25), (0, 0.1, 0.3, 0.6), (0.05, 0, 0.05, 0.9))[number % 3]
        kinds = rng.choice(["easy", "hard", "junk", "negative"], number + 1, p=share)
        kinds[rng.integers(len(kinds))] = ("easy", "hard")[number % 2]
        judgement = {kind: np.flatnonzero(kinds == kind) for kind in ("easy", "hard", "junk")}
        ks = [1, 5, 10, 100]
        yield kinds.tolist(), ks, revisited_metrics([list(range(len(kinds)))], [judgement], ks)


def cleaned():
    for kinds, _, _ in _judged(8):
        for setting in SETTINGS:
            wanted = {"easy": ["easy"], "medium": ["easy", "hard"], "hard": ["hard"]}[setting]
            kept = [kind for kind in kinds if kind in (*wanted, "negative")]
            yield [kinds, setting], [i + 1 for i, kind in enumerate(kept) if kind in wanted]


def _clean_ranks(seed):
    for ranks, _, _, k in _ranks(seed):
        easy = [rank - 1 for rank in ranks]
        judgement = {"easy": easy, "hard": [], "junk": []}
        values = revisited_metrics([list(range(max(ranks)))], [judgement], [k])
        yield sorted(ranks), k, values


def trapezoids():
    for ranks, _, values in _clean_ranks(9):
        yield [ranks], values["easy mAP"]


def precision_at_k():
    for ranks, k, values in _clean_ranks(10):
        yield [ranks, k], values[f"easy mP@{k}"]


def revisited():
    for kinds, ks, values in _judged(11):
        expected = {
            setting: {
                "averagePrecision": values[f"{setting} mAP"],
                "precision": [values[f"{setting} mP@{k}"] for k in ks],
            }
            for setting in SETTINGS
            if f"{setting} mAP" in values
        }
        yield [kinds, ks], expected
