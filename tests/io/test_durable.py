"""Files replaced in one move: what a killed writer leaves behind is removed, what a living one writes is not."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from gland_assets.io.durable import PART, replacing, sweep, write_text

WRITES = """
import sys
from pathlib import Path
from gland_assets.io.durable import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"half of it")
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_writer_left_is_swept_and_what_is_being_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "answers" / "logic.parquet"
    write_text(path, "whole")
    (path.parent / ".mine").write_text("not of ours")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITES, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "half\n"
    writers[0].kill()
    writers[0].communicate()
    assert len(list(path.parent.glob(f"*{PART}"))) == 2
    assert sweep(tmp_path) == 1
    assert path.read_text() == "whole"
    writers[1].communicate()
    assert path.read_text() == "half of it"
    assert sorted(each.name for each in path.parent.iterdir()) == [".mine", "logic.parquet"]


def test_a_writer_whose_file_is_swept_before_it_is_locked_takes_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, flock = tmp_path / "live.sql", fcntl.flock

    def too_late(descriptor: int, how: int) -> None:
        monkeypatch.undo()
        assert sweep(tmp_path) == 1
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", too_late)
    with replacing(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole" and list(tmp_path.iterdir()) == [path]
