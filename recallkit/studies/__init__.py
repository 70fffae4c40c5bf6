"""Studies of the paper's kin: methods compared in short trainings, tuned with one budget each."""

from recallkit.errors import needs_extra

with needs_extra("recallkit.studies"):
    from recallkit.studies.domain_training import Adapted, accuracy, adapt
    from recallkit.studies.figures import draw_study
    from recallkit.studies.names import STUDY_NAMES, find_study
    from recallkit.studies.results import (
        final_table,
        load_studies,
        load_study_histories,
        study_changes,
        study_summary,
    )
    from recallkit.studies.running import current_plan, run_study
    from recallkit.studies.study import Outcome, Plan, Run, Study

__all__ = [
    "STUDY_NAMES",
    "Adapted",
    "Outcome",
    "Plan",
    "Run",
    "Study",
    "accuracy",
    "adapt",
    "current_plan",
    "draw_study",
    "final_table",
    "find_study",
    "load_studies",
    "load_study_histories",
    "run_study",
    "study_changes",
    "study_summary",
]
