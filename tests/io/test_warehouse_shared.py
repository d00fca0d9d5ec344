"""gland.duckdb among other processes: whoever holds it is named and waited for briefly, and a killed publication leaves the last state."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from dagster_duckdb import DuckDBResource

from gland_assets.core.errors import Stopped, WarehouseBusy, WarehouseError
from gland_assets.io.database import opened
from gland_assets.io.partitions import Partitions
from gland_assets.io.warehouse import publish
from tests import rows
from tests.io.sessions import session

SLUGS = ("logic", "optics")
PROJECT = rows.project(SLUGS)


def stored(warehouse: Path, seed: int = 0, pairs: int = 5) -> None:
    rows.store(Partitions(warehouse), *(rows.made(slug, pairs, seed=seed) for slug in SLUGS))


def seeds(path: Path) -> set[str]:
    """The seeds of the published questions: one alone when a publication is whole."""
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        found = connection.execute("select distinct regexp_extract(question, 'Case (\\d+)', 1), count(*) over () from dataset").fetchall()
    assert len({count for _, count in found}) == 1
    return {seed for seed, _ in found}


@pytest.mark.parametrize("reads", [True, False], ids=["read-only", "default"])
def test_whoever_holds_the_file_is_named_and_nothing_is_lost(tmp_path: Path, reads: bool) -> None:
    path = tmp_path / "gland.duckdb"
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("create table mine as select 1 as i")
    stored(tmp_path, seed=1)
    work = [] if reads else ["insert into mine values (2)"]
    with session(path, *work, reads=reads) as holder:
        with pytest.raises(WarehouseBusy) as raised:
            publish(PROJECT, tmp_path, wait_s=0.3)
        assert raised.value.path == str(path)
        assert f"process {holder.pid} (" in raised.value.holder and Path(sys.executable).name in raised.value.holder
        assert "gland publish" in str(raised.value)
    assert seeds(path) == {"0"}
    assert publish(PROJECT, tmp_path).changed == SLUGS
    assert seeds(path) == {"1"}
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        assert connection.execute("select i from mine order by i").fetchall() == ([(1,)] if reads else [(1,), (2,)])


def test_a_reader_need_not_make_way_when_nothing_changed(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    with session(tmp_path / "gland.duckdb", reads=True):
        assert publish(PROJECT, tmp_path, wait_s=0.3).skipped


def test_a_session_that_ends_in_time_is_waited_for(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    stored(tmp_path, seed=1)
    with session(tmp_path / "gland.duckdb", reads=True) as holder:
        assert holder.stdin is not None
        leaving = threading.Timer(0.3, holder.stdin.close)
        leaving.start()
        assert publish(PROJECT, tmp_path, wait_s=60).changed == SLUGS
        leaving.join()


def test_waiting_ends_when_the_build_is_stopped(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    stored(tmp_path, seed=1)
    with session(tmp_path / "gland.duckdb", reads=True), pytest.raises(Stopped):
        publish(PROJECT, tmp_path, wait_s=60, stop=lambda: True)


def test_readers_that_come_and_go_see_whole_publications_alone(tmp_path: Path) -> None:
    path = tmp_path / "gland.duckdb"
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    seen: list[set[str]] = []
    done = threading.Event()
    read = "import sys; from pathlib import Path; from tests.io.test_warehouse_shared import seeds; print(*seeds(Path(sys.argv[1])))"

    def keep_reading() -> None:
        while not done.is_set():
            ran = subprocess.run([sys.executable, "-c", read, str(path)], capture_output=True, text=True, check=False)
            if ran.returncode == 0:
                seen.append(set(ran.stdout.split()))
            else:
                assert "Could not set lock" in ran.stderr, ran.stderr

    reader = threading.Thread(target=keep_reading)
    reader.start()
    try:
        for seed in (1, 2):
            stored(tmp_path, seed=seed)
            publish(PROJECT, tmp_path, wait_s=60)
            count = len(seen)
            while len(seen) == count and reader.is_alive():
                time.sleep(0.01)
    finally:
        done.set()
        reader.join()
    assert all(len(each) == 1 for each in seen) and set.union(*seen) == {"1", "2"} | (seen[0] & {"0"})


PUBLISHES = """
import sys
from pathlib import Path
from gland_assets.io.warehouse import publish
from tests.io.test_warehouse_shared import PROJECT, stored
warehouse, seed = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
while True:
    seed += 1
    stored(warehouse, seed=seed, pairs=60)
    publish(PROJECT, warehouse)
    print("published", flush=True)
