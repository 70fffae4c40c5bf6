"""A ranked list to reorder, and the metrics that benchmarks report of it."""

from typing import Any

import traitlets

from recallkit.course.explorables.base import Explorable, Numbers

ITEMS = 12


class Playground(Explorable):
    """A list of twelve items, which can be dragged, and all metrics of retrieval of it.

    Items 0 and 1 are easy positives, 2 and 3 hard ones, 4 and 5 junk, 6 to 11 of other classes.
    The metrics of the first group are those of :func:`recallkit.retrieval_metrics`, where junk is
    of another class; those of the second are of :mod:`recallkit.metrics.revisited`.

    Attributes:
        order: the twelve items, nearest first; default the list of notebook 08.
        compared: the list that the marks on the bars belong to; default the first ``order``.
        k: the cut-off, 1 to 12; default 2.
    """

    module = "playground"
    order = Numbers(traitlets.Int(), default_value=[0, 6, 2, 4, 1, 7, 8, 3, 5, 9, 10, 11]).tag(
        sync=True
    )
    compared = Numbers(traitlets.Int()).tag(sync=True)
    k = traitlets.Int(2, min=1, max=ITEMS).tag(sync=True)

    @traitlets.default("compared")
    def _first_order(self) -> list[int]:
        return list(self.order)

    @traitlets.validate("order", "compared")
    def _each_item_once(self, proposal: Any) -> Any:
        if sorted(proposal["value"]) != list(range(ITEMS)):
            name = proposal["trait"].name
            raise traitlets.TraitError(
                f"{name} must hold each item from 0 to {ITEMS - 1} once, not {proposal['value']}"
            )
        return proposal["value"]
