"""The command that executes the course, on notebooks of a few lines."""

import base64
import io
import json
import os
from dataclasses import replace

import nbformat
import pytest
from helpers.processes import command, interrupt, uncounted, wait_until
from nbformat import v4
from PIL import Image

from recallkit import cli
from recallkit.config import Config
from recallkit.course import explorables, stored_form
from recallkit.course import notebooks as course
from recallkit.course.stored_widgets import STATE, UNRUN_WIDGET, VIEW
from recallkit.errors import RecallkitError
from recallkit.training.loop import train

FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()"
WIDGET = "from ipywidgets import IntSlider\nslider = IntSlider(description='k')\nslider"
EXPLORABLE = "from recallkit.course import explorables\nstep = explorables.Step()\nstep"
HANGING = """import os, time
from pathlib import Path
Path("new").write_text(str(os.getpid()))
Path("new").rename("pid")
time.sleep(300)"""
RUNNING_BAR = "import sys\nprint('\\r 50%|###', end='', file=sys.stderr)"


@pytest.fixture(autouse=True)
def _kernels_are_uncounted():
    with uncounted():
        yield


def write(folder, *sources, name="03_small.ipynb"):
    """A notebook of these cells, a heading above; as an earlier, untidy run would leave it."""
    cells = [v4.new_code_cell(source) for source in sources]
    for place, cell in enumerate(cells):
        cell.id = f"nb03-{place}"
        cell.execution_count = 7
        cell.metadata = {"execution": {"iopub.status.busy": "now"}, "tags": ["kept"]}
    metadata = {"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.1"}}
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("# A"), *cells], metadata=metadata)
    nbformat.write(notebook, folder / name)
    return folder / name


def executed(path):
    course.execute_notebooks([path], progress=False)
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook, [cell for cell in notebook.cells if cell.cell_type == "code"]


def failure(path):
    """What the command says; the file must stay as it was."""
    before = path.read_bytes()
    with pytest.raises(RecallkitError) as error:
        course.execute_notebooks([path], progress=False)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    return str(error.value)


def test_cells_run_in_order_in_the_folder_of_the_notebook(tmp_path):
    (tmp_path / "beside.txt").write_text("seen")
    notebook, cells = executed(write(tmp_path, "a = open('beside.txt').read()", "a", "print(a)"))
    assert [cell.execution_count for cell in cells] == [1, 2, 3]
    assert [cell.id for cell in cells] == ["nb03-0", "nb03-1", "nb03-2"]
    assert cells[1].outputs[0].data == {"text/plain": "'seen'"}
    assert cells[1].outputs[0].execution_count == 2
    assert cells[2].outputs[0].text == "seen\n"
    assert {str(cell.metadata) for cell in cells} == {"{'tags': ['kept']}"}
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": stored_form.LANGUAGE,
    }


def test_a_second_run_changes_no_byte(tmp_path):
    path = write(tmp_path, FIGURE, WIDGET, EXPLORABLE, "step.temperature = 0.01", "print(1)")
    notebook, cells = executed(path)
    assert cells[2].outputs[0].data[VIEW]["model_id"] == "nb03-2-widget-0"
    [step] = [m for m in notebook.metadata.widgets[STATE]["state"].values() if "_esm" in m["state"]]
    assert step["state"]["temperature"] == 0.1  # as it was first shown
    before = path.read_bytes()
    executed(path)
    assert path.read_bytes() == before


def test_renewing_runs_nothing_and_takes_the_present_module(tmp_path):
    path = write(tmp_path, EXPLORABLE, "print(1)")
    executed(path)
    before = path.read_text()
    text = json.dumps(explorables.Step.module_text(), ensure_ascii=False)
    path.write_text(before.replace(text, '"export default {}"').replace("print(1)", "print(2)"))
    assert "export default {}" in path.read_text()
    course.renew_notebooks([path])
    assert path.read_text() == before.replace("print(1)", "print(2)")