"""


def test_a_publication_killed_at_any_moment_leaves_the_last_published_state(tmp_path: Path) -> None:
    path, rng = tmp_path / "gland.duckdb", random.Random(8)
    stored(tmp_path, pairs=60)
    publish(PROJECT, tmp_path)
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("create table mine as select 42 as i")
    for attempt in range(5):
        command = [sys.executable, "-c", PUBLISHES, str(tmp_path), str(100 * attempt)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
            assert process.stdout is not None
            for _ in range(2):  # ready, and one publication done
                process.stdout.readline()
            time.sleep(rng.uniform(0, 0.5))
            os.killpg(process.pid, signal.SIGKILL)
        assert len(seeds(path)) == 1
        with closing(duckdb.connect(str(path), read_only=True)) as connection:
            assert connection.execute("select count(*) from dataset").fetchall() == [(120,)]
            assert connection.execute("from mine").fetchall() == [(42,)]
    stored(tmp_path, seed=7, pairs=60)
    publish(PROJECT, tmp_path)
    assert seeds(path) == {"7"}


def test_two_processes_publish_at_once(tmp_path: Path) -> None:
    stored(tmp_path, pairs=60)
    code = (
        "import sys; from pathlib import Path; from gland_assets.io.warehouse import publish; from tests.io.test_warehouse_shared import "
    )
    code += "PROJECT; publish(PROJECT, Path(sys.argv[1]), wait_s=60)"
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert seeds(tmp_path / "gland.duckdb") == {"0"} and publish(PROJECT, tmp_path).skipped


def test_threads_of_one_process_publish_one_after_the_other(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    stored(tmp_path, seed=1)
    failed: list[Exception] = []

    def run() -> None:
        try:
            publish(PROJECT, tmp_path)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and seeds(tmp_path / "gland.duckdb") == {"1"} and publish(PROJECT, tmp_path).skipped


def test_a_connection_is_closed_when_its_body_raises(tmp_path: Path) -> None:
    resource = DuckDBResource(database=str(tmp_path / "gland.duckdb"))
    with pytest.raises(ValueError, match="in the body"), opened(resource) as connection:
        raise ValueError("in the body")
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        connection.execute("select 1")
    with session(tmp_path / "gland.duckdb", "create table mine(i int)", reads=False):
        assert (tmp_path / "gland.duckdb").exists()  # nothing of ours holds it any more


def test_a_file_that_is_no_database_is_told_and_left(tmp_path: Path) -> None:
    stored(tmp_path)
    path = tmp_path / "gland.duckdb"
    path.write_bytes(b"my notes " * 2000)
    with pytest.raises(WarehouseError, match=r"gland\.duckdb is damaged: .*not a valid DuckDB database file.*move the file away"):
        publish(PROJECT, tmp_path)
    assert path.read_bytes() == b"my notes " * 2000


@pytest.mark.parametrize("keep", [0, 4096, 8192])
def test_a_file_whose_making_was_cut_off_is_made_anew(tmp_path: Path, keep: int) -> None:
    stored(tmp_path)
    path = tmp_path / "gland.duckdb"
    with closing(duckdb.connect(str(path))):
        head = path.read_bytes()
    path.write_bytes(head[:keep])
    publish(PROJECT, tmp_path)
    assert seeds(path) == {"0"}


@pytest.mark.parametrize("keep", [12_288, 100_000, -1])
def test_a_file_cut_short_is_told_and_left(tmp_path: Path, keep: int) -> None:
    stored(tmp_path, pairs=60)
    publish(PROJECT, tmp_path)
    stored(tmp_path, seed=1, pairs=60)
    path = tmp_path / "gland.duckdb"
    cut = path.read_bytes()[:keep]
    path.write_bytes(cut)
    with pytest.raises(WarehouseError, match=r"gland\.duckdb is damaged: .*move the file away and run `gland publish`"):
        publish(PROJECT, tmp_path)
    assert path.read_bytes() == cut
    path.rename(tmp_path / "damaged.duckdb")
    publish(PROJECT, tmp_path)
    assert seeds(path) == {"1"}


FILLS_THE_DISK = """
import resource, signal, sys
from pathlib import Path
from gland_assets.core.errors import WarehouseError
from gland_assets.io.warehouse import publish
from tests.io.test_warehouse_shared import PROJECT
import dagster_duckdb
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    publish(PROJECT, Path(sys.argv[1]))
except WarehouseError as error:
    sys.exit(f"told: {error}")
"""


def test_a_full_disk_is_told_and_leaves_the_last_published_state(tmp_path: Path) -> None:
    path = tmp_path / "gland.duckdb"
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    rows.store(Partitions(tmp_path), *(rows.made(slug, 400, seed=1, words=80) for slug in SLUGS))
    command = [sys.executable, "-c", FILLS_THE_DISK, str(tmp_path), "100000"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"told: {path} cannot be used" in ran.stderr and "free space" in ran.stderr, ran.stderr
    assert seeds(path) == {"0"}
    publish(PROJECT, tmp_path)
    assert seeds(path) == {"1"}
