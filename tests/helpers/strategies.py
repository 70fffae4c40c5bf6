"""Small retrieval problems with many true ties, for hypothesis; and random unit vectors."""

import torch
from hypothesis import strategies as st

# Sums of products of these are exact in every order of addition.
_VALUES = st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0])


def unit_vectors(n, d, seed=0, dtype=torch.float32):
    vectors = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return torch.nn.functional.normalize(vectors, dim=1)


@st.composite
def embeddings(draw, size, dimensions):
    """(size, dimensions) float32; rows are drawn from a few vectors, so several are the same."""
    vector = st.lists(_VALUES, min_size=dimensions, max_size=dimensions)
    different = draw(st.lists(vector, min_size=1, max_size=8))
    rows = draw(st.lists(st.sampled_from(different), min_size=size, max_size=size))
    return torch.tensor(rows)


@st.composite
def labels(draw, size):
    """(size,) int64, from a few arbitrary numbers."""
    numbers = draw(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=5))
    return torch.tensor(draw(st.lists(st.sampled_from(numbers), min_size=size, max_size=size)))


@st.composite
def problems(draw):
    """Queries, their labels, and a gallery with labels, or None for all against all."""
    dimensions = draw(st.integers(1, 5))
    q, n = draw(st.integers(2, 30)), draw(st.integers(1, 40))
    queries, query_labels = draw(embeddings(q, dimensions)), draw(labels(q))
    if draw(st.booleans()):
        return queries, query_labels, None, None
    gallery = draw(embeddings(n, dimensions))
    return queries, query_labels, gallery, draw(labels(n))


@st.composite
def uneven_problems(draw):
    """All against all or a gallery, with a class that holds most and several that hold few."""
    sizes = [draw(st.integers(10, 30)), *draw(st.lists(st.integers(1, 4), max_size=6))]
    classes = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    classes = classes[torch.tensor(draw(st.permutations(range(len(classes)))))]
    points = draw(embeddings(len(classes), draw(st.integers(1, 4))))
    if draw(st.booleans()):
        return points, classes, None, None
    cut = draw(st.integers(1, len(classes) - 1))
    return points[:cut], classes[:cut], points[cut:], classes[cut:]
