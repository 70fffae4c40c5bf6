"""Inputs and outputs that are containers of tensors."""

import copy
from collections import OrderedDict, UserDict, defaultdict, namedtuple
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from recallkit import LargeBatchStep, RecallAtKLoss
from recallkit.large_batch.inputs import cut, leaves, map_leaves, moved

LOSS = RecallAtKLoss(rank_temperature=0.1)
LABELS = torch.arange(16) // 4
IMAGE = torch.randn(16, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
TEXT = torch.randn(16, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
Named = namedtuple("Named", ["image", "text"])  # as users write it


@dataclass
class Record:
    image: torch.Tensor
    text: torch.Tensor
    name: str = "a record"
    extra: list = field(default_factory=list, init=False)


@dataclass(frozen=True)
class Frozen:
    image: torch.Tensor
    text: torch.Tensor


class Two(nn.Module):
    """Adds what it makes of an image and of a text, wherever the input holds them."""

    def __init__(self, find):
        super().__init__()
        torch.manual_seed(0)
        self.find, self.image, self.text = find, nn.Linear(6, 4), nn.Linear(5, 4)
        self.double()

    def forward(self, x):
        image, text = self.find(x)
        return normalize(self.image(image) + self.text(text), dim=1)


INPUTS = {
    "dict": ({"image": IMAGE, "text": TEXT}, lambda x: (x["image"], x["text"])),
    "ordered dict": (OrderedDict(image=IMAGE, text=TEXT), lambda x: (x["image"], x["text"])),
    "default dict": (
        defaultdict(list, image=IMAGE, text=TEXT),
        lambda x: (x["image"], x["text"]),
    ),
    "user dict": (UserDict(image=IMAGE, text=TEXT), lambda x: (x["image"], x["text"])),
    "tuple": ((IMAGE, TEXT), lambda x: x),
    "list": ([IMAGE, TEXT], lambda x: x),
    "named tuple": (Named(IMAGE, TEXT), lambda x: (x.image, x.text)),
    "dataclass": (Record(IMAGE, TEXT), lambda x: (x.image, x.text)),
    "frozen dataclass": (Frozen(IMAGE, TEXT), lambda x: (x.image, x.text)),
    "nested": ({"a": [IMAGE], "b": {"c": (TEXT, None)}}, lambda x: (x["a"][0], x["b"]["c"][0])),
    "with an array": ((IMAGE, TEXT.numpy()), lambda x: (x[0], torch.from_numpy(x[1]))),
    "with others": ((IMAGE, TEXT, 3, "mode", None, torch.ones(())), lambda x: x[:2]),
}


@pytest.mark.parametrize("keep", [0, 10**9])
@pytest.mark.parametrize("name", INPUTS)
def test_gradient_with_containers_equals_one_backward(name, keep):
    inputs, find = INPUTS[name]
    network = Two(find)
    twin = copy.deepcopy(network)
    value = LargeBatchStep(network, LOSS, 5, keep_graphs=keep)(inputs, LABELS)
    expected = LOSS(twin(inputs), LABELS)
    expected.backward()
    torch.testing.assert_close(value, expected.detach(), rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(network.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-10, atol=1e-12)


def test_texts_are_cut_and_other_values_are_given_to_each_chunk():
    texts = [str(i) for i in range(5)]
    tree = {
        "t": texts,
        "u": tuple(texts),
        "sizes": [3, 3],
        "flag": True,
        "scale": torch.tensor(2.0),
    }
    chunks = cut(tree, 2, 5)
    assert [chunk["t"] for chunk in chunks] == [["0", "1"], ["2", "3"], ["4"]]
    assert chunks[1]["u"] == ("2", "3")
    assert all(chunk["sizes"] == [3, 3] and chunk["flag"] is True for chunk in chunks)
    assert all(chunk["scale"] is tree["scale"] for chunk in chunks)


def test_a_text_network_gets_its_texts():
    """Texts go to the network as they are; it may tokenise them itself."""

    class OfTexts(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(16, 4)

        def forward(self, texts):
            return normalize(self.table(torch.tensor([int(text) for text in texts])), dim=1)

    network = OfTexts()
    LargeBatchStep(network, LOSS, 5)([str(i) for i in range(16)], LABELS)
    assert network.table.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"image": IMAGE, "text": TEXT[:15]}, r"images\['text'\] .* same length.*not 15 and 16"),
        ({"a": {"b": [IMAGE, TEXT[:0]]}}, r"images\['a'\]\['b'\]\[1\] .* not 0 and 16"),
        ((IMAGE, ["a", "b"]), r"images\[1\] .* not 2 and 16"),
        (Record(IMAGE[:3], TEXT), r"images\.image .* not 3 and 16"),
        ({"mode": "x", "n": 3}, r"images must hold a tensor with a row for each example"),
        (None, "images must hold a tensor"),
        ([], "images must hold a tensor"),
    ],
)
def test_parts_of_another_length_are_named(inputs, message):
    with pytest.raises(ValueError, match=message):
        LargeBatchStep(Two(lambda x: x), LOSS, 5)(inputs, LABELS)


