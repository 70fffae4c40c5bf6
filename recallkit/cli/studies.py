"""``recallkit ablate`` and ``plot`` for a study: methods in short trainings of their own."""

from pathlib import Path

import pandas as pd

from recallkit.errors import RecallkitError
from recallkit.files import embedded, results_folder
from recallkit.findings import save_figure
from recallkit.findings.page_tables import percent_of
from recallkit.studies import (
    Plan,
    Study,
    current_plan,
    draw_study,
    find_study,
    load_studies,
    run_study,
    study_summary,
)
from recallkit.tables import text_table
from recallkit.words import as_text, as_time


def refuse_flags(name: str, **given: object) -> None:
    """Refuse flags that a study does not know.

    Raises:
        RecallkitError: naming the first that was given.
    """
    for flag, value in given.items():
        if value:
            raise RecallkitError(
                f"--{flag} does not go with {name}: its trainings have settings of their own"
            )


def ablate_study(
    study: Study, results: Path, jobs: int, budget: float | None, dry_run: bool
) -> None:
    """Run what a study lacks, and print its table; ``dry_run`` only says what is due."""
    if dry_run:
        print(describe_study(study, current_plan(study, results), load_studies(), jobs))
        return
    run_study(study, results, jobs, budget)
    stored = load_studies(embedded("results"), results_folder(), results)
    print(study_table(study, stored))


def describe_study(study: Study, plan: Plan, runs: pd.DataFrame, jobs: int) -> str:
    """Say which runs of a study are stored and due, and how long they take, as far as is known."""
    due = len(plan.due) + plan.later
    seconds = runs.loc[runs["study"] == study.name, "seconds"].mean()
    length = "not known: none is stored" if pd.isna(seconds) else as_time(seconds * due / jobs)
    lines = [
        f"{study.name}: {study.question}",
        f"{len(study.candidates)} methods; each: {study.tuned.replace('_', ' ')} tuned on "
        f"validation data, then {len(study.seeds)} seeds, measured on test data",
        f"{len(plan.stored)} runs stored, {due} due; duration with --jobs {jobs}: {length}",
    ]
    return "\n".join([*lines, *([f"note: {study.note}"] if study.note else [])])


def study_table(study: Study, runs: pd.DataFrame) -> str:
    """Tabulate a study for a terminal: means with 95 % intervals."""
    header = ["method", study.tuned.replace("_", " "), *(f"{name}, %" for name in study.shown)]
    rows = []
    for method, row in study_summary(study, runs).to_dict("index").items():
        metrics = [percent_of(row, name) for name in study.shown]
        rows.append([str(method), as_text(row[study.tuned]), *metrics, str(row["seeds"])])
    return text_table([*header, "seeds"], rows)


def plot_study(name: str, folder: Path) -> list[Path]:
    """Print the table of a study and draw it from its stored runs; return the files."""
    study, runs = find_study(name), load_studies()
    summary = study_summary(study, runs)
    print(study_table(study, runs))
    return (
        save_figure(draw_study(study, runs), folder / name, summary.reset_index())
        if len(summary)
        else []
    )
