"""A trained run embeds images, and searches with them."""

import shutil
from dataclasses import replace

import pytest
import torch
from helpers.random_run import draw, make_run
from helpers.trees import make_tree

import recallkit
from recallkit.data import load as load_data_set
from recallkit.data.catalogue import LOADERS
from recallkit.errors import RecallkitError
from recallkit.evaluation import embed
from recallkit.gallery import load_trained_run
from recallkit.gallery.opening import open_gallery, plan_gallery


def test_embeddings_are_those_that_an_evaluation_sees(run, photos):
    splits = load_data_set(str(photos), image_size=16)
    images = [splits.train, splits.validation, splits.test]
    files = {
        (part.class_names[label], name): embedding
        for part in images
        for label, name, embedding in zip(
            part.labels.tolist(), part.sources, embed(run.network, part.images, 16), strict=True
        )
    }
    embeddings = run.embed(photos, batch_size=5)
    assert embeddings.shape == (24, 8)
    expected = [files[f"class {c}", f"{i}.png"] for c in range(8) for i in range(3)]
    torch.testing.assert_close(embeddings, torch.stack(expected), rtol=0, atol=1e-6)


def test_a_benchmarks_images_are_cropped(tmp_path, monkeypatch):
    make_tree("cub", tmp_path / "cub", monkeypatch)
    run = load_trained_run(make_run(tmp_path / "run", "cub"), "cpu")
    test = recallkit.load("cub", 16, str(tmp_path / "cub")).test
    expected = embed(run.network, test.images, 16)
    torch.testing.assert_close(run.embed(test.images.paths), expected, rtol=0, atol=1e-6)


def test_one_path_several_or_a_folder(run, album):
    whole = run.embed(album)
    paths = [album / f"{i}.png" for i in (3, 1, 3)]
    assert torch.equal(run.embed(map(str, paths)), whole[[3, 1, 3]])
    torch.testing.assert_close(run.embed(str(paths[0])), whole[3:4], rtol=0, atol=1e-6)
    assert run.embed([]).shape == (0, 8)
    torch.testing.assert_close(run.embed(album, workers=1), whole, rtol=0, atol=1e-6)


def test_bad_images_are_all_named_or_left_out(run, album):
    for name in ("bad.png", "worse.png"):
        (album / name).write_text("no image")
    with pytest.raises(RecallkitError, match=r"2 of 8 images .*\n.*bad\.png.*\n.*worse\.png"):
        run.embed(album)
    with pytest.warns(UserWarning, match=r"left out: .*bad\.png"):
        embeddings = run.embed(album, on_bad_image="skip")
    assert embeddings.shape == (6, 8)


def test_arguments_and_missing_files(run, album):
    with pytest.raises(ValueError, match="batch_size must be at least 1, not 0"):
        run.embed(album, batch_size=0)
    with pytest.raises(RecallkitError, match=r"there is no image gone\.png"):
        run.embed("gone.png")


def test_the_identity_is_that_of_weights_and_preprocessing(run, tmp_path, photos):
    copy = shutil.copytree(run.folder, tmp_path / "copy")
    assert load_trained_run(copy, "cpu").identity == run.identity
    other = load_trained_run(make_run(tmp_path / "other", photos, seed=1), "cpu")
    assert other.identity != run.identity
    settings = (copy / "config.json").read_text()
    (copy / "config.json").write_text(settings.replace('"image_size": 16', '"image_size": 80'))
    assert load_trained_run(copy, "cpu").identity != run.identity


def test_search_finds_copies_first(run, album, tmp_path):
    query = shutil.copy(album / "4.png", tmp_path / "query.png")
    result = run.search([query, album / "2.png"], album, k=3)
    assert result.paths[0][0] == str(album / "4.png")
    assert result.similarities[0, 0] == pytest.approx(1)
    assert str(album / "2.png") not in result.paths[1]
    table = result.table()
    assert list(table.columns) == ["query", "rank", "path", "similarity", "class"]
    assert list(table["rank"]) == [1, 2, 3] * 2
    assert table["query"].iloc[0] == str(query)


def test_the_default_gallery_is_all_that_the_run_was_made_of(run, photos):
    result = run.search(photos / "class 0" / "0.png", k=23)
    assert len(set(result.paths[0])) == 23
    assert set(result.labels[0]) == {f"class {c}" for c in range(8)}
    assert len(run.search(photos, photos).paths) == 24


def test_data_sets_of_one_size_do_not_share_a_kept_index(tmp_path, monkeypatch, toy_splits):
    """As glyphs and glyphs-distorted: the same classes and numbers, other pixels."""
    test = replace(toy_splits.test, images=255 - toy_splits.test.images)
    splits = {"glyphs": toy_splits, "glyphs-distorted": replace(toy_splits, test=test)}
    for name, of_name in splits.items():
        monkeypatch.setitem(LOADERS, name, lambda of_name=of_name: of_name)
    run = load_trained_run(make_run(tmp_path / "run", "glyphs"), "cpu")
    for name in ("", "glyphs-distorted", "glyphs"):
        index = open_gallery(run, plan_gallery(run.folder, dataset=name, split="test")).index
        images = splits[name or "glyphs"].test.images
        assert torch.equal(index.embeddings, embed(run.network, images, 16))
        assert index.root == (name or "glyphs")


def test_load_takes_a_run_or_a_data_set(run, tmp_path, album):
    again = recallkit.load(run.folder, device="cpu")
    assert torch.equal(again.embed(album), run.embed(album))
    assert again.config == run.config
    assert recallkit.load(str(run.folder), device="cpu").identity == run.identity
    assert len(recallkit.load(str(tmp_path / "photos")).test) > 0
    with pytest.raises(ValueError, match="device is for a run, and emoji is none"):
        recallkit.load("emoji", device="cpu")
    with pytest.raises(ValueError, match="are for data sets"):
        recallkit.load(run.folder, 64)
    with pytest.raises(ValueError, match="no data set or folder 'gone'"):
        recallkit.load("gone")


def test_the_name_of_a_data_set_wins_over_a_folder(run, tmp_path, monkeypatch, toy_splits):
    from recallkit import data

    monkeypatch.setitem(data.LOADERS, "emoji", lambda: toy_splits)
    monkeypatch.chdir(tmp_path)
    run.folder.rename(tmp_path / "emoji")
    assert recallkit.load("emoji") is toy_splits
    assert recallkit.load("./emoji", device="cpu").config == run.config


def test_transform_and_network_are_what_embed_uses(run, tmp_path):
    image = draw(tmp_path / "one.png", 3)
    pixels = run.files([image], reading=recallkit.data.Reading())[0]
    with torch.no_grad():
        embedding = run.network(run.transform(pixels[None]))
    torch.testing.assert_close(embedding, run.embed(image))
