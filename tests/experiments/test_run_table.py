"""Runs side by side."""

from dataclasses import replace

import pytest

from recallkit.config import Config
from recallkit.errors import RecallkitError
from recallkit.experiments.run_table import run_table
from recallkit.files import write_json
from recallkit.training.loop import train

CONFIG = Config(images=32, batch_size=16, evaluations=2, image_size=16, embedding_dim=4)


def row(table, name):
    [line] = [line for line in table.splitlines() if line.startswith(f"| {name} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_for_each_run_and_only_what_differs(tmp_path, toy_splits):
    result = train(CONFIG, tmp_path / "a", splits=toy_splits, progress=False)
    train(replace(CONFIG, seed=1), tmp_path / "b" / "c", splits=toy_splits, progress=False)
    (tmp_path / "b" / "c" / "result.json").unlink()
    (tmp_path / "b" / "c" / "state.pt").touch()
    with (tmp_path / "b" / "c" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3')  # being written at this moment
    for name in ("damaged", "new"):
        (tmp_path / name).mkdir()
    (tmp_path / "damaged" / "config.json").write_text("{")
    write_json(tmp_path / "new" / "config.json", vars(replace(CONFIG, simix=False)))
    table = run_table(tmp_path)
    recall = f"{result['test']['trained']['R@1']:.1%}"
    found = row(table, "a")
    assert found[:3] == ["a", "finished", "2/2"]
    assert found[4] == recall
    assert found[6] == "simix True, seed 0"
    assert row(table, "b/c")[1:3] == ["unfinished", "2/2"]
    assert row(table, "b/c")[6] == "simix True, seed 1"
    assert row(table, "new")[1:3] == ["no save yet", "0/2"]
    assert row(table, "damaged")[1] == "config.json damaged"


def test_no_run(tmp_path):
    with pytest.raises(RecallkitError, match="there is no run below"):
        run_table(tmp_path)
