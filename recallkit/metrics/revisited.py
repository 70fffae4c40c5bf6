"""The protocol of ROxford5k and RParis6k: one ranking, judged three times.

For each query every gallery image is *easy*, *hard*, *junk* or none of these (Radenović, Iscen,
Tolias, Avrithis, Chum: Revisiting Oxford and Paris, CVPR 2018):

    setting   positives     ignored
    Easy      easy          junk, hard
    Medium    easy, hard    junk
    Hard      hard          junk, easy

Ignored images leave the ranking before anything is counted. With the ranks r₁ < … < r_R that the R
positives then have,

    AP  = 1/R · Σ_i ((i − 1)/(r_i − 1) + i/r_i) / 2      the first fraction is 1 where r_i = 1
    P@k = (number of r_i ≤ k') / k',  k' = min(k, r_R)   nothing is asked behind the last positive

which are the trapezoids under the curve of precision against recall, and the precision of the
original evaluation. Queries without a positive in a setting are left out of its means.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recallkit.checks import check_ks
from recallkit.metrics.ranks import positive_ranks

SETTINGS = {  # name: (positives, ignored)
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}


KINDS = ("easy", "hard", "junk")


Judgement = Mapping[str, Any]  # kind → gallery indices (a sequence or array); other keys may be


def revisited_metrics(
    rankings: Tensor | Sequence[Sequence[int]],
    judgements: Sequence[Judgement],
    ks: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """Mean AP and mean P@k in the settings Easy, Medium and Hard, of ranked lists.

    Args:
        rankings: (Q, N) gallery indices, nearest first, distractors included if there are any.
            Every easy and hard image must be in its query's list: a list that was cut short has no
            average precision.
        judgements: for each query its ``easy``, ``hard`` and ``junk`` images, as ``gnd`` of the
            published ground truth has them.
        ks: the k of P@k. Default (1, 5, 10): what is reported.

    Returns:
        ``{"easy mAP": …, "easy mP@1": …, …, "hard mP@10": …}``, from 0 to 1. A setting in which no
        query has a positive is not in it.

    Raises:
        ValueError: as many rankings as judgements are needed; an index twice in a list or of two
            kinds for one query; a list that lacks a positive; no query with any positive.
    """
    rankings = torch.as_tensor(rankings)
    labelled, kinds = _labelled(judgements)
    if rankings.ndim != 2 or len(rankings) != len(labelled):
        raise ValueError(
            f"rankings must be of shape ({len(labelled)}, N), a row for each judgement, "
            f"not {tuple(rankings.shape)}"
        )
    ranks = [
        _ranks_in(ranking, own, number)
        for number, (ranking, own) in enumerate(zip(rankings.long(), labelled, strict=True))
    ]
    return _of_ranks(ranks, kinds, check_ks(ks))


def revisited_of_embeddings(
    queries: Tensor,
    gallery: Tensor,
    judgements: Sequence[Judgement],
    ks: Sequence[int] = (1, 5, 10),
    distractors: Tensor | None = None,
) -> dict[str, float]:
    """The same of embeddings: the ranks are counted, nothing of length N is sorted or kept.

    Args:
        queries: (Q, D) floating point.
        gallery: (N, D), the images in the order of ``imlist``.
        judgements: as for :func:`revisited_metrics`.
        ks: likewise.
        distractors: (M, D), further images that show nothing asked for. An array mapped into
            memory is read in blocks: a million of them need not fit.

    Raises:
        ValueError: as :func:`revisited_metrics`, and shapes that disagree, non-finite embeddings,
            a judged image that is not in the gallery.
    """
    labelled, kinds = _labelled(judgements)
    if len(queries) != len(labelled):
        raise ValueError(
            f"queries must be {len(labelled)}, one for each judgement, not {len(queries)}"
        )
    _check_in_gallery(labelled, len(gallery))
    padded = torch.nn.utils.rnn.pad_sequence(labelled, batch_first=True, padding_value=-1)
    found = positive_ranks(queries, padded.to(queries.device), gallery, distractors).cpu()  # (Q, L)
    ranks = [row[: len(own)] for row, own in zip(found, labelled, strict=True)]
    return _of_ranks(ranks, kinds, check_ks(ks))


def _labelled(judgements: Sequence[Judgement]) -> tuple[list[Tensor], list[Tensor]]:
    """For each query its judged images, and the place in ``KINDS`` of the kind of each."""
    images, kinds = [], []
    for number, judgement in enumerate(judgements):
        if missing := [kind for kind in KINDS if kind not in judgement]:
            raise ValueError(f"judgements: that of query {number} lacks {missing}")
        parts = [torch.as_tensor(judgement[kind]).reshape(-1).long() for kind in KINDS]
        images.append(torch.cat(parts))
        kinds.append(torch.tensor([i for i, part in enumerate(parts) for _ in part]))
        if len(images[-1].unique()) < len(images[-1]):
            raise ValueError(f"judgements: query {number} has an image twice, or of two kinds")
    return images, kinds


def _check_in_gallery(labelled: Sequence[Tensor], size: int) -> None:
    for number, images in enumerate(labelled):
        if outside := [int(i) for i in images if not 0 <= i < size]:
            raise ValueError(
                f"judgements: that of query {number} names image {outside[0]}, but the gallery "
                f"has {size}, from 0: are they of one data set?"
            )


def _ranks_in(ranking: Tensor, wanted: Tensor, number: int) -> Tensor:
    """The rank from 1 of each of ``wanted`` in ``ranking`` (N,); inf for what is not there."""
    ordered, order = ranking.sort()
    if (ordered[1:] == ordered[:-1]).any():
        raise ValueError(f"rankings: that of query {number} has an index twice")
    place = torch.searchsorted(ordered, wanted).clamp(max=len(ordered) - 1)
    found = ordered[place] == wanted
    return (order[place] + 1.0).double().masked_fill(~found, torch.inf)


def _of_ranks(
    ranks: Sequence[Tensor], kinds: Sequence[Tensor], ks: Sequence[int]
) -> dict[str, float]:
    """The means over the queries, of the ranks (L,) of their judged images."""
    means = {}
    for setting, roles in SETTINGS.items():
        rows = [
            _of_one_query(clean, ks)
            for number, (own, kind) in enumerate(zip(ranks, kinds, strict=True))
            if len(clean := _cleaned_ranks(own, kind, *roles, number))
        ]
        for name in rows[0] if rows else ():
            means[f"{setting} {name}"] = sum(row[name] for row in rows) / len(rows)
    if not means:
        raise ValueError("judgements: no query has a positive, easy or hard")
    return means


def _cleaned_ranks(
    ranks: Tensor, kinds: Tensor, positive: Sequence[str], ignored: Sequence[str], number: int
) -> Tensor:
    """The ranks (R,) of the positives, ascending, once the ignored images are gone."""
    own = ranks[_is(kinds, positive)].sort().values
    if own.isinf().any():
        raise ValueError(
            f"rankings: that of query {number} lacks {int(own.isinf().sum())} of its positives; "
            f"rank the whole gallery"
        )
    gone = ranks[_is(kinds, ignored)].sort().values
    return own - torch.searchsorted(gone, own)


def _is(kinds: Tensor, wanted: Sequence[str]) -> Tensor:
    return torch.isin(kinds, torch.tensor([KINDS.index(kind) for kind in wanted]))


def _of_one_query(ranks: Tensor, ks: Sequence[int]) -> dict[str, float]:
    """AP and P@k of the ascending ranks (R,) of the positives."""
    i = torch.arange(1, len(ranks) + 1, dtype=torch.float64)
    before = torch.where(ranks > 1, (i - 1) / (ranks - 1), 1.0)
    values = {"mAP": ((before + i / ranks) / 2).mean().item()}
    for k in ks:
        reach = min(k, int(ranks[-1]))
        values[f"mP@{k}"] = (ranks <= reach).sum().item() / reach
    return values
