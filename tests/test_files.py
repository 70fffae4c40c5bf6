"""Files that are whole or not there, JSON, and the folders."""

import os
import stat
from pathlib import Path

import pytest

from recallkit.errors import RecallkitError
from recallkit.files import (
    cache_folder,
    embedded,
    expanded,
    file_name,
    finished_files,
    read_json,
    remove_unfinished,
    results_folder,
    write_atomically,
    write_json,
)


def write(text):
    return lambda path: path.write_text(text)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_and_its_folders_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    write_atomically(path, write("text"))
    assert path.read_text() == "text"
    assert names(path.parent) == ["file.txt"]


def test_the_temporary_file_has_the_suffix_and_lies_beside(tmp_path):
    seen = []
    write_atomically(tmp_path / "table.npz", lambda path: seen.append(path))
    assert seen[0].suffix == ".npz"
    assert seen[0].parent == tmp_path


def test_while_it_is_written_readers_see_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def check(temporary):
        temporary.write_text("new")
        assert path.read_text() == "old"

    write_atomically(path, check)
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o077, 0o600), (0o002, 0o664), (0o022, 0o644)])
def test_a_file_has_the_permissions_of_a_new_one(tmp_path, mask, mode):
    """Those that the user gives to new files: some share a folder, others hide theirs."""
    before = os.umask(mask)
    try:
        write_atomically(tmp_path / "file.txt", write("text"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file.txt").stat().st_mode) == mode


def test_the_previous_file_is_kept_where_asked(tmp_path):
    path, previous = tmp_path / "state", tmp_path / "before"
    for text in ("one", "two", "three"):
        write_atomically(path, write(text), previous)
    assert (path.read_text(), previous.read_text()) == ("three", "two")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("bad")])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise error

    expected = RecallkitError if isinstance(error, OSError) else ValueError
    with pytest.raises(expected, match=r"No space left on device\. Free some space|bad"):
        write_atomically(path, fail, tmp_path / "before")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RecallkitError, match=r"cannot write .*file/x: .*\. Choose another folder"):
        write_atomically(tmp_path / "file" / "x", write("text"))


def test_what_a_killed_process_left_is_removed(tmp_path, monkeypatch):
    (tmp_path / "kept.json").write_text("{}")
    monkeypatch.setattr(Path, "unlink", lambda *arguments, **options: None)  # as if killed

    def die(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "kept.json", die)
    assert len(names(tmp_path)) == 2
    monkeypatch.undo()
    remove_unfinished(tmp_path)
    assert names(tmp_path) == ["kept.json"]
    assert (tmp_path / "kept.json").read_text() == "{}"


def test_what_is_being_written_is_no_finished_file(tmp_path):
    (tmp_path / "b.json").write_text("{}")
    seen = []
    write_atomically(tmp_path / "a.json", lambda p: seen.append(finished_files(tmp_path, "*.json")))
    assert [path.name for path in seen[0]] == ["b.json"]
    assert [path.name for path in finished_files(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert finished_files(tmp_path / "none", "*.json") == []


def test_json_is_readable_and_read_again(tmp_path):
    write_json(tmp_path / "x.json", {"τ": [1, 2.5]})
    assert "τ" in (tmp_path / "x.json").read_text(encoding="utf-8")
    assert read_json(tmp_path / "x.json") == {"τ": [1, 2.5]}
    with pytest.raises(RecallkitError, match=r"gone\.json is missing"):
        read_json(tmp_path / "gone.json")
    for damaged in (b"{\xff", b"[" * 100_000):
        (tmp_path / "x.json").write_bytes(damaged)
        with pytest.raises(RecallkitError, match=r"x\.json cannot be read as JSON"):
            read_json(tmp_path / "x.json")


def test_folders_follow_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RECALLKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECALLKIT_RESULTS", str(tmp_path / "results"))
    assert cache_folder() == tmp_path / "cache"
    assert results_folder() == tmp_path / "results"
    monkeypatch.delenv("RECALLKIT_CACHE")
    monkeypatch.delenv("RECALLKIT_RESULTS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "recallkit"
    assert results_folder() == Path("results")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "recallkit"


def test_a_home_that_there_is_not_is_a_name(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    assert expanded("~/images") == Path("/home/me/images")
    assert expanded(Path("~no such user/1.jpg")) == Path("~no such user/1.jpg")


@pytest.mark.parametrize("name", ["emoji", "glyphs", "paper", "results", "notebooks"])
def test_what_comes_with_recallkit_is_there(name):
    assert embedded(name).name == name
    assert any(embedded(name).iterdir())


def test_what_does_not_come_with_recallkit_is_named():
    with pytest.raises(RecallkitError, match=r"'unheard of'.* is missing: there is no "):
        embedded("unheard of")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("emoji-20260101", "emoji-20260101"),
        ("a:b", "a-b"),
        ("../x\\y", "-x-y"),
        ("Straße 1", "Straße 1"),
        ("line\nbreak\0", "line-break-"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1", "_com1"),
        ("console", "console"),
        (" dots. . ", "dots"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("漢" * 90, "漢" * 33),
    ],
)
def test_names_that_every_system_allows(text, name):
    assert file_name(text) == name
    assert file_name(name) == name
