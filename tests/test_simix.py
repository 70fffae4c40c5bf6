"""SiMix: the virtual examples, their labels and similarities."""

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recallkit import RecallAtKLoss, SimilarityMixup
from recallkit.simix import same_class_pairs


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=24))
def test_pairs_are_those_of_a_double_loop(labels):
    first, second = same_class_pairs(torch.tensor(labels))
    pairs = [frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)]
    expected = {
        frozenset(pair)
        for pair in combinations(range(len(labels)), 2)
        if labels[pair[0]] == labels[pair[1]]
    }
    assert len(pairs) == len(expected)
    assert set(pairs) == expected


def test_four_a_class_become_ten():
    labels = torch.arange(400) // 4
    embeddings, mixed_labels = SimilarityMixup()(torch.randn(400, 8), labels)
    assert embeddings.shape == (1000, 8)
    assert (mixed_labels.bincount() == 10).all()


def test_virtual_examples_lie_between_their_parents():
    labels = torch.tensor([3, 3])
    parents = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    for seed in range(20):
        mixed, _ = SimilarityMixup(torch.Generator().manual_seed(seed))(parents, labels)
        assert torch.equal(mixed[:2], parents)
        assert mixed[2].sum().item() == pytest.approx(1)
        assert (mixed[2] >= 0).all()


def test_mixing_embeddings_equals_mixing_similarities():
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 4])
    mixed, _ = SimilarityMixup(torch.Generator().manual_seed(1))(embeddings, labels)

    first, second = same_class_pairs(labels)
    alpha = torch.rand(len(first), generator=torch.Generator().manual_seed(1)).double()
    similarity = embeddings @ embeddings.T
    half = torch.cat(  # s(v, w) for virtual v and real w
        [similarity, alpha[:, None] * similarity[first] + (1 - alpha)[:, None] * similarity[second]]
    )
    full = torch.cat([half, alpha * half[:, first] + (1 - alpha) * half[:, second]], dim=1)
    torch.testing.assert_close(mixed @ mixed.T, full, rtol=1e-10, atol=1e-10)


def test_alpha_is_fresh_and_follows_the_generator():
    embeddings, labels = torch.randn(8, 3), torch.arange(8) // 4
    mix = SimilarityMixup(torch.Generator().manual_seed(7))
    once, twice = mix(embeddings, labels)[0], mix(embeddings, labels)[0]
    again = SimilarityMixup(torch.Generator().manual_seed(7))(embeddings, labels)[0]
    assert not torch.equal(once, twice)
    assert torch.equal(once, again)


def test_gradient_reaches_both_parents():
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(8, 4, generator=generator, dtype=torch.float64).requires_grad_()
    labels = torch.arange(8) // 2

    def loss(e):
        mix = SimilarityMixup(torch.Generator().manual_seed(0))
        return RecallAtKLoss(rank_temperature=0.5)(*mix(e, labels))

    assert torch.autograd.gradcheck(loss, embeddings)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_labels_of_a_list_are_taken_to_the_device_of_the_embeddings():
    mixed, labels = SimilarityMixup()(torch.randn(4, 3, device="cuda"), ["a", "a", "b", "b"])
    assert mixed.is_cuda
    assert labels.is_cuda


def test_classes_of_one_give_no_virtual_example():
    embeddings = torch.randn(3, 2)
    mixed, labels = SimilarityMixup()(embeddings, torch.tensor([1, 2, 3]))
    assert torch.equal(mixed, embeddings)
    assert labels.tolist() == [1, 2, 3]


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"labels must be of shape \(3,\)"):
        SimilarityMixup()(torch.randn(3, 2), torch.tensor([1, 2]))