def test_a_widget_becomes_a_line_and_a_figure_small(tmp_path):
    _, [plot, widget] = executed(write(tmp_path, FIGURE, WIDGET))
    [output] = widget.outputs
    assert output.data == {"text/plain": UNRUN_WIDGET}
    encoded = next(o.data["image/png"] for o in plot.outputs if "image/png" in o.get("data", {}))
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as image:
        assert image.mode == "P"
        assert image.info == {}  # no library's name
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_a_figure_with_twice_the_dots_keeps_its_size_on_the_page(tmp_path):
    sharp = '%config InlineBackend.figure_formats = ["retina"]'
    sizes = []
    for number, sources in enumerate(([FIGURE], [sharp, FIGURE])):
        _, cells = executed(write(tmp_path, *sources, name=f"0{number}_small.ipynb"))
        [output] = [output for output in cells[-1].outputs if "image/png" in output.data]
        with Image.open(io.BytesIO(base64.b64decode(output.data["image/png"]))) as image:
            sizes.append((image.size, output.metadata))
    (small, nothing), (large, metadata) = sizes
    assert nothing == {}
    shown = metadata["image/png"]
    assert (2 * shown["width"], 2 * shown["height"]) == pytest.approx(large, abs=2)
    assert large == pytest.approx((2 * small[0], 2 * small[1]), abs=2)


def test_the_thumbnail_is_the_tagged_figure_else_the_first(tmp_path):
    def thumbnail():
        with Image.open(tmp_path / "figures" / "03_small.png") as image:
            return image.convert("RGB").getpixel((0, 0))

    fill = "import matplotlib.pyplot as plt\nplt.figure(facecolor='{}')\nplt.axes()\nplt.show()"
    path = write(tmp_path, "1", fill.format("red"), fill.format("blue"))
    executed(path)
    assert (tmp_path / "figures" / "03_small.png").stat().st_size <= stored_form.THUMBNAIL_BYTES
    assert thumbnail() == (255, 0, 0)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[3].metadata["tags"] = ["thumbnail"]
    nbformat.write(notebook, path)
    executed(path)
    assert thumbnail() == (0, 0, 255)


def test_a_thumbnail_of_noise_is_small_too(tmp_path):
    noise = base64.b64encode(_png(Image.effect_noise((900, 600), 90))).decode()
    cell = v4.new_code_cell(outputs=[v4.new_output("display_data", {"image/png": noise})])
    stored_form.write_thumbnail(v4.new_notebook(cells=[cell]), tmp_path / "noise.png")
    assert 1_000 < (tmp_path / "noise.png").stat().st_size <= stored_form.THUMBNAIL_BYTES


def _png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_progress_bars_are_left_out(tmp_path):
    _, [cell] = executed(write(tmp_path, RUNNING_BAR))
    assert cell.outputs == []


def test_all_that_a_training_announces_is_progress(tmp_path, toy_splits, capsys):
    config = Config(images=16, batch_size=8, evaluations=2, image_size=16, embedding_dim=4)
    train(config, tmp_path / "run", splits=toy_splits, device="cpu")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 4
    assert [line for line in lines if not stored_form.PROGRESS.search(line)] == []


def test_all_that_a_training_on_a_folder_announces_is_progress(tmp_path, capsys):
    for number in range(24):
        place = tmp_path / "images" / f"class {number // 3}"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (10 * number, 0, 0)).save(place / f"{number}.png")
    config = Config(images=16, batch_size=4, evaluations=2, image_size=16, embedding_dim=4)
    config = replace(config, dataset=str(tmp_path / "images"))
    train(config, tmp_path / "run", device="cpu")
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("used 24 images of 8 classes") for line in lines)
    assert [line for line in lines if not stored_form.PROGRESS.search(line)] == []


def test_missing_and_repeated_ids_are_given_again(tmp_path):
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell("a") for _ in range(3)])
    notebook.cells[0].id = notebook.cells[1].id = "same"
    del notebook.cells[2]["id"]
    stored_form.normalise(notebook, tmp_path / "04_x.ipynb")
    assert [cell.id for cell in notebook.cells] == ["same", "nb04-place-01", "nb04-place-02"]


