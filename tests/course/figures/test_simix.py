"""The figures of SiMix show what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from recallkit.course import figures
from recallkit.course.circle import on_circle


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def diamonds(ax):
    return [line.get_xydata()[0].tolist() for line in ax.lines if line.get_marker() == "D"]


def test_mixing_marks_the_virtual_example_in_both_panels():
    first, second, query = on_circle(90), on_circle(0), on_circle(30)
    _, (circle, line) = figures.plot_mixing(first, second, query, 0.25)
    virtual = torch.tensor([0.75, 0.25], dtype=torch.float64)
    assert diamonds(circle) == [pytest.approx(virtual.tolist())]
    assert diamonds(line) == [pytest.approx([0.25, (virtual @ query).item()])]
    assert circle.get_title() == f"|v| = {virtual.norm():.2f}"
    straight, renormalised = line.lines[:2]
    assert straight.get_ydata()[[0, -1]] == pytest.approx(
        [(p @ query).item() for p in (second, first)]
    )
    assert renormalised.get_ydata()[20] == pytest.approx((on_circle(45) @ query).item())


def test_chords_have_a_panel_a_pair_and_a_diamond_an_alpha():
    parents = {"near": (on_circle(40), on_circle(0)), "far": (on_circle(150), on_circle(0))}
    _, axes = figures.plot_chords(parents, on_circle(90), (0.25, 0.5, 0.75))
    assert [ax.get_title() for ax in axes] == ["near", "far"]
    assert [len(diamonds(ax)) for ax in axes] == [3, 3]


def test_virtual_sphere_draws_images_chords_and_virtual_examples():
    images = torch.eye(3)
    virtual = torch.tensor([[0.5, 0.5, 0], [0.5, 0, 0.5]])
    _, ax = figures.plot_virtual_sphere(images, virtual)
    *chords, points, diamond = ax.lines
    assert len(chords) == 3
    assert np.allclose(np.stack(points.get_data_3d(), axis=1), images)
    assert np.allclose(np.stack(diamond.get_data_3d(), axis=1), virtual)


def test_gallery_draws_each_item_by_its_kind_and_names_ranks():
    kinds = ["positive", "negative", "virtual positive", "virtual negative"]
    similarities = torch.tensor([0.9, 0.5, 0.95, 0.4])
    panels = {"before": (similarities[:2], kinds[:2]), "after": (similarities, kinds)}
    _, axes = figures.plot_gallery(panels, {"before": [1.0], "after": [2.04]})
    drawn = {line.get_label(): line.get_xdata()[0] for line in axes[1].lines}
    assert drawn == pytest.approx(dict(zip(kinds, similarities.tolist(), strict=True)))
    assert [ax.texts[0].get_text() for ax in axes] == ["1.0", "2.0"]


def test_parent_pulls_draw_all_arrows_to_one_scale():
    points, virtual = torch.eye(2, dtype=torch.float64), torch.full((1, 2), 0.5)
    own, pulls, passed_on = -points, torch.tensor([[2.0, 0.0]]), points / 2
    _, axes = figures.plot_parent_pulls(
        points, torch.tensor([0, 0]), virtual, own, pulls, passed_on
    )
    arrows = [quiver for ax in axes for quiver in ax.collections]
    assert [quiver.get_label() for quiver in arrows][1] == "pull on a virtual example"
    assert [quiver.U.tolist() for quiver in arrows] == [
        pytest.approx([-0.225, 0]), pytest.approx([0.45]), pytest.approx([0.1125, 0])
    ]  # fmt: skip


def test_seconds_have_a_line_each():
    _, ax = figures.plot_seconds([128, 512], {"loss": [0.1, 0.2], "network": [1, 4]})
    assert [line.get_label() for line in ax.lines] == ["loss", "network"]
    assert list(ax.lines[1].get_ydata()) == [1, 4]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["128", "512"]


def test_a_solved_batch_has_its_losses_gradients_and_floors():
    measured = {"plain": [(0.5, 0.1), (0.2, 1e-5)], "mixed": [(0.4, 0.2), (0.1, 0.01)]}
    _, (losses, pushes) = figures.plot_solved_batch(
        [0, 1], measured, {"plain": 0.15, "mixed": 0.05}
    )
    plain, plain_floor, mixed, mixed_floor = losses.lines
    assert [list(line.get_ydata()) for line in (plain, mixed)] == [[0.5, 0.2], [0.4, 0.1]]
    assert [line.get_ydata()[0] for line in (plain_floor, mixed_floor)] == [0.15, 0.05]
    assert list(plain.get_xdata()) == [0, 100]
    assert [list(line.get_ydata()) for line in pushes.lines] == [[0.1, 1e-5], [0.2, 0.01]]
    assert pushes.get_yscale() == "log"
