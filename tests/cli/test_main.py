"""The command as a whole: the list of subcommands, errors, pipes, terminals."""

import inspect
import io
import os
import re
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from typing import get_args, get_origin, get_type_hints

import pytest
from helpers.processes import command

import recallkit
from recallkit import cli
from recallkit.cli.course import lab_command
from recallkit.cli.terminal import PLAIN, make_readable
from recallkit.cli.training import train_command
from recallkit.errors import MissingExtraError
from recallkit.ranges import range_of

COMMAND = [sys.executable, "-m", "recallkit"]


def run(*arguments, **options):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, **options)


def function_of(name):
    """The function whose docstring is the help of a subcommand."""
    made = {"train": train_command("emoji"), "lab": lab_command([])}
    module, function, *_ = cli.COMMANDS[name]
    return made.get(name) or getattr(import_module(f"recallkit.cli.{module}"), function)


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_overview_has_a_line_for_each_command(arguments, capsys):
    cli.main(arguments)
    lines = capsys.readouterr().out.splitlines()
    for name, about in cli.COMMANDS.items():
        [line] = [line for line in lines if line.startswith(f"  {name} ")]
        assert line.endswith(about.summary)
        assert len(line) <= 80


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_summary_is_the_first_line_of_the_help(name):
    text = inspect.cleandoc(function_of(name).__doc__)
    assert text.splitlines()[0] == cli.COMMANDS[name].summary


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_has_examples_of_the_command(name, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: recallkit {name}" in text
    assert f"Examples:\n  recallkit {name}" in text
    assert not re.findall(r"\b(?:look\w*|pictures?|sitting|peers?|anew|cards?|one's own)\b", text)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_numeric_flag_states_its_range_and_no_default_is_none(name, capsys):
    """Beside written defaults; those of a training's settings say what None means."""
    function = function_of(name)
    hints = get_type_hints(function, include_extras=True)
    for parameter in inspect.signature(function).parameters:
        if {int, float} & {hints[parameter], *parts(hints[parameter])}:
            assert range_of(hints[parameter]) is not None, f"--{parameter} of {name}"
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    assert "(default: None)" not in capsys.readouterr().out
    assert "(default: )" not in capsys.readouterr().out


def parts(hint):
    """All types in an annotation."""
    return {get_origin(hint), *get_args(hint), *(p for a in get_args(hint) for p in parts(a))}


def test_the_overview_and_the_version_load_neither_torch_nor_tyro():
    code = (
        "import sys; from recallkit import cli; cli.main({}); "
        "print({{'torch', 'tyro'}} & {{*sys.modules}})"
    )
    for arguments in (["--help"], ["--version"]):
        command = [sys.executable, "-c", code.format(arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    "arguments", [["runs"], ["train", "--help"], ["evaluate", "--help"], ["bench", "--help"]]
)
def test_a_command_that_computes_nothing_loads_no_torch(arguments, tmp_path):
    """A table of runs, and help, come in a tenth of the time that torch takes to load."""
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "config.json").write_text("{}")
    code = (
        "import sys; from recallkit import cli\n"
        f"try: cli.main({arguments})\n"
        "except SystemExit as stop: assert not stop.code, stop.code\n"
        "print({'torch', 'pandas', 'scipy', 'matplotlib'} & {*sys.modules})"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "set()"
    assert "mine" in done.stdout or "--help" in done.stdout


def test_version(capsys):
    cli.main(["--version"])
    assert capsys.readouterr().out == f"recallkit {recallkit.__version__}\n"


def test_a_mistyped_command(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["trian"])
    assert stop.value.code == 2
    message = "recallkit: error: there is no command 'trian'; did you mean train?\n"
    assert capsys.readouterr().err == message
    with pytest.raises(SystemExit):
        cli.main(["xyz"])
    assert "recallkit --help lists them" in capsys.readouterr().err


def test_a_mistyped_flag(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", "--batch", "3"])
    assert stop.value.code == 2
    assert "--batch-size" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="a shell that closes streams")
@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_end_no_command(closed, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    line = f'exec "$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", *COMMAND, "runs", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert ("| run |" in done.stdout) == (closed == "2>&-")


def test_interrupt_ends_with_a_line(monkeypatch, failing):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "import_module", interrupt)
    assert failing("evaluate") == "recallkit: interrupted"


def test_errors_print_no_traceback():
    done = run("evaluate", "nowhere")
    assert done.returncode == 1
    assert done.stderr.startswith("recallkit: error: nowhere is not a run: there is no such")
    assert done.stderr.count("\n") == 1


def test_a_missing_extra_is_one_line(monkeypatch, failing):
    monkeypatch.setitem(sys.modules, "tyro", None)
    monkeypatch.delitem(sys.modules, "recallkit.cli.shared")
    message = failing("evaluate")
    assert "recallkit evaluate needs the extra [train] (tyro is not installed)." in message
    assert message.endswith('Run: pip install "recallkit[train]"')


def test_another_missing_module_is_not_called_an_extra(monkeypatch):
    def fail(name):
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")

    monkeypatch.setattr(cli, "import_module", fail)
    with pytest.raises(ModuleNotFoundError) as error:
        cli.main(["evaluate"])
    assert not isinstance(error.value, MissingExtraError)


@pytest.mark.parametrize("arguments", [["--help"], ["compare"]])
def test_a_closed_pipe_ends_the_command_quietly(arguments):
    """As ``recallkit … | head`` does: nobody reads any more."""
    with command(*arguments, text=False) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("arguments", [["train", "--help"], ["compare"]])
def test_a_terminal_without_unicode(encoding, arguments, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    with suppress(SystemExit):  # of --help
        cli.main(arguments)
    stream.flush()
    text = stream.buffer.getvalue().decode(encoding)
    assert text.count("\n") > 10
    assert "?" not in text


def test_a_process_on_a_terminal_without_unicode(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = run("train", "--help", encoding="ascii")
    assert done.returncode == 0
    assert "?" not in done.stdout


def test_what_an_encoding_lacks_has_a_plain_form():
    make_readable()
    text = "54.9 ± 2.3 × τ₂ → naïve ✓ 漢"
    assert text.encode("ascii", "recallkit") == b"54.9 +- 2.3 x tau2 -> naive v ?"
    assert text.encode("latin-1", "recallkit") == b"54.9 \xb1 2.3 \xd7 tau2 -> na\xefve v ?"
    assert all(plain.isascii() for plain in PLAIN.values())
