"""The protocol of ROxford5k and RParis6k: one ranking, evaluated in three settings.

For each query every gallery image is *easy*, *hard*, *junk* or none of these (Radenović, Iscen,
Tolias, Avrithis, Chum: Revisiting Oxford and Paris, CVPR 2018):

    setting   positives     ignored
    Easy      easy          junk, hard
    Medium    easy, hard    junk
    Hard      hard          junk, easy

Ignored images are removed from the ranking before ranks are counted. With the ranks r₁ < … < r_R
that the R positives then have,

    AP  = 1/R · Σ_i ((i − 1)/(r_i − 1) + i/r_i) / 2      the first fraction is 1 where r_i = 1
    P@k = (number of r_i ≤ k') / k',  k' = min(k, r_R)   images behind r_R do not count

AP is the area of the trapezoids under the curve of precision against recall, P@k the precision of
the original evaluation. Queries without a positive in a setting are left out of its means.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recallkit.checks import check_ks
from recallkit.metrics.arrays import as_embeddings
from recallkit.metrics.distances import Distance
from recallkit.metrics.ranks import positive_ranks

SETTINGS = {  # name: (positives, ignored)
    "easy": (("easy",), ("junk", "hard")),
    "medium": (("easy", "hard"), ("junk",)),
    "hard": (("hard",), ("junk", "easy")),
}
KINDS = ("easy", "hard", "junk")

Judgement = Mapping[str, Any]  # kind → gallery indices (a sequence or array); more keys are allowed


def revisited_metrics(
    rankings: Tensor | Sequence[Sequence[int]],
    judgements: Sequence[Judgement],
    ks: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """Compute mean AP and mean P@k in the settings Easy, Medium and Hard, of ranked lists.

    Args:
        rankings: (Q, N) gallery indices, nearest first, distractors included if there are any.
            Every easy and hard image must be in its query's list: a list that was cut short has no
            average precision.
        judgements: for each query its ``easy``, ``hard`` and ``junk`` images, as ``gnd`` of the
            published ground truth has them.
        ks: the k of P@k. Default (1, 5, 10): the ones that papers report.

    Returns:
        ``{"easy mAP": …, "easy mP@1": …, …, "hard mP@10": …}``, from 0 to 1, without the settings
        in which no query has a positive.

    Raises:
        ValueError: other numbers of rankings and of judgements; an index twice in a list, or of two
            kinds for one query; a list that lacks a positive; no query with any positive.
    """
    rankings = torch.as_tensor(rankings)
    labelled, kinds = _labelled(judgements)
    if rankings.ndim != 2 or len(rankings) != len(labelled):
        raise ValueError(
            f"rankings must be of shape ({len(labelled)}, N), one row for each judgement, "
            f"not {tuple(rankings.shape)}"
        )
    ranks = [
        _ranks_in(ranking, judged, number)
        for number, (ranking, judged) in enumerate(zip(rankings.long(), labelled, strict=True))
    ]
    return _of_ranks(ranks, kinds, check_ks(ks))


def revisited_of_embeddings(
    queries: Tensor,
    gallery: Tensor,
    judgements: Sequence[Judgement],
    ks: Sequence[int] = (1, 5, 10),
    distractors: Tensor | None = None,
    distance: Distance = "dot",
) -> dict[str, float]:
    """Compute the same of embeddings. The ranks are counted, so no list of length N is sorted.

    Args:
        queries: (Q, D) floating point.
        gallery: (N, D), the images in the order of ``imlist``.
        judgements: as for :func:`revisited_metrics`.
        ks: as for :func:`revisited_metrics`.
        distractors: (M, D), further images, none of which shows what a query asks for. They may lie
            in a file mapped into memory, which is read in blocks: a million need not fit.
        distance: "dot", "cosine" or "l2"; see :func:`.search`.

    Returns:
        As :func:`revisited_metrics`.

    Raises:
        ValueError: as :func:`revisited_metrics`; shapes that disagree; non-finite embeddings; a
            judged image that is not in the gallery.
    """
    labelled, kinds = _labelled(judgements)
    queries = as_embeddings(queries, "queries")
    if len(queries) != len(labelled):
        raise ValueError(
            f"queries must be {len(labelled)}, one for each judgement, not {len(queries)}"
        )
    _check_in_gallery(labelled, len(gallery))
    padded = torch.nn.utils.rnn.pad_sequence(labelled, batch_first=True, padding_value=-1)
    positives = padded.to(queries.device)  # (Q, L)
    table = positive_ranks(queries, positives, gallery, distractors, distance).cpu()
    ranks = [row[: len(judged)] for row, judged in zip(table, labelled, strict=True)]
    return _of_ranks(ranks, kinds, check_ks(ks))


def _labelled(judgements: Sequence[Judgement]) -> tuple[list[Tensor], list[Tensor]]:
    """List for each query its judged images, and for each of them the place of its kind."""
    images, kinds = [], []
    for number, judgement in enumerate(judgements):
        if missing := [kind for kind in KINDS if kind not in judgement]:
            raise ValueError(f"judgements: that of query {number} lacks {missing}")
        by_kind = [torch.as_tensor(judgement[kind]).reshape(-1).long() for kind in KINDS]
        images.append(torch.cat(by_kind))
        kinds.append(torch.tensor([i for i, images_of in enumerate(by_kind) for _ in images_of]))
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
    """Return the rank from 1 of each wanted image in ``ranking`` (N,); inf for a missing one."""
    ordered, order = ranking.sort()
    if (ordered[1:] == ordered[:-1]).any():
        raise ValueError(f"rankings: that of query {number} has an index twice")
    place = torch.searchsorted(ordered, wanted).clamp(max=len(ordered) - 1)
    missing = ordered[place] != wanted
    return (order[place] + 1.0).double().masked_fill(missing, torch.inf)


def _of_ranks(
    ranks: Sequence[Tensor], kinds: Sequence[Tensor], ks: Sequence[int]
) -> dict[str, float]:
    """Average over the queries the metrics of the ranks (L,) of their judged images."""
    means = {}
    for setting, (positive, ignored) in SETTINGS.items():
        rows = [
            _of_one_query(clean, ks)
            for number, (of_query, kind) in enumerate(zip(ranks, kinds, strict=True))
            if len(clean := _cleaned_ranks(of_query, kind, positive, ignored, number))
        ]
        for name in rows[0] if rows else ():
            means[f"{setting} {name}"] = sum(row[name] for row in rows) / len(rows)
    if not means:
        raise ValueError("judgements: no query has a positive, easy or hard")
    return means


def _cleaned_ranks(
    ranks: Tensor, kinds: Tensor, positive: Sequence[str], ignored: Sequence[str], number: int
) -> Tensor:
    """Return the ranks (R,) of the positives, ascending, after ignored images are removed."""
    positives = ranks[_is(kinds, positive)].sort().values
    if missing := int(positives.isinf().sum()):
        raise ValueError(
            f"rankings: that of query {number} lacks {missing} of its positives; "
            f"rank the whole gallery"
        )
    removed = ranks[_is(kinds, ignored)].sort().values
    return positives - torch.searchsorted(removed, positives)


def _is(kinds: Tensor, wanted: Sequence[str]) -> Tensor:
    return torch.isin(kinds, torch.tensor([KINDS.index(kind) for kind in wanted]))


def _of_one_query(ranks: Tensor, ks: Sequence[int]) -> dict[str, float]:
    """Compute AP and P@k of the ascending ranks (R,) of the positives."""
    i = torch.arange(1, len(ranks) + 1, dtype=torch.float64)
    before = torch.where(ranks > 1, (i - 1) / (ranks - 1), 1.0)
    values = {"mAP": ((before + i / ranks) / 2).mean().item()}
    for k in ks:
        reach = min(k, int(ranks[-1]))
        values[f"mP@{k}"] = (ranks <= reach).sum().item() / reach
    return values
