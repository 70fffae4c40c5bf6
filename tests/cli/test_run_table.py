"""The runs of a folder side by side."""

import json
from dataclasses import asdict, replace

import pytest

from recallkit.cli.run_table import run_table
from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.files import write_json
from recallkit.training import train

CONFIG = Config(images=32, batch_size=16, evaluations=2, image_size=16, embedding_dim=4)


def cells(table):
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def row(table, name):
    header, _, *rows = cells(table)
    [found] = [dict(zip(header, cells, strict=True)) for cells in rows if cells[0] == name]
    return found


def made_up(folder, *configs):
    for number, config in enumerate(configs):
        write_json(folder / f"run {number}" / "config.json", asdict(config))
    return run_table(folder)


def test_a_row_for_each_run_and_a_column_for_each_difference(tmp_path, toy_splits):
    result = train(CONFIG, tmp_path / "a", splits=toy_splits, progress=False)
    train(replace(CONFIG, seed=1), tmp_path / "b" / "c", splits=toy_splits, progress=False)
    (tmp_path / "b" / "c" / "result.json").unlink()
    (tmp_path / "b" / "c" / "state.pt").touch()
    with (tmp_path / "b" / "c" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3')  # being written at this moment
    for name in ("damaged", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "damaged" / "config.json").write_text("{")
    write_json(tmp_path / "new" / "config.json", asdict(replace(CONFIG, simix=False)))
    table = run_table(tmp_path)
    assert cells(table)[0] == [
        "run", "state", "step", "loss", "floor", "R@1 val", "R@1 test", "seconds", "simix", "seed",
    ]  # fmt: skip
    finished = row(table, "a")
    assert (finished["state"], finished["step"]) == ("finished", "2/2")
    assert finished["R@1 test"] == f"{result['test']['trained']['R@1']:.1%}"
    assert finished["R@1 val"] == f"{result['validation'][-1]['R@1']:.1%}"
    assert finished["loss"] == f"{result['validation'][-1]['loss']:.3f}"
    assert finished["floor"] == f"{result['validation'][-1]['floor']:.3f}"
    assert (finished["simix"], finished["seed"]) == ("on", "0")
    assert (row(table, "b/c")["state"], row(table, "b/c")["step"]) == ("unfinished", "2/2")
    assert (row(table, "new")["state"], row(table, "new")["step"]) == ("not saved yet", "0")
    assert row(table, "damaged")["state"] == "damaged config"


def test_steps_over_epochs_are_those_of_the_training(tmp_path, toy_splits):
    config = replace(CONFIG, epochs=3, images=16)  # of 40 images two whole batches an epoch
    train(config, tmp_path / "a", splits=toy_splits, progress=False)
    assert row(run_table(tmp_path), "a")["step"] == "6/6"


def test_a_log_of_an_older_version_has_steps_done_alone(tmp_path):
    made_up(tmp_path, CONFIG)
    (tmp_path / "run 0" / "metrics.jsonl").write_text('{"step": 700, "R@1": 0.5, "seconds": 3}\n')
    (tmp_path / "run 0" / "diverged.json").touch()
    found = row(run_table(tmp_path), "run 0")
    assert (found["step"], found["state"], found["R@1 test"]) == ("700", "diverged", "")


@pytest.mark.parametrize("value", [b"[1, 2]", b"3", b"null", b"\xff\x80"])
def test_files_that_hold_something_else_are_shown_as_damaged_or_passed_over(tmp_path, value):
    made_up(tmp_path, CONFIG, replace(CONFIG, seed=1))
    for name in ("result.json", "metrics.jsonl"):
        (tmp_path / "run 0" / name).write_bytes(value)
    (tmp_path / "run 1" / "metrics.jsonl").write_bytes(b'{"step": 7}\n' + value + b"\n")
    table = run_table(tmp_path)
    assert (row(table, "run 0")["step"], row(table, "run 0")["R@1 test"]) == ("0", "damaged")
    assert row(table, "run 1")["step"] == "7"


def test_runs_stand_in_the_order_of_their_numbers(tmp_path):
    sizes = (2048, 32, 512, 128)
    table = made_up(tmp_path, *(replace(CONFIG, images=4096, batch_size=b) for b in sizes))
    assert [line[-1] for line in cells(table)[2:]] == ["32", "128", "512", "2,048"]
    clipped = made_up(tmp_path / "x", *(replace(CONFIG, clip_norm=c) for c in (2.0, None, 1.0)))
    assert [line[-1] for line in cells(clipped)[2:]] == ["none", "1", "2"]


def test_no_line_is_longer_than_a_terminal_and_the_rest_is_named(tmp_path):
    other = replace(
        CONFIG, dataset="/a/very/long/folder/of/images", rotation=1.0, scale=0.1, shift=0.01,
        colour=0.1, crop=0.5, flip=True, seed=3,
    )  # fmt: skip
    table = made_up(tmp_path, CONFIG, other)
    assert max(map(len, table.splitlines()[:-1])) <= 100
    assert "no room for" in table.splitlines()[-1]
    assert "crop" in table
    wide = made_up(tmp_path, CONFIG, other, replace(other, seed=4))
    assert row(run_table(tmp_path, width=300), "run 1")["dataset"] == "…y/long/folder/of/images"
    assert "no room" not in run_table(tmp_path, width=300)
    assert wide != table


def test_no_run(tmp_path):
    with pytest.raises(RecallkitError, match="there is no run below"):
        run_table(tmp_path)


def test_losses_that_differ_are_told_from_their_values(tmp_path, toy_splits):
    for number, loss in enumerate(("recall@k", "triplet")):
        train(replace(CONFIG, loss=loss), tmp_path / f"{number}", splits=toy_splits, progress=False)
    table = run_table(tmp_path)
    assert [row(table, name)["loss function"] for name in "01"] == ["RS@k", "triplet"]
    assert row(table, "0")["floor"] == "0.079"  # groups of four, with virtual examples
    assert row(table, "1")["floor"] == ""
    assert float(row(table, "1")["loss"]) > 0


def test_what_is_no_number_in_a_run_is_said_beside_all_others(tmp_path):
    for name in ("sound", "odd", "deep", "folder"):
        write_json(tmp_path / name / "config.json", asdict(CONFIG))
        write_json(tmp_path / name / "result.json", {"test": {"trained": {"R@1": 0.25}}})
    line = dict.fromkeys(("step", "steps", "loss", "floor", "R@1", "seconds"), 1)
    for name, value in {"step": "x", "loss": [1], "R@1": "0.5", "seconds": 10**400}.items():
        line[name] = value
    (tmp_path / "odd" / "metrics.jsonl").write_text(json.dumps(line))
    write_json(tmp_path / "odd" / "result.json", {"test": {"trained": {"R@1": "high"}}})
    (tmp_path / "deep" / "metrics.jsonl").write_text("[" * 100_000)
    (tmp_path / "folder" / "metrics.jsonl").mkdir()
    table = run_table(tmp_path)
    odd = row(table, "odd")
    assert odd.pop("step") == "damaged/1"
    assert (odd.pop("run"), odd.pop("state"), odd.pop("floor")) == ("odd", "finished", "1.000")
    assert set(odd.values()) == {"damaged"}
    for name in ("sound", "deep", "folder"):
        assert row(table, name)["R@1 test"] == "25.0%"
