"""A predicted mask that the reader moves and grows: what is found, and which pixels are pushed."""

import traitlets

from recallkit.course.explorables.base import Explorable


class PixelWeights(Explorable):
    """Recall, precision and IoU of a scene of 12 × 12 pixels, and the weights of five losses.

    A large bus and a small lemon on the ground. A weight says how many times as hard as the mean
    cross-entropy a loss pushes the pixel, by :func:`recallkit.course.pixel_weights`: its area is
    drawn relative to the largest of the same loss.

    Attributes:
        bus_row: of the centre of the predicted bus, 0 to 11; default 4, the true one.
        bus_column: likewise; default 5, one too far to the right.
        bus_growth: pixels on each side, −2 to 2; default 0.
        lemon_row: of the centre of the predicted lemon, 0 to 11; default 9, the true one.
        lemon_column: likewise; default 8, the true one.
        lemon_growth: −2 to 3; −2 leaves no lemon; default −1, a single pixel.
        certainty: probability of the predicted class of each pixel, 0.4 to 0.99; default 0.8.
        gamma: γ of the focal loss, 0 to 5; default 2, its authors'.
    """

    module = "pixel_weights"
    bus_row = traitlets.Int(4, min=0, max=11).tag(sync=True)
    bus_column = traitlets.Int(5, min=0, max=11).tag(sync=True)
    bus_growth = traitlets.Int(0, min=-2, max=2).tag(sync=True)
    lemon_row = traitlets.Int(9, min=0, max=11).tag(sync=True)
    lemon_column = traitlets.Int(8, min=0, max=11).tag(sync=True)
    lemon_growth = traitlets.Int(-1, min=-2, max=3).tag(sync=True)
    certainty = traitlets.Float(0.8, min=0.4, max=0.99).tag(sync=True)
    gamma = traitlets.Float(2, min=0, max=5).tag(sync=True)
