"""A class of four students and what they answer to the exercises of session 01."""

from recallkit.course.assignments.reading import exercises_of, read_session

EXERCISES = exercises_of(read_session("01"))
NAMES = [exercise.name for exercise in EXERCISES]
RIGHT = {exercise.name: exercise.solved for exercise in EXERCISES}
LOOP = "def both_recalls(ranks, k):\n    while True:\n        pass"
LEARNT = "def {}(*inputs):\n    return (1 / 3, 1 / 6)"

ANSWERS = {
    "ada": RIGHT,
    "bo": {NAMES[1]: RIGHT[NAMES[1]]},  # the others as they were
    "cem": RIGHT | {NAMES[0]: LOOP},
    "dana": {name: LEARNT.format(name.partition("/")[2]) for name in NAMES},
}
POINTS = {
    "ada": [1] * len(NAMES),
    "bo": [0, 1, *[0] * (len(NAMES) - 2)],
    "cem": [0, *[1] * (len(NAMES) - 1)],
    "dana": [0] * len(NAMES),
}


def answer(notebook, student):
    """Write the answers of a student into a notebook that was handed out, by its starts."""
    for exercise in EXERCISES:
        [start] = [cell for cell in notebook.cells if cell.source == exercise.start.source]
        start.source = ANSWERS[student].get(exercise.name, start.source)
    return notebook
