"""``recallkit embed``, ``search``, ``duplicates`` and ``confusions``."""

import csv
import io
import json
import os
import shutil

import pytest
from helpers.random_run import draw, make_run
from helpers.user_names import NAMES

from recallkit import cli
from recallkit.cli import gallery_results
from recallkit.gallery import read_index


@pytest.fixture
def run(tmp_path):
    """A run on a folder of eight classes of three images, and an album without classes."""
    for c in range(8):
        for i in range(3):
            draw(tmp_path / "photos" / f"class {c}" / f"{i}.png", 10 * c + i)
    for i in range(6):
        draw(tmp_path / "album" / f"{i}.png", 100 + i)
    return make_run(tmp_path / "runs" / "one", "photos")


@pytest.fixture
def command(run, capsys):
    """Return a function that runs a command on the CPU: its output, and what it said beside."""

    def call(*arguments):
        capsys.readouterr()
        cli.main([*map(str, arguments), "--device", "cpu"])
        return capsys.readouterr()

    return call


def results(text):
    """The lines of a search as rank, similarity, and the rest."""
    lines = [line.split(maxsplit=2) for line in text.splitlines() if line[:3].strip().isdigit()]
    return [(int(rank), float(similarity), rest) for rank, similarity, rest in lines]


def test_embed_writes_an_index_that_evaluate_reads(command):
    text = command("embed", "photos", "--out", "photos.npz").out
    assert "wrote photos.npz: 24 images × 8" in text
    assert "24 images embedded, 0 kept" in text
    cli.main(["evaluate", "photos.npz"])


def test_embed_extends_an_index(command, tmp_path):
    command("embed", "album", "--out", "album.npz")
    draw(tmp_path / "album" / "new.png", 7)
    (tmp_path / "album" / "0.png").unlink()
    said = command("embed", "album", "--out", "album.npz")
    assert "1 images embedded, 5 kept as they were, 1 gone ('0.png')" in said.out
    assert "6 images without classes in" in said.err
    assert len(read_index(tmp_path / "album.npz")) == 6


def test_embed_overwrites_nothing_of_the_users(command, tmp_path, failing):
    (tmp_path / "mine.npz").write_text("mine")
    assert "mine.npz cannot be read as an index" in failing("embed", "album", "--out", "mine.npz")
    assert (tmp_path / "mine.npz").read_text() == "mine"
    command("embed", "album", "--out", "album.npz")
    message = failing("embed", "photos", "--out", "album.npz")
    assert "album.npz is the index of" in message
    assert "choose another --out" in message
    draw(tmp_path / "other" / "0.png", 300)  # a name that the album has, too
    assert "no image of it is in other" in failing("embed", "other", "--out", "album.npz")
    for i in range(6):  # all names of the album, and other images
        draw(tmp_path / "other" / f"{i}.png", 300 + i)
    assert "no image of it is in other" in failing("embed", "other", "--out", "album.npz")
    (tmp_path / "part").mkdir()
    shutil.copy(tmp_path / "album" / "1.png", tmp_path / "part" / "1.png")
    assert "5 of its images are not in part" in failing("embed", "part", "--out", "album.npz")
    assert len(read_index(tmp_path / "album.npz")) == 6
    message = failing("evaluate", "runs/one", "--save", "album.npz")
    assert "album.npz was not saved by recallkit evaluate" in message
    assert len(read_index(tmp_path / "album.npz")) == 6
    assert "must end in .npz or .parquet" in failing("embed", "album", "--out", "album.csv")


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes")
def test_a_name_that_is_no_text_is_told_before_anything_is_embedded(command, tmp_path, failing):
    shutil.copy("album/0.png", "album/caf\udce9.png")
    message = failing("embed", "album", "--out", "album.parquet")
    assert r"caf\udce9.png'. Rename them" in message
    assert command("embed", "album", "--out", "album.npz").out.startswith("wrote album.npz: 7")


def test_an_index_of_another_run_is_refused(command, tmp_path, failing):
    command("embed", "album", "--out", "album.npz")
    make_run(tmp_path / "runs" / "two", "photos", seed=1)
    for arguments in (
        ["embed", "album", "--out", "album.npz"],
        ["search", "album/1.png", "--gallery", "album.npz"],
    ):
        message = failing(*arguments, "--run", "runs/two", "--device", "cpu")
        assert "album.npz holds embeddings of another run" in message
        assert f"Add --run {tmp_path / 'runs' / 'one'}" in message
    assert results(command("search", "album/1.png", "--gallery", "album.npz").out)  # its own run


