"""The table of a sweep in a terminal."""

from helpers.made_up_runs import made_up_runs

from recallkit.cli.summary_table import summary_table
from recallkit.experiments import Sweep, sweep_summary
from recallkit.experiments.sweeps import grid


def rows_of(table):
    """The cells, without header and rule."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


def test_the_terminals_table_has_what_was_not_run(tmp_path):
    sweep = Sweep("toy", "?", "emoji", grid(batch_size=(128, 64, 32)),
                  tuned={"learning_rate": (0.001, 0.002, 0.004)})  # fmt: skip

    def value(config):
        return None if config.batch_size == 64 and config.seed in (2, 1000) else 0.5

    def lacks(config):
        return config.batch_size == 32 and config.seed != 1

    runs = made_up_runs(tmp_path, sweep, value, lacks=lacks)
    table = rows_of(summary_table(sweep, sweep_summary(sweep, runs)))
    assert [row[0] for row in table] == ["batch 32", "batch 64", "batch 128"]
    assert [row[-1] for row in table] == ["not run", "diverged", "3 seeds"]
    assert table[2][1:3] == ["0.002", "50.0"]


def test_of_several_tuned_settings_each_is_named_where_it_has_effect(tmp_path):
    sweep = Sweep("toy", "?", "emoji", grid(loss=("recall@k", "circle")),
                  tuned={"circle_gamma": (20.0, 80.0, 200.0),
                         "learning_rate": (0.001, 0.002, 0.004)})  # fmt: skip
    runs = made_up_runs(tmp_path, sweep, lambda config: 0.5 - abs(config.circle_gamma - 80) / 1000)
    table = rows_of(summary_table(sweep, sweep_summary(sweep, runs)))
    assert [row[:2] for row in table] == [
        ["RS@k", "learning rate 0.002"],
        ["circle", "γ = 80, learning rate 0.002"],
    ]
    none = sweep_summary(sweep, runs.head(0))
    assert [row[1] for row in rows_of(summary_table(sweep, none))] == ["", ""]
