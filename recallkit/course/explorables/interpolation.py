"""One positive among two negatives: a metric interpolated between the outcomes of comparisons."""

import traitlets

from recallkit.course.explorables.base import Explorable, Numbers

ANCHORS = ("drawn", "corners")
METRICS = ("recall", "precision")


class Interpolation(Explorable):
    """The positive is dragged along the list; its comparisons move between four known outcomes.

    The value is that of :func:`recallkit.related.interpolate`. Beside its gradient stands that of
    the released code, which has another sign.

    Attributes:
        positive: similarity of the positive, −0.2 to 1; default 0.35.
        negatives: two similarities, −0.2 to 1; default 0.5 and 0.1.
        temperature: τ of a comparison, 0.01 to 2; default 0.2.
        anchors: "drawn", as many at each corner as UniLoss draws on average; or "corners", one at
            each; default "drawn".
        metric: "recall", at 1; or "precision", the average precision; default "recall".
    """

    module = "interpolation"
    positive = traitlets.Float(0.35, min=-0.2, max=1).tag(sync=True)
    negatives = Numbers(
        traitlets.Float(min=-0.2, max=1), default_value=[0.5, 0.1], minlen=2, maxlen=2
    ).tag(sync=True)
    temperature = traitlets.Float(0.2, min=0.01, max=2).tag(sync=True)
    anchors = traitlets.Enum(ANCHORS, default_value="drawn").tag(sync=True)
    metric = traitlets.Enum(METRICS, default_value="recall").tag(sync=True)