def test_search_prints_paths_and_classes(command):
    lines = results(command("search", "album/0.png", "--k", 24).out)
    assert [rank for rank, _, _ in lines] == list(range(1, 25))
    assert sorted(rest for _, _, rest in lines) == sorted(
        f"photos/class {c}/{i}.png  class {c}" for c in range(8) for i in range(3)
    )
    assert len(results(command("search", "album/0.png").out)) == 8


def test_a_second_search_embeds_only_the_query(command):
    assert "24 images embedded" in command("search", "album/0.png").err
    assert "0 images embedded, 24 kept" in command("search", "album/1.png").err
    assert "6 images embedded" in command("search", "album/0.png", "--gallery", "album").err
    assert "0 images embedded, 6 kept" in command("search", "album/0.png", "--gallery", "album").err


def test_searches_in_folder_and_file_agree(command):
    command("embed", "album", "--out", "album.npz")
    found = [
        command("search", "photos/class 1", "--gallery", where, "--k", 6).out
        for where in ("album", "album.npz")
    ]
    assert found[0] == found[1]
    assert found[0].splitlines()[0] == "photos/class 1/0.png"
    assert len(results(found[0])) == 18


def test_a_query_of_the_gallery_does_not_find_itself(command):
    for gallery in (["--gallery", "album"], []):
        query = "album/2.png" if gallery else "photos/class 2/1.png"
        assert query not in command("search", query, *gallery).out.replace("drew", "")


def test_k_beyond_the_gallery_is_told_before_anything_is_loaded(command, failing, monkeypatch):
    from recallkit import gallery

    command("embed", "album", "--out", "album.npz")
    monkeypatch.setattr(gallery, "load_trained_run", None)  # calling it would fail otherwise
    for arguments, largest in [
        (["album/0.png", "--gallery", "album"], "5, the images of album without the query"),
        (["album/0.png", "--gallery", "album.npz"], "5, the images of album.npz without the query"),
        (["album/0.png"], "24, the images of photos"),
    ]:
        message = failing("search", *arguments, "--k", "1000", "--out", "drawn.png")
        assert f"k must be at most {largest}, not 1000" in message
    assert "--k must be" in failing("search", "album/0.png", "--k", "0")
    assert not os.path.exists("drawn.png")


def test_splits_of_the_run(command, failing):
    names = {"train": set(), "validation": set(), "test": set()}
    for split, found in names.items():
        text = command("search", "album/0.png", "--split", split).out
        found |= {rest.split("  ")[1] for _, _, rest in results(text)}
    assert not names["train"] & names["test"]
    assert "leave them out with --gallery" in failing(
        "search", "album/0.png", "--gallery", "album", "--split", "test"
    )


def test_images_that_have_moved(command):
    command("search", "album/0.png")
    os.rename("photos", "moved")
    said = command("search", "album/0.png", "--dataset", "moved")
    assert "0 images embedded, 24 kept" in said.err
    assert "moved/class" in said.out


def test_json_alone_is_on_stdout(command):
    said = command(
        "search",
        "album/0.png",
        "album/1.png",
        "--gallery",
        "album",
        "--k",
        2,
        "--json",
        "--out",
        "drawn.png",
    )
    values = json.loads(said.out)
    assert values["images"] == 6
    assert [query["query"] for query in values["queries"]] == ["album/0.png", "album/1.png"]
    first = values["queries"][0]["neighbours"][0]
    assert set(first) == {"rank", "path", "similarity", "class"}
    assert os.path.isabs(first["path"])
    assert "drew drawn-1.png" in said.err
    assert os.path.getsize("drawn-2.png") > 1000


def test_the_run_that_is_taken_by_default_is_named_once(command, run):
    command("embed", "photos", "--out", "photos.npz", "--run", "runs/one")
    of_index = f"run {run}, that of the index"
    latest = "run runs/one, the latest finished one"
    for arguments, line in [
        (["search", "album/0.png", "--json"], latest),
        (["search", "album/0.png", "--gallery", "album", "--json"], latest),
        (["search", "album/0.png", "--gallery", "photos.npz", "--json"], of_index),
        (["duplicates", "photos", "--json"], latest),
        (["confusions", "--split", "all", "--json"], latest),
        (["embed", "album", "--out", "album.npz"], latest),
        (["embed", "photos", "--out", "photos.npz"], of_index),
    ]:
        said = command(*arguments)
        assert said.err.splitlines().count(line) == 1, arguments
        assert "--json" not in arguments or json.loads(said.out)
    for named in (["duplicates", "runs/one"], ["search", "album/0.png", "--run", "runs/one"]):
        assert "run runs/one" not in command(*named).err
    assert "run " not in command("duplicates", "photos.npz").err  # which needs none