def test_a_failing_cell_is_named(tmp_path):
    path = write(tmp_path, "1", "a = {}\na['wanted']", "2")
    assert "03_small.ipynb, cell [2]: KeyError: 'wanted'" in failure(path)


def test_a_kernel_that_dies_is_named(tmp_path):
    assert "cell [2]: Kernel died" in failure(write(tmp_path, "import os", "os._exit(1)"))


def test_ctrl_c_ends_the_kernel_and_leaves_the_file(tmp_path):
    path = write(tmp_path, HANGING)
    before = path.read_bytes()
    with command("notebooks", str(path)) as process:
        wait_until((tmp_path / "pid").exists, process)
        message = interrupt(process)[1]
    assert process.returncode == 1
    assert message.splitlines()[-1] == "recallkit: interrupted"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert path.read_bytes() == before


def test_a_cell_that_hangs_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(course, "CELL_SECONDS", 2)
    path = write(tmp_path, "import time", "time.sleep(60)")
    assert "cell [2]: A cell timed out" in failure(path)


def test_a_bar_does_not_hide_a_warning(tmp_path):
    path = write(tmp_path, RUNNING_BAR + "\nprint('\\nold name', file=sys.stderr)")
    assert "old name" in failure(path)


def test_warnings_are_failures(tmp_path):
    path = write(tmp_path, "import warnings\nwarnings.warn('old name')")
    assert "cell [1]: it writes to stderr" in failure(path)


@pytest.mark.parametrize(
    "text", ["/tmp/x/y", "in /home/ada/recallkit.", "'C:\\\\Users\\\\ada'", "file:///root/a.png"]
)
def test_paths_of_the_machine_are_failures(tmp_path, text):
    path = write(tmp_path, f"print({text!r})")
    assert "cell [1]: it shows a path of this machine" in failure(path)


@pytest.mark.parametrize(
    "text", ["a/tmp/b", "https://x.org/home/ada", "<b>1</b></root>", "5 /work 3", "../data/usr/x"]
)
def test_what_only_looks_like_a_path_is_none(text):
    assert not stored_form.MACHINE_PATH.search(text)


def test_a_file_that_is_no_notebook_is_named(tmp_path):
    (tmp_path / "05_bad.ipynb").write_text("no JSON")
    assert "05_bad.ipynb cannot be read as a notebook" in failure(tmp_path / "05_bad.ipynb")


def test_notebooks_are_found_by_number_name_and_path(tmp_path):
    for name in ("00_a.ipynb", "01_b.ipynb", "10_c.ipynb", "notes.ipynb", "README.md"):
        (tmp_path / name).write_text("")
    names = [path.name for path in course.find_notebooks([], tmp_path)]
    assert names == ["00_a.ipynb", "01_b.ipynb", "10_c.ipynb"]
    names = [path.name for path in course.find_notebooks(["10", "01_b", "01_b.ipynb"], tmp_path)]
    assert names == ["01_b.ipynb", "10_c.ipynb"]
    own = tmp_path / "notes.ipynb"
    assert course.find_notebooks([str(own)], tmp_path) == [own]
    with pytest.raises(RecallkitError, match="no notebook '02'; the notebooks are: 00_a, 01_b"):
        course.find_notebooks(["02"], tmp_path)


def test_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RECALLKIT_PROFILE", "smoke")
    path = write(tmp_path, "from recallkit.course import profile\nprofile().name")
    cli.main(["notebooks", str(path)])
    assert "profile smoke, 1 notebook" in capsys.readouterr().out
    assert "smoke" in path.read_text()


def test_a_wrong_profile_is_said_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("RECALLKIT_PROFILE", "huge")
    with pytest.raises(SystemExit) as stop:
        cli.main(["notebooks", str(write(tmp_path, "1"))])
    assert "RECALLKIT_PROFILE must be one of" in stop.value.code
