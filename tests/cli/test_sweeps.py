"""``recallkit ablate``, ``plot``, ``compare`` and ``runs`` on what the project has stored."""

import subprocess
import sys

import pytest
from helpers.made_up_runs import made_up_runs

from recallkit import cli
from recallkit.cli import shared
from recallkit.experiments import SWEEPS, find_sweep, keep_sweep


@pytest.mark.parametrize("command", ["ablate", "plot"])
def test_the_help_lists_every_sweep(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    listed = " ".join(capsys.readouterr().out.split())
    assert f"The sweeps: {', '.join(SWEEPS)}. Or name" in listed


def test_mistyped_names(failing):
    assert "no sweep 'batch-sizee'; did you mean batch-size" in failing("ablate", "batch-sizee")
    assert "no sweep 'simix-gian'; did you mean simix-gain?" in failing("plot", "simix-gian")
    assert "there are batch-size, " in failing("ablate", "xyz")
    assert "name what to draw: all, or some of batch-size, " in failing("plot")
    assert "there is no file gone.toml" in failing("plot", "gone.toml")


@pytest.mark.parametrize("arguments", [("plot", "batch-size"), ("compare",)])
def test_a_folder_of_results_that_is_not_there_is_named(arguments, failing, tmp_path):
    message = failing(*arguments, "--results", str(tmp_path / "nowhere"))
    assert "there is no folder of results" in message
    assert not (tmp_path / "nowhere").exists()


def test_jobs_must_be_possible(failing):
    message = "--jobs must be a whole number between 1 and 1,024, or be None, not 0"
    assert message in failing("ablate", "batch-size", "--jobs", "0")
    assert "--budget must lie between 0 and" in failing("ablate", "batch-size", "--budget", "nan")
    assert "--images must be" in failing("plot", "batch-size", "--images", "-1")
    assert "--seeds must be" in failing("ablate", "batch-size", "--seeds", "-1")


def test_an_example_is_written_and_runs(tmp_path, capsys, failing):
    cli.main(["ablate", "--new", "turning.toml"])
    assert capsys.readouterr().out.endswith("Run it with: recallkit ablate turning.toml\n")
    cli.main(["ablate", "turning.toml", "--dry-run", "--device", "cpu"])
    assert capsys.readouterr().out.startswith("turning: How much may drawings turn?")
    assert "exists already" in failing("ablate", "--new", "turning.toml")
    assert "name a sweep: one of batch-size, " in failing("ablate")


def test_plot_finds_a_sweep_of_ones_own_by_its_name(tmp_path, capsys, failing):
    cli.main(["ablate", "--new", "turning.toml"])
    sweep = find_sweep("turning.toml")
    keep_sweep(sweep, tmp_path / "results")
    made_up_runs(tmp_path / "results", sweep, lambda config: 0.5 + config.rotation / 1000)
    cli.main(["plot", "turning"])
    assert (tmp_path / "results" / "figures" / "turning.svg").exists()
    assert "did you mean turning" in failing("plot", "turnin")


@pytest.mark.parametrize("command", ["ablate", "plot"])
def test_help_loads_neither_torch_nor_pandas(command):
    code = (
        "import sys; from recallkit import cli\n"
        f"try: cli.main(['{command}', '--help'])\n"
        "except SystemExit: print({'torch', 'pandas', 'numpy'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_figures_go_to_the_user_or_with_project_to_the_checkout(tmp_path, monkeypatch, capsys):
    cli.main(["plot", "batch-size-finetuned"])
    assert (tmp_path / "results" / "figures" / "batch-size-finetuned.svg").exists()
    monkeypatch.setattr(shared, "checkout", lambda: tmp_path / "checkout")
    cli.main(["plot", "batch-size-finetuned", "--project"])
    assert (tmp_path / "checkout/data/results/figures/batch-size-finetuned.png").exists()
    assert "drew " in capsys.readouterr().out


def test_several_sweeps_in_one_figure_and_all_sweeps_in_another(tmp_path, capsys):
    names = ("batch-size-finetuned", "distorted-batch-size", "simix-gain")
    cli.main(["plot", *names, "--side-by-side"])
    files = sorted(file.name for file in (tmp_path / "results" / "figures").iterdir())
    assert [name for name in files if name.endswith(".csv")] == [
        "side-by-side.csv",
        "simix-gain.csv",
    ]
    assert len(files) == 6


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    cli.main(["ablate", "batch-size-finetuned", "--dry-run", "--device", "cpu"])
    assert capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_compare_names_the_source_of_every_number(capsys):
    cli.main(["compare", "SOP"])
    assert "published" in capsys.readouterr().out
