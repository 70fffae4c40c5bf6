"""Queries and their nearest images: by several embeddings, and by ten checkpoints of a training."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import traitlets
from torch import Tensor

from recallkit.course.explorables.base import Explorable, Numbers
from recallkit.course.explorables.sprite import data_url, sprite
from recallkit.data.image_set import ImageSet
from recallkit.files import embedded, read_json

MOST_SHOWN = 8
TABLE = re.compile(r"\d+(?: \d+)*(?:;\d+(?: \d+)*)*")


class Tables(traitlets.List):
    """Tables of whole numbers as texts, which a stored notebook holds in a line each.

    Blanks stand between numbers, semicolons between rows; nested lists become such texts.
    """

    def validate(self, obj: Any, value: Any) -> Any:
        """Turn tables that are no text into text, and refuse what is no table."""
        texts = [one if isinstance(one, str) else _text(one) for one in value]
        for text in texts:
            if not TABLE.fullmatch(text):
                raise traitlets.TraitError(f"{self.name} must hold rows of indices, not {text!r}")
        return super().validate(obj, texts)


def _text(table: Sequence[Sequence[int]]) -> str:
    return ";".join(" ".join(map(str, row)) for row in table)


class Gallery(Explorable):
    """Images in one sprite, the first of which are queries.

    Attributes:
        sprite: the address of an image in the page or of the page: the S images, 40 × 40 pixels
            each, 12 a row; see :mod:`recallkit.course.explorables.sprite`.
        names: S names of images.
        labels: S integers; an image with the query's label is right.
        query: index of the query shown, 0 to Q − 1; default 0.
        source: a sentence that says whose results these are.
        stored_run: whether they are those of the run that comes with recallkit, which the figure
            then says in place of ``source``.
    """

    sprite = traitlets.Unicode().tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    labels = Numbers(traitlets.Int()).tag(sync=True)
    query = traitlets.Int(0, min=0).tag(sync=True)
    source = traitlets.Unicode().tag(sync=True)
    stored_run = traitlets.Bool(False).tag(sync=True)
    neighbours: Tables

    def nearest(self, place: int) -> Tensor:
        """Return the nearest images of all queries: (Q, k) int64, indices of images of the sprite.

        Args:
            place: of the embedding, or of the checkpoint.
        """
        rows = self.neighbours[place].split(";")
        return torch.tensor([[int(item) for item in row.split(" ")] for row in rows])


class Neighbours(Gallery):
    """Any query, and its nearest images by several embeddings; a neighbour can be the next query.

    Attributes:
        embeddings: E names.
        neighbours: E tables of Q rows of k indices of images, the nearest first: nested lists, kept
            as text; see :class:`Tables`.
    """

    module = "neighbours"
    embeddings = traitlets.List(traitlets.Unicode()).tag(sync=True)
    neighbours = Tables(traitlets.Unicode()).tag(sync=True)

    @classmethod
    def of(
        cls,
        images: ImageSet,
        queries: Sequence[int],
        neighbours: Mapping[str, Tensor],
        source: str = "",
    ) -> Self:
        """Make the figure for networks of one's own.

        Args:
            images: the queries and the gallery.
            queries: indices of Q images; each of their classes whole, for then a neighbour that is
                right can be the next query.
            neighbours: name of the embedding → (N, K) int64, the neighbours of all images, nearest
                first, as :func:`recallkit.search` returns them. The first 8 are shown.
            source: a sentence that says whose results these are.

        Raises:
            ValueError: without a query or an embedding.
        """
        return cls(**_values(images, queries, neighbours, source))

    def show(
        self,
        images: ImageSet,
        queries: Sequence[int],
        neighbours: Mapping[str, Tensor],
        source: str = "",
    ) -> None:
        """Show these in the figure that stands in the page already; arguments as for :meth:`of`."""
        values = _values(images, queries, neighbours, source) | {"query": 0}
        with self.hold_sync():
            for name, value in values.items():
                setattr(self, name, value)

    @classmethod
    def stored(cls) -> Self:
        """Make the figure of a stored run on emoji: pixels, the network before and after training.

        Raises:
            RecallkitError: if the file that comes with recallkit is missing.
        """
        stored = _stored_run()
        checkpoints = stored["checkpoints"]
        lists = {
            "pixels": stored["pixels"],
            "untrained": checkpoints[0],
            "trained": checkpoints[-1],
        }
        return cls(
            **_images_of(stored),
            embeddings=list(lists),
            neighbours=[found["neighbours"] for found in lists.values()],
        )


class Replay(Gallery):
    """A training, checkpoint by checkpoint: its loss, R@1, and what it finds for a query.

    Attributes:
        neighbours: C tables of Q rows of k indices of images, the nearest first, of a checkpoint
            each: nested lists, kept as text; see :class:`Tables`.
        images_seen: C numbers, ascending.
        recall: C shares, R@1 of the Q queries.
        curve: pairs of images seen and the mean loss of the steps since the pair before.
        floor: the loss of a perfect ranking, :func:`recallkit.loss_floor.batch_floor`.
        checkpoint: the one shown, 0 to C − 1; default 0.
    """

    module = "replay"
    neighbours = Tables(traitlets.Unicode()).tag(sync=True)
    images_seen = Numbers(traitlets.Int(min=0)).tag(sync=True)
    recall = Numbers(traitlets.Float(min=0, max=1)).tag(sync=True)
    curve = traitlets.List(traitlets.List(traitlets.Float())).tag(sync=True)
    floor = traitlets.Float(0, min=0).tag(sync=True)
    checkpoint = traitlets.Int(0, min=0).tag(sync=True)

    @classmethod
    def stored(cls) -> Self:
        """Make the figure of a stored run on emoji with ten checkpoints.

        Raises:
            RecallkitError: if the file that comes with recallkit is missing.
        """
        stored = _stored_run()
        checkpoints = stored["checkpoints"]
        return cls(
            **_images_of(stored),
            neighbours=[found["neighbours"] for found in checkpoints],
            images_seen=[found["images"] for found in checkpoints],
            recall=[found["recall"] for found in checkpoints],
            curve=stored["curve"],
            floor=stored["floor"],
        )


def _stored_run() -> dict[str, Any]:
    return read_json(embedded("results") / "replay" / "replay.json")


def _images_of(stored: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sprite": data_url((embedded("results") / "replay" / "images.webp").read_bytes()),
        "names": stored["names"],
        "labels": stored["labels"],
        "stored_run": True,
    }


def _values(
    images: ImageSet, queries: Sequence[int], neighbours: Mapping[str, Tensor], source: str
) -> dict[str, Any]:
    """Name → value of the traits of :class:`Neighbours`, with no more images than are shown."""
    if not len(queries) or not neighbours:
        raise ValueError("queries and neighbours must not be empty")
    asked = torch.as_tensor(queries)
    lists = [nearest[asked, :MOST_SHOWN].tolist() for nearest in neighbours.values()]
    found = (item for nearest in lists for row in nearest for item in row)
    places = {item: place for place, item in enumerate(dict.fromkeys([*asked.tolist(), *found]))}
    return {
        "sprite": data_url(sprite(images.images[list(places)])),
        "names": [images.name(item) for item in places],
        "labels": images.labels[list(places)].tolist(),
        "embeddings": list(neighbours),
        "neighbours": [[[places[i] for i in row] for row in nearest] for nearest in lists],
        "source": source,
        "stored_run": False,
    }
