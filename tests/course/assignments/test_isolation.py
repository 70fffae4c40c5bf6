"""The code of a student runs apart: it costs its own exercise, and cannot deceive a check."""

import os
import socket
import sys
from pathlib import Path

import pytest

from recallkit.course.assignments import exercises, grading, isolation
from recallkit.course.assignments.isolation import Cell, Limits, Student
from recallkit.course.assignments.reading import read_session
from recallkit.course.assignments.versions import release_version
from recallkit.errors import RecallkitError

CHECKS = Path(exercises.__file__).parent
SESSIONS = sorted(path.stem.removeprefix("session_") for path in CHECKS.glob("session_*.py"))
SESSION = grading.session_for("01")
NAMES = [exercise.name for exercise in SESSION.exercises]
RIGHT = {exercise.name: exercise.solved for exercise in SESSION.exercises}
PARAMETERS = "def {}(*inputs):\n    "


def wrong(sources, names=None, *, first=(), limits=None):
    """What is wrong with each answer, and what this system does not limit."""
    cells = [*map(Cell, first), *(Cell(source, [name]) for name, source in sources.items())]
    with Student(SESSION.needs, cells, limits or Limits(seconds=2)) as student:
        found = {name: student.wrong(name, 3) for name in names or sources}
    return found, student.missing


def answer(name, body):
    return PARAMETERS.format(name.partition("/")[2]) + body


def graded(session, notebook):
    """Exercise → what is wrong with it in a notebook of a session."""
    needed = grading.session_for(session)
    with Student(needed.needs, grading.cells_of(notebook, needed), Limits()) as student:
        names = [exercise.name for exercise in needed.exercises]
        return {name: student.wrong(name, 77) for name in names}


@pytest.mark.parametrize("session", SESSIONS)
def test_all_solutions_of_a_session_are_right_and_its_release_earns_nothing(session):
    notebook = release_version(read_session(session), session)
    solved = {one.start.id: one.solved for one in grading.session_for(session).exercises}
    assert all(graded(session, notebook).values())
    for cell in notebook.cells:
        assert "_solution" not in cell.source
        assert not cell.get("outputs")
        cell.source = solved.get(cell.id, cell.source)
    assert not any(graded(session, notebook).values())