def test_each_query_has_a_figure_of_its_own(command, run):
    queries = [f"photos/class {c}/1.png" for c in (1, 2, 1)]
    drawn = [command("search", query).out.rpartition("drew ")[2].strip() for query in queries]
    assert drawn[0] == drawn[2] != drawn[1]
    figures = {f"runs/one/figures/{path.name}" for path in (run / "figures").iterdir()}
    assert figures == {*drawn}
    assert all(name.startswith("runs/one/figures/search-1-") for name in drawn)


def test_names_are_printed_and_drawn_as_they_are(command, tmp_path):
    for i, name in enumerate(NAMES.values()):
        safe = name.replace("/", "-").replace("\x00", "")[:80]
        draw(tmp_path / "names" / f"{i}{safe}.png", i)
    said = command(
        "search",
        "album/0.png",
        "--gallery",
        "names",
        "--k",
        len(NAMES),
        "--json",
        "--out",
        "names.png",
    )
    found = {entry["path"] for entry in json.loads(said.out)["queries"][0]["neighbours"]}
    assert found == {str(path) for path in (tmp_path / "names").iterdir()}
    assert "warning" not in said.err
    text = command("search", "album/0.png", "--gallery", "names", "--k", len(NAMES)).out
    assert len(results(text)) == len(NAMES)
    assert "Ba$$in.png" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_figure_that_fails_costs_no_result(command, monkeypatch):
    from recallkit import plots

    def fail(*arguments):
        raise RuntimeError("no ink")

    monkeypatch.setattr(plots, "plot_image_search", fail)
    said = command("search", "album/0.png", "--k", 3)
    assert len(results(said.out)) == 3
    assert "could not be drawn: no ink" in said.err


def test_bad_queries_and_bad_images_of_the_gallery(command, tmp_path, failing):
    assert "there is no image gone.png" in failing("search", "gone.png")
    (tmp_path / "text.png").write_text("no image")
    assert "text.png cannot be read as an image" in failing("search", "text.png")
    (tmp_path / "album" / "bad.png").write_bytes((tmp_path / "album/0.png").read_bytes()[:70])
    message = failing("search", "album/0.png", "--gallery", "album", "--device", "cpu")
    assert "1 of 7 images cannot be read" in message
    assert "--on-bad-image skip" in message
    said = command("search", "album/0.png", "--gallery", "album", "--on-bad-image", "skip")
    assert len(results(said.out)) == 5
    assert "6 kept as they were, 1 could not be read and were left out" in said.err


def test_a_run_folder_that_cannot_be_written_still_searches(command, tmp_path, run):
    (run / "galleries").write_text("in the way")
    said = command("search", "album/0.png", "--gallery", "album", "--out", "drawn.png")
    assert len(results(said.out)) == 5
    assert "the index is not kept: cannot write" in said.err


def test_an_incomplete_index_says_so(command, tmp_path, capsys):
    from dataclasses import replace

    from recallkit.gallery import write_index

    command("embed", "album", "--out", "album.npz")
    write_index(tmp_path / "album.npz", replace(read_index(tmp_path / "album.npz"), complete=False))
    said = command("search", "album/0.png", "--gallery", "album.npz")
    assert "album.npz is incomplete" in said.err
    command("embed", "photos", "--out", "photos.npz")
    whole = replace(read_index(tmp_path / "photos.npz"), complete=False)
    write_index(tmp_path / "photos.npz", whole)
    write_index(tmp_path / "photos.parquet", whole)
    for index in ("photos.npz", "photos.parquet"):
        for what in ("duplicates", "confusions"):
            assert f"{index} is incomplete" in command(what, index).err
        cli.main(["evaluate", index])
        assert "incomplete: its embedding was interrupted" in capsys.readouterr().out


