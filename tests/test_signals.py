"""The plugin that keeps signals heard: what tests start is ended by them though the run ignores them, and a test that does so is named."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.signals import ENDING

ROOT = Path(__file__).parents[1]
STARTS_AND_ENDS = """
import subprocess, sys, dagster as dg, pytest
@dg.op
def nothing(): pass
@dg.job
def whole(): nothing()
@pytest.mark.parametrize("number", {numbers})
def test_a(number):
    whole.execute_in_process()
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        child.send_signal(number)
        child.wait(30)
"""
IGNORES = "import signal\ndef test_a(): signal.signal(signal.{name}, signal.SIG_IGN)\ndef test_b(): pass\n"


def run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Pytest's run over one file with `source`, as the shell of a script starts it in the background, and with SIGTERM ignored too."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-p", "tests.signals", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder)]
    return subprocess.run(["sh", "-c", "trap '' INT TERM; exec \"$@\"", "sh", *command], cwd=ROOT, capture_output=True, text=True)


def test_what_is_started_ends_even_after_dagster_has_run(tmp_path: Path) -> None:
    done = run(tmp_path, STARTS_AND_ENDS.format(numbers=[int(number) for number in ENDING]))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("number", ENDING)
def test_a_test_that_leaves_a_signal_ignored_is_named_and_the_next_is_not(tmp_path: Path, number: signal.Signals) -> None:
    done = run(tmp_path, IGNORES.format(name=number.name))
    assert done.returncode == 1
    assert "ERROR at teardown of test_a" in done.stdout and number.name in done.stdout
    assert "teardown of test_b" not in done.stdout
