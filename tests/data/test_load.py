import pytest

from recallkit.data import LOADERS, load


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no data set.* 'emojis'; did you mean emoji\?"):
        load("emojis")


def test_a_name_calls_its_loader(monkeypatch):
    monkeypatch.setitem(LOADERS, "toy", lambda: "loaded")
    assert load("toy") == "loaded"
