"""The step and its relaxation, and one query's gallery on a line."""

from typing import Any

import traitlets

from recallkit.course.explorables.base import Explorable, Numbers


class Step(Explorable):
    """The sigmoid that replaces the step; one comparison is dragged along it.

    Attributes:
        temperature: τ, 0.001 to 1; default 0.1, where both curves can be told apart.
        difference: s(z) − s(p) of the comparison, −0.5 to 0.5.
    """

    module = "step"
    temperature = traitlets.Float(0.1, min=0.001, max=1).tag(sync=True)
    difference = traitlets.Float(0.1, min=-0.5, max=0.5).tag(sync=True)


class Line(Explorable):
    """One query's gallery on the line of similarities; every item can be dragged.

    The page computes the ranks, the recall, the loss and the gradient, by the formulas of
    :func:`recallkit.relaxed_ranks` and :func:`recallkit.soft_recall_at_k`.

    Attributes:
        similarity: N numbers, of the items to the query; a tensor (N,) will do.
        positives: P indices of the items of the query's class, P < N; a tensor (P,) will do.
        lowest: the left end of the line. Default 0; −1 shows all similarities of unit vectors.
        k: the cut-off, 1 to N; default 2.
        rank_temperature: τ₂, in units of similarity; default 0.01, the paper's.
        k_temperature: τ₁, in units of rank; default 1, the paper's.
        ranks: P relaxed ranks. This and what follows is set by the page when it draws, and empty
            or None before.
        true_ranks: P.
        recall: relaxed, at k.
        loss: 1 − recall.
        gradient: N numbers, dL/ds of each item.
    """

    module = "line"
    similarity = Numbers(traitlets.Float()).tag(sync=True)
    positives = Numbers(traitlets.Int()).tag(sync=True)
    lowest = traitlets.Float(0).tag(sync=True)
    k = traitlets.Int(2, min=1).tag(sync=True)
    rank_temperature = traitlets.Float(0.01, min=0.001, max=1).tag(sync=True)
    k_temperature = traitlets.Float(1, min=0.001, max=10).tag(sync=True)
    ranks = Numbers(traitlets.Float()).tag(sync=True)
    true_ranks = Numbers(traitlets.Int()).tag(sync=True)
    recall = traitlets.Float(None, allow_none=True).tag(sync=True)
    loss = traitlets.Float(None, allow_none=True).tag(sync=True)
    gradient = Numbers(traitlets.Float()).tag(sync=True)

    @traitlets.validate("similarity", "positives")
    def _positives_are_items(self, proposal: Any) -> Any:
        values = {"similarity": self.similarity, "positives": self.positives}
        values[proposal["trait"].name] = proposal["value"]
        items, positives = range(len(values["similarity"])), values["positives"]
        if not positives or len({*positives}) < len(positives) or {*positives} - {*items}:
            raise traitlets.TraitError(
                f"positives must be different indices of the {len(items)} similarities, at least "
                f"one, not {positives}"
            )
        return proposal["value"]
