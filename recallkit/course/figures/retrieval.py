"""A search as a page of HTML that needs nothing else: no server, no script, no file beside it."""

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import torch
from PIL import Image
from torch import Tensor

from recallkit.data.image_set import ImageSet
from recallkit.data.transforms import over_white
from recallkit.plots.style import BLUE, CYCLE, GREY, LINES, MARKERS, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_STYLE = f"""
.searches {{ font: 14px/1.4 system-ui, sans-serif; max-width: 60em; }}
.searches ol {{ display: flex; flex-wrap: wrap; gap: 6px; padding: 0; list-style: none; }}
.searches li {{ width: 84px; text-align: center; font-size: 11px; overflow-wrap: anywhere; }}
.searches img {{ width: 72px; height: 72px; object-fit: contain; background: white; padding: 3px; }}
.searches .query img {{ border: 3px solid transparent; }}
.searches .right img {{ border: 3px solid {BLUE}; }}
.searches .wrong img {{ border: 3px dashed {VERMILION}; }}
.searches .misses:checked ~ .found {{ display: none; }}
"""


def search_page(
    title: str,
    images: ImageSet,
    queries: Sequence[int],
    neighbours: Tensor,
    similarities: Tensor,
    metrics: Mapping[str, float] | None = None,
) -> str:
    """Queries, and what was found for each, as one page.

    Right ones have a solid blue frame and ✓, wrong ones a dashed vermilion frame and ✗. A box
    to tick leaves only the queries whose nearest is wrong.

    Args:
        title: of the page.
        images: the queries and the gallery.
        queries: R indices to show.
        neighbours: (R, k) int64, nearest first.
        similarities: (R, k), printed under the pictures.
        metrics: name → 0 … 1, printed in percent above the searches.

    Returns:
        A whole HTML document, pictures inside. All names are escaped.
    """
    rows = [
        _search(images, query, neighbours[row].tolist(), similarities[row].tolist())
        for row, query in enumerate(queries)
    ]
    numbers = " · ".join(f"{escape(n)} {100 * v:.1f} %" for n, v in (metrics or {}).items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main class="searches">
<h1>{escape(title)}</h1>
<p>{numbers}</p>
<input type="checkbox" class="misses" id="misses"> <label for="misses">only misses</label>
{"".join(rows)}</main>
</body>
</html>
"""


def _search(images: ImageSet, query: int, found: Sequence[int], values: Sequence[float]) -> str:
    """One row: the query, and its answers."""
    answers, rights = "", [bool(images.labels[i] == images.labels[query]) for i in found]
    for item, value, right in zip(found, values, rights, strict=True):
        kind, sign = ("right", "✓") if right else ("wrong", "✗")
        answers += _picture(images, item, kind, f"{sign} {value:.2f} ")
    kind = "found" if rights[0] else "missed"
    return f'<ol class="{kind}">\n{_picture(images, query, "query", "query: ")}{answers}</ol>\n'


def _picture(images: ImageSet, item: int, kind: str, before: str) -> str:
    name = escape(images.name(item), quote=True)
    source = f"data:image/webp;base64,{_encoded(images.images[item])}"
    return f'<li class="{kind}"><img src="{source}" alt="{name}"><br>{before}{name}</li>\n'


def _encoded(image: Tensor) -> str:
    """(C, H, W) uint8 over white, as WebP in base64: about 2 kB at 64 pixels."""
    pixels = (over_white(image[None])[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=80)
    return base64.b64encode(file.getvalue()).decode()


_GAP = 0.08  # of white around a picture, as a share of its side


_LEFT, _RIGHT, _TOP, _BOTTOM = 1.35, 0.1, 0.45, 0.1  # inches around the pictures, for names


def plot_classes(images: ImageSet, classes: Sequence[int], most: int = 8) -> "tuple[Figure, Axes]":
    """A row for each class, a column for each source; what a source has not is left blank.

    Without sources, the images of a class stand in the order of the set.

    Args:
        images: where they come from.
        classes: R labels to show.
        most: images of a class to show, the first ones.

    Returns:
        The figure, and its axes.
    """
    members = [(images.labels == label).nonzero()[:most, 0].tolist() for label in classes]
    sources = sorted({images.sources[i] for row in members for i in row}) if images.sources else []
    width = len(sources) or max(len(row) for row in members)
    tiles = {
        (row, sources.index(images.sources[item]) if sources else place): images.images[item]
        for row, items in enumerate(members)
        for place, item in enumerate(items)
    }
    fig, ax = _mosaic(tiles, rows=len(classes), columns=width)
    names = [textwrap.fill(images.class_names[label], 18) for label in classes]
    ax.set_yticks(range(len(classes)), names, fontsize=8)
    ax.set_xticks(range(len(sources)), [s.replace("-", "-\n", 1) for s in sources], fontsize=8)
    return fig, ax


def plot_searches(
    images: ImageSet, queries: Sequence[int], found: Mapping[str, Tensor], k: int = 8
) -> "tuple[Figure, Axes]":
    """Each query, and what several embeddings find nearest to it, a row for each embedding.

    Right ones have a solid blue frame and ✓, wrong ones a dashed vermilion frame and ✗.

    Args:
        images: the queries and the gallery.
        queries: indices to show.
        found: name of the embedding → (N, K) int64, the neighbours of all images, nearest first.
        k: how many of them to show, at most K.

    Returns:
        The figure, and its axes. The row of embedding e for query q is q·len(found) + e; rows are
        named after the embeddings, or, if there is but one, after the queries.
    """
    rows = [(query, name) for query in queries for name in found]
    nearest = torch.stack([found[name][query, :k] for query, name in rows])  # (rows, k)
    tiles = {
        (row, place + 1): images.images[item]
        for row, items in enumerate(nearest.tolist())
        for place, item in enumerate(items)
    }
    tiles |= {(q * len(found), 0): images.images[query] for q, query in enumerate(queries)}
    fig, ax = _mosaic(tiles, rows=len(rows), columns=k + 1)
    own = images.labels[[query for query, _ in rows]]
    _mark(ax, images.labels[nearest] == own[:, None])
    names = [_short(images.name(query), width=15) for query in queries]
    if len(found) == 1:  # no room under the query
        ax.set_yticks(range(len(rows)), names, fontsize=8)
    else:
        ax.set_yticks(range(len(rows)), [name for _, name in rows], fontsize=9)
        for q, name in enumerate(names):
            ax.text(-0.46, q * len(found) + 0.5, name, fontsize=7, va="top")
    ax.set_xticks(range(k + 1), ["query", *map(str, range(1, k + 1))], fontsize=9)
    for row in range(len(found), len(rows), len(found)):
        ax.axhline(row - 0.5, color=GREY, linewidth=0.5)
    return fig, ax


def plot_answers(
    query: Tensor, gallery: ImageSet, found: Mapping[str, Tensor]
) -> "tuple[Figure, Axes]":
    """A picture without a label, and what each embedding finds for it, with names.

    Args:
        query: (C, S, S) uint8.
        gallery: what was searched.
        found: name of the embedding → (k,) int64 indices into the gallery, nearest first.

    Returns:
        The figure, and its axes. The row of embedding e is at the height e·1.35.
    """
    tiles = {(0, 0): query}
    for row, items in enumerate(found.values()):
        tiles |= {(row, p + 1): gallery.images[item] for p, item in enumerate(items.tolist())}
    k = max(len(items) for items in found.values())
    fig, ax = _mosaic(tiles, rows=len(found), columns=k + 1, below=0.35)
    for row, items in enumerate(found.values()):
        for place, item in enumerate(items.tolist(), start=1):
            name = _short(gallery.class_names[int(gallery.labels[item])], width=13)
            ax.text(place, row * 1.35 + 0.48, name, fontsize=7, va="top", ha="center")
    ax.set_yticks([row * 1.35 for row in range(len(found))], list(found), fontsize=9)
    ax.set_xticks(range(k + 1), ["query", *map(str, range(1, k + 1))], fontsize=9)
    return fig, ax


def plot_class_recalls(recalls: Mapping[str, Tensor]) -> "tuple[Figure, Axes]":
    """The R@1 of all classes, each line's in its own order, a line for each embedding.

    Args:
        recalls: name of the embedding → (C,) R@1 of each class, 0 … 1.

    Returns:
        The figure, and its axes: the classes across, the easiest first, their R@1 upwards.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for (name, values), colour, line in zip(recalls.items(), CYCLE, LINES, strict=False):
        ordered = values.sort(descending=True).values
        share = [100 * (place + 1) / len(ordered) for place in range(len(ordered))]
        ax.plot(share, 100 * ordered, color=colour, linestyle=line, label=name)
    ax.set(xlabel="classes, the easiest first (%)", ylabel="R@1 of the class (%)")
    ax.set(xlim=(0, 100), ylim=(-3, 103), title="Easy classes and hard ones")
    ax.legend(loc="upper right")
    return fig, ax


def plot_class_sizes(sizes: Mapping[str, Sequence[int]]) -> "tuple[Figure, Axes]":
    """How many classes have how many images, a bar for each part of a data set.

    Args:
        sizes: name of the part → the number of images of each of its classes.

    Returns:
        The figure, and its axes. The bars of a part are one container, in the order of the parts.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
    across = sorted({size for part in sizes.values() for size in part})
    width = 0.8 / len(sizes)
    for i, (name, part) in enumerate(sizes.items()):
        places = [at + (i - (len(sizes) - 1) / 2) * width for at in range(len(across))]
        counts = [list(part).count(size) for size in across]
        hatch = ("", "///", "...")[i % 3]
        style = {"color": CYCLE[i], "hatch": hatch, "edgecolor": "white"}
        bars = ax.bar(places, counts, width, label=f"{name}: {len(part)} classes", **style)
        ax.bar_label(bars, [str(n) if n else "" for n in counts], fontsize=7)
    ax.set_xticks(range(len(across)), [str(size) for size in across])
    ax.set(xlabel="images in a class", ylabel="classes", title="How large the classes are")
    ax.legend()
    return fig, ax


def plot_use(sizes: Sequence[int], used: Mapping[str, Sequence[int]]) -> "tuple[Figure, Axes]":
    """How often a sampler takes an image of each class, beside the class's size.

    Args:
        sizes: (C,) images of each class.
        used: what they are used for → (C,) how many were taken of each class.

    Returns:
        The figure, and its axes: the sizes as bars, the rest as markers beside each other.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
    places = range(len(sizes))
    ax.bar(places, sizes, color="#DDDDDD", label="images in the folder")
    for i, (name, counts) in enumerate(used.items()):
        beside = [place + 0.3 * (i - (len(used) - 1) / 2) for place in places]
        look = {"color": CYCLE[i], "marker": MARKERS[i], "linestyle": "none"}
        ax.plot(beside, counts, label=name, **look)
    ax.set(xlabel="class", ylabel="images", title="Which images a training sees")
    ax.set_xticks(places, [str(place) for place in places], fontsize=8)
    ax.legend()
    return fig, ax


def _mosaic(
    tiles: Mapping[tuple[int, int], Tensor], rows: int, columns: int, below: float = 0.0
) -> "tuple[Figure, Axes]":
    """Pictures (C, S, S) at their (row, column), the centre of each a unit from the next.

    ``below`` leaves room under each picture, a share of its side; rows are then 1 + below apart.
    """
    import matplotlib.pyplot as plt

    side = next(iter(tiles.values())).shape[-1]
    gap = round(_GAP * side)
    width, height = side + 2 * gap, round((side + 2 * gap) * (1 + below))
    canvas = torch.ones(3, rows * height, columns * width)
    for (row, column), picture in tiles.items():
        top, left = row * height + gap, column * width + gap
        canvas[:, top : top + side, left : left + side] = over_white(picture[None])[0]
    inch = min(0.8, 7.6 / columns)
    wide, high = inch * columns, inch * (1 + below) * rows
    fig = plt.figure(figsize=(_LEFT + wide + _RIGHT, _TOP + high + _BOTTOM))
    size = fig.get_size_inches()
    ax = fig.add_axes((_LEFT / size[0], _BOTTOM / size[1], wide / size[0], high / size[1]))
    extent = (-0.5, columns - 0.5, rows * (1 + below) - 0.5, -0.5)
    ax.imshow(canvas.permute(1, 2, 0).numpy(), extent=extent, aspect="auto")
    ax.autoscale(False)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return fig, ax


def _mark(ax: "Axes", rights: Tensor) -> None:
    """Frame and sign at (column + 1, row) of ``rights`` (rows, k): told by colour, line and sign.

    All frames of a kind are one collection and all signs one line, which draws faster than each.
    """
    from matplotlib.collections import PolyCollection

    corners = 0.46 * torch.tensor([(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)])
    for right, sign, colour, style in ((True, "✓", BLUE, "-"), (False, "✗", VERMILION, "--")):
        row, column = (rights == right).nonzero().T
        centres = torch.stack([column + 1, row], dim=1)  # (n, 2)
        look = {"edgecolor": colour, "linestyle": style, "linewidth": 2, "facecolor": "none"}
        ax.add_collection(PolyCollection((centres[:, None] + corners).numpy(), **look))
        where = (centres + 0.31).T.tolist()
        ax.plot(*where, marker="s", color="white", alpha=0.85, markersize=11, linestyle="none")
        ax.plot(*where, marker=f"${sign}$", color=colour, markersize=8, linestyle="none")


def _short(name: str, width: int) -> str:
    """``name`` on two lines of at most ``width`` letters."""
    short = textwrap.shorten(name, 2 * width - 2, placeholder=" …")
    return textwrap.fill(short, width, break_long_words=False)
