"""Losses by name: each learns, survives a stop, and is what its source says."""

import os
import signal
from dataclasses import replace
from functools import partial
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.distances import CosineSimilarity

from recallkit.config import Config, Loss
from recallkit.losses import VARIANTS, RecallAtKLoss, SmoothAPLoss
from recallkit.related import CircleLoss, UniLoss, accuracy, average_precision, recall_at_k
from recallkit.training import (
    BASELINE_LOSSES,
    Stopped,
    Training,
    make_baseline_loss,
    make_loss,
    train,
)
from recallkit.training.baselines import NTXentLoss
from recallkit.training.distributed import Processes

CONFIG = Config(
    image_size=16, embedding_dim=8, batch_size=16, images=320, evaluations=2, simix=False
)
LABELS = torch.tensor([70, 3, 70, 3, 41, 41, 3, 41])  # neither dense nor sorted


def batch(seed=0, dim=8):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(len(LABELS), dim, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(embeddings).requires_grad_(), LABELS


def test_every_name_of_the_settings_is_a_loss_and_no_other():
    ours = {"recall@k", "smooth-ap", "circle", "uniloss"}
    assert set(get_args(Loss)) == {*ours, *BASELINE_LOSSES, *VARIANTS}
    with pytest.raises(ValueError, match=r"loss must be one of recall@k, .*, not 'hinge'"):
        replace(CONFIG, loss="hinge")
    with pytest.raises(ValueError, match="proxy-rate must lie between"):
        replace(CONFIG, proxy_rate=0.0)


def test_the_default_is_recall_at_k_with_the_settings_of_the_config():
    config = replace(CONFIG, ks=(1, 3), k_temperature=0.5, rank_temperature=0.1)
    loss = make_loss(replace(config, query_in_database=True), LABELS)
    assert type(loss) is RecallAtKLoss
    assert loss(*batch()).equal(RecallAtKLoss((1, 3), 0.5, 0.1, True)(*batch()))
    smooth = make_loss(replace(config, loss="smooth-ap"), LABELS)
    assert smooth(*batch()).equal(SmoothAPLoss(0.1)(*batch()))


def log_mean_exp_free(values):  # log(1 + Σ exp v)
    return torch.log1p(torch.stack(values).exp().sum())


def by_hand(name, s, labels):
    """The published formula on cosines, pair by pair, with loops and in float64."""
    n, terms = len(labels), []
    positives = [(i, j) for i in range(n) for j in range(n) if i != j and labels[i] == labels[j]]
    negatives = [(i, j) for i in range(n) for j in range(n) if labels[i] != labels[j]]
    if name == "contrastive":
        near = [x for x in (1 - s[p] for p in positives) if x > 0]
        far = [x for x in (s[p] - 0.5 for p in negatives) if x > 0]
        return sum(near) / max(1, len(near)) + sum(far) / max(1, len(far))
    if name == "triplet":
        for i, p in positives:
            terms += [s[i, z] - s[i, p] + 0.1 for a, z in negatives if a == i]
        terms = [term for term in terms if term > 0]
    elif name == "nt-xent":
        for i, p in positives:
            rivals = torch.stack([s[i, p], *(s[i, z] for a, z in negatives if a == i)])
            terms.append(-torch.log_softmax(rivals / 0.07, dim=0)[0])
    elif name == "multi-similarity":
        for i in range(n):
            near = [-2 * (s[p] - 0.5) for p in positives if p[0] == i]
            far = [50 * (s[p] - 0.5) for p in negatives if p[0] == i]
            terms.append(log_mean_exp_free(near) / 2 + log_mean_exp_free(far) / 50)
    elif name == "circle":
        for i in range(n):
            near = [-80 * (1.4 - s[p]) * (s[p] - 0.6) for p in positives if p[0] == i]
            far = [80 * (s[p] + 0.4).clamp(min=0) * (s[p] - 0.4) for p in negatives if p[0] == i]
            both = torch.stack(near).logsumexp(0) + torch.stack(far).logsumexp(0)
            terms.append(torch.nn.functional.softplus(both))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("name", sorted({"circle", *BASELINE_LOSSES} - {"proxy-anchor"}))
@pytest.mark.parametrize("seed", range(3))
def test_baseline_losses_are_their_formulas_on_cosines(name, seed):
    embeddings, labels = batch(seed)
    value = make_loss(replace(CONFIG, loss=name), labels)(embeddings, labels)
    torch.testing.assert_close(value, by_hand(name, embeddings @ embeddings.T, labels))


@given(st.lists(st.integers(0, 4), min_size=2, max_size=12))
def test_nt_xent_is_that_of_the_library_for_any_labels(labels):
    """Classes of any size; embeddings of any length, for it compares cosines."""
    labels = torch.tensor([*labels, labels[0]])
    generator = torch.Generator().manual_seed(len(labels))
    leaf = torch.randn(len(labels), 5, generator=generator, dtype=torch.float64).requires_grad_()
    library = make_baseline_loss("nt-xent", distance=CosineSimilarity())
    values, gradients = [], []
    for loss in (NTXentLoss(), library):
        values.append(loss(leaf, labels))
        gradients.append(torch.autograd.grad(values[-1], leaf)[0])
    torch.testing.assert_close(*values, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def test_proxy_anchor_is_its_formula_with_a_proxy_for_each_class():
    loss = make_loss(replace(CONFIG, loss="proxy-anchor"), LABELS)
    embeddings, labels = batch()
    [proxies] = loss.parameters()
    assert proxies.shape == (3, 8)
    s = embeddings @ torch.nn.functional.normalize(proxies.double()).T
    near, far = [], []
    for c, label in enumerate((3, 41, 70)):
        near.append(log_mean_exp_free([-32 * (s[i, c] - 0.1) for i in (labels == label).nonzero()]))
        far.append(log_mean_exp_free([32 * (s[i, c] + 0.1) for i in (labels != label).nonzero()]))
    expected = (sum(near) / 3 + sum(far) / 3).squeeze()
    torch.testing.assert_close(loss(embeddings, labels), expected)


def test_half_precision_embeddings_have_a_loss_in_float32():
    embeddings, labels = batch()
    for name in ("circle", "uniloss", *BASELINE_LOSSES):
        loss = make_loss(replace(CONFIG, loss=name), labels)
        assert loss(embeddings.bfloat16(), labels).dtype == torch.float32


KINDS = [
    *((name, False) for name in get_args(Loss)),
    *((name, True) for name in (VARIANTS[0], "proxy-anchor", "circle", "uniloss")),
]


@pytest.mark.parametrize(("name", "simix"), KINDS)
def test_each_trains_and_a_stopped_run_goes_on_to_the_same_weights(
    name, simix, tmp_path, toy_splits, monkeypatch
):
    config = replace(CONFIG, loss=name, simix=simix)
    options = {"splits": toy_splits, "device": "cpu", "progress": False}
    whole = train(config, tmp_path / "whole", **options)
    losses = [line["loss"] for line in whole["validation"]]
    assert losses[1] < losses[0]
    original = Training.step

    def step(self):
        if self.steps_done == 12:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "step", step)
        with pytest.raises(Stopped):
            train(config, tmp_path / "stopped", **options)
    train(config, tmp_path / "stopped", resume=True, **options)
    a, b = ((tmp_path / run / "weights.safetensors").read_bytes() for run in ("whole", "stopped"))
    assert a == b


def test_proxies_have_their_own_learning_rate_and_no_decay(toy_splits):
    config = replace(CONFIG, loss="proxy-anchor", proxy_rate=7.0, weight_decay=0.1)
    one = Training(config, toy_splits.train, torch.device("cpu"))
    *_, group = one.optimizer.param_groups
    assert [p.shape for p in group["params"]] == [(10, 8)]
    assert (group["initial_lr"], group["weight_decay"]) == (7 * config.learning_rate, 0.0)
    before = group["params"][0].clone()
    one.step()
    assert not group["params"][0].equal(before)


def test_a_step_that_is_repeated_counts_once_in_the_proxies(toy_splits):
    """Memory that runs out after the loss: its gradient in the proxies is not added twice."""
    config = replace(CONFIG, loss="proxy-anchor", chunk_size=8)
    gradients = []
    for fails in (False, True):
        one = Training(config, toy_splits.train, torch.device("cpu"))
        calls = []

        def once_too_large(network, arguments, calls=calls, fails=fails):
            calls.append(network)
            if fails and len(calls) == 3:  # the second pass of the first chunk
                raise torch.OutOfMemoryError("no more")

        one.trained.register_forward_pre_hook(once_too_large)
        indices, images = one.next_batch()
        if fails:
            with pytest.warns(UserWarning, match="out of memory"):
                one.gradient(images, one.labels[indices])
        else:
            one.gradient(images, one.labels[indices])
        gradients.append(next(one.loss.parameters()).grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "triplet"}, "loss 'triplet' trains in one process"),
        ({"loss": "uniloss"}, "loss 'uniloss' trains in one process"),
        ({"loss": "circle", "circle_reduce": "pairs"}, "circle_reduce 'pairs' trains in one"),
    ],
)
def test_a_loss_that_is_no_mean_over_queries_is_refused_in_several_processes(
    settings, message, toy_splits
):
    processes, config = Processes(rank=0, world=2), replace(CONFIG, **settings)
    with pytest.raises(ValueError, match=message):
        Training(config, toy_splits.train, torch.device("cpu"), processes)


