"""A search page on this computer: an image goes in, the nearest of a gallery come out.

    GET  /                the page
    POST /search          body: an image file → the nearest images
    GET  /search/ROW      the nearest images of an image of the gallery
    GET  /image/ROW       a small copy of an image of the gallery

Images are asked for by their row in the index, so no path from outside opens a file. The server
listens on 127.0.0.1 alone. It answers requests that name this address or ``localhost`` as their
host, and no page of another origin, so a page from the internet cannot read the gallery through the
browser of its user.
"""

import asyncio
import io
import json
import socket
import threading
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from html import escape
from http.client import responses
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from recallkit.data.image_files import read_image, read_photograph
from recallkit.data.prefetch import Reading
from recallkit.data.transforms import flattened
from recallkit.errors import RecallkitError
from recallkit.gallery.opening import Gallery
from recallkit.gallery.run import TrainedRun
from recallkit.gallery.searching import nearest
from recallkit.gallery.thumbnails import data_url, image_reader, jpeg

__all__ = ["MOST_BYTES", "SearchSite", "listen", "serve"]

ADDRESS = "127.0.0.1"
MOST_BYTES = 64 * 2**20  # of an image that is sent: no photograph is larger
SIDE = 256  # of small copies, in pixels: twice what the page shows, for fine screens

_PAGE = Path(__file__).parent / "search_page"
_NO_LIMIT = 2**40  # bytes that are read, and thrown away beyond MOST_BYTES, so that we can answer
_KEPT = 2000  # small copies in memory, about 10 kB each
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Server": "recallkit",
}


@dataclass(frozen=True, eq=False)
class SearchSite:
    """The gallery and the run behind the page, which needs no network connection.

    Attributes:
        run: whose network embeds.
        gallery: what is searched.
        name: of the gallery, for the page.
        k: how many images are shown.
    """

    run: TrainedRun
    gallery: Gallery
    name: str
    k: int
    _worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def __len__(self) -> int:
        return len(self.gallery.index)

    @cached_property
    def thumbnail(self) -> Callable[[int], bytes | None]:
        """Give the JPEG of a row, None if its image cannot be read any more."""
        read = image_reader(self.gallery.index, self.gallery.image, SIDE)

        @lru_cache(_KEPT)
        def thumbnail(row: int) -> bytes | None:
            image = read(row)
            return None if image is None else jpeg(image)

        return thumbnail

    def search_upload(self, content: bytes) -> dict[str, Any]:
        """Search with the content of an image file.

        Raises:
            RecallkitError: if it cannot be read as an image.
        """
        shown = data_url(read_image(io.BytesIO(content), SIDE))
        return {"query": {"image": shown}} | self._nearest(self._embedded(content), [])

    def search_row(self, row: int) -> dict[str, Any]:
        """Search with an image of the gallery, which does not find itself."""
        embedding = self.gallery.index.embeddings[row][None]
        return {"query": self._item(row)} | self._nearest(embedding, [row])

    async def in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Do work beside the server, one thing after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    @torch.no_grad()
    def _embedded(self, content: bytes) -> Tensor:
        """Embed an image file as the run reads its own: (1, D)."""
        files, file = self.run.files([], Reading()), io.BytesIO(content)
        if files.fit == "contain":
            image = flattened(read_image(file, files.side)[None])
        else:
            image = read_photograph(file, files.side, files.margin)[None]
        return self.run.network(self.run.transform(image.to(self.run.device))).float().cpu()

    def _nearest(self, embedding: Tensor, left_out: list[int]) -> dict[str, Any]:
        k = min(self.k, len(self) - len(left_out))
        if k < 1:
            return {"results": []}
        similarities, rows = nearest(embedding, self.gallery.index.embeddings, [left_out], k)
        values = zip(rows[0].tolist(), similarities[0].tolist(), strict=True)
        return {"results": [self._item(row) | {"similarity": value} for row, value in values]}

    def _item(self, row: int) -> dict[str, Any]:
        index = self.gallery.index
        return {"row": row, "path": index.paths[row], "class": index.labels[row]}


