"""Scenes for segmentation, composed of emoji: their alpha is the true label of each pixel.

A large common thing has about 100 pixels for each pixel of a small rare one, if not asked
otherwise. A scene has up to five things, which may cover each other, on a coloured, noisy ground.
The things are classes of the emoji's training split, so nothing here shows the classes that
retrieval is tested on. The drawings of training, validation and test scenes are by different
foundries.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from recallkit.data.emoji import load_emoji
from recallkit.data.image_set import ImageSet
from recallkit.data.textures import draw_texture

__all__ = ["SceneSplits", "Scenes", "Thing", "compose_scene", "load_scenes"]

SIDE = 64  # pixels
COMMON = ("evergreen tree", "house with garden", "bus", "cow")
RARE = ("red apple", "lemon", "gem stone", "penguin")
FOUNDRIES = {  # whose drawings a split shows; relatives such as noto and noto-v1 stay together
    "train": ("noto", "noto-v1", "emojione", "emojione-v1", "openmoji"),
    "validation": ("fluent-emoji-flat",),
    "test": ("twemoji", "fxemoji"),
}

_COMMON_SIDES, _RARE_SIDES = (28, 45), (8, 13)  # pixels: the first, and the first too large
_MOST_COMMON, _MOST_RARE = 3, 2  # things of a scene
_OPAQUE = 128  # alpha from which a pixel belongs to the thing


@dataclass(frozen=True)
class Thing:
    """A drawing at its place in a scene.

    Attributes:
        drawing: (h, w, 4) uint8 RGBA, alpha not multiplied in.
        top, left: the place of its first pixel; the drawing lies within the scene.
        label: the class of its pixels.
    """

    drawing: np.ndarray
    top: int
    left: int
    label: int


@dataclass(frozen=True)
class Scenes:
    """Images and the class of each of their pixels.

    Attributes:
        images: (N, 3, 64, 64) uint8 RGB.
        labels: (N, 64, 64) uint8: 0 the ground, then the common classes, then the rare.
        class_names: the name of each label.
        rare: the labels of the rare classes.
    """

    images: Tensor
    labels: Tensor
    class_names: tuple[str, ...] = ("ground", *COMMON, *RARE)
    rare: tuple[int, ...] = tuple(range(1 + len(COMMON), 1 + len(COMMON) + len(RARE)))

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class SceneSplits:
    """Scenes in three splits, whose drawings are by different foundries.

    Attributes:
        train: what a network is trained on.
        validation: for every choice.
        test: for the last number.
    """

    train: Scenes
    validation: Scenes
    test: Scenes


def load_scenes(
    train: int = 1000,
    validation: int = 200,
    test: int = 1000,
    seed: int = 0,
    rare_things: float = 0.18,
) -> SceneSplits:
    """Compose scenes; nothing is downloaded.

    Args:
        train: number of scenes; 1,000 have about 50 things of each rare class.
        validation: number of scenes.
        test: number of scenes.
        seed: decides all scenes. A scene does not depend on the number of scenes.
        rare_things: the mean number of rare things in a scene, 0 to 2. With 0.18 a common class has
            about 100 pixels for each of a rare class, with 1 about 17.

    Returns:
        The three splits.

    Raises:
        ValueError: if a number of scenes is below 1, ``seed`` below 0, or ``rare_things`` is not
            from 0 to 2.
        RecallkitError: if the emoji are missing or damaged.
    """
    counts = {"train": train, "validation": validation, "test": test}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, the number of scenes, not {value}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    if not 0 <= rare_things <= _MOST_RARE:
        raise ValueError(f"rare_things must lie between 0 and {_MOST_RARE}, not {rare_things}")
    emoji = load_emoji().train
    splits = {}
    with tqdm(desc="composing", total=sum(counts.values()), delay=2, leave=False) as progress:
        for number, (name, count) in enumerate(counts.items()):
            drawings, drawn = _drawings(emoji, FOUNDRIES[name]), []
            for i in range(count):
                rng = np.random.default_rng([seed, number, i])
                drawn.append(_draw_scene(rng, drawings, rare_things / _MOST_RARE))
                progress.update()
            splits[name] = _scenes(drawn)
    return SceneSplits(**splits)


def compose_scene(ground: np.ndarray, things: Sequence[Thing]) -> tuple[np.ndarray, np.ndarray]:
    """Draw things on a ground, the later over the earlier.

    Args:
        ground: (S, S, 3) uint8.
        things: in the order in which they are drawn.

    Returns:
        The image (S, S, 3) uint8, and the labels (S, S) uint8. A pixel has the class of the last
        thing whose alpha there is at least half, or 0.
    """
    image, labels = ground.astype(np.int32), np.zeros(ground.shape[:2], np.uint8)
    for thing in things:
        height, width = thing.drawing.shape[:2]
        place = np.s_[thing.top : thing.top + height, thing.left : thing.left + width]
        alpha = thing.drawing[..., 3:].astype(np.int32)
        image[place] = (thing.drawing[..., :3] * alpha + image[place] * (255 - alpha) + 127) // 255
        labels[place][alpha[..., 0] >= _OPAQUE] = thing.label
    return image.astype(np.uint8), labels


def _drawings(emoji: ImageSet, foundries: Sequence[str]) -> list[list[Image.Image]]:
    """Find the drawings of each common and rare class, cut to what is visible."""
    labels = {name: label for label, name in emoji.class_names.items()}
    result = []
    for name in (*COMMON, *RARE):
        rows = (emoji.labels == labels[name]).nonzero().squeeze(1).tolist()
        chosen = [emoji.images[row] for row in rows if emoji.sources[row] in foundries]
        pixels = [np.ascontiguousarray(image.movedim(0, -1).numpy()) for image in chosen]
        images = [Image.fromarray(image, "RGBA") for image in pixels]
        result.append([image.crop(image.getchannel("A").getbbox()) for image in images])
    return result


def _draw_scene(
    rng: np.random.Generator, drawings: list[list[Image.Image]], rare_chance: float
) -> tuple[np.ndarray, np.ndarray]:
    ground = draw_texture(rng, SIDE)
    common = rng.integers(0, len(COMMON), rng.integers(1, _MOST_COMMON + 1))
    rare = len(COMMON) + rng.integers(0, len(RARE), rng.binomial(_MOST_RARE, rare_chance))
    things = [_draw_thing(rng, drawings, kind, _COMMON_SIDES) for kind in common]
    things += [_draw_thing(rng, drawings, kind, _RARE_SIDES) for kind in rare]
    return compose_scene(ground, things)  # the small over the large: no rare thing is hidden


def _draw_thing(
    rng: np.random.Generator,
    drawings: list[list[Image.Image]],
    kind: int,
    sides: tuple[int, int],
) -> Thing:
    """Choose drawing, size (of the longer side), place, and whether it is mirrored."""
    chosen = drawings[kind][rng.integers(len(drawings[kind]))]
    if rng.integers(2):
        chosen = chosen.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = rng.integers(*sides) / max(chosen.size)
    width, height = (max(1, round(side * scale)) for side in chosen.size)
    pixels = np.asarray(chosen.resize((width, height), Image.Resampling.BOX))
    top, left = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - width + 1)
    return Thing(pixels, int(top), int(left), 1 + int(kind))


def _scenes(drawn: Sequence[tuple[np.ndarray, np.ndarray]]) -> Scenes:
    images, labels = (torch.from_numpy(np.stack(arrays)) for arrays in zip(*drawn, strict=True))
    return Scenes(images.movedim(-1, 1).contiguous(), labels)
