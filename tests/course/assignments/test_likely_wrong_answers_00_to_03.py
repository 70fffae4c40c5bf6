"""Answers of sessions 00, 02 and 03 that are likely and wrong, or unusual and right."""

import math

import pytest
import torch

from recallkit import course, soft_recall_at_k
from recallkit.course import arc_losses

SEEDS = range(8)
PAPERS_KS = (1, 2, 4, 8, 16)


def precision(right, k):
    return right[:, :k].double().mean()


def place_k_alone(right, k):
    return right[:, min(k, right.shape[1]) - 1].double().mean()


def with_itself(sizes):
    return sum((n / sum(sizes)) ** 2 for n in sizes)


def each_class_alike(sizes):
    return sum((n - 1) / (sum(sizes) - 1) for n in sizes) / len(sizes)


def alone_and_asked(sizes):
    return sum(n * (n - 1) for n in sizes) / sum(sizes) / (sum(sizes) - 1)


def recall_of(nearest, labels, queries=None):
    right = (labels[nearest] == labels[:, None]).any(dim=1)
    return right[(labels == labels[:, None]).sum(dim=1) > 1].double().mean()


def first_is_the_query(embeddings, labels, k):
    nearest = (embeddings @ embeddings.T).topk(min(k + 1, len(labels))).indices
    return recall_of(nearest[:, 1:], labels)


def copies_are_the_query(embeddings, labels, k):
    similarity = embeddings @ embeddings.T
    similarity[similarity > 1 - 1e-9] = -torch.inf
    return recall_of(similarity.topk(min(k, len(labels) - 1)).indices, labels)


def diagonal_of_zero(embeddings, labels, k):
    similarity = (embeddings @ embeddings.T).fill_diagonal_(0)
    return recall_of(similarity.topk(min(k, len(labels) - 1)).indices, labels)


def all_are_queries(embeddings, labels, k):
    similarity = (embeddings @ embeddings.T).fill_diagonal_(-torch.inf)
    nearest = similarity.topk(min(k, len(labels) - 1)).indices
    return (labels[nearest] == labels[:, None]).any(dim=1).double().mean()


def drawn_again_and_again(positives, others, k):
    return 1 - (others / (positives + others)) ** k


def best_in_the_whole_gallery(embeddings, labels, count):
    similarity = (embeddings @ embeddings.T).fill_diagonal_(-torch.inf)
    right = labels[similarity.argmax(dim=1)] == labels
    names = labels.unique()
    recalls = torch.stack([right[labels == name].double().mean() for name in names])
    return names[recalls.argsort(descending=True, stable=True)[:count]]


def filtered_afterwards(embeddings, labels, sources):
    nearest = (embeddings @ embeddings.T).fill_diagonal_(-torch.inf).argmax(dim=1).tolist()
    pairs = [(q, n) for q, n in enumerate(nearest) if sources[q] != sources[n]]
    return sum(bool(labels[q] == labels[n]) for q, n in pairs) / max(1, len(pairs))


def nobody_left_out(embeddings, labels, sources):
    other = torch.tensor([[one != source for one in sources] for source in sources])
    similarity = (embeddings @ embeddings.T).masked_fill(~other, -torch.inf)
    return (labels[similarity.argmax(dim=1)] == labels).double().mean()


def without_unit(ahead, temperature):
    sigma = torch.sigmoid(ahead / temperature)
    return sigma * (1 - sigma)


def overflowing(ahead, temperature):
    grown = (ahead / temperature).exp()
    return grown / (1 + grown) ** 2 / temperature


def degrees_as_radians(degrees, gradient):
    return -math.sin(degrees) * gradient


def other_sign(degrees, gradient):
    return math.sin(math.radians(degrees)) * gradient


def for_each_degree(degrees, gradient):
    return -math.sin(math.radians(degrees)) * gradient * math.pi / 180


def gallery_alone(pairs, embeddings):
    return pairs.T @ embeddings


def mean_of_both(pairs, embeddings):
    return (pairs + pairs.T) @ embeddings / 2


def without_temperature(similarity, positive, temperature):
    return torch.softmax(similarity / temperature, dim=0) - positive.double()


def softmax_that_overflows(similarity, positive, temperature):
    grown = (similarity / temperature).exp()
    return (grown / grown.sum() - positive.double()) / temperature


def softmax_of_rivals(similarity, positive, temperature):
    grown = (similarity / temperature).masked_fill(positive, -torch.inf)
    return (torch.softmax(grown, dim=0) - positive.double()) / temperature


def once_its_reach(heard, density):
    return heard / density


def all_opposite_at_one_place(classes, temperature):
    return [0.0, 180.0] * classes


def far_but_first(classes, temperature):
    return [place * 180 / classes for place in range(2 * classes)]


def along_the_sphere_or_not(pairs, embeddings):
    return torch.cosine_similarity(pairs @ embeddings, pairs.T @ embeddings, dim=1)


def divided_by_zero(pairs, embeddings):
    roles = []
    for gradient in (pairs @ embeddings, pairs.T @ embeddings):
        along = (gradient * embeddings).sum(dim=1, keepdim=True) * embeddings
        roles.append((gradient - along) / (gradient - along).norm(dim=1, keepdim=True))
    return (roles[0] * roles[1]).sum(dim=1)


def ties_count_nothing(n, inside):
    return 1.0


def ties_count_one(n, inside):
    return n - 1 + inside


def true_recall(positives, k, inside):
    return 1 - max(0, min(k - inside, positives)) / min(k, positives)


def over_all_positives(positives, k, inside):
    ranks = torch.arange(1, positives + 1).double() + inside
    return 1 - torch.sigmoid(k - ranks).sum() / positives


