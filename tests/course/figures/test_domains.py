"""Figures of two domains show the images, labels, losses and places they are given."""

import matplotlib.pyplot as plt
import pytest
import torch

from recallkit.course import figures


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def some_images(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, 8, 8, generator=generator)


def test_rows_of_images_stand_beside_their_names():
    rows = {"a": some_images(3), "b": (255 * some_images(3, 1)).to(torch.uint8)}
    fig, axes = figures.plot_image_rows(rows, ["1", "2", "3"])
    fig.canvas.draw()
    assert axes.shape == (2, 3)
    assert [of_row[0].get_ylabel() for of_row in axes] == ["a", "b"]
    assert [ax.get_title() for ax in axes[0]] == ["1", "2", "3"]
    shown = axes[1][2].images[0].get_array()
    assert (torch.as_tensor(shown) == rows["b"][2].movedim(0, -1)).all()


def test_under_each_mixture_stands_its_label():
    labels = torch.tensor([[1.0, 0.0], [0.25, 0.75]])
    rows = {"a": (some_images(2), labels), "b": (some_images(2, 1), labels.flip(0))}
    fig, axes = figures.plot_mixtures(rows, (1, 0.25), ("class", "target"))
    fig.canvas.draw()
    assert [ax.get_title() for ax in axes[0]] == ["λ = 1", "λ = 0.25"]
    bars = [[bar.get_width() for bar in ax.patches] for ax in axes[1]]
    assert bars == [[1.0, 0.0], [0.25, 0.75]]
    assert [[bar.get_x() for bar in ax.patches] for ax in axes[3]] == [[0, 0.25], [0, 1]]
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["class", "target"]


def test_an_arrow_goes_up_the_slope_of_each_label():
    logits = torch.linspace(-2, 2, 5)
    losses = {"soft": logits**2, "cast": logits + 2}
    fig, ax = figures.plot_domain_losses(logits, losses, 1.0, {"soft": -0.25, "cast": 0.5})
    fig.canvas.draw()
    marks = [line.get_xydata()[0].tolist() for line in ax.lines if line.get_marker() == "D"]
    assert marks == [[1, 1], [1, 3]]
    assert [arrow.xy for arrow in ax.texts] == [(0.5, 1), (2, 3)]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["soft", "cast"]


def test_a_class_is_a_digit_and_the_target_has_a_line_above_and_another_colour():
    places = torch.arange(8.0).view(4, 2)
    labels, is_source = torch.tensor([3, 7, 3, 7]), torch.tensor([True, True, False, False])
    placed = {"first": (places, labels, is_source), "second": (-places, labels, is_source)}
    fig, axes = figures.plot_two_domains(placed, ("printed", "by hand"))
    fig.canvas.draw()
    assert [ax.get_title() for ax in axes] == ["first", "second"]
    lines = axes[0].lines
    signs = [r"$3$", r"$7$", r"$\overline{3}$", r"$\overline{7}$"]  # without colour, too
    assert [line.get_marker() for line in lines] == signs
    assert [line.get_xydata().tolist() for line in lines] == [[row] for row in places.tolist()]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    [legend] = fig.legends
    assert [text.get_text() for text in legend.get_texts()] == ["printed", "by hand"]
    assert [one.get_marker() for one in legend.get_lines()] == [signs[0], signs[2]]
