"""On a terminal: colour unless it is unwanted, lines that fit, and a question before money is spent."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.running import command, environment

OWN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;)[0-9;]*m")


def on_terminal(folder: Path, *arguments: str, width: int = 80, typed: str = "", env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Exit code and all output of a command on a terminal of `width` columns, on which `typed` answers its question."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    around = {
        name: value for name, value in environment({"TERM": "xterm-256color", **(env or {})}).items() if name not in ("COLUMNS", "LINES")
    }
    # The terminal is made the process's own, or Ctrl-C typed on it would reach nobody.
    own = [sys.executable, "-c", OWN, *command(*arguments)]
    with subprocess.Popen(own, cwd=folder, env=around, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        said, patience = b"", 240  # times half a second
        while True:
            asked = b"[y/N]" in said
            while not select.select([ours], [], [], 0.5 if asked else 120.0)[0]:
                # Typed again while nothing comes: a Ctrl-C between Python's prompt and its read is only seen with the next one.
                assert typed and asked and patience, f"no end comes after {said!r}"
                os.write(ours, typed.encode())
                patience -= 1
            try:
                part = os.read(ours, 65_536)
            except OSError:  # as Linux says that nobody holds the other end any more
                break
            if not part:
                break
            said += part
    os.close(ours)
    return process.returncode, said.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("width", [60])
@pytest.mark.parametrize("verb", [["plan"], ["status"], ["show", "--seed", "1"], ["show", "logic"], ["sql"], ["sql", "5"], ["validate"]])
def test_every_line_fits_the_terminal(verb: list[str], width: int, made: Path) -> None:
    code, said = on_terminal(made, *verb, width=width)
    assert code == 0
    assert all(len(line.rstrip()) <= width for line in ESCAPE.sub("", said).splitlines())


def test_colour_is_used_unless_it_is_unwanted(made: Path) -> None:
    assert COLOUR.search(on_terminal(made, "plan")[1])
    assert not COLOUR.search(on_terminal(made, "plan", env={"NO_COLOR": "1"})[1])
    assert "\x1b" not in on_terminal(made, "plan", env={"TERM": "dumb"})[1]


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_a_build_that_costs_money_asks_first(answer: str, made: Path) -> None:
    code, said = on_terminal(made, "build", typed=answer, env={"SMALL_KEY": "sk-of-the-test"})
    assert code == 2 and "Go on? [y/N]" in said and "not built" in said


def test_ctrl_c_at_the_question_ends_with_130(made: Path) -> None:
    code, said = on_terminal(made, "build", typed="\x03", env={"SMALL_KEY": "sk-of-the-test"})
    assert code == 130 and "Traceback" not in said
