"""The published numbers: the file is as it says, and a run stands only beside its own row."""

import json

import pytest

from recallkit.errors import RecallkitError
from recallkit.experiments.published import STATUSES, comparison_table, load_published, runs_beside
from recallkit.files import embedded

ENTRY = {
    "dataset": "SOP",
    "method": "RS@k",
    "network": "ResNet-50",
    "metrics": {"R@1": 82.71, "R@10": 92},
    "status": "unverified",
    "source": "A. Nyone, 2022",
    "settings": {"dataset": "sop", "simix": False},
    "note": "",
}


def read(tmp_path, entries):
    path = tmp_path / "published.json"
    path.write_text(json.dumps(entries))
    return load_published(path)


def run(seed=0, **config):
    metrics = {"R@1": 0.8125, "R@10": 0.9, "mAP@R": 0.5}
    config = {"dataset": "sop", "simix": False, "network": "resnet50"} | config
    return {"config": config, "seed": seed, "commit": "abc1234567", "test": {"trained": metrics}}


def test_the_file_of_the_project():
    rows = load_published()
    assert {row.status for row in rows} == set(STATUSES)
    assert len({(r.dataset, r.method, r.network, *r.metrics) for r in rows}) == len(rows)
    [best] = [row for row in rows if row.method.endswith("best epoch on test")]
    [last] = [row for row in rows if row.method.endswith("last epoch")]
    assert best.metrics["R@1"] > last.metrics["R@1"]
    readme = (embedded("paper") / "README.md").read_text()
    assert all(f"**{status}**" in readme for status in STATUSES)
    assert all(f"`{name}`" in readme for name in ENTRY)


def test_numbers_from_memory_are_never_called_published():
    mixed = [r for r in load_published() if r.dataset == "Cars196" and "SiMix" in r.method]
    assert [row.status for row in mixed] == ["unverified"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"status": "sure"}, "status must be one of"),
        ({"metrics": {"R@1": 0.5, "R@10": "92"}}, "metrics must be numbers in percent"),
        ({"metrics": {}}, "metrics must be numbers in percent"),
        ({"metrics": {"R@1": 101}}, "metrics must be numbers in percent"),
        ({"source": ""}, "source must be words"),
        ({"note": None}, "must be words"),
        ({"settings": {"weather": 1}}, "settings must be null or settings of a run"),
        ({"settings": {}}, "settings must be null or settings of a run"),
        ({"colour": "red"}, "must have the fields dataset, method"),
    ],
)
def test_an_entry_that_is_not_as_it_should_be_is_named(tmp_path, change, message):
    with pytest.raises(RecallkitError, match=f"entry 2.*{message}"):
        read(tmp_path, [ENTRY, ENTRY | change])


@pytest.mark.parametrize("content", [{}, [], "SOP"])
def test_no_list_of_rows(tmp_path, content):
    with pytest.raises(RecallkitError, match="must hold a list"):
        read(tmp_path, content)


def test_a_run_stands_beside_a_row_of_its_settings(tmp_path):
    [row] = read(tmp_path, [ENTRY])
    own = run(network="anything")
    assert runs_beside(row, [run(dataset="emoji"), own, run(simix=True)]) == [own]
    [without] = read(tmp_path, [ENTRY | {"settings": None}])
    assert runs_beside(without, [own]) == []


def test_the_table_says_what_was_run_and_what_not(tmp_path):
    entries = [ENTRY, ENTRY | {"dataset": "Cars", "settings": {"dataset": "cars"}}]
    entries.append(ENTRY | {"metrics": {"R@1000": 99.0}})
    lines = comparison_table(read(tmp_path, entries), [run(), run(seed=1)]).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0] == ["data set", "method", "network", "metrics", "value", "status", "run here"]
    assert rows[2][:4] == ["SOP", "RS@k", "ResNet-50", "R@1 / R@10"]
    assert rows[2][4:6] == ["82.71 / 92.0", "unverified"]
    both = "81.2 / 90.0 (seed 0, commit abc1234); 81.2 / 90.0 (seed 1, commit abc1234)"
    assert rows[2][6] == both
    assert rows[3][6] == "not run"
    assert rows[4][6] == "not run"
