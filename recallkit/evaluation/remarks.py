"""Remarks under a table: the ranking, the number of queries, and what may surprise."""

from collections.abc import Sequence

import torch
from torch import Tensor

from recallkit.metrics import Retrieval
from recallkit.metrics.revisited import SETTINGS, Judgement

MEASURES = {"cosine": "cosine similarity", "dot": "dot product", "l2": "Euclidean distance (l2)"}
OF_UNIT_VECTORS = "cosine similarity (the dot product of unit vectors)"  # of a run

_ROWS = 2**13  # that are read at once
_ALIKE = 1.001  # lengths that differ by less count as equal


def counted_line(result: Retrieval, measure: str, gallery: int | None, groups: bool = False) -> str:
    """Describe the ranking: measure, gallery, how many queries count, and why some are left out.

    Args:
        result: of the search.
        measure: the measure, in words.
        gallery: the size of the gallery. None: all were searched among all.
        groups: whether the group of each query was left out.
    """
    among = ", each among all others" if gallery is None else f" in a gallery of {gallery:,}"
    if groups:
        among += ", the query's own group left out"
    line = (
        f"Ranked by {measure}{among}; means over {result.counted:,} of "
        f"{result.queries:,} queries, of {result.classes:,} classes"
    )
    if without := result.queries - result.counted:
        line += f"; {without:,} left out, for which there is no other image of their class"
        line += " in another group" if groups else ""
    return line + "."


def landmark_lines(
    judgements: Sequence[Judgement], gallery: int, distractors: int, distance: str
) -> dict[str, str]:
    """Describe the ranking for each setting of landmarks, and how many queries count.

    Args:
        judgements: of each query.
        gallery: how many images are searched.
        distractors: how many more.
        distance: the measure, by its name in :data:`MEASURES`.
    """
    more = f" and {distractors:,} distractors" if distractors else ""
    lines = {}
    for setting, (positive, _) in SETTINGS.items():
        counted = sum(any(len(judged[kind]) for kind in positive) for judged in judgements)
        without = len(judgements) - counted
        line = (
            f"Ranked by {MEASURES[distance]} in a gallery of {gallery:,}{more}; means over "
            f"{counted} of {len(judgements)} queries"
        )
        if without:
            line += f"; {without} left out, which have no {' or '.join(positive)} image"
        lines[setting] = line + "."
    return lines


def remarks_on_lengths(distance: str, *embeddings: Tensor) -> list[str]:
    """Say if the lengths of the vectors differ, and what that means for this measure."""
    lengths = [
        torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
        for tensor in embeddings
        for rows in tensor.split(_ROWS)
    ]
    shortest = min(float(some.min()) for some in lengths)
    longest = max(float(some.max()) for some in lengths)
    if longest <= _ALIKE * shortest:
        return []
    meaning = {
        "cosine": "cosine ignores them; --distance dot and l2 do not",
        "dot": "the dot product favours long vectors; --distance cosine compares directions alone",
        "l2": "l2 compares them, too; --distance cosine compares directions alone",
    }
    differ = f"lengths of the embeddings differ ({shortest:.3g} to {longest:.3g})"
    return [f"{differ}: {meaning[distance]}"]


def remarks_on_equal_rows(queries: Tensor, gallery: Tensor) -> list[str]:
    """Say how many queries stand in the gallery, as exactly the same vector."""
    known = {row for rows in gallery.split(_ROWS) for row in _hashes(rows)}
    equal = sum(row in known for rows in queries.split(_ROWS) for row in _hashes(rows))
    if not equal:
        return []
    return [
        f"{equal:,} of {len(queries):,} queries stand in the gallery as exactly the same vector, "
        f"and may find themselves: to search all among all, each without itself, leave out "
        f"--gallery"
    ]


def _hashes(rows: Tensor) -> list[int]:
    return [hash(row.tobytes()) for row in (rows.double() + 0.0).numpy()]  # −0 + 0 is +0


def remarks_on_ks(ks: Sequence[int], searched: int) -> list[str]:
    """Say which R@k is 1 for every query that counts, because k is not below what is searched."""
    if large := [f"R@{k}" for k in sorted(set(ks)) if k >= searched]:
        verb = "is" if len(large) == 1 else "are"
        return [
            f"{', '.join(large)} {verb} 100 % whatever the embeddings: only {searched:,} items are "
            f"searched"
        ]
    return []
