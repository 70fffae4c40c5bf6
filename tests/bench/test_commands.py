"""The benchmark of commands runs each, and has a row for each."""

import pytest

from recallkit.bench import commands
from recallkit.bench.commands import COMMANDS, bench_commands, commands_table


def test_each_command_has_a_row():
    rows = bench_commands(repeats=1)
    assert [row["name"] for row in rows] == list(COMMANDS)
    assert all(row["seconds"] > 0 for row in rows)
    assert "recallkit runs" in commands_table(rows)


def test_a_command_that_fails_is_no_measurement(monkeypatch):
    monkeypatch.setattr(commands, "COMMANDS", {"none": ("-c", "raise SystemExit(3)")})
    with pytest.raises(commands.subprocess.CalledProcessError):
        bench_commands(repeats=1)
