"""The paper's tables: every cell says where its number is from."""

import json
import re

import pytest

from recallkit import cli
from recallkit.config import PRESETS
from recallkit.experiments.compare import NOT_REPORTED, comparison
from recallkit.experiments.published import STATUSES, Published, load_published


def row(method="RS@k", metrics=None, status="published", settings=None, dataset="SOP"):
    metrics = {"R@1": 82.7} if metrics is None else metrics
    return Published(dataset, method, "ResNet-50", metrics, status, "someone", settings, "")


def run(seed=0, **config):
    config = {"dataset": "sop", "network": "resnet50", "seed": seed} | config
    trained = {"R@1": 0.8012, "R@10": 0.9}
    return {"config": config, "seed": seed, "commit": "abc1234567", "test": {"trained": trained}}


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


SETTINGS = {"dataset": "sop", "network": "resnet50"}


def test_cells_say_published_unverified_reproduction_run_here_and_not_run():
    rows = [
        row(settings=SETTINGS),
        row(metrics={"R@10": 96.1, "mAP@R": 50.25}, status="unverified", settings=SETTINGS),
        row("by others", status="reproduction"),
        row("with SiMix", settings=SETTINGS | {"simix": True}),
    ]
    header, _, first, own, again, others, mixed, not_run = cells(
        comparison(rows, [run(), run(seed=3)])["SOP"]
    )
    assert header == ["SOP", "network", "R@1", "R@10", "mAP@R"]
    assert first[2:] == ["82.7 published", "96.1 unverified", "50.25 unverified"]
    where = "run here (seed 0, commit abc1234)"
    assert own == ["here", "ResNet-50", f"80.1 {where}", f"90.0 {where}", "not run"]
    assert "seed 3" in again[2]
    assert others[2:] == ["82.7 reproduction", NOT_REPORTED, NOT_REPORTED]
    assert mixed[0] == "with SiMix"
    assert not_run[2:] == ["not run"] * 3


def test_tables_of_some_data_sets():
    rows = [row(), row(dataset="CUB")]
    assert list(comparison(rows, [], ["cub"])) == ["CUB"]
    with pytest.raises(ValueError, match="datasets must be among SOP, CUB, not birds"):
        comparison(rows, [], ["birds"])


def test_every_cell_of_the_project_has_a_status():
    allowed = rf"[0-9.]+ ({'|'.join(STATUSES)})|[0-9.]+ run here \(seed \d+, commit .+\)|not run|–"
    for table in comparison(load_published(), []).values():
        for line in cells(table)[2:]:
            assert all(re.fullmatch(allowed, cell) for cell in line[2:])


def test_a_preset_can_fill_every_row_that_a_run_may_stand_beside():
    for entry in load_published():
        if entry.settings is not None:
            wanted = {k: v for k, v in entry.settings.items() if k != "simix"}
            assert any(wanted.items() <= vars(config).items() for config in PRESETS.values()), entry


def test_the_command_prints_tables_and_what_the_words_mean(tmp_path, capsys):
    cli.main(["compare", "sop", "--results", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "| SOP" in shown
    assert "not run: no stored run" in shown
    (tmp_path / "bad.json").write_text(json.dumps({"seed": 1}))
    with pytest.raises(SystemExit) as stop:
        cli.main(["compare", "--results", str(tmp_path)])
    assert "is not a stored run" in stop.value.code
    cli.main(["compare"])
    shown = capsys.readouterr().out
    assert len(re.findall(r"\| +network \|", shown)) == len(comparison(load_published(), []))
