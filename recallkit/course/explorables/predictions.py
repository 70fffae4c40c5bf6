"""Predict, commit, reveal: forms under the questions of a notebook, answers folded until then."""

from recallkit.course.explorables.base import Explorable

QUESTION, ANSWER, SCORE, QUIZ = "predict", "predict/answer", "predict/score", "quiz"
"""Tags of cells: a question, what answers the last question above, the score, a quiz question."""


class Predictions(Explorable):
    """Forms under all questions of the notebook or page that it stands in.

    A cell tagged "predict" holds a question, a paragraph with the bold word "Predict". What answers
    it stands in cells tagged "predict/answer". Of a code cell the outputs are folded until the
    reader commits a prediction; of a markdown cell the paragraphs before a heading or question.
    Without scripts nothing is folded, and every text can be read.

    Under the question may stand choices, as a numbered list, and then a fold::

        1. it rises
        2. it falls

        <details><summary>After your prediction</summary>

        1. **Right.** The gallery is smaller.
        2. With fewer rivals a query is right more often.

        </details>

    A note that begins with bold words belongs to a right choice. A fold with the sentence
    "Near: 25 to 45." makes the form ask for a number, and judges it. Otherwise it asks for a line
    of text, which the reader judges himself. What he commits is kept in his browser.

    A cell tagged "quiz" holds a question of the same form, with the bold words "Question 1" in
    place of "Predict". It always has choices, and no cell answers it: each note on a wrong choice
    says what is wrong with it. Its score stands beside that of the predictions.
    """

    module = "predictions"
    unrun = (
        "[Predictions. When this notebook is trusted, or this cell was run, answers are folded "
        "until you predict them.]"
    )
