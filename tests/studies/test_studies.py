"""Studies: their tuning, their storing and going on, their tables, comparisons and figure."""

import json
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from recallkit import studies
from recallkit.cli import main
from recallkit.errors import RecallkitError
from recallkit.experiments import TUNING_SEED, compare, holm
from recallkit.files import write_atomically
from recallkit.studies import Outcome, Run, Study
from recallkit.studies.results import place, stored_choices
from recallkit.studies.study import make_plan, tune

PEAKS = {"one": 0.004, "two": 0.001}  # the best candidate of each method, by ``choice``


def imagined(method: str, candidate: float, seed: int) -> Outcome:
    """A run without training: the nearer the candidate to its peak, the better."""
    choice = -abs(math.log(candidate / PEAKS[method]))
    noise = np.random.default_rng(seed).normal()
    recall = (0.5 if method == "one" else 0.7) + 0.01 * noise
    return Outcome(choice, {"recall": recall, "precision": 0.5}, [{"step": 1.0, "loss": noise}])


STUDY = Study(
    name="imagined",
    question="Which is better?",
    tuned="learning_rate",
    candidates={"one": (0.001, 0.002, 0.004, 0.008), "two": (0.004, 0.008, 0.016, 0.032)},
    run=imagined,
    shown=("recall", "precision"),
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    studies.run_study(STUDY, folder, jobs=2, progress=False)
    return folder


def test_tuning_goes_on_where_the_best_is_at_an_edge(stored):
    runs = studies.load_studies(stored)
    tried = runs[(runs["stage"] == "tuning") & (runs["method"] == "two")]
    assert sorted(tried["candidate"]) == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032]  # two steps
    summary = studies.study_summary(STUDY, runs)
    assert summary["learning_rate"].to_dict() == {"one": 0.004, "two": 0.001}
    assert summary["edge"].to_dict() == {"one": False, "two": True}


def test_every_seed_is_run_once_at_the_tuned_candidate(stored):
    finals = studies.load_studies(stored).query("stage == 'final'")
    assert sorted(zip(finals["method"], finals["seed"], strict=True)) == [
        (method, seed) for method in ("one", "two") for seed in STUDY.seeds
    ]
    assert TUNING_SEED not in set(finals["seed"])


def test_a_second_session_runs_nothing(stored, monkeypatch):
    broken = replace(STUDY, run=lambda *run: pytest.fail("it ran again"))
    plan = studies.run_study(broken, stored, progress=False)
    assert not plan.due
    assert not plan.later


def test_a_study_goes_on_after_an_error_and_keeps_what_was_stored(tmp_path):
    def fails_late(method, candidate, seed):
        if seed == 3:
            raise OverflowError("too large")
        return imagined(method, candidate, seed)

    with pytest.raises(RecallkitError, match=r"imagined: the run .* failed: too large"):
        studies.run_study(replace(STUDY, run=fails_late), tmp_path, progress=False)
    before = set(tmp_path.rglob("*.json"))
    assert len(before) >= 8 + 3  # tuning, and the seeds before
    plan = studies.run_study(STUDY, tmp_path, progress=False)
    assert not plan.due
    assert before < set(tmp_path.rglob("*.json"))


def test_no_run_is_started_when_time_is_over(tmp_path):
    plan = studies.run_study(STUDY, tmp_path, budget=0.0, progress=False)
    assert not list(tmp_path.rglob("*.json"))
    assert (len(plan.due), plan.later) == (8, 10)


def test_a_run_that_diverged_is_never_chosen():
    choices = {
        Run("one", value, TUNING_SEED): (math.nan if value == 0.004 else -value)
        for value in STUDY.candidates["one"]
    }
    extended = {Run("one", value, TUNING_SEED): -1.0 for value in (0.0005, 0.00025)}
    assert tune(STUDY, "one", choices | extended).best == 0.001


def test_a_plan_ignores_runs_of_other_studies(stored):
    runs = studies.load_studies(stored)
    other = replace(STUDY, name="another")
    assert stored_choices(other, runs) == {}
    assert len(make_plan(other, {}).due) == 8


def test_changes_are_welchs_with_holms_correction(stored):
    runs = studies.load_studies(stored)
    study = replace(STUDY, candidates={**STUDY.candidates, "three": (0.1, 0.2, 0.3, 0.4)})
    changes = studies.study_changes(study, runs, "recall", "one")
    values = {m: runs.query("stage == 'final' and method == @m")["recall"] for m in ("one", "two")}
    right = compare(values["one"], values["two"])
    assert changes["two"].change == pytest.approx(right.change)
    assert changes["two"].p == pytest.approx(holm([right.p]).iloc[0])
    assert changes["two"].verdict == "rises"
    assert changes["three"].verdict == "not run"


@pytest.mark.parametrize(
    ("metric", "reference", "words"),
    [("accuracy", "one", "metric must be one of"), ("recall", "four", "reference must be one of")],
)
def test_changes_name_what_is_unknown(stored, metric, reference, words):
    with pytest.raises(ValueError, match=words):
        studies.study_changes(STUDY, studies.load_studies(stored), metric, reference)


def test_histories_keep_every_line(stored):
    histories = studies.load_study_histories(stored)
    assert len(histories) == len(studies.load_studies(stored))
    assert {"study", "method", "step", "loss"} <= set(histories)


