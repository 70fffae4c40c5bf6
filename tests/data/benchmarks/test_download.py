"""Downloading from a server on this machine: checked, and unpacked inside its folder."""

import hashlib
import io
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from recallkit.data.benchmarks.download import Archive, fetch
from recallkit.errors import RecallkitError


def tar_of(*entries):
    """A .tgz of (name, content); content may also be the link that an entry is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


BIRDS = tar_of(("birds/images.txt", b"1 a.jpg\n"), ("birds/a.jpg", bytes(range(256)) * 40))


class Handler(BaseHTTPRequestHandler):
    """Serves the server's content, perhaps breaking off."""

    def do_GET(self):
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: self.server.break_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.content, server.break_after = 0, BIRDS, None
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def archive_of(server, md5=None):
    md5 = hashlib.md5(server.content).hexdigest() if md5 is None else md5
    return Archive(f"http://127.0.0.1:{server.server_port}/files/birds.tgz", md5, "birds")


def test_downloaded_checked_and_unpacked(server, tmp_path):
    folder = fetch(archive_of(server), tmp_path / "new")
    assert folder == tmp_path / "new" / "birds"
    assert (folder / "images.txt").read_bytes() == b"1 a.jpg\n"
    asked = server.asked
    fetch(archive_of(server), tmp_path / "new")
    assert server.asked == asked  # what is there is not downloaded again


def test_a_broken_download_is_named_and_done_again(server, tmp_path):
    server.break_after = 100
    with pytest.raises(RecallkitError, match="Run the same command again"):
        fetch(archive_of(server), tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.break_after = None
    assert (fetch(archive_of(server), tmp_path) / "images.txt").exists()


def test_another_file_than_the_published_one_is_refused(server, tmp_path):
    with pytest.raises(RecallkitError, match=r"that its makers publish \(MD5 0{32}\)"):
        fetch(archive_of(server, md5="0" * 32), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_connection_is_one_line(server, tmp_path):
    archive = archive_of(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(RecallkitError, match="cannot be downloaded into"):
        fetch(archive, tmp_path)


def test_without_torchvision_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchvision.datasets.utils", None)
    with pytest.raises(RecallkitError, match=r"pip install \"recallkit\[train\]\""):
        fetch(Archive("http://127.0.0.1/birds.tgz", "", "birds"), tmp_path)


def test_a_truncated_archive_is_named(server, tmp_path):
    server.content = BIRDS[: len(BIRDS) // 2]
    with pytest.raises(RecallkitError, match=r"birds\.tgz cannot be unpacked .*truncated"):
        fetch(archive_of(server), tmp_path)


@pytest.mark.parametrize(
    "entry",
    [
        ("../escaped", b"text"),
        ("a/../../escaped", b"text"),
        ("link", "../.."),
        ("link", "/etc/passwd"),
    ],
)
def test_no_entry_leaves_the_folder(server, tmp_path, entry):
    server.content = tar_of(entry)
    with pytest.raises(RecallkitError, match=r"birds\.tgz is refused"):
        fetch(archive_of(server), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["birds.tgz"]


def test_an_absolute_name_becomes_relative(server, tmp_path):
    server.content = tar_of(("/tmp/recallkit-escaped", b"text"))
    fetch(archive_of(server), tmp_path)
    assert (tmp_path / "tmp" / "recallkit-escaped").read_bytes() == b"text"
