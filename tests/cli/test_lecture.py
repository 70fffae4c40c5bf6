"""``recallkit lecture``: builds what is missing, and opens the chapter."""

import pytest

from recallkit import cli
from recallkit.cli import lecture as command


@pytest.fixture
def opened(monkeypatch):
    """Collect what a browser would open."""
    urls = []
    monkeypatch.setattr(command.webbrowser, "open", lambda url: urls.append(url) or True)
    return urls


def test_it_opens_the_chapter_of_a_book_that_is_there(book, opened, capsys):
    made = (book / "index.html").stat().st_mtime_ns
    cli.main(["lecture", "01", "--out", str(book)])
    [url] = opened
    assert url == (book / "lecture" / "01_relaxed_ranking.html").as_uri()
    assert "Escape leaves" in capsys.readouterr().out
    assert (book / "index.html").stat().st_mtime_ns == made


def test_it_builds_a_book_that_is_missing_or_of_another_version(tmp_path, opened, monkeypatch):
    from recallkit.course import book

    built = []
    monkeypatch.setattr(book, "build_book", built.append)
    cli.main(["lecture", "06_batch_size", "--out", "public", "--no-browser"])
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / book.MARK).write_text("0.0.1\n")
    cli.main(["lecture", "06_batch_size", "--out", "public", "--no-browser"])
    assert [path.name for path in built] == ["public", "public"]
    assert opened == []


def test_without_a_browser_it_tells_what_to_open(book, monkeypatch, capsys):
    monkeypatch.setattr(command.webbrowser, "open", lambda url: False)
    cli.main(["lecture", "01", "--out", str(book)])
    assert "no browser was found. Open " in capsys.readouterr().out


def test_it_needs_one_chapter(failing, tmp_path):
    assert "there is no notebook 'x'" in failing("lecture", "x")
    assert "10 begin with '0'" in failing("lecture", "0")
    assert list(tmp_path.iterdir()) == []
