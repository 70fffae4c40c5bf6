"""Fetching from a server on this machine: resumed, checked, unpacked inside its folder."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from recallkit.data.benchmarks.download import Archive, fetch, unpack
from recallkit.errors import RecallkitError


def tar_of(files, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


CONTENT = tar_of({"birds/images.txt": b"1 a.jpg\n", "birds/a.jpg": bytes(range(256)) * 40})


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT, with or without Range, perhaps breaking off."""

    ranges, break_after = True, None
    asked: list[str | None]

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.break_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.ranges, server.break_after = [], True, None
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def archive_of(server, md5=None):
    md5 = md5 or hashlib.md5(CONTENT).hexdigest()
    return Archive(f"http://127.0.0.1:{server.server_port}/birds.tgz", md5, "birds")


def test_fetched_checked_and_unpacked(server, tmp_path):
    folder = fetch(archive_of(server), tmp_path / "new")
    assert folder == tmp_path / "new" / "birds"
    assert (folder / "images.txt").read_bytes() == b"1 a.jpg\n"
    assert not (tmp_path / "new" / "birds.tgz.part").exists()
    fetch(archive_of(server), tmp_path / "new")
    assert server.asked == [None]  # what is there is not fetched again


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_is_resumed(server, tmp_path, ranges):
    server.break_after, server.ranges = 100, ranges
    with pytest.raises(RecallkitError, match="run the same command again to go on"):
        fetch(archive_of(server), tmp_path)
    assert (tmp_path / "birds.tgz.part").stat().st_size == 100
    assert not (tmp_path / "birds.tgz").exists()
    server.break_after = None
    fetch(archive_of(server), tmp_path)
    assert server.asked == [None, "bytes=100-"]
    assert (tmp_path / "birds.tgz").read_bytes() == CONTENT


def test_a_whole_part_is_not_asked_for_again(server, tmp_path):
    (tmp_path / "birds.tgz.part").write_bytes(CONTENT)
    assert (fetch(archive_of(server), tmp_path) / "images.txt").exists()


def test_another_file_than_the_published_one_is_refused(server, tmp_path):
    with pytest.raises(RecallkitError, match=r"was not the file that its makers publish \(md5"):
        fetch(archive_of(server, md5="0" * 32), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_connection_is_one_line(server, tmp_path):
    archive = archive_of(server)
    server.shutdown()
    server.server_close()
    with pytest.raises(RecallkitError, match="cannot be fetched into"):
        fetch(archive, tmp_path)


def test_a_truncated_archive_is_named(tmp_path):
    (tmp_path / "cut.tgz").write_bytes(CONTENT[: len(CONTENT) // 2])
    with pytest.raises(RecallkitError, match=r"cut\.tgz cannot be unpacked .*truncated"):
        unpack(tmp_path / "cut.tgz", tmp_path / "out")
    (tmp_path / "cut.zip").write_bytes(zip_of({"a/b.txt": b"x" * 1000})[:300])
    with pytest.raises(RecallkitError, match=r"cut\.zip cannot be unpacked"):
        unpack(tmp_path / "cut.zip", tmp_path / "out")


def zip_of(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_zip_is_unpacked(tmp_path):
    (tmp_path / "good.zip").write_bytes(zip_of({"a/": b"", "a/b.txt": b"text"}))
    unpack(tmp_path / "good.zip", tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b.txt").read_bytes() == b"text"


@pytest.mark.parametrize("make", [tar_of, zip_of])
@pytest.mark.parametrize("name", ["../escaped", "/tmp/recallkit-escaped", "a/../../escaped"])
def test_no_entry_leaves_the_folder(tmp_path, make, name):
    (tmp_path / "bad").write_bytes(make({name: b"text"}))
    (tmp_path / "out").mkdir()
    if make is tar_of and name.startswith("/"):  # tarfile makes an absolute name relative
        unpack(tmp_path / "bad", tmp_path / "out")
        assert (tmp_path / "out" / name[1:]).exists()
    else:
        with pytest.raises(RecallkitError, match="bad is refused"):
            unpack(tmp_path / "bad", tmp_path / "out")
    assert not (tmp_path / "escaped").exists()


def test_no_link_leaves_the_folder(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "../.."
        archive.addfile(entry)
    (tmp_path / "bad.tar").write_bytes(buffer.getvalue())
    with pytest.raises(RecallkitError, match=r"bad\.tar is refused"):
        unpack(tmp_path / "bad.tar", tmp_path / "out")
