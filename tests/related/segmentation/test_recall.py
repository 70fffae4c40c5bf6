"""The recall loss against loops, its extremes, its running weights, and what it refuses."""

import pytest
import torch
import torch.nn.functional as F
from helpers import pixel_losses as loops
from helpers.pixel_maps import IGNORED, make_maps, same_gradient, value_and_gradient

from recallkit.related import RecallCrossEntropy, recall_weights

FORMS = {"mean": "pixels", "weighted": "weights"}


@pytest.mark.parametrize("reduce", FORMS)
@pytest.mark.parametrize("seed", range(3))
def test_value_and_gradient_are_those_of_the_loops(reduce, seed):
    """With the weights held fixed: they carry no gradient."""
    logits, labels = make_maps(seed)
    nested, classes = logits.tolist(), labels.tolist()
    weights = loops.recall_weights(nested, classes)
    value, gradient = value_and_gradient(RecallCrossEntropy(reduce), logits, labels)
    assert torch.allclose(
        recall_weights(logits, labels),
        torch.tensor(weights, dtype=torch.float64),
        rtol=0,
        atol=1e-12,
    )
    assert not recall_weights(logits.requires_grad_(), labels).requires_grad

    def loss(logits):
        return loops.weighted(logits, classes, weights, FORMS[reduce])

    assert value == pytest.approx(loss(nested), abs=1e-10)
    assert same_gradient(gradient, loops.gradient(loss, nested))


def test_ignored_pixels_are_left_out_exactly():
    logits, labels = make_maps(1)
    ignored = labels == IGNORED
    for reduce in FORMS:
        value, gradient = value_and_gradient(RecallCrossEntropy(reduce), logits, labels)
        assert ignored.any()
        assert (gradient.movedim(1, -1)[ignored] == 0).all()
        other = logits.movedim(1, -1).masked_fill(ignored[..., None], torch.nan).movedim(-1, 1)
        again = value_and_gradient(RecallCrossEntropy(reduce), other, labels)
        assert again[0] == value
        assert torch.equal(again[1], gradient)
        kept = logits.movedim(1, -1)[~ignored].T[None, :, None]  # (1, C, 1, N)
        alone = RecallCrossEntropy(reduce)(kept, labels[~ignored][None, None])
        assert alone.item() == pytest.approx(value, abs=1e-14)


def test_no_class_is_counted_by_the_number_of_ignored_pixels():
    """The released code overwrites the counts of class 1 by those of another class."""
    logits = torch.zeros(1, 3, 1, 8)
    logits[:, 0] = 1  # all pixels are predicted as class 0
    labels = torch.tensor([[[0, 0, 0, 0, 1, 1, IGNORED, IGNORED]]])
    logits[..., 4:5] = torch.tensor([0.0, 1.0, 0.0])[None, :, None, None]  # one of class 1 is found
    weights = recall_weights(logits, labels)
    assert weights.tolist() == [1 / 4, 1 / 2, 1]


@pytest.mark.parametrize("reduce", FORMS)
def test_recall_0_everywhere_is_cross_entropy(reduce):
    logits, labels = make_maps(2)
    wrong = torch.where(labels == IGNORED, 0, labels)
    logits.scatter_(1, wrong[:, None], -5.0)
    value, gradient = value_and_gradient(RecallCrossEntropy(reduce), logits, labels)
    plain, its_gradient = value_and_gradient(
        lambda x, y: F.cross_entropy(x, y, ignore_index=IGNORED), logits, labels
    )
    assert value == pytest.approx(plain, abs=1e-12)
    assert torch.allclose(gradient, its_gradient, rtol=0, atol=1e-14)


def test_an_absent_class_has_weight_1_and_a_class_without_a_miss_keeps_one_count():
    logits = torch.zeros(1, 4, 2, 2)
    logits[:, 2] = 1
    labels = torch.full((1, 2, 2), 2)
    assert recall_weights(logits, labels).tolist() == [1, 1, 1 / 4, 1]


def test_running_weights_are_kept_in_the_state():
    loss = RecallCrossEntropy("weighted", keep=0.5, classes=4)
    batches = [make_maps(seed) for seed in range(3)]
    of_batches = [recall_weights(*batch) for batch in batches]
    expected = of_batches[0]
    loss(*batches[0])
    for batch, weights in zip(batches[1:], of_batches[1:], strict=True):
        value = loss(*batch)
        expected = 0.5 * weights + 0.5 * expected
        assert torch.allclose(loss.state_dict()["weights"], expected, rtol=0, atol=1e-15)
        nested = [maps.tolist() for maps in batch]
        assert value.item() == pytest.approx(loops.weighted(*nested, expected.tolist(), "weights"))


def test_a_stored_state_goes_on_as_if_it_had_not_stopped():
    first, second = (RecallCrossEntropy(keep=0.5, classes=4).double() for _ in range(2))
    first(*make_maps(0))
    second.load_state_dict(first.state_dict())
    assert second(*make_maps(1)) == first(*make_maps(1))
    assert second(*make_maps(1)) == first(*make_maps(1))


def test_evaluation_uses_the_running_weights_and_leaves_them():
    loss = RecallCrossEntropy(keep=0.5, classes=4)
    untrained = loss.eval()(*make_maps(1))
    assert untrained == RecallCrossEntropy()(*make_maps(1))
    loss.train()(*make_maps(0))
    before = loss.weights.clone()
    value = loss.eval()(*make_maps(1))
    assert torch.equal(loss.weights, before)
    nested = [maps.tolist() for maps in make_maps(1)]
    assert value.item() == pytest.approx(loops.weighted(*nested, before.tolist(), "pixels"))


def test_there_is_no_state_without_keep():
    assert not RecallCrossEntropy().state_dict()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"reduce": "sum"}, "reduce must be one of"),
        ({"keep": 1.0, "classes": 3}, "keep must be at least 0 and below 1"),
        ({"keep": -0.5, "classes": 3}, "keep must be at least 0 and below 1"),
        ({"keep": 0.5}, "classes must be given with keep"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RecallCrossEntropy(**settings)


def test_another_number_of_classes_than_the_running_weights_is_refused():
    with pytest.raises(ValueError, match="logits must have the 7 classes of the running weights"):
        RecallCrossEntropy(keep=0.5, classes=7)(*make_maps(0))
