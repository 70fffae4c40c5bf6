"""Cases of sigmoid.js and ranks.js."""

import numpy as np
import torch
from helpers.golden.lists import as_queries, some_lists

from recallkit.metrics import positive_ranks
from recallkit.ranks import ranks_among_positives, relaxed_ranks


def _numbers():
    exact = [0.0, -0.0, 1e-300, -1e-300, 36.7, -36.7, 709.0, -709.0, 750.0, -750.0, 1e9, -1e9]
    return [*exact, *np.random.default_rng(0).normal(scale=20, size=50).tolist()]


def step():
    for u in _numbers():
        yield [u], int(u > 0)


def sigmoid():
    for u in _numbers():
        yield [u], torch.sigmoid(torch.tensor(u, dtype=torch.float64)).item()


def sigmoid_slope():
    for u in _numbers():
        leaf = torch.tensor(u, dtype=torch.float64, requires_grad=True)
        yield [u], torch.autograd.grad(torch.sigmoid(leaf), leaf)[0].item()


def relaxed():
    for one in some_lists(1):
        ranks = relaxed_ranks(
            *as_queries(one.similarity),
            torch.tensor([one.positives]),
            temperature=one.temperature,
            left_out=one.absent,
            engine="dense",
        )
        arguments = [one.similarity, one.positives, one.temperature, one.left_out]
        yield arguments if one.left_out >= 0 else arguments[:3], ranks[0].tolist()


def among_positives():
    for one in some_lists(2):
        queries = as_queries(one.similarity)
        ranks = ranks_among_positives(
            *queries, torch.tensor([one.positives]), one.temperature, "dense"
        )
        yield [one.similarity, one.positives, one.temperature], ranks[0].tolist()


def true():
    for one in some_lists(3):
        query, gallery = as_queries(one.similarity)
        present = [z for z in range(len(gallery)) if z != one.left_out]
        places = torch.tensor([[present.index(p) for p in one.positives]])
        ranks = positive_ranks(query, places, gallery[present])
        arguments = [one.similarity, one.positives, one.left_out]
        yield arguments if one.left_out >= 0 else arguments[:2], ranks[0].tolist()


def similarity_gradient():
    rng = np.random.default_rng(4)
    for one in some_lists(4):
        query, gallery = as_queries(one.similarity)
        leaf, weights = query.requires_grad_(), rng.normal(size=len(one.positives))
        ranks = relaxed_ranks(
            leaf,
            gallery,
            torch.tensor([one.positives]),
            temperature=one.temperature,
            left_out=one.absent,
            engine="dense",
        )
        [gradient] = torch.autograd.grad(ranks @ torch.from_numpy(weights), leaf)
        arguments = [one.similarity, one.positives, weights.tolist(), one.temperature]
        yield [*arguments, one.left_out], gradient[0].tolist()


def with_slopes():
    for one in some_lists(5):
        query, gallery = as_queries(one.similarity)
        leaf = query.requires_grad_()
        ranks = relaxed_ranks(
            leaf,
            gallery,
            torch.tensor([one.positives]),
            temperature=one.temperature,
            left_out=one.absent,
            engine="dense",
        )[0]
        rows = [torch.autograd.grad(rank, leaf, retain_graph=True)[0][0] for rank in ranks]
        for p, row in zip(one.positives, rows, strict=True):
            row[p] = 0  # minus the sum of the others
        arguments = [one.similarity, one.positives, one.temperature]
        expected = {"ranks": ranks.tolist(), "slopes": [row.tolist() for row in rows]}
        yield [*arguments, one.left_out] if one.left_out >= 0 else arguments, expected


def through():
    rng = np.random.default_rng(6)
    for size in range(2, 62):
        columns = size - size % 2 * (size // 3)
        positives = rng.permutation(columns)[: 1 + columns // 3]
        slopes, weights = rng.normal(size=(len(positives), size)), rng.normal(size=len(positives))
        slopes[range(len(positives)), positives] = 0
        jacobian = slopes[:, :columns].copy()
        jacobian[range(len(positives)), positives] = -jacobian.sum(axis=1)
        arguments = [slopes.tolist(), positives.tolist(), weights.tolist()]
        yield [*arguments, columns] if columns < size else arguments, (weights @ jacobian).tolist()
