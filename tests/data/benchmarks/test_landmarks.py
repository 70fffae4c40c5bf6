"""Ground-truth pickles: what they say is read, what they could run is not."""

import os
import pickle

import numpy as np
import pytest
import torch
from helpers.trees import ground_truth, make_tree
from PIL import Image

from recallkit.data.benchmarks import BENCHMARKS
from recallkit.data.benchmarks.landmarks import read_ground_truth
from recallkit.data.benchmarks.loading import load_landmarks
from recallkit.errors import RecallkitError


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_containers_and_arrays_are_read(tmp_path, protocol):
    truth = ground_truth() | {"more": (1.5, None, True, {2, 3}, b"bytes", "ö", np.zeros((2, 0)))}
    (tmp_path / "gnd.pkl").write_bytes(pickle.dumps(truth, protocol))
    found = read_ground_truth(tmp_path / "gnd.pkl")
    assert found["imlist"] == truth["imlist"]
    for one, other in zip(found["gnd"], truth["gnd"], strict=True):
        assert np.array_equal(one["bbx"], other["bbx"])
        assert np.array_equal(one["hard"], other["hard"])


def test_arrays_under_their_names_of_numpy_1_are_read(tmp_path):
    content = pickle.dumps(ground_truth(), 2).replace(b"numpy._core.", b"numpy.core.")
    assert b"numpy.core.multiarray" in content
    (tmp_path / "gnd.pkl").write_bytes(content)
    assert read_ground_truth(tmp_path / "gnd.pkl")["gnd"][0]["bbx"].tolist() == [1, 2, 15.5, 12]


class Runs:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "attack",
    [
        Runs(os.system, "touch ran"),
        Runs(eval, "open('ran', 'w')"),
        Runs(getattr, "", "join"),
        Runs(np.load, "ran"),
        np.array([Runs(os.system, "touch ran")], dtype=object),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_what_a_pickle_could_run_is_refused(tmp_path, monkeypatch, attack, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gnd.pkl").write_bytes(pickle.dumps({"gnd": attack}, protocol))
    with pytest.raises(RecallkitError, match=r"gnd\.pkl is refused.*it asks for"):
        read_ground_truth(tmp_path / "gnd.pkl")
    assert not (tmp_path / "ran").exists()


def test_damaged_and_foreign_pickles_are_named(tmp_path):
    path = tmp_path / "gnd.pkl"
    with pytest.raises(RecallkitError, match=r"gnd\.pkl is missing"):
        read_ground_truth(path)
    path.write_bytes(pickle.dumps(ground_truth())[:100])
    with pytest.raises(RecallkitError, match="is refused: it is damaged"):
        read_ground_truth(path)
    path.write_bytes(pickle.dumps([1]))
    with pytest.raises(RecallkitError, match="holds no dictionary"):
        read_ground_truth(path)


def break_index(truth):
    truth["gnd"][0]["easy"] = [99]


def break_box(truth):
    truth["gnd"][0]["bbx"] = [5, 5, 2, 9]


def break_length(truth):
    truth["gnd"].pop()


def break_key(truth):
    del truth["gnd"][1]["junk"]


@pytest.mark.parametrize("damage", [break_index, break_box, break_length, break_key])
def test_a_ground_truth_that_is_none_is_named(tmp_path, monkeypatch, damage):
    make_tree("roxford5k", tmp_path, monkeypatch)
    truth = ground_truth()
    damage(truth)
    (tmp_path / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(truth))
    with pytest.raises(RecallkitError, match="is not the published ground truth"):
        load_landmarks("roxford5k", tmp_path, 8)


def test_queries_are_cropped_to_their_boxes(tmp_path, monkeypatch):
    make_tree("roxford5k", tmp_path, monkeypatch)
    whole = Image.new("RGB", (20, 16), "black")
    whole.paste("white", (1, 2, 16, 12))  # the box, (1, 2, 15.5, 12) rounded
    whole.save(tmp_path / "jpg" / "query_0.jpg", quality=100, subsampling=0)
    queries, gallery, judgements = load_landmarks("roxford5k", tmp_path, 8)
    assert (queries[0] > 240).all()
    assert queries.shape == (2, 3, 8, 8)
    assert len(gallery) == 6
    assert judgements[1] == {"easy": [1], "hard": [3], "junk": [5]}
    assert torch.is_tensor(gallery[0])
    with pytest.raises(ValueError, match="must be one of roxford5k, rparis6k"):
        load_landmarks("sop", tmp_path, 8)
    assert BENCHMARKS["roxford5k"].counts["images"][0] == 6
