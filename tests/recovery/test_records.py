"""Dagster's own records, damaged or held: told with the folder that may be deleted, before anything is asked and without a traceback."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.cli.running import gland, gland_alone
from tests.recovery.conftest import Built
from tests.recovery.test_damage import cut, drop, overwrite
from tests.server import ModelServer
from tests.test_build import KEY

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("begin immediate")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process has the SQLite file to itself meanwhile."""
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield
        process.communicate()


DAMAGES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "runs overwritten": ("history/runs.db", lambda path: overwrite(path, 4096, 10**9)),
    "no partition keys": ("history/runs/index.db", lambda path: drop(path, "dynamic_partitions")),
    "no settings": ("dagster.yaml", lambda path: overwrite(path, 0, 20)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_records_are_told_before_anything_is_asked(built: Built, server: ModelServer, damage: str) -> None:
    built.edit()
    name, do = DAMAGES[damage]
    home = built.warehouse / "dagster"
    with closing(sqlite3.connect(home / "history" / "runs" / "index.db")) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    do(home / name)
    ran = gland(built.folder, "build", "--yes")
    assert ran.code == 2 and f"Dagster's records in {home} are damaged" in ran.err, ran.err
    assert "delete that folder and run again: only the history of runs is lost" in ran.err
    assert server.count == 0


def test_what_was_left_half_written_of_the_settings_is_written_again(built: Built) -> None:
    from gland_assets.assets.instance import SETTINGS, dagster_home

    cut(built.warehouse / "dagster" / "dagster.yaml", 0)
    assert (dagster_home(built.warehouse) / "dagster.yaml").read_text() == SETTINGS


def test_a_fault_of_the_records_in_a_worker_is_told_and_no_traceback(built: Built, server: ModelServer) -> None:
    built.edit()
    with held(built.warehouse / "dagster" / "history" / "runs.db"):
        ran = gland_alone(built.folder, "build", "--yes", "--workers", "1", env=KEY)
    assert ran.code == 2 and f"Dagster's records in {built.warehouse / 'dagster'} stay locked by another process" in ran.err
    assert "Traceback" not in ran.err and "[SQL" not in ran.err
    assert server.count == 0
