"""Published numbers: the file is as it says, and a run stands only beside rows of its settings."""

import json
import re

import pytest
from helpers.made_up_runs import made_up_result

from recallkit import cli
from recallkit.config import PRESETS, Config, config_from
from recallkit.experiments import load_results
from recallkit.files import embedded, write_json
from recallkit.findings import comparison, load_published
from recallkit.findings.published import NOT_REPORTED, STATUSES, Published, runs_beside

ROWS = load_published()
SETTINGS = {"dataset": "sop", "network": "resnet50"}
HERE = Config(**SETTINGS, image_size=224)


def row(method="RS@k", metrics=None, status="published", settings=None, dataset="SOP"):
    metrics = {"R@1": 82.7} if metrics is None else metrics
    return Published(dataset, method, "ResNet-50", metrics, status, "someone", settings, "")


@pytest.fixture
def runs(tmp_path):
    """Runs of HERE with two seeds; one has tuned."""
    for seed, name in ((0, "a"), (3, "ablations/x/b"), (1000, "ablations/x/tuning/c")):
        result = made_up_result(config_from(vars(HERE) | {"seed": seed}), 0.5, 0.8012)
        result["test"]["trained"]["R@10"] = 0.9
        write_json(tmp_path / f"{name}.json", result)
    return load_results(tmp_path)


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


@pytest.mark.parametrize("entry", ROWS, ids=lambda entry: f"{entry.dataset}, {entry.method}")
def test_an_entry_of_the_file_is_as_its_page_says(entry):
    assert all(isinstance(t, str) for t in (entry.dataset, entry.method, entry.network, entry.note))
    assert entry.source
    assert entry.status in STATUSES
    assert entry.metrics
    assert all(0 <= value <= 100 for value in entry.metrics.values())
    if entry.settings is not None:  # a preset can fill every row that a run may stand beside
        wanted = {k: v for k, v in entry.settings.items() if k != "simix"}
        assert wanted
        assert any(wanted.items() <= vars(config).items() for config in PRESETS.values())


def test_the_file_of_the_project():
    assert {entry.status for entry in ROWS} == set(STATUSES)
    assert len({(r.dataset, r.method, r.network, *r.metrics) for r in ROWS}) == len(ROWS)
    [best] = [entry for entry in ROWS if entry.method.endswith("best epoch on test")]
    [last] = [entry for entry in ROWS if entry.method.endswith("last epoch")]
    assert best.metrics["R@1"] > last.metrics["R@1"]
    readme = (embedded("paper") / "README.md").read_text()
    assert all(f"**{status}**" in readme for status in STATUSES)
    fields = json.loads((embedded("paper") / "published.json").read_text())[0]
    assert all(f"`{name}`" in readme for name in fields)


def test_numbers_from_memory_are_never_called_published():
    mixed = [r for r in ROWS if r.dataset == "Cars196" and "SiMix" in r.method]
    assert [entry.status for entry in mixed] == ["unverified"]


def test_a_run_stands_beside_a_row_of_its_settings(runs):
    assert sorted(runs_beside(row(settings=SETTINGS), runs)["seed"]) == [0, 3]
    for settings in (None, SETTINGS | {"dataset": "emoji"}, SETTINGS | {"simix": False}):
        assert len(runs_beside(row(settings=settings), runs)) == 0


def test_every_cell_says_what_its_number_is(runs):
    rows = [
        row(settings=SETTINGS),
        row(metrics={"R@10": 96.1, "mAP@R": 50.25}, status="unverified", settings=SETTINGS),
        row("by others", status="reproduction"),
        row("without SiMix", settings=SETTINGS | {"simix": False}),
    ]
    header, _, first, own, again, others, plain, not_run = cells(comparison(rows, runs)["SOP"])
    assert header == ["SOP", "network", "R@1", "R@10", "mAP@R"]
    assert first[2:] == ["82.7 published", "96.1 unverified", "50.25 unverified"]
    where = "run here (seed 0, commit abc1234)"
    assert own == ["here", "ResNet-50", f"80.1 {where}", f"90.0 {where}", f"40.1 {where}"]
    assert "seed 3" in again[2]
    assert others[2:] == ["82.7 reproduction", NOT_REPORTED, NOT_REPORTED]
    assert plain[0] == "without SiMix"
    assert not_run[2:] == ["not run"] * 3


def test_a_metric_that_a_run_did_not_measure_was_not_run(runs):
    table = comparison([row(metrics={"R@1": 82.7, "R@1000": 99.0}, settings=SETTINGS)], runs)
    assert [line[3] for line in cells(table["SOP"])[2:]] == ["99.0 published", "not run", "not run"]


def test_tables_of_some_data_sets(runs):
    rows = [row(), row(dataset="CUB")]
    assert list(comparison(rows, runs)) == ["SOP", "CUB"]
    assert list(comparison(rows, runs, ["cub"])) == ["CUB"]
    with pytest.raises(ValueError, match="datasets must be among SOP, CUB, not birds"):
        comparison(rows, runs, ["birds"])


def test_every_cell_of_the_project_has_a_status():
    allowed = rf"[0-9.]+ ({'|'.join(STATUSES)})|[0-9.]+ run here \(seed \d+, commit .+\)|not run|–"
    for table in comparison(ROWS, load_results()).values():
        for line in cells(table)[2:]:
            assert all(re.fullmatch(allowed, cell) for cell in line[2:])


def test_the_command_prints_tables_and_what_the_words_mean(user_results, capsys):
    cli.main(["compare", "sop"])
    shown = capsys.readouterr().out
    assert "| SOP" in shown
    assert "not run: no stored run" in shown
    cli.main(["compare"])
    shown = capsys.readouterr().out
    assert len(re.findall(r"\| +network \|", shown)) == len(comparison(ROWS, load_results()))
    write_json(user_results / "bad.json", {"config": {}, "seed": 1})
    with pytest.raises(SystemExit) as stop:
        cli.main(["compare"])
    assert "is not a stored run" in stop.value.code
