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
        study_verdicts,
    )
    from recallkit.studies.running import current_plan, run_study
    from recallkit.studies.segmentation import (
        Segmenter,
        measure_segmenter,
        pixel_losses,
        predict_pixels,
        scene_inputs,
        train_segmenter,
    )
    from recallkit.studies.study import Outcome, Plan, Run, Study

__all__ = [
    "STUDY_NAMES",
    "Adapted",
    "Outcome",
    "Plan",
    "Run",
    "Segmenter",
    "Study",
    "accuracy",
    "adapt",
    "current_plan",
    "draw_study",
    "final_table",
    "find_study",
    "load_studies",
    "load_study_histories",
    "measure_segmenter",
    "pixel_losses",
    "predict_pixels",
    "run_study",
    "scene_inputs",
    "study_changes",
    "study_summary",
    "study_verdicts",
    "train_segmenter",
]
