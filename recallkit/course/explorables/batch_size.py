"""Three ways to compare batch sizes where batch size cannot matter."""

from typing import Any

import traitlets

from recallkit.course.explorables.base import Explorable, Numbers

FEWEST_IMAGES = 512


class ThreeViews(Explorable):
    """The toy of notebook 06 compared in three ways, and its error for any learning rate.

    The errors are those of :func:`recallkit.course.three_views`.

    Attributes:
        batch_sizes: those compared, ascending, each at most 512.
        learning_rate: the common one, 0.01 to 1; default 10^−1.3.
        images: seen by each batch size where these are equal, 512 to 16,384; default 1,024.
    """

    module = "three_views"
    batch_sizes = Numbers(traitlets.Int(min=1, max=FEWEST_IMAGES), minlen=2).tag(sync=True)
    learning_rate = traitlets.Float(10**-1.3, min=0.01, max=1).tag(sync=True)
    images = traitlets.Int(1024, min=FEWEST_IMAGES, max=16_384).tag(sync=True)

    @traitlets.validate("batch_sizes")
    def _ascending(self, proposal: Any) -> Any:
        sizes = proposal["value"]
        if sizes != sorted(set(sizes)):
            raise traitlets.TraitError(f"batch_sizes must ascend, not {sizes}")
        return sizes
