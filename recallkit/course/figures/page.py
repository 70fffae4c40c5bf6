"""A search as a page of HTML that needs nothing else: no server, no script, no other file."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import torch
from PIL import Image
from torch import Tensor

from recallkit.data.image_set import ImageSet
from recallkit.data.transforms import over_white
from recallkit.plots.style import BLUE, VERMILION

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
        A whole HTML document that contains the images. All names are escaped.
    """
    rows = [
        _row(images, query, neighbours[row].tolist(), similarities[row].tolist())
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


def _row(images: ImageSet, query: int, nearest: Sequence[int], values: Sequence[float]) -> str:
    """The query, and its nearest images."""
    answers, rights = "", [bool(images.labels[i] == images.labels[query]) for i in nearest]
    for item, value, right in zip(nearest, values, rights, strict=True):
        kind, sign = ("right", "✓") if right else ("wrong", "✗")
        answers += _item(images, item, kind, f"{sign} {value:.2f} ")
    kind = "found" if rights[0] else "missed"
    return f'<ol class="{kind}">\n{_item(images, query, "query", "query: ")}{answers}</ol>\n'


def _item(images: ImageSet, item: int, kind: str, before: str) -> str:
    name = escape(images.name(item), quote=True)
    source = f"data:image/webp;base64,{_encoded(images.images[item])}"
    return f'<li class="{kind}"><img src="{source}" alt="{name}"><br>{before}{name}</li>\n'


def _encoded(image: Tensor) -> str:
    """An image (C, H, W) uint8 over white, as WebP in base64: about 2 kB at 64 pixels."""
    pixels = (over_white(image[None])[0] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=80)
    return base64.b64encode(file.getvalue()).decode()
