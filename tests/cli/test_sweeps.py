"""``recallkit ablate``, ``plot``, ``compare`` and ``runs`` on what the project has stored."""

import pytest

from recallkit import cli
from recallkit.cli import shared
from recallkit.experiments import SWEEPS


@pytest.mark.parametrize("command", ["ablate", "plot"])
def test_the_help_lists_every_sweep(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    listed = " ".join(capsys.readouterr().out.split())
    assert f"The sweeps: {', '.join(SWEEPS)}. Or name" in listed


def test_mistyped_names(failing):
    assert "no sweep 'batch-sizee'; did you mean batch-size" in failing("ablate", "batch-sizee")
    assert "no sweep 'lenghts'; did you mean lengths?" in failing("plot", "lenghts")
    assert "there are batch-size, " in failing("ablate", "xyz")
    assert "name what to draw: all, or some of batch-size, " in failing("plot")
    assert "there is no file gone.toml" in failing("plot", "gone.toml")


def test_jobs_must_be_possible(failing):
    assert "jobs must be at least 1" in failing("ablate", "ks", "--jobs", "0")


def test_figures_go_to_the_user_or_with_project_to_the_checkout(tmp_path, monkeypatch, capsys):
    cli.main(["plot", "definition"])
    assert (tmp_path / "results" / "figures" / "definition.svg").exists()
    monkeypatch.setattr(shared, "checkout", lambda: tmp_path / "checkout")
    cli.main(["plot", "definition", "--project"])
    assert (tmp_path / "checkout/data/results/figures/definition.png").exists()
    assert "drew " in capsys.readouterr().out


def test_a_dry_run_writes_nothing(tmp_path, capsys):
    cli.main(["ablate", "definition", "--dry-run", "--device", "cpu"])
    assert capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_compare_names_the_source_of_every_number(capsys):
    cli.main(["compare", "SOP"])
    assert "published" in capsys.readouterr().out