def test_data_sets_without_files_are_searched_too(toy, tmp_path, capsys):
    make_run(tmp_path / "runs" / "emoji")
    draw(tmp_path / "mine.png", 1)
    for _ in range(2):
        cli.main(["search", "mine.png", "--split", "test", "--k", "24", "--device", "cpu"])
        lines = results(capsys.readouterr().out)
        assert len(lines) == 24
        assert all(rest.startswith("test/0000") for _, _, rest in lines)
        assert {rest.split("  ")[1] for _, _, rest in lines} == {
            f"pattern {c}" for c in range(14, 20)
        }
    assert len(read_index(tmp_path / "runs/emoji/galleries/data.npz")) == 80


def test_duplicates(command, tmp_path):
    shutil.copy(tmp_path / "photos/class 1/0.png", tmp_path / "photos/class 2/copy.png")
    draw(tmp_path / "photos/class 3/again.png", 30, compress_level=0)
    text = command("duplicates", "photos", "--threshold", "0.99999").out
    blocks = text.split("\n\n")
    assert "among 26 images: 2; across classes: 1" in blocks[0]
    assert blocks[1].splitlines() == [
        "copies, across classes",
        "  photos/class 1/0.png  class 1",
        "  photos/class 2/copy.png  class 2",
    ]
    assert blocks[2].splitlines()[0] == "cosine 1.000"
    command("embed", "photos", "--out", "photos.npz")
    for what in ("photos", "photos.npz", "runs/one"):
        values = json.loads(command("duplicates", what, "--threshold", "0.99999", "--json").out)
        assert [len(group["images"]) for group in values["groups"]] == [2, 2]
        rows = command("duplicates", what, "--threshold", "0.99999", "--csv").out
        table = list(csv.DictReader(io.StringIO(rows)))
        assert [row["group"] for row in table] == ["1", "1", "2", "2"]
        assert table[0]["kind"] == "copies"
        assert table[0]["across_classes"] == "True"


def test_duplicates_of_an_index_need_no_run(command, tmp_path, monkeypatch):
    command("embed", "album", "--out", "album.npz")
    shutil.rmtree(tmp_path / "runs")
    assert "among 6 images" in command("duplicates", "album.npz").out


def test_many_groups_are_cut(command, tmp_path, monkeypatch):
    monkeypatch.setattr(gallery_results, "MOST_GROUPS", 1)
    for i in range(3):
        shutil.copy(tmp_path / f"album/{i}.png", tmp_path / f"album/copy {i}.png")
    text = command("duplicates", "album", "--threshold", "1").out
    assert text.endswith("2 more: --json or --csv prints all\n")


def test_arguments_that_exclude_each_other(run, failing):
    assert "--json and --csv" in failing("duplicates", "album", "--json", "--csv")
    assert "is a run itself" in failing("duplicates", "runs/one", "--run", "runs/one")
    assert "--threshold must" in failing("duplicates", "album", "--threshold", "2")


@pytest.mark.parametrize("what", ["duplicates", "confusions"])
def test_what_is_not_there_or_needs_no_run_is_named(what, command, failing):
    assert "there is no folder, index or run nowhere" in failing(what, "nowhere")
    command("embed", "album", "--out", "album.npz")
    assert "album.npz holds embeddings: leave out --run" in failing(
        what, "album.npz", "--run", "runs/one"
    )


def test_confusions(command, tmp_path):
    text = command("confusions", "--split", "all", "--top", "3").out
    assert text.startswith("24 images of 8 classes with two images or more")
    tables = text.split("\n\n")
    assert [len(table.splitlines()) for table in tables[1:]] == [5, 5]
    values = json.loads(command("confusions", "photos", "--json").out)
    assert len(values["classes"]) == 8
    recall = sum(entry["R@1"] for entry in values["classes"]) / 8
    confused = sum(pair["images"] for pair in values["confusions"])
    assert confused == round(24 * (1 - recall))
    query, nearest = values["confusions"][0]["examples"][0]
    assert os.path.isfile(query)
    assert os.path.isfile(nearest)


def test_confusions_are_of_the_test_classes_by_default(command):
    values = json.loads(command("confusions", "runs/one", "--json").out)
    assert values["images"] < 24


def test_images_without_a_class_are_left_out_of_confusions(command, tmp_path, failing):
    draw(tmp_path / "photos" / "loose.png", 5)
    said = command("confusions", "photos")
    assert said.out.startswith("24 images of 8 classes")
    assert "1 of 25 images have no class, and are left out" in said.err
    assert "have no class" in failing("confusions", "album", "--device", "cpu")