class Returns(nn.Linear):
    """A linear layer that packs its output."""

    def __init__(self, pack):
        super().__init__(6, 4, dtype=torch.float64)
        self.pack = pack

    def forward(self, x):
        return self.pack(super().forward(x))


OUTPUTS = {
    "the only tensor of a dict": (lambda e: {"embedding": e}, None),
    "of a tuple": (lambda e: (e,), None),
    "beside others": (lambda e: {"embedding": e, "loss": None, "name": "x"}, None),
    "by key": (lambda e: {"embedding": e, "hidden": e + 1}, "embedding"),
    "by index": (lambda e: (e + 1, e), 1),
    "the last": (lambda e: [e + 1, e], -1),
    "by attribute of a named tuple": (lambda e: Named(e + 1, e), "text"),
    "by attribute of a dataclass": (lambda e: Record(e, e + 1), "image"),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_embeddings_are_found_in_what_the_network_returns(name):
    pack, output = OUTPUTS[name]
    network = Returns(pack)
    LargeBatchStep(network, LOSS, 5, output=output)(IMAGE, LABELS)
    plain = copy.deepcopy(network)
    plain.zero_grad()
    LOSS(nn.functional.linear(IMAGE, plain.weight, plain.bias), LABELS).backward()
    torch.testing.assert_close(network.weight.grad, plain.weight.grad, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("pack", "output", "message"),
    [
        (lambda e: {"a": e, "b": e}, None, r"output= must name it.*\['a'\] \(5, 4\), \['b'\]"),
        (lambda e: "text", None, "output= must name it: it is of type str"),
        (lambda e: None, None, "it is of type NoneType"),
        (lambda e: {}, None, "a dict of nothing"),
        (lambda e: {"a": "text", "b": e}, "a", "it is of type str"),
        (lambda e: {"a": e}, "b", r"output = 'b' is not there: it is a dict of \['a'\] \(5, 4\)"),
        (lambda e: (e, e), 2, "output = 2 is not there"),
        (lambda e: Record(e, e), "z", "output = 'z' is not there: it is a Record"),
        (lambda e: e.sum(), None, r"a row for each of the 5 inputs .* not a tensor of shape \(\)"),
        (lambda e: e[:2], None, r"a row for each of the 5 inputs .* shape \(2, 4\)"),
        (lambda e: e.detach().numpy(), None, "it is of type ndarray"),
    ],
)
def test_outputs_without_embeddings_are_described(pack, output, message):
    with pytest.raises(ValueError, match=message):
        LargeBatchStep(Returns(pack), LOSS, 5, output=output)(IMAGE, LABELS)


def test_embed_calls_the_network():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.image, self.text = nn.Linear(6, 4), nn.Linear(5, 4)

        def forward(self, *, text, image, scale=1.0):
            return {"sum": self.image(image) + self.text(text) * scale, "text": text}

    network = Named().double()
    twin = copy.deepcopy(network)
    step = LargeBatchStep(network, LOSS, 5, embed=lambda net, x: net(**x), output="sum")
    step({"image": IMAGE, "text": TEXT, "scale": 0.5}, LABELS)
    LOSS(twin(image=IMAGE, text=TEXT, scale=0.5)["sum"], LABELS).backward()
    torch.testing.assert_close(network.text.weight.grad, twin.text.weight.grad)


def test_a_transform_gets_the_container():
    network = Two(lambda x: (x["image"], x["text"]))
    twin = copy.deepcopy(network)

    def double(x):
        return x | {"image": 2 * x["image"]}

    LargeBatchStep(network, LOSS, 5, transform=double)({"image": IMAGE, "text": TEXT}, LABELS)
    LOSS(twin({"image": 2 * IMAGE, "text": TEXT}), LABELS).backward()
    torch.testing.assert_close(network.image.weight.grad, twin.image.weight.grad)


def test_bytes_of_a_graph_do_not_count_the_input():
    step = LargeBatchStep(Returns(lambda e: e), LOSS)
    assert step.graph_bytes(IMAGE[:5]) == 0
    assert LargeBatchStep(Two(lambda x: x), LOSS).graph_bytes((IMAGE[:5], TEXT[:5])) < 2000


def test_leaves_and_their_places():
    tree = {"a": [1, (2, None)], "b": Frozen("x", ["y", "z"])}
    assert dict(leaves(tree)) == {
        "['a'][0]": 1,
        "['a'][1][0]": 2,
        "['a'][1][1]": None,
        "['b'].image": "x",
        "['b'].text": ["y", "z"],
    }


def test_the_containers_stay_what_they_are():
    record = Record(1, 2)
    tree = [Named(1, (2, 3)), UserDict(a=1), record, np.float64(1.0)]
    copied = map_leaves(lambda leaf: leaf, tree)
    assert copied == tree
    assert [type(part) for part in copied] == [type(part) for part in tree]
    assert copied[2] is not record


def test_tensors_are_moved_and_others_stay():
    result = moved({"a": torch.ones(2), "b": ["x"], "c": np.ones(2)}, torch.device("meta"))
    assert result["a"].is_meta
    assert result["b"] == ["x"]
    assert isinstance(result["c"], np.ndarray)