def test_circle_loss_has_its_settings_and_is_what_the_stored_runs_had():
    """Before, it was that of pytorch-metric-learning, on cosines."""
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    embeddings, labels = batch()
    ours = make_loss(replace(CONFIG, loss="circle"), labels)
    torch.testing.assert_close(
        ours(embeddings, labels), losses.CircleLoss(m=0.4, gamma=80.0)(embeddings, labels)
    )
    other = replace(CONFIG, loss="circle", circle_margin=0.1, circle_gamma=9.0)
    expected = CircleLoss(0.1, 9.0, "pairs")(embeddings, labels)
    assert make_loss(replace(other, circle_reduce="pairs"), labels)(embeddings, labels) == expected


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("recall@k", partial(recall_at_k, ks=(1, 3))),
        ("average-precision", average_precision),
        ("accuracy", accuracy),
    ],
)
def test_uniloss_has_its_settings(name, metric):
    config = replace(CONFIG, loss="uniloss", uniloss_metric=name, ks=(1, 3))
    loss = make_loss(replace(config, uniloss_anchors=5, uniloss_temperature=0.3), LABELS)
    values = []
    for each in (loss, UniLoss(metric, 5, 0.3)):
        torch.manual_seed(1)
        values.append(each(*batch()))
    assert values[0] == values[1]


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("circle_margin", 1.5, "--circle-margin must lie between 0 and 1, not 1.5"),
        ("circle_gamma", 0.0, "--circle-gamma must lie between 0.001 and 100,000"),
        ("circle_reduce", "mean", "--circle-reduce must be one of anchor, pairs"),
        ("uniloss_metric", "ndcg", "--uniloss-metric must be one of recall@k, "),
        ("uniloss_anchors", 0, "--uniloss-anchors must be a whole number between 1 and"),
        ("uniloss_temperature", -1.0, "--uniloss-temperature must lie between"),
    ],
)
def test_settings_of_circle_and_uniloss_are_refused_by_the_flag(setting, value, message):
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **{setting: value})
