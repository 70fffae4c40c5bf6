"""The search page by plain requests: who may ask, for what, and what comes back."""

import asyncio
import base64
import http.client
import io
import json
import socket
from urllib.parse import urlsplit

import pytest
import torch
from helpers.brute_force import ranking
from helpers.random_run import draw
from helpers.search_server import running, site_of
from PIL import Image
from tornado.log import app_log

from recallkit.errors import RecallkitError
from recallkit.gallery import server


@pytest.fixture
def site(run, photos):
    return site_of(run, photos)


@pytest.fixture
def ask(site):
    """Return a function that sends a request: status, headers and body of the answer."""
    with running(site) as url:
        yield lambda *arguments, **options: request(url, *arguments, **options)


def request(url, path, method="GET", body=None, host=None, **headers):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        own = {"Host": host.format(port=urlsplit(url).port)} if host else {}
        named = {name: value.format(port=urlsplit(url).port) for name, value in headers.items()}
        connection.request(method, path, body, own | named)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def found(answer):
    status, _, body = answer
    assert status == 200, body
    return json.loads(body)["results"]


def error(answer, status):
    assert answer[0] == status
    return json.loads(answer[2])["error"]


def test_an_upload_finds_the_nearest_in_order(ask, site, run, tmp_path):
    query = draw(tmp_path / "query.png", 99)
    index = site.gallery.index
    [embedding] = run.embed(query)
    order, values = ranking(embedding.tolist(), index.embeddings.tolist())
    results = found(ask("/search", "POST", query.read_bytes()))
    assert [one["row"] for one in results] == order[:24]
    assert [one["similarity"] for one in results] == pytest.approx(values[:24], abs=1e-6)
    for one in results:
        assert (one["path"], one["class"]) == (index.paths[one["row"]], index.labels[one["row"]])


def test_an_upload_of_an_image_of_the_gallery_finds_it(ask, site):
    for row in (0, 13):
        results = found(ask("/search", "POST", site.gallery.index.file(row).read_bytes()))
        assert results[0]["row"] == row
        assert results[0]["similarity"] == pytest.approx(1, abs=1e-6)


def test_an_image_of_the_gallery_does_not_find_itself(ask, site):
    embeddings = site.gallery.index.embeddings.tolist()
    results = found(ask("/search/5"))
    assert [one["row"] for one in results] == ranking(embeddings[5], embeddings, left_out=5)[0]
    assert len(results) == 23


def test_no_more_images_than_asked_for(run, photos):
    with running(site_of(run, photos, k=3)) as url:
        assert len(found(request(url, "/search/0"))) == 3


def test_a_gallery_of_one_image(run, tmp_path):
    draw(tmp_path / "one" / "only.png", 1)
    with running(site_of(run, tmp_path / "one")) as url:
        assert found(request(url, "/search/0")) == []
        assert len(found(request(url, "/search", "POST", (tmp_path / "one/only.png").read_bytes())))


def test_the_query_comes_back_as_it_was_decoded(ask, tmp_path):
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    _, _, body = ask("/search", "POST", (tmp_path / "clear.png").read_bytes())
    head, _, data = json.loads(body)["query"]["image"].partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.size == (256, 256)
        assert image.getpixel((128, 128)) == (255, 255, 255)


def test_thumbnails(ask, photos):
    status, headers, body = ask("/image/0")
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(body)) as image, Image.open(photos / "class 0" / "0.png") as file:
        assert image.size == (256, 256)
        # the middle of one of its blocks
        shown, original = image.getpixel((96, 101)), file.convert("RGB").getpixel((9, 7))
    assert max(abs(a - b) for a, b in zip(shown, original, strict=True)) < 40


def test_an_image_that_is_gone_is_told(ask, photos):
    (photos / "class 1" / "1.png").unlink()
    assert "cannot be read any more" in error(ask("/image/4"), 404)
    assert found(ask("/search/4"))  # its embedding is in the index


NOT_SERVED = [
    "/image/24",
    "/image/-1",
    "/image/99999999999999999999999999999999999999",
    "/image/../../../../etc/passwd",
    "/image/..%2f..%2fetc%2fpasswd",
    "/image/%2e%2e/secret.png",
    "/image//etc/passwd",
    "/image/0/../../secret.png",
    "/image/0%00",
    "/image/class%200/0.png",
    "/image/",
    "/image/1.0",
    "/image/%D9%A3",
    "/search/24",
    "/search/x",
    "/page.html",
    "/../server.py",
    "/page.js/../../server.py",
    "/%2e%2e/server.py",
    "//etc/passwd",
    "/secret.png",
]


def test_nothing_but_rows_is_served(ask, photos):
    draw(photos.parent / "secret.png", 1)
    for path in NOT_SERVED:
        assert error(ask(path), 404), path


def test_another_host_is_refused(ask):
    evil = ("evil.example", "evil.example:{port}", "localhost.evil:80")
    for host in (*evil, "127.0.0.1", "127.0.0.1:1"):
        for path in ("/", "/image/0", "/search/0", "/page.js", "/none"):
            assert "host" in error(ask(path, host=host), 403)


