"""Several modules in one text."""

import pytest
import quickjs
from helpers.javascript import MATHS

from recallkit.course.explorables.bundle import bundle, exported_names


def write(folder, **files):
    for name, source in files.items():
        path = folder / f"{name.replace('_', '/')}.js"
        path.parent.mkdir(exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return folder / "entry.js"


FLOOR = "const hidden = 3;\nexport const floor = () => hidden;\n"


def test_each_module_comes_once_before_those_that_import_it(tmp_path):
    entry = write(
        tmp_path,
        lower_floor=FLOOR,
        lower_wall='import { floor } from "./floor.js";\nexport function wall() {\n'
        "  return 10 * floor();\n}\n",
        entry='import {\n  wall,\n} from "./lower/wall.js";\n'
        'import { floor } from "./lower/floor.js";\n'
        "export const sum = wall() + floor();\nexport default { sum };\n",
    )
    text = bundle(entry)
    assert text.count("const hidden = 3") == 1
    assert "import" not in text
    assert "export const sum" in text
    assert "export const floor" not in text
    context = quickjs.Context()
    context.module(f"{text}\nglobalThis.sum = sum;")
    assert context.get("sum") == 33


def test_lines_of_comments_go_and_no_other(tmp_path):
    source = (
        "// first\n/**\n * What it * does.\n * @returns {number}\n */\n"
        "export const a = 4 / 2; // the half\n  /* one line */\n"
        'const url = "//here"; /* stays */\nexport const b = `${url}/*${a}*/`;\n'
    )
    text = bundle(write(tmp_path, entry=source))
    assert text == (
        "export const a = 4 / 2; // the half\n"
        'const url = "//here"; /* stays */\nexport const b = `${url}/*${a}*/`;\n'
    )


def test_the_exported_names(tmp_path):
    source = "export const one = 1;\nconst two = 2;\nexport async function three() {}\n"
    assert exported_names(write(tmp_path, entry=source)) == ["one", "three"]


@pytest.mark.parametrize("path", sorted(MATHS.glob("*.js")), ids=lambda path: path.name)
def test_a_module_of_the_maths_needs_no_page(path):
    """What a bare interpreter lacks (document, window, timers) is not touched."""
    quickjs.Context().module(bundle(path))
    lines = path.read_text(encoding="utf-8").splitlines()
    code = "".join(line for line in lines if line.lstrip()[:1] not in ("/", "*"))
    assert "document" not in code
    assert "window" not in code


FLOOR_IMPORT = 'import { floor } from "./floor.js";\n'


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"entry": FLOOR_IMPORT}, "there is no module .*floor.js"),
        ({"entry": FLOOR_IMPORT, "floor": "const floor = 1;\n"}, "not exported by floor.js"),
        ({"entry": FLOOR_IMPORT + "let hidden;\n", "floor": FLOOR}, "both declare hidden"),
        (
            {"entry": FLOOR_IMPORT, "floor": 'import { a } from "./entry.js";\n' + FLOOR},
            r"floor.js imports \['a'\]",
        ),
        (
            {
                "entry": FLOOR_IMPORT + "export const a = 1;\n",
                "floor": 'import { a } from "./entry.js";\n' + FLOOR,
            },
            "entry.js imports itself, by floor.js",
        ),
        ({"entry": FLOOR_IMPORT, "floor": FLOOR + "export default 1;\n"}, "default export"),
        ({"entry": 'import * as floor from "./floor.js";\n'}, "does not understand 'import"),
        ({"entry": 'import { a as b } from "./floor.js";\n'}, "does not understand 'import"),
        ({"entry": 'import { a } from "d3";\n'}, "does not understand 'import"),
        ({"entry": "const a = 1;\nexport { a };\n"}, "does not understand 'export"),
        ({"entry": "export const { a } = b;\n"}, "does not understand 'export const"),
        ({"entry": "var a = 1;\n"}, "does not understand 'var"),
    ],
)
def test_what_cannot_be_joined_is_refused(tmp_path, files, message):
    with pytest.raises(ValueError, match=message):
        bundle(write(tmp_path, **files))
