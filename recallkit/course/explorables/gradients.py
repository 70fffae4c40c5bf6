"""Five losses side by side: the push on pairs of points, along a list, and points set free."""

from typing import Any

import traitlets

from recallkit.course.explorables.base import Explorable, Numbers

LOSSES = ("RS@k", "SmoothAP", "triplet", "contrastive", "NT-Xent")


class ComparedLosses(Explorable):
    """The settings of the losses of :func:`recallkit.course.pair_gradients.losses_to_compare`.

    Attributes:
        rank_temperature: τ₂ of RS@k and SmoothAP, 0.001 to 1; default 0.01, the paper's.
        triplet_margin: 0 to 1; default 0.1.
        positive_margin: contrastive loss pulls positives whose similarity is below it, −1 to 1;
            default 1.
        negative_margin: contrastive loss pushes other items whose similarity is above it, −1 to 1;
            default 0.5.
        softmax_temperature: T of NT-Xent, 0.01 to 10; default 0.07.
    """

    rank_temperature = traitlets.Float(0.01, min=0.001, max=1).tag(sync=True)
    triplet_margin = traitlets.Float(0.1, min=0, max=1).tag(sync=True)
    positive_margin = traitlets.Float(1, min=-1, max=1).tag(sync=True)
    negative_margin = traitlets.Float(0.5, min=-1, max=1).tag(sync=True)
    softmax_temperature = traitlets.Float(0.07, min=0.01, max=10).tag(sync=True)


class Pairs(ComparedLosses):
    """The push of five losses on each pair of points of a circle; the points can be dragged.

    Attributes:
        degrees: B angles of the points, −180 to 180; a tensor (B,) will do.
        labels: B integers, classes side by side; a tensor (B,) will do.
        query: index of the point whose pushes are shown as wedges, 0 to B − 1; default 0.
        loss: a name of :func:`recallkit.course.pair_gradients.losses_to_compare`, for the arrows
            and wedges on the circle; default "RS@k".
    """

    module = "pairs"
    degrees = Numbers(traitlets.Float(min=-180, max=180)).tag(sync=True)
    labels = Numbers(traitlets.Int(min=0)).tag(sync=True)
    query = traitlets.Int(0, min=0).tag(sync=True)
    loss = traitlets.Enum(LOSSES, default_value="RS@k").tag(sync=True)

    @traitlets.validate("degrees", "labels", "query")
    def _fit(self, proposal: Any) -> Any:
        values = {"degrees": self.degrees, "labels": self.labels, "query": self.query}
        values[proposal["trait"].name] = proposal["value"]
        check_points(values["degrees"], values["labels"])
        if values["query"] >= len(values["labels"]):
            raise traitlets.TraitError(f"query must be below {len(values['labels'])}, the points")
        return proposal["value"]


def check_points(degrees: list[float], labels: list[int]) -> None:
    """Refuse other than one label for each angle, or no class with two points."""
    if len(degrees) != len(labels):
        raise traitlets.TraitError(f"{len(degrees)} degrees need as many labels, not {len(labels)}")
    if len(set(labels)) == len(labels):
        raise traitlets.TraitError("labels must have a class with two points at least")


class RankedList(ComparedLosses):
    """The push of five losses along one query's list, whose positives can be dragged.

    Attributes:
        similarity: N numbers, of the items to the query, the nearest first; a tensor (N,) will do.
        ranks: P different ranks of the positives, 1 to N; P below N.
    """

    module = "ranked_list"
    similarity = Numbers(traitlets.Float()).tag(sync=True)
    ranks = Numbers(traitlets.Int(min=1)).tag(sync=True)

    @traitlets.validate("similarity", "ranks")
    def _in_the_list(self, proposal: Any) -> Any:
        values = {"similarity": self.similarity, "ranks": self.ranks}
        values[proposal["trait"].name] = proposal["value"]
        ranks, count = values["ranks"], len(values["similarity"])
        if not 0 < len(set(ranks)) == len(ranks) < count or max(ranks) > count:
            raise traitlets.TraitError(
                f"ranks must be different, from 1 to {count}, and leave an item of another class, "
                f"not {ranks}"
            )
        return proposal["value"]


class Descent(ComparedLosses):
    """Points on a circle that follow a loss for 300 steps of descent; their start can be dragged.

    The steps are those of :func:`recallkit.course.pair_gradients.descend`, with a first step of
    0.1 radians. RS@k at τ₂ = 0.01 and contrastive loss amplify rounding: after 300 steps two
    programs may differ.

    Attributes:
        degrees: B angles of the points at the start, −180 to 180; a tensor (B,) will do.
        labels: B integers; a tensor (B,) will do.
        loss: a name of :func:`recallkit.course.pair_gradients.losses_to_compare`; default "RS@k".
        step: the step shown, 0 to 300; default 0.
    """

    module = "descent"
    degrees = Numbers(traitlets.Float(min=-180, max=180)).tag(sync=True)
    labels = Numbers(traitlets.Int(min=0)).tag(sync=True)
    loss = traitlets.Enum(LOSSES, default_value="RS@k").tag(sync=True)
    step = traitlets.Int(0, min=0, max=300).tag(sync=True)

    @traitlets.validate("degrees", "labels")
    def _fit(self, proposal: Any) -> Any:
        values = {"degrees": self.degrees, "labels": self.labels}
        values[proposal["trait"].name] = proposal["value"]
        check_points(values["degrees"], values["labels"])
        return proposal["value"]