class _Handler(RequestHandler):
    """The common part of all answers: who may ask, headers, errors as JSON."""

    site: SearchSite
    hosts: frozenset[str]

    def initialize(self, site: SearchSite, hosts: frozenset[str]) -> None:
        self.site, self.hosts = site, hosts

    def prepare(self) -> None:
        origin = self.request.headers.get("Origin")
        if self.request.host.lower() not in self.hosts:
            raise HTTPError(403, reason="the host is not this computer")
        if origin is not None and origin.lower() not in {f"http://{host}" for host in self.hosts}:
            raise HTTPError(403, reason="the page that asks is not that of this server")

    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        reason = error.reason if isinstance(error, HTTPError) else None
        self.answer({"error": reason or responses[status_code]}, status_code)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Leave out what is the asking page's fault; the rest is a fault of ours."""
        if not isinstance(value, HTTPError):
            super().log_exception(typ, value, tb)

    def answer(self, values: dict[str, Any], status: int = 200) -> None:
        """Answer by a JSON object, in ASCII, so that every name survives."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(values))

    def row(self, text: str) -> int:
        """Return the row that was asked for, if there is one."""
        if len(text) > 12 or int(text) >= len(self.site):
            raise HTTPError(404, reason="there is no such image")
        return int(text)


class _Page(_Handler):
    """The page, its script and its style."""

    def get(self, name: str) -> None:
        kinds = {"page.js": "text/javascript", "page.css": "text/css"}
        self.set_header("Content-Type", f"{kinds.get(name, 'text/html')}; charset=utf-8")
        text = (_PAGE / (name or "page.html")).read_text(encoding="utf-8")
        self.finish(text if name else self._filled(text))

    def _filled(self, text: str) -> str:
        values = {
            "GALLERY": escape(self.site.name.encode("utf-8", "replace").decode()),
            "RUN": escape(self.site.run.folder.absolute().name.encode("utf-8", "replace").decode()),
            "IMAGES": f"{len(self.site):,}",
            "LIMIT": str(MOST_BYTES),
        }
        first, *parts = text.split("{{")
        filled = (values[name] + rest for name, _, rest in (part.partition("}}") for part in parts))
        return first + "".join(filled)


@stream_request_body
class _Upload(_Handler):
    """A search with an image that is sent."""

    def prepare(self) -> None:
        super().prepare()
        self.size, self.parts = 0, []

    def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > MOST_BYTES:
            self.parts.clear()
        else:
            self.parts.append(chunk)

    async def post(self) -> None:
        if self.size > MOST_BYTES:
            limit = f"{MOST_BYTES // 2**20} MB"
            self.answer({"error": f"The image is too large: the limit is {limit}."}, 413)
            return
        try:
            found = await self.site.in_thread(self.site.search_upload, b"".join(self.parts))
        except RecallkitError as error:
            text = str(error)
            self.answer({"error": text[:1].upper() + text[1:]}, 400)
        else:
            self.answer(found)


class _Search(_Handler):
    """A search with an image of the gallery."""

    async def get(self, text: str) -> None:
        self.answer(await self.site.in_thread(self.site.search_row, self.row(text)))


class _Thumbnail(_Handler):
    """A small copy of an image of the gallery."""

    async def get(self, text: str) -> None:
        content = await self.site.in_thread(self.site.thumbnail, self.row(text))
        if content is None:
            raise HTTPError(404, reason="the image cannot be read any more")
        self.set_header("Content-Type", "image/jpeg")
        self.finish(content)


class _Nothing(_Handler):
    """Every other address."""

    def prepare(self) -> None:
        super().prepare()
        raise HTTPError(404, reason="there is nothing here")


def listen(site: SearchSite, port: int = 0) -> tuple[HTTPServer, str]:
    """Answer requests on 127.0.0.1 from now on, within a running event loop.

    Args:
        site: what is searched.
        port: 0: any that is free.

    Returns:
        The server, and the address of the page.

    Raises:
        RecallkitError: if the port is taken.
    """
    try:
        opened = socket.create_server((ADDRESS, port))
    except OSError as error:
        raise RecallkitError(
            f"port {port} of {ADDRESS} cannot be used ({error.strerror}): choose another --port"
        ) from error
    opened.setblocking(False)
    port = opened.getsockname()[1]
    options = {"site": site, "hosts": frozenset({f"{ADDRESS}:{port}", f"localhost:{port}"})}
    routes: list[Any] = [
        (r"/(page\.js|page\.css|)", _Page, options),
        (r"/search", _Upload, options),
        (r"/search/([0-9]+)", _Search, options),
        (r"/image/([0-9]+)", _Thumbnail, options),
        (r".*", _Nothing, options),
    ]
    application = Application(routes, log_function=lambda handler: None)
    server = HTTPServer(application, max_body_size=_NO_LIMIT)
    server.add_socket(opened)
    return server, f"http://{ADDRESS}:{port}/"


def serve(site: SearchSite, port: int = 0, browser: bool = True) -> None:
    """Serve the page until Ctrl-C, which ends it quietly.

    Args:
        site: what is searched.
        port: 0: any that is free.
        browser: open the page in the browser of the user.

    Raises:
        RecallkitError: if the port is taken.
    """

    async def run() -> None:
        _, url = listen(site, port)
        print(f"The search page is at {url} (Ctrl-C ends it)", flush=True)
        if browser:  # a browser in the terminal would not return
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        await asyncio.Event().wait()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        print()
