"""A discipline is made by one process at a time, and a process that dies holds nothing."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gland_assets.core.errors import Stopped, WarehouseError
from gland_assets.io.locks import discipline_lock, holder, lock_path, try_lock

HOLDS = """
import sys, time
from pathlib import Path
from gland_assets.io.locks import discipline_lock
with discipline_lock(Path(sys.argv[1]), "logic"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(warehouse: Path) -> Iterator[subprocess.Popen[str]]:
    """Holds the lock of logic until its input ends."""
    command = [sys.executable, "-c", HOLDS, str(warehouse)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_one_process_waits_for_the_other(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        assert try_lock(lock_path(tmp_path, "logic")) is None
        assert f"process {process.pid}" in holder(tmp_path, "logic")
        entered = threading.Event()

        def wait() -> None:
            with discipline_lock(tmp_path, "logic"):
                entered.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert not entered.wait(0.2)
        assert process.stdin is not None
        process.stdin.close()
        waiting.join(30)
        assert entered.is_set()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with another_process(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with discipline_lock(tmp_path, "logic"):
            assert str(os.getpid()) in holder(tmp_path, "logic")


def test_other_disciplines_are_free(tmp_path: Path) -> None:
    with another_process(tmp_path), discipline_lock(tmp_path, "optics"):
        assert try_lock(lock_path(tmp_path, "logic")) is None


def test_waiting_ends_when_the_build_is_stopped(tmp_path: Path) -> None:
    asked = iter([False, False, True])
    with (
        another_process(tmp_path) as process,
        pytest.raises(Stopped, match=f"waiting for logic, which process {process.pid}"),
        discipline_lock(tmp_path, "logic", stop=lambda: next(asked)),
    ):
        raise AssertionError("the lock is held by another process")


def test_the_lock_is_released_when_the_body_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), discipline_lock(tmp_path, "logic"):
        raise ValueError("no")
    descriptor = try_lock(lock_path(tmp_path, "logic"))
    assert descriptor is not None
    os.close(descriptor)


def test_a_warehouse_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "warehouse").write_text("")
    with pytest.raises(WarehouseError, match="cannot be opened"), discipline_lock(tmp_path / "warehouse", "logic"):
        raise AssertionError("there is no folder to lock in")


def test_nobody_holds_what_was_never_locked(tmp_path: Path) -> None:
    assert holder(tmp_path, "logic") == "another process"


def test_a_lock_whose_file_is_taken_away_on_the_way_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = lock_path(tmp_path, "logic")
    flock = fcntl.flock

    def too_late(descriptor: int, how: int) -> None:
        path.unlink()  # by the process that held it, and took the discipline away
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", too_late)
    assert try_lock(path) is None
    monkeypatch.undo()
    descriptor = try_lock(path)
    assert descriptor is not None
    os.close(descriptor)