def test_results_of_a_later_folder_replace_those_before(stored, tmp_path):
    run = Run("one", 0.004, 0)
    source = place(stored, "imagined", run)
    target = place(tmp_path, "imagined", run)
    target.parent.mkdir(parents=True)
    result = json.loads(source.read_text()) | {"metrics": {"recall": 0.9, "precision": 0.5}}
    target.write_text(json.dumps(result))
    runs = studies.load_studies(stored, tmp_path)
    assert len(runs) == len(studies.load_studies(stored))
    chosen = runs.query("method == 'one' and seed == 0 and stage == 'final'")
    assert chosen["recall"].to_list() == [0.9]


def test_a_foreign_file_is_named(tmp_path):
    path = place(tmp_path, "imagined", Run("one", 0.1, 0))
    path.parent.mkdir(parents=True)
    path.write_text('{"method": "one"}')
    with pytest.raises(RecallkitError, match=path.name):
        studies.load_studies(tmp_path)


def test_what_another_process_is_writing_is_no_run_yet(tmp_path):
    seen = []
    path = place(tmp_path, "imagined", Run("one", 0.1, 0))
    write_atomically(path, lambda temporary: seen.append(studies.load_studies(tmp_path)))
    assert len(seen[0]) == 0


def test_the_figure_draws_every_seed_and_names_what_is_not_run(stored):
    study = replace(STUDY, candidates={**STUDY.candidates, "three": (0.1, 0.2, 0.3, 0.4)})
    fig = studies.draw_study(study, studies.load_studies(stored))
    first, second = fig.axes
    assert [label.get_text() for label in first.get_yticklabels()] == ["one", "two", "three"]
    assert [text.get_text() for text in first.texts] == ["not run"]
    drawn = [line.get_xdata() for line in first.lines if len(line.get_xdata()) == 5]
    expected = studies.load_studies(stored).query("stage == 'final' and method == 'one'")["recall"]
    assert sorted(drawn[0]) == pytest.approx(sorted(100 * expected))
    assert second.get_xlabel() == "precision (%)"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"candidates": {"a": (1.0,), "b": (1.0, 2.0)}}, "same number"),
        ({"candidates": {"a": (2.0, 1.0)}}, "ascend"),
        ({"candidates": {"a": (0.0, 1.0)}}, "positive"),
        ({"candidates": {}}, "same number"),
        ({"seeds": ()}, "seeds"),
        ({"seeds": (1, 1)}, "seeds"),
        ({"seeds": (TUNING_SEED,)}, "seeds"),
    ],
)
def test_a_declaration_names_what_does_not_fit(change, words):
    with pytest.raises(ValueError, match=words):
        replace(STUDY, **change)


def test_an_unknown_study_is_refused():
    with pytest.raises(RecallkitError, match="there is no study 'imagined'"):
        studies.find_study("imagined")


@pytest.mark.parametrize("name", studies.STUDY_NAMES)
def test_the_studies_of_the_project_are_declared_under_their_names(name, capsys):
    study = studies.find_study(name)
    assert study.name == name
    main(["ablate", name, "--dry-run"])
    assert study.question in capsys.readouterr().out
    with pytest.raises(SystemExit, match=f"--images does not go with {name}"):
        main(["ablate", name, "--images", "10"])


@pytest.mark.parametrize("name", studies.STUDY_NAMES)
def test_stored_runs_of_the_project_are_complete(name):
    study, runs = studies.find_study(name), studies.load_studies()
    own = runs[runs["study"] == name]
    if own.empty:
        pytest.skip("not run yet")
    summary = studies.study_summary(study, runs)
    assert list(summary.index) == list(study.candidates)
    assert set(summary["seeds"]) == {len(study.seeds)}
    assert not own["commit"].str.endswith("dirty").any()


def test_verdicts_are_those_of_the_changes():
    study, runs = studies.find_study("segmentation-losses"), studies.load_studies()
    changes = studies.study_changes(study, runs, "mean recall", "focal")
    found = studies.study_verdicts(study.name, "mean recall", "focal")
    assert found == {method: change.verdict for method, change in changes.items()}
    assert len(set(found.values())) > 1
    none = studies.study_verdicts(study.name, "mean recall", "focal", runs[:0])
    assert set(none.values()) == {"not run"}
    with pytest.raises(RecallkitError, match="segmentation-losses"):
        studies.study_verdicts("segmentation-loses", "mean recall", "focal")


def test_the_table_of_the_command_shows_means_with_intervals(stored):
    from recallkit.cli.studies import study_table

    text = study_table(STUDY, studies.load_studies(stored))
    assert "recall, %" in text
    values = studies.load_studies(stored).query("stage == 'final' and method == 'one'")["recall"]
    assert f"{100 * values.mean():.1f}" in text
    assert isinstance(studies.study_summary(STUDY, studies.load_studies(stored)), pd.DataFrame)


def test_a_study_without_a_run_has_an_empty_summary_and_a_figure_that_says_so(tmp_path):
    runs = studies.load_studies(tmp_path)
    assert studies.study_summary(STUDY, runs).empty
    fig = studies.draw_study(STUDY, runs)
    assert {text.get_text() for ax in fig.axes for text in ax.texts} == {"not run"}
    plt.close(fig)


def test_runs_in_the_readers_own_folder_count_once(stored, monkeypatch, capsys):
    from recallkit.cli.studies import ablate_study

    monkeypatch.setenv("RECALLKIT_RESULTS", str(stored))
    ablate_study(STUDY, stored, jobs=1, budget=None, dry_run=False)
    lines = [line for line in capsys.readouterr().out.splitlines() if "| one" in line]
    assert [line.split("|")[-2].strip() for line in lines] == ["5"]