def test_loops_crashes_and_much_memory_cost_their_own_exercise_only():
    many = "torch.ones(8_000_000_000, dtype=torch.uint8)"
    crash = "import os\nos._exit(0)\n"
    sources = RIGHT | {
        NAMES[0]: answer(NAMES[0], "while True: pass"),
        NAMES[1]: crash + RIGHT[NAMES[1]],
        NAMES[3]: "while True:\n    try: pass\n    except BaseException: pass",
        NAMES[4]: answer(NAMES[4], f"return {many}"),
        NAMES[5]: answer(NAMES[5], "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
    }
    found, missing = wrong(sources, limits=Limits(seconds=1))
    assert found[NAMES[0]][0].startswith("for ranks = ")
    assert found[NAMES[0]][0].endswith("it did not end within 1 seconds")
    assert found[NAMES[1]] == ["its cell: it ended its process: too much memory, or a crash"]
    assert found[NAMES[3]] == ["its cell: it did not end within 1 seconds"]
    if not any("memory" in sentence for sentence in missing):
        assert "it raises RuntimeError" in found[NAMES[4]][0]
    assert "ended its process: too much memory, or a crash" in found[NAMES[5]][0]
    assert [found[NAMES[place]] for place in (2, 6)] == [[], []]


CHEATS = """
import builtins, os, sys, torch
from recallkit import course
from recallkit.course.assignments import answers, checking, isolation, running
from recallkit.course.assignments.exercises import session_01
for module in (answers, checking, session_01, isolation):
    for name in ("compare", "problems", "describe", "show"):
        setattr(module, name, lambda *a, **k: [])
for name in dir(session_01):
    if name.startswith("check_"):
        setattr(session_01, name, lambda answer, seed: [])
course.check = course.problems = lambda *a, **k: []
torch.allclose = lambda *a, **k: True
torch.Tensor.__eq__ = torch.Tensor.__le__ = torch.Tensor.__gt__ = lambda *a: True
print("right")
os.write(1, b'{"wrong": []}')
open("results.json", "w").write('{"wrong": []}')


class Right(float):
    def __eq__(self, other): return True
    def __sub__(self, other): return 0.0
    __rsub__ = __sub__
"""
TO_THE_GRADER = """
import gc, os, time, multiprocessing.connection as c
[channel] = [one for one in gc.get_objects() if isinstance(one, c.Connection) and not one.closed]
{}
"""


def test_a_check_cannot_be_deceived_from_inside():
    found, _ = wrong({name: answer(name, "return Right(1)") for name in NAMES}, first=[CHEATS])
    assert [name for name, sentences in found.items() if not sentences] == []


@pytest.mark.parametrize(
    "sent",
    [
        """channel.send_bytes(b'{"wrong": []}')""",
        "channel.send_bytes(b'{')",
        "os.write(channel.fileno(), b'\\0\\0\\1\\0'); time.sleep(99)",  # a part of a message
    ],
)
def test_what_is_written_to_the_grader_earns_nothing(sent, monkeypatch):
    monkeypatch.setattr(isolation, "WAITED_SECONDS", 2.0)
    sources = {NAMES[0]: TO_THE_GRADER.format(sent), NAMES[2]: RIGHT[NAMES[2]]}
    found, _ = wrong(sources)
    assert found[NAMES[0]][0].startswith("its cell: it "), found
    assert found[NAMES[2]] == []


LOOK = """
import os, sys, socket
seen = [sys.argv, sorted(os.environ)]
if os.path.isdir("/proc"): seen.append(os.listdir("/proc"))
try:
    os.kill({pid}, 0); seen.append("can end the grader")
except ProcessLookupError:
    pass
for path in {paths!r}:
    try:
        open(path, "w").write("x"); seen.append("wrote " + path)
    except OSError:
        pass
try:
    socket.create_connection(("127.0.0.1", {port})); seen.append("connected")
except OSError:
    pass
open("own file", "w").write("x")
raise LookupError(repr(seen))
"""


def test_a_student_sees_no_secret_and_reaches_no_file_and_no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("RECALLKIT_SECRET", "blackbird")
    monkeypatch.setattr(sys, "argv", ["recallkit", "--secret", "blackbird"])
    (tmp_path / "grades.csv").write_text("mine")
    paths = [str(tmp_path / "grades.csv"), str(tmp_path / "new"), os.path.expanduser("~/new")]
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = LOOK.format(paths=paths, pid=os.getpid(), port=server.getsockname()[1])
        found, missing = wrong({NAMES[0]: source})
    [sentence] = found[NAMES[0]]
    assert sentence.startswith("its cell: it raises LookupError: [[''], [")
    assert "blackbird" not in sentence
    assert "RECALLKIT_SECRET" not in sentence
    assert "connected" not in sentence
    if not any("shut" in one for one in missing):
        assert sentence.endswith("], []]")  # no process, nothing written
        assert (tmp_path / "grades.csv").read_text() == "mine"


def test_a_cell_may_stand_above_what_it_needs():
    uses = RIGHT[NAMES[2]].replace("temperature)", "temperature=later)", 1)
    assert uses != RIGHT[NAMES[2]]
    with Student(SESSION.needs, [Cell(uses, [NAMES[2]]), Cell("later = 1.0")], Limits()) as student:
        assert student.wrong(NAMES[2], 3) == []


def test_a_check_that_breaks_on_an_odd_answer_gives_no_point(monkeypatch):
    from recallkit.course.assignments.exercises import session_01

    monkeypatch.setattr(session_01, "check_lead", lambda answer, seed: 1 / 0)
    found, _ = wrong({NAMES[1]: RIGHT[NAMES[1]], NAMES[2]: RIGHT[NAMES[2]]})
    assert found[NAMES[1]] == [
        "the check cannot judge this answer: ZeroDivisionError: division by zero"
    ]
    assert found[NAMES[2]] == []


@pytest.mark.parametrize("need", ["1 / 0", "import os\nos._exit(1)"])
def test_needs_that_fail_are_an_error_of_the_course(need):
    with (
        Student([need], [], Limits(seconds=2)) as student,
        pytest.raises(RecallkitError, match="a cell that the exercises need"),
    ):
        student.wrong(NAMES[0], 3)
