"""The maths of the explorables against the Python code that they teach, to 1e-10."""

import shutil
from functools import cache

import pytest
import quickjs
from helpers.golden import GOLDEN, golden_cases
from helpers.javascript import MATHS, Module, differences

from recallkit.course.explorables.bundle import bundle, exported_names
from recallkit.course.pair_gradients import losses_to_compare

# Golden cases ask for ks beyond the few items of an arc, too.
pytestmark = pytest.mark.filterwarnings("ignore:each query is ranked among")

FUNCTIONS = [(file, name) for file, names in GOLDEN.items() for name in names]


@cache
def module(file):
    """A module of the checkout, evaluated once."""
    return Module(MATHS / file)


def test_every_exported_function_has_golden_cases():
    exported = {path.name: module(path.name).functions() for path in MATHS.glob("*.js")}
    assert exported == {file: sorted(names) for file, names in GOLDEN.items()}


@pytest.mark.parametrize(("file", "name"), FUNCTIONS)
def test_a_function_agrees_with_python(file, name):
    cases = golden_cases(file, name)
    assert len(cases) >= 50
    for arguments, expected in cases:
        wrong = differences(module(file)(name, *arguments), expected)
        assert not wrong, f"{name}{tuple(arguments)}: {wrong}"


def test_the_settings_are_those_of_the_notebook():
    losses = losses_to_compare()
    recall, smooth = losses["RS@k"], losses["SmoothAP"]
    contrastive = losses["contrastive"]
    assert module("losses.js").constant("LOSS_SETTINGS") == {
        "RS@k": {
            "ks": list(recall.ks),
            "kTemperature": recall.k_temperature,
            "rankTemperature": recall.rank_temperature,
        },
        "SmoothAP": {"rankTemperature": smooth.rank_temperature},
        "triplet": {"margin": losses["triplet"].margin},
        "contrastive": {
            "positiveMargin": contrastive.pos_margin,
            "negativeMargin": contrastive.neg_margin,
        },
        "NT-Xent": {"temperature": losses["NT-Xent"].temperature},
    }


ALONE = [{"positives": [], "negatives": [0]}]
ONE_POINT = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize(
    ("file", "call", "message"),
    [
        ("losses.js", ("lossOf", "RS@k", [[0.5]], ALONE), "no query has a positive"),
        ("losses.js", ("lossOf", "SmoothAP", [[0.5]], ALONE), "no query has a positive"),
        ("descent.js", ("descend", "triplet", ONE_POINT, [1, 1, 2], 3), "no gradient at the start"),
    ],
)
def test_what_has_no_value_is_an_error(file, call, message):
    with pytest.raises(quickjs.JSException, match=message):
        module(file)(*call)


def test_a_figure_can_import_all_modules(tmp_path):
    paths = sorted(MATHS.glob("*.js"))
    lines = [
        f'import {{ {", ".join(exported_names(path))} }} from "./maths/{path.name}";\n'
        for path in paths
    ]
    shutil.copytree(MATHS, tmp_path / "maths")
    (tmp_path / "all.js").write_text("".join(lines), encoding="utf-8")
    text = bundle(tmp_path / "all.js")
    assert all(f"function {name}(" in text for _, name in FUNCTIONS)
