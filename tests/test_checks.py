"""Arguments that are refused, and those that pass."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from recallkit import RecallAtKLoss
from recallkit.checks import (
    TEMPERATURES,
    NotFiniteError,
    check_bytes,
    check_chunk_size,
    check_embeddings,
    check_indices,
    check_ks,
    check_labels,
    check_same_dimension,
    check_temperature,
    check_tolerance,
    largest_number,
)
from recallkit.config import setting_types
from recallkit.ranges import range_of


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (torch.ones(3), r"vectors must be a non-empty \(N, D\) tensor, not of shape \(3,\)"),
        (torch.ones(0, 2), "non-empty"),
        (torch.ones(2, 2, dtype=torch.int64), "floating point"),
    ],
)
def test_embeddings_of_a_wrong_shape_or_type(embeddings, message):
    with pytest.raises(ValueError, match=message):
        check_embeddings(embeddings, "vectors")


def test_rows_that_are_not_finite_are_counted_in_every_block():
    embeddings = torch.zeros(20_000, 2)
    check_embeddings(embeddings)
    embeddings[9_000, 1], embeddings[19_999, 0] = torch.inf, torch.nan
    with pytest.raises(NotFiniteError, match=r"2 of 20000 rows .* the first is row 9000\."):
        check_embeddings(embeddings)


def test_the_largest_number_is_absolute_and_of_all_blocks():
    embeddings = torch.zeros(9_000, 2)
    embeddings[3, 0], embeddings[8_999, 1] = 4.0, -5.0
    assert largest_number(embeddings) == 5.0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.zeros(3, dtype=torch.int64), r"must be of shape \(4,\).*not \(3,\)"),
        (torch.zeros(4, 1, dtype=torch.int64), r"must be of shape \(4,\)"),
        (torch.zeros(4), "must be integers"),
        (torch.zeros(4, dtype=torch.bool), "must be integers"),
    ],
)
def test_labels(labels, message):
    check_labels(torch.zeros(4, dtype=torch.int32), 4)
    with pytest.raises(ValueError, match=f"labels {message}"):
        check_labels(labels, 4)


def test_queries_and_gallery_must_fit():
    check_same_dimension(torch.ones(2, 3), torch.ones(5, 3))
    with pytest.raises(ValueError, match="same dimension D, not 3 and 4"):
        check_same_dimension(torch.ones(2, 3), torch.ones(5, 4))
    with pytest.raises(ValueError, match=r"same dtype, not torch\.float32 and torch\.float64"):
        check_same_dimension(torch.ones(2, 3), torch.ones(5, 3).double())
    with pytest.raises(ValueError, match="distractors must be of the same device"):
        check_same_dimension(torch.ones(2, 3), torch.ones(5, 3, device="meta"), "distractors")


@pytest.mark.parametrize(
    "ks", [(), (0,), (1.5,), (True,), 4, (math.inf,), (math.nan,), (None,), "12", (10**39,)]
)
def test_wrong_ks(ks):
    with pytest.raises(ValueError, match="ks must be"):
        check_ks(ks)


def test_ks_become_a_tuple_of_integers():
    assert check_ks(iter([1, 2.0])) == (1, 2)


@pytest.mark.parametrize(
    "temperature", [0, -1.0, math.nan, math.inf, 1e-46, 1e-40, 1e39, 10**400, "0.1", None]
)
def test_wrong_temperatures(temperature):
    assert check_temperature(1, "tau") == 1.0
    with pytest.raises(ValueError, match="tau must be a finite number above 0, between 1e-15 and"):
        check_temperature(temperature, "tau")


@pytest.mark.parametrize("temperatures", list(itertools.product(TEMPERATURES, repeat=2)))
def test_gradients_are_finite_at_the_ends_of_the_range(temperatures):
    generator = torch.Generator().manual_seed(0)
    embeddings = normalize(torch.randn(40, 8, generator=generator), dim=1)
    embeddings[1] = embeddings[0]  # a tie: at a low temperature nothing else has a gradient
    embeddings.requires_grad_()
    for engine in ("dense", "blocks"):
        loss = RecallAtKLoss((1, 2, 4), *temperatures, engine=engine)
        loss(embeddings, torch.arange(40) // 4).backward()
    assert embeddings.grad.isfinite().all()


def test_settings_of_a_training_are_within_the_temperatures():
    lowest, highest = TEMPERATURES
    for name in ("k_temperature", "rank_temperature", "uniloss_temperature"):
        of_setting = range_of(setting_types()[name])
        assert lowest <= of_setting.lowest < of_setting.highest <= highest


@pytest.mark.parametrize("chunk_size", [0, -3, "all", "5", 2.5, None, True])
def test_wrong_chunk_sizes(chunk_size):
    for right in (1, 200, "auto"):
        assert check_chunk_size(right) == right
    assert type(check_chunk_size(np.int64(7))) is int
    with pytest.raises(ValueError, match='chunk_size must be at least 1, or "auto"'):
        check_chunk_size(chunk_size)


INDICES = torch.tensor([[0, 2], [1, -1]])


@pytest.mark.parametrize(
    ("indices", "shape", "lowest", "message"),
    [
        (INDICES, (2, None), 0, "i must lie between 0 and 2, .* not between -1 and 2"),
        (INDICES + 1, (2, None), -1, "between -1 and 2, .* not between 0 and 3"),
        (INDICES, (3, None), -1, r"of shape \(3, any\), not torch\.int64 of shape \(2, 2\)"),
        (INDICES, (2,), -1, r"of shape \(2,\)"),
        (INDICES[:, :0], (2, None), -1, r"of shape \(2, any\)"),
        (INDICES.int(), (2, 2), -1, r"int64 gallery indices.*not torch\.int32"),
    ],
)
def test_wrong_indices(indices, shape, lowest, message):
    with pytest.raises(ValueError, match=message):
        check_indices(indices, shape, 3, "i", lowest)


def test_right_indices():
    check_indices(INDICES, (2, None), 3, "i", lowest=-1)
    check_indices(INDICES[:, :0], (2, 0), 3, "i")


@pytest.mark.parametrize("tolerance", [-1e-9, math.nan, "x", None])
def test_wrong_tolerances(tolerance):
    assert check_tolerance(0) == 0.0
    with pytest.raises(ValueError, match=f"tolerance must be at least 0, not {tolerance!r}"):
        check_tolerance(tolerance)


@pytest.mark.parametrize("number", [-1, math.nan, math.inf, "auto", None])
def test_wrong_bytes(number):
    assert check_bytes(1e9, "keep_graphs") == 10**9
    with pytest.raises(ValueError, match=f"keep_graphs must be bytes, at least 0, not {number!r}"):
        check_bytes(number, "keep_graphs")


@pytest.mark.parametrize(
    ("shape", "words"), [((12,), r"\(12,\)"), ((12, None), r"\(12, any\)"), ((2, 6), r"\(2, 6\)")]
)
def test_the_shape_of_indices_is_named_as_torch_writes_it(shape, words):
    with pytest.raises(ValueError, match=f"of shape {words}, not torch.int32 of shape"):
        check_indices(torch.zeros(12, dtype=torch.int32), shape, 20, "itself")
