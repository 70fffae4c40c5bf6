"""A search of an index: the nearest, without the query itself."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.brute_force import ranking
from helpers.random_run import draw
from helpers.strategies import unit_vectors

from recallkit.errors import RecallkitError
from recallkit.gallery import check_k, extend_index, find_images, rows_of_file, search_files
from recallkit.gallery.searching import nearest


@pytest.fixture
def index(run, album):
    return extend_index(run, find_images(album))[0]


def search(run, files, index, k=None, **options):
    return search_files(run, [Path(file) for file in files], index, k, **options)


def test_the_order_is_that_of_brute_force(run, index, tmp_path):
    queries = [draw(tmp_path / f"{i}.png", i) for i in range(3)]
    result = search(run, queries, index, 6)
    for query, rows in zip(run.embed(queries), result.rows.tolist(), strict=True):
        assert rows == ranking(query.tolist(), index.embeddings.tolist())[0]
    assert result.paths[0] == tuple(str(index.file(row)) for row in result.rows[0].tolist())


@pytest.mark.parametrize("own", [[[], []], [[3], []], [[3], [0]], [[1, 2, 3], [7]], [[0], [0, 9]]])
def test_left_out_rows_are_not_found(own):
    queries, gallery = unit_vectors(2, 4), unit_vectors(10, 4, seed=1)
    k = 10 - max(map(len, own))
    similarities, rows = nearest(queries, gallery, own, k)
    assert rows.shape == (2, k)
    for query, left_out, found, values in zip(queries, own, rows, similarities, strict=True):
        order, expected = ranking(query.tolist(), gallery.tolist())
        kept = [i for i in range(10) if order[i] not in left_out][:k]
        assert found.tolist() == [order[i] for i in kept]
        assert values.tolist() == pytest.approx([expected[i] for i in kept], abs=1e-6)


def test_a_query_does_not_find_itself_by_any_name(run, index, album, tmp_path, monkeypatch):
    (tmp_path / "link.png").symlink_to(album / "2.png")
    os.link(album / "2.png", tmp_path / "hard.png")
    monkeypatch.chdir(album)
    for name in ("2.png", "../album/2.png", tmp_path / "link.png", tmp_path / "hard.png"):
        result = search(run, [name], index)
        assert len(result.paths[0]) == 5
        assert str(album / "2.png") not in result.paths[0]


def test_a_copy_of_the_query_is_found(run, index, album, tmp_path):
    (tmp_path / "copy.png").write_bytes((album / "2.png").read_bytes())
    result = search(run, [tmp_path / "copy.png"], index)
    assert result.paths[0][0] == str(album / "2.png")
    assert rows_of_file(index, tmp_path / "copy.png") == []
    assert rows_of_file(index, album / "2.png") == [2]
    assert rows_of_file(index, tmp_path / "gone.png") == []


def test_an_index_is_searched_when_its_images_are_gone(run, index, album, tmp_path):
    (album / "2.png").rename(tmp_path / "2.png")
    assert len(search(run, [tmp_path / "2.png"], index).paths[0]) == 6


def test_k():
    assert check_k(None, 100, 0, "g") == 8
    assert check_k(None, 5, 1, "g") == 4
    assert check_k(5, 5, 0, "g") == 5
    for k, images, own, message in [
        (6, 5, 0, "k must be at most 5, the images of g, not 6"),
        (1500, 1001, 1, "k must be at most 1,000, the images of g without the query, not 1500"),
        (0, 5, 0, "k must be at least 1, not 0"),
        (None, 1, 1, "g holds no image but the query: add others"),
        (3, 1, 1, "g holds no image but the query"),
        (None, 0, 0, "g holds no image: add others"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_k(k, images, own, "g")


def test_bad_queries(run, index, tmp_path):
    good, bad = draw(tmp_path / "good.png", 1), tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:60])
    with pytest.raises(RecallkitError, match=r"1 of 2 images (.|\n)*bad\.png"):
        search(run, [good, bad], index)
    result = search(run, [bad, good], index, on_bad_image="skip")
    assert result.queries == (good,)
    assert "bad.png" in result.bad[0]
    with pytest.raises(RecallkitError, match=r"bad\.png"):
        search(run, [bad], index, on_bad_image="skip")
    with pytest.raises(ValueError, match="at least one image"):
        search(run, [], index)


def test_classes_are_told(run, photos):
    index, _ = extend_index(run, find_images(photos))
    result = search(run, [photos / "class 3" / "1.png"], index, 23)
    assert sorted(set(result.labels[0])) == [f"class {c}" for c in range(8)]
    for path, label in zip(result.paths[0], result.labels[0], strict=True):
        assert Path(path).parent.name == label
    assert np.all(np.diff(result.similarities[0].numpy()) <= 0)
    assert result.similarities.dtype == torch.float32
