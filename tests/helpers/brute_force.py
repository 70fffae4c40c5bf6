"""The definitions of ranking and metrics as explicit loops over Python numbers."""

import math

import numpy as np


def ranking(query, gallery, left_out=None):
    """Gallery indices by (−similarity, index), the similarity summed exactly, then float32."""
    similarity = {
        z: float(np.float32(math.fsum(float(a) * float(b) for a, b in zip(query, g, strict=True))))
        for z, g in enumerate(gallery)
        if z != left_out
    }
    order = sorted(similarity, key=lambda z: (-similarity[z], z))
    return order, [similarity[z] for z in order]


def rankings(queries, gallery=None):
    if gallery is None:
        return [ranking(q, queries, left_out=i) for i, q in enumerate(queries)]
    return [ranking(q, gallery) for q in queries]


def metrics(queries, query_labels, gallery=None, gallery_labels=None, ks=(1, 10, 100)):
    """R@k, P@1, mAP@R and mAP; None where no query has a positive."""
    labels = query_labels if gallery is None else gallery_labels
    rows = []
    for (order, _), label in zip(rankings(queries, gallery), query_labels, strict=True):
        relevant = [labels[z] == label for z in order]
        if any(relevant):
            rows.append(_of_one_query(relevant, ks))
    if not rows:
        return None
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _of_one_query(relevant, ks):
    number = sum(relevant)
    precisions = [sum(relevant[: i + 1]) / (i + 1) for i in range(len(relevant))]
    return {
        **{f"R@{k}": float(any(relevant[:k])) for k in ks},
        "P@1": float(relevant[0]),
        "mAP@R": sum(precisions[i] * relevant[i] for i in range(number)) / number,
        "mAP": sum(p * r for p, r in zip(precisions, relevant, strict=True)) / number,
    }