def test_the_names_of_this_computer_are_accepted(ask):
    for host in ("127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}"):
        assert ask("/", host=host)[0] == 200


def test_pages_of_other_origins_are_refused(ask, photos):
    image = (photos / "class 0" / "0.png").read_bytes()
    for origin in ("http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"):
        assert "page that asks" in error(ask("/search", "POST", image, Origin=origin), 403)
    assert found(ask("/search", "POST", image, Origin="http://127.0.0.1:{port}"))


NO_IMAGES = [
    *(b"", b"no image", b"\x89PNG\r\n\x1a\n", b"GIF89a"),
    *(b"%!PS-Adobe-3.0 EPSF-3.0", b"<svg></svg>", b"\xff\xd8\xff"),
]


def test_what_is_no_image_is_told(ask):
    for content in NO_IMAGES:
        text = error(ask("/search", "POST", content), 400)
        assert text.startswith("The image")
        assert "\n" not in text


def test_an_image_of_too_many_pixels_is_refused(ask):
    header = b"P5 100000 100000 255\n"
    assert "too large" in error(ask("/search", "POST", header + bytes(10)), 400)


def test_what_is_too_large_is_told(ask, monkeypatch, photos):
    image = (photos / "class 0" / "0.png").read_bytes()
    monkeypatch.setattr(server, "MOST_BYTES", 3 * 2**20)
    assert found(ask("/search", "POST", image + bytes(3 * 2**20 - len(image))))
    assert "the limit is 3 MB" in error(ask("/search", "POST", bytes(3 * 2**20 + 1)), 413)
    chunks = iter([bytes(2**20)] * 4)  # without a length
    assert "the limit is 3 MB" in error(ask("/search", "POST", chunks), 413)


def test_wrong_methods(ask):
    for method, path in (
        ("POST", "/image/0"),
        ("PUT", "/search"),
        ("DELETE", "/"),
        ("GET", "/search"),
    ):
        assert error(ask(path, method), 405)


def test_a_fault_of_the_server_is_told_without_its_inside(ask, monkeypatch):
    def fail(self, row):
        raise RuntimeError("secret")

    told = []
    monkeypatch.setattr(server.SearchSite, "search_row", fail)
    # Whatever ran before in this process may have switched tornado's loggers off.
    monkeypatch.setattr(app_log, "error", lambda *_, exc_info: told.append(str(exc_info[1])))
    assert error(ask("/search/0"), 500) == "Internal Server Error"
    assert told == ["secret"]  # for who runs it
    assert ask("/")[0] == 200


def test_the_page_may_load_nothing_from_elsewhere(ask):
    for path in ("/", "/page.js", "/image/0", "/search/0", "/none"):
        _, headers, _ = ask(path)
        rules = headers["Content-Security-Policy"]
        assert "default-src 'none'" in rules
        assert "unsafe" not in rules
        assert "http" not in rules
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in headers


def test_names_are_escaped_in_the_page(run, photos):
    folder = photos.rename(photos.parent / '<script>alert(1)<∕script> & "x" {{RUN}}')
    with running(site_of(run, folder)) as url:
        text = request(url, "/")[2].decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;∕script&gt; &amp; &quot;x&quot; {{RUN}}" in text
    assert "24 images" in text


def test_names_survive_as_they_are(run, photos):
    name = "שלום $x$ <b>\n😀"
    (photos / "class 3").rename(photos / name)
    with running(site_of(run, photos)) as url:
        assert name in {one["class"] for one in found(request(url, "/search/0"))}


def test_the_server_listens_on_one_address(site):
    with running(site) as url:
        assert url.startswith("http://127.0.0.1:")
        with pytest.raises(OSError, match=r"refused|unreachable|assign|timed out"):
            socket.create_connection(("127.0.0.2", urlsplit(url).port), timeout=5)


def test_a_port_that_is_taken_is_told(site):
    async def listen(port):
        server.listen(site, port)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RecallkitError, match=rf"port {port} .*--port"):
            asyncio.run(listen(port))


def test_uploads_are_cropped_where_the_run_crops(run, photos, monkeypatch):
    """The images of benchmarks are read as their middle square."""
    site, files = site_of(run, photos), run.files

    def cropped(paths, reading):
        squares = files(paths, reading)
        return type(squares)(squares.paths, squares.side, "crop", 1 / 16, reading=reading)

    file = photos / "class 2" / "0.png"
    whole = site.search_upload(file.read_bytes())["results"][0]["similarity"]
    monkeypatch.setattr(type(run), "files", lambda self, *arguments: cropped(*arguments))
    [embedding] = run.embed(file)
    results = site.search_upload(file.read_bytes())["results"]
    expected = (site.gallery.index.embeddings @ embedding).max()
    assert results[0]["similarity"] == pytest.approx(expected.item(), abs=1e-6)
    assert whole == pytest.approx(1, abs=1e-6)
    assert not torch.isclose(expected, torch.tensor(1.0), atol=1e-4)