def ported(s, positive, k, mask_class=False, cap=True, over=min):
    before = torch.sigmoid((s - s[positive][:, None]) / 0.01)
    itself = torch.eye(len(s), dtype=torch.bool)[positive]
    ranks = 1 + (before * ~(positive if mask_class else itself)).sum(dim=1)
    count = torch.sigmoid(k - ranks).sum()
    return (count.clamp(max=k) if cap else count) / over(k, len(ranks))


def class_masked(s, positive, k):
    return ported(s, positive, k, mask_class=True)


def no_cap(s, positive, k):
    return ported(s, positive, k, cap=False)


def over_k(s, positive, k):
    return ported(s, positive, k, over=lambda k, number: k)


def over_positives(s, positive, k):
    return ported(s, positive, k, over=lambda k, number: number)


def query_always_first(positives, close, inside):
    return (positives + 1) / 2 + inside


def tied_query_is_free(positives, close, inside):
    return (positives + 1) / 2 + inside * (1 - close / positives)


def benchmarks_definition(width, ks):
    losses = {n: arc_losses((0.0, float(width)), ks, n)[0] for n in range(2, 9)}
    return next((n for n, (collapsed, wide) in losses.items() if wide < collapsed), 0)


def at_the_first_k(width, ks):
    losses = {n: arc_losses((0.0, float(width)), ks[:1], n)[1] for n in range(2, 9)}
    return next((n for n, (collapsed, wide) in losses.items() if wide < collapsed), 8)


def into_the_next_class(classes, wrong):
    angles = torch.arange(classes).double().repeat_interleave(4) * 360 / classes
    angles[4 * torch.arange(wrong)] += 0.99 * 360 / classes
    return angles


def on_a_straight_line(positives, ks, k_temperature):
    leads = []
    for w in (0, 1):
        collapsed = torch.full((1, positives), 1 + (positives - 1) / 2 + w / 2).double()
        ordered = torch.arange(1, positives + 1).double()[None] + w
        recalls = [soft_recall_at_k(r, ks, k_temperature).mean() for r in (collapsed, ordered)]
        leads.append(recalls[1] - recalls[0])
    return leads[0] / (leads[0] - leads[1])


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("00/recall_of_lists", precision),
        ("00/recall_of_lists", place_k_alone),
        ("00/chance", with_itself),
        ("00/chance", each_class_alike),
        ("00/chance", alone_and_asked),
        ("00/recall_at_k", first_is_the_query),
        ("00/recall_at_k", copies_are_the_query),
        ("00/recall_at_k", diagonal_of_zero),
        ("00/recall_at_k", all_are_queries),
        ("00/chance_at_k", drawn_again_and_again),
        ("00/flattering_classes", best_in_the_whole_gallery),
        ("00/recall_across", filtered_afterwards),
        ("00/recall_across", nobody_left_out),
        ("02/rival_weights", without_unit),
        ("02/rival_weights", overflowing),
        ("02/slope_in_angle", degrees_as_radians),
        ("02/slope_in_angle", other_sign),
        ("02/slope_in_angle", for_each_degree),
        ("02/embedding_gradient", gallery_alone),
        ("02/embedding_gradient", mean_of_both),
        ("02/nt_xent_gradient", without_temperature),
        ("02/nt_xent_gradient", softmax_that_overflows),
        ("02/nt_xent_gradient", softmax_of_rivals),
        ("02/hearing_temperature", once_its_reach),
        ("02/deaf_batch", all_opposite_at_one_place),
        ("02/deaf_batch", far_but_first),
        ("02/role_agreement", along_the_sphere_or_not),
        ("02/role_agreement", divided_by_zero),
        ("03/collapsed_rank", ties_count_nothing),
        ("03/collapsed_rank", ties_count_one),
        ("03/floor_at_k", true_recall),
        ("03/floor_at_k", over_all_positives),
        ("03/ported_recall", class_masked),
        ("03/ported_recall", no_cap),
        ("03/ported_recall", over_k),
        ("03/ported_recall", over_positives),
        ("03/mean_rank", query_always_first),
        ("03/mean_rank", tied_query_is_free),
        ("03/spreading_size", benchmarks_definition),
        ("03/spreading_size", at_the_first_k),
        ("03/preferred_batch", into_the_next_class),
        ("03/fair_weight", on_a_straight_line),
    ],
)
def test_a_likely_wrong_answer_is_told_so(name, answer):
    for seed in SEEDS:
        assert course.problems(name, answer, seed), seed


def turned(classes, temperature):
    first = torch.arange(classes).double() * 180 / classes + 17
    return torch.stack([first + 180, first], dim=1).flatten()


def by_logsumexp(similarity, positive, temperature):
    shares = (similarity / temperature - torch.logsumexp(similarity / temperature, dim=0)).exp()
    return [(s - p) / temperature for s, p in zip(shares.tolist(), positive.tolist(), strict=True)]


def a_little_farther(classes, wrong):
    angles = torch.arange(classes).double().repeat_interleave(4) * 360 / classes
    angles[4 * torch.arange(wrong) + 1] += 0.505 * 360 / classes
    return angles


def item_by_item(s, positive, k):
    items, count = range(len(s)), 0.0
    for p in items:
        others = [1 / (1 + math.exp((s[p] - s[z]) / 0.01)) for z in items if z != p]
        count += bool(positive[p]) / (1 + math.exp(1 + sum(others) - k))
    return min(count, k) / min(k, int(positive.sum()))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("02/deaf_batch", turned),
        ("02/nt_xent_gradient", by_logsumexp),
        ("03/ported_recall", item_by_item),
        ("03/preferred_batch", a_little_farther),
    ],
)
def test_another_right_answer_passes(name, answer):
    for seed in SEEDS:
        assert course.problems(name, answer, seed) == []
