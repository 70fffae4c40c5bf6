"""The Python side of the explorables: values, checks, pages."""

import json
import re

import pytest
import torch
import traitlets
from helpers.explorables import MADE, POSITIVES, SIMILARITY

from recallkit.course import explorables
from recallkit.course.explorables import Explorable

each = pytest.mark.parametrize("name", list(MADE))


@each
def test_a_page_needs_nothing_else(name, tmp_path):
    MADE[name]().save_html(tmp_path / "page.html", "Ranks & <b>recall</b>")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<title>Ranks &amp; &lt;b&gt;recall&lt;/b&gt;</title>" in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    assert not re.search(r"^\s*(import|export)\b|<link|src=", text, re.M)
    assert text.count("<script") == text.count("</script") == 1


@each
def test_values_are_what_the_page_reads_and_writes(name):
    figure = MADE[name]()
    module = figure.module_text()
    lists = re.findall(r"^  (?:inputs|outputs): (\[[^\]]*\])", module, re.M)
    named = {value for text in lists for value in json.loads(text)}
    assert named | {"words"} == set(figure.values())


@each
def test_each_value_is_described(name):
    figure = MADE[name]()
    documents = {
        kind.__doc__ or "" for kind in type(figure).__mro__ if issubclass(kind, Explorable)
    }
    described = re.findall(r"^        (\w+): ", "\n".join(documents - {Explorable.__doc__}), re.M)
    assert set(figure.values()) - {"words"} == set(described)


@each
def test_knobs_have_words(name):
    module = MADE[name]().module_text()
    words = set(re.findall(r"^  (\w+): (?:\"|')", module, re.M))
    assert {"title", "status"} <= words
    assert set(re.findall(r'{ name: "(\w+)"', module)) <= words
    assert set(re.findall(r'say\("(\w+)"', module)) <= words | {"reset", "help", "play", "pause"}


@each
def test_what_the_page_has_set_is_not_sent_back(name):
    figure = MADE[name]()
    own = set(figure.values()) - {"words"}
    echoed = [value for value in own if figure.trait_metadata(value, "echo_update", default=True)]
    assert echoed == []


def test_a_tensor_becomes_numbers():
    line = explorables.Line(similarity=SIMILARITY, positives=POSITIVES)
    assert line.similarity == SIMILARITY.tolist()
    line.similarity = torch.zeros(6)
    assert line.similarity == [0.0] * 6
    with pytest.raises(traitlets.TraitError, match="of the 3 similarities"):
        line.similarity = torch.zeros(3)


@pytest.mark.parametrize(
    ("name", "value"), [("k", 0), ("k", 1.5), ("rank_temperature", 0), ("similarity", "abc")]
)
def test_a_wrong_value_is_refused(name, value):
    line = explorables.Line(similarity=SIMILARITY, positives=POSITIVES)
    with pytest.raises(traitlets.TraitError, match=name):
        setattr(line, name, value)


@pytest.mark.parametrize("positives", [[8], [-1], [1, 1], [0.5], []])
def test_positives_are_items_of_the_list(positives):
    with pytest.raises(traitlets.TraitError, match="positives"):
        explorables.Line(similarity=SIMILARITY, positives=positives)
