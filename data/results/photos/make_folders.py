"""Make the folders of photographs on which the preset ``photos`` was chosen.

    python make_folders.py UNPACKED OUT

UNPACKED holds Debian packages, unpacked by ``dpkg-deb -x``: tuxpaint-stamps-default, and the
backgrounds of gnome-backgrounds, mate-backgrounds, plasma-workspace-wallpapers and
ukui-wallpapers. Their licences are in usr/share/doc; their images are not part of this project.

    OUT/objects   a photographed object a class, laid on photographs at random, as products lie on
                  different grounds: turned, tilted, scaled, lit, and stored as JPEG
    OUT/places    a region of a photograph a class, seen from other distances and angles; the
                  neighbouring regions of one photograph are the hard negatives
    OUT/drawings  an emoji a class, drawn by several foundries; of training classes only

The same packages give the same files.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from recallkit.data import load, over_white

IMAGES = 8  # of a class
SIDE = 256
LEFT_OUT = ("cartoon", "alphabets", "symbols", "clipart", "naturalforces", "text")
BACKGROUNDS = ("usr/share/backgrounds", "usr/share/wallpapers")


def photographs(unpacked: Path) -> list[Path]:
    """Return the largest JPEG of each folder of backgrounds, those of one folder by name."""
    files = [p for place in BACKGROUNDS for p in sorted((unpacked / place).rglob("*.jpg"))]
    of_folder: dict[Path, list[Path]] = {}
    for path in files:
        if "screenshot" not in path.name:
            of_folder.setdefault(path.parent, []).append(path)
    sized = {"images", "images_dark"}  # one photograph at many sizes
    chosen: list[Path] = []
    for folder, paths in of_folder.items():
        largest = max(paths, key=lambda path: (path.stat().st_size, path.name))
        chosen += [largest] if folder.name in sized else paths
    return chosen


def turned(image: Image.Image, random: np.random.Generator, degrees: float) -> Image.Image:
    """Turn an image, and tilt it in depth."""
    image = image.rotate(random.uniform(-degrees, degrees), Image.Resampling.BICUBIC, expand=True)
    width, height = image.size
    shift = random.uniform(-0.12, 0.12, 8) * np.tile([width, height], 4)
    corners = np.array([0, 0, 0, height, width, height, width, 0]) + shift
    return image.transform(image.size, Image.Transform.QUAD, corners, Image.Resampling.BICUBIC)


def lit(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Change brightness, contrast, saturation and the colour of the light."""
    for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = kind(image).enhance(random.uniform(0.65, 1.35))
    light = random.uniform(0.88, 1.12, 3)
    pixels = (np.asarray(image, np.float32) * light).clip(0, 255)
    return Image.fromarray(pixels.astype(np.uint8))


def ground(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Cut a square out of a photograph, out of focus."""
    side = int(random.uniform(0.25, 0.9) * min(image.size))
    x, y = (int(random.integers(0, size - side + 1)) for size in image.size)
    square = image.crop((x, y, x + side, y + side)).resize((SIDE, SIDE))
    return square.filter(ImageFilter.GaussianBlur(random.uniform(0, 4)))


def objects(unpacked: Path, backs: list[Image.Image]) -> Iterator[tuple[str, Image.Image]]:
    """Yield class and image of ``objects``."""
    stamps = unpacked / "usr/share/tuxpaint/stamps"
    for path in sorted(stamps.rglob("*.png")):
        name = "-".join(path.relative_to(stamps).with_suffix("").parts)
        with Image.open(path) as opened:
            stamp = opened.convert("RGBA")
        if any(word in name for word in LEFT_OUT) or min(stamp.size) < 60:
            continue
        stamp.thumbnail((SIDE, SIDE))
        random = np.random.default_rng(list(name.encode()))
        for _ in range(IMAGES):
            image = ground(backs[random.integers(len(backs))], random)
            thing = turned(stamp, random, 35)
            scale = random.uniform(0.4, 0.85) * SIDE / max(thing.size)
            thing = thing.resize([max(1, int(scale * side)) for side in thing.size])
            place = [int(random.integers(0, SIDE - side + 1)) for side in thing.size]
            image.paste(thing, tuple(place), thing)
            yield name, lit(image, random)


def places(paths: list[Path]) -> Iterator[tuple[str, Image.Image]]:
    """Yield class and image of ``places``: six regions a photograph."""
    for number, path in enumerate(paths):
        with Image.open(path) as opened:
            whole = opened.convert("RGB").resize((1200, 800))
        for region in range(6):
            x, y = 200 + 400 * (region % 3), 200 + 400 * (region // 3)
            random = np.random.default_rng([number, region])
            for _ in range(IMAGES):
                side, dx, dy = random.uniform(220, 400), *random.uniform(-70, 70, 2)
                box = (x + dx - side / 2, y + dy - side / 2, x + dx + side / 2, y + dy + side / 2)
                view = turned(whole.crop([int(edge) for edge in box]), random, 25)
                inner = [int(side * share) for share in (0.15, 0.15, 0.85, 0.85)]
                yield f"{number:03d}-{region}", lit(view.crop(inner).resize((SIDE, SIDE)), random)


def drawings() -> Iterator[tuple[str, Image.Image]]:
    """Yield class and image of ``drawings``."""
    images = load("emoji").train
    for index in range(len(images)):
        name = images.class_names[int(images.labels[index])]
        pixels = over_white(images.images[index][None])[0]  # (3, H, W), 0 … 1
        array = (pixels.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        yield name, Image.fromarray(array)


def write(folder: Path, images: Iterator[tuple[str, Image.Image]], classes: int) -> None:
    """Write JPEG files of random quality, for every so many classes that ``classes`` are left."""
    of_class: dict[str, list[Image.Image]] = {}
    for name, image in images:
        of_class.setdefault(name.replace("/", "-"), []).append(image)
    names = sorted(of_class)
    for name in names[:: max(1, len(names) // classes)][:classes]:
        (folder / name).mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(list(name.encode()))
        for number, image in enumerate(of_class[name]):
            quality = int(random.integers(60, 96))
            image.save(folder / name / f"{number}.jpg", quality=quality)


def main(unpacked: Path, out: Path) -> None:
    """Make the three folders."""
    paths = photographs(unpacked)
    backs = [Image.open(path).convert("RGB").resize((900, 600)) for path in paths]
    write(out / "objects", objects(unpacked, backs), 300)
    write(out / "places", places(paths), 300)
    write(out / "drawings", drawings(), 300)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
