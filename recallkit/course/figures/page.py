"""A search as a page of HTML that needs nothing else: no server, no script, no other file."""

import base64
import io
import unicodedata
from collections.abc import Mapping, Sequence
from html import escape

import torch
from PIL import Image
from torch import Tensor

from recallkit.data.image_set import ImageSet
from recallkit.data.transforms import over_white
from recallkit.plots.style import BLUE, VERMILION

# A notebook that is not trusted drops the style sheet, disables boxes, and keeps inline styles. So
# the page is laid out inline, and the box is hidden where nothing could make it work.
_STYLE = """
.searches .tick { display: inline-block !important; min-height: 24px; line-height: 24px; }
.searches .misses { width: 24px; height: 24px; margin: 0 6px 0 0; vertical-align: middle; }
.searches .misses:checked ~ .found { display: none !important; }
"""
_PAGE = "font: 14px/1.4 sans-serif; max-width: 60em"
_LIST = "display: flex; flex-wrap: wrap; gap: 6px 2px; padding: 0; list-style: none"
_ITEM = "width: 88px; text-align: center; font-size: 11px; overflow-wrap: anywhere"
_FRAMES = {"query": "3px solid transparent", "right": f"3px solid {BLUE}"}
_FRAMES["wrong"] = f"3px dashed {VERMILION}"
_SIDE = 72  # of an image, in pixels


def search_page(
    title: str,
    images: ImageSet,
    queries: Sequence[int],
    neighbours: Tensor,
    similarities: Tensor,
    metrics: Mapping[str, float] | None = None,
) -> str:
    """Queries and their nearest images, as one page.

    Right images have a solid blue frame and ✓, wrong ones a dashed vermilion frame and ✗. A tick
    box hides the queries whose nearest image is right.

    Args:
        title: of the page.
        images: the queries and the gallery.
        queries: R indices to show.
        neighbours: (R, k) int64, nearest first.
        similarities: (R, k), printed under the images.
        metrics: name → 0 … 1, printed in percent above the searches.

    Returns:
        A whole HTML document that contains the images. All names are escaped. It keeps its looks in
        a notebook that is not trusted; there the tick box is not shown.
    """
    rows = [
        _row(images, query, neighbours[row].tolist(), similarities[row].tolist())
        for row, query in enumerate(queries)
    ]
    numbers = " · ".join(f"{_text(n)} {100 * v:.1f} %" for n, v in (metrics or {}).items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{_text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<div class="searches" style="{_PAGE}">
<h1>{_text(title)}</h1>
<p>{numbers}</p>
<input type="checkbox" class="misses tick" id="misses" style="display: none">
<label class="tick" for="misses" style="display: none">only misses</label>
{"".join(rows)}</div>
</body>
</html>
"""


def _row(images: ImageSet, query: int, nearest: Sequence[int], values: Sequence[float]) -> str:
    """The query, and its nearest images."""
    answers, rights = "", [bool(images.labels[i] == images.labels[query]) for i in nearest]
    for item, value, right in zip(nearest, values, rights, strict=True):
        kind, sign = ("right", "✓") if right else ("wrong", "✗")
        answers += _item(images, item, kind, f"{sign} {value:.2f} ")
    kind = "found" if rights[0] else "missed"
    query_item = _item(images, query, "query", "query: ")
    return f'<ol class="{kind}" style="{_LIST}">\n{query_item}{answers}</ol>\n'


def _item(images: ImageSet, item: int, kind: str, before: str) -> str:
    name, image = _text(images.name(item)), images.images[item]
    side = "width" if image.shape[2] >= image.shape[1] else "height"
    style = f"{side}: {_SIDE}px; background: white; padding: 3px; border: {_FRAMES[kind]}"
    source = f"data:image/webp;base64,{_encoded(image)}"
    return (
        f'<li class="{kind}" style="{_ITEM}"><img src="{source}" alt="{name}" style="{style}"><br>'
        f"{before}<bdi>{name}</bdi></li>\n"
    )


def _text(name: str) -> str:
    """A name as text of a page: it is no tag, and what no file can hold is a question mark."""
    kept = "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in name)
    return escape(kept.encode("utf-8", "replace").decode(), quote=True)


def _encoded(image: Tensor) -> str:
    """An image (C, H, W) uint8 over white, as WebP in base64: about 2 kB at 64 pixels."""
    pixels = (over_white(image[None])[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=80)
    return base64.b64encode(file.getvalue()).decode()
