"""Figures of ranks show the data they were given."""

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_steps_draw_the_step_and_a_sigmoid_for_each_temperature():
    _, (values, slopes) = figures.plot_steps([0.01, 0.1])
    assert [line.get_label() for line in values.lines] == ["step", "τ = 0.01", "τ = 0.1"]
    middle = len(values.lines[1].get_ydata()) // 2
    assert [line.get_ydata()[middle] for line in values.lines[1:]] == pytest.approx([0.5, 0.5])
    assert [line.get_ydata()[middle] for line in slopes.lines] == pytest.approx([25, 2.5])


def test_moved_item_has_a_panel_for_each_temperature():
    place, rank = torch.linspace(0, 1, 5), torch.arange(5, 0, -1)
    _, axes = figures.plot_moved_item(place, rank, {0.01: rank + 0.1, 0.1: rank + 0.2}, place[:2])
    assert [ax.get_title() for ax in axes] == ["τ₂ = 0.01", "τ₂ = 0.1"]
    assert axes[1].lines[1].get_ydata().tolist() == pytest.approx((rank + 0.2).tolist())
    low, high = axes[0].get_ylim()
    assert low > high  # rank 1 on top


def test_line_places_items_and_counts():
    similarity, positives = torch.tensor([0.9, 0.5, 0.7, 0.2]), torch.tensor([1, 0])
    true_ranks, ranks = torch.tensor([3.0, 1.0]), torch.tensor([2.8, 1.1])
    _, (line, below) = figures.plot_line(similarity, positives, true_ranks, ranks, 2, 1.0, 0.4)
    negatives, own = line.lines[1], line.lines[2]
    assert negatives.get_xdata().tolist() == pytest.approx([0.7, 0.2])
    assert own.get_xdata().tolist() == pytest.approx([0.5, 0.9])
    texts = [text.get_text() for text in line.texts]
    assert texts == ["a\ntrue 3\nrelaxed 2.80", "b\ntrue 1\nrelaxed 1.10"]
    assert "1 of 2 positives among the first 2 (50%)" in line.get_title()
    assert "relaxed recall 0.40" in line.get_title()
    expected = torch.sigmoid(2 - ranks.double())
    assert below.lines[2].get_ydata().tolist() == pytest.approx(expected.tolist())
    assert below.lines[3].get_ydata().tolist() == [0, 1]


def test_limits_draw_curves_and_levels():
    _, (losses, slopes) = figures.plot_limits(
        [0.1, 1], {"relaxed": [0.3, 0.4], "true": [0.5]}, [2, 3]
    )
    assert losses.lines[0].get_ydata().tolist() == [0.3, 0.4]
    assert losses.lines[1].get_ydata().tolist() == [0.5, 0.5]
    assert slopes.lines[0].get_ydata().tolist() == [2, 3]


def test_images_stand_where_their_similarity_puts_them(toy_splits):
    images = toy_splits.test.images[:4]
    similarity, positive = torch.tensor([0.8, -0.1, 0.3, 0.5]), torch.arange(4) < 1
    _, ax = figures.plot_images_on_line(images[0], images, similarity, positive, ["own"] * 4)
    boxes = [artist for artist in ax.get_children() if type(artist).__name__ == "AnnotationBbox"]
    assert sorted(box.xy[0] for box in boxes) == pytest.approx([-0.1, 0.3, 0.5, 0.8, 1.0])
    assert [text.get_text() for text in ax.texts] == ["own", "query"]
