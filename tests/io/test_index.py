"""The index over the partitions: whatever happens to the files and to the index itself, it says what the files say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.errors import DamagedPartition
from gland_assets.core.state import PartitionMeta
from gland_assets.io import index, parquet
from gland_assets.io.partitions import INDEX, Partitions
from tests import rows
from tests.io.test_partitions import as_somebody_else

ASSETS = ("fields", "answers")
SLUGS = ("logic", "optics")
TICK_S = 0.02  # longer than the grain of any clock that a disk in use has

Metas = dict[tuple[str, str], PartitionMeta]


def write(partitions: Partitions, asset: str, slug: str, version: int) -> None:
    """A partition that says that it is `version`; all versions are of one size."""
    partitions.write(asset, slug, [], PartitionMeta(asset, slug, f"f{version}", "c", "{}", stamp="s", written_at=rows.NOON))


def forget() -> None:
    """What a new process has: the index in the file alone."""
    index._latest = None


def seen(partitions: Partitions) -> tuple[Metas, set[tuple[str, str]]]:
    return partitions.metas(), set(partitions.damaged)


def there(partitions: Partitions) -> tuple[Metas, set[tuple[str, str]]]:
    """The same, from the files alone."""
    found, damaged = {}, set()
    for path in sorted(partitions.warehouse.glob("*/*.parquet")):
        key = (path.parent.name, path.stem)
        try:
            found[key] = parquet.read_meta(path)
        except DamagedPartition:
            damaged.add(key)
    return found, damaged


def exchange(one: Path, other: Path) -> None:
    """The two files under each other's names."""
    if one != other and one.exists() and other.exists():
        aside = one.with_suffix(".aside")
        one.rename(aside)
        other.rename(one)
        aside.rename(other)


def rewrite(path: Path, content: bytes) -> None:
    """Other bytes in the same file, with the times it had as far as anyone can set them."""
    if path.exists():
        state = path.stat()
        with path.open("r+b") as file:
            file.write(content)
            file.truncate()
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def spoil(path: Path, at: float, byte: int) -> None:
    if path.is_file() and path.stat().st_size:
        content = bytearray(path.read_bytes())
        content[int(at * (len(content) - 1))] = byte
        path.write_bytes(content)


KEYS = st.tuples(st.sampled_from(ASSETS), st.sampled_from(SLUGS))
VERSIONS = st.integers(0, 9)
SHARES = st.floats(0, 1)
ACTIONS = st.one_of(
    st.tuples(st.just("write"), KEYS, VERSIONS),
    st.tuples(st.just("replace"), KEYS, VERSIONS),
    st.tuples(st.just("rewrite"), KEYS, VERSIONS),
    st.tuples(st.just("delete"), KEYS),
    st.tuples(st.just("truncate"), KEYS, SHARES),
    st.tuples(st.just("exchange"), KEYS, KEYS),
    st.tuples(st.just("look")),
    st.tuples(st.just("look"), st.just("again")),
    st.tuples(st.just("wait")),
    st.tuples(st.just("save index")),
    st.tuples(st.just("restore index")),
    st.tuples(st.just("spoil index"), SHARES, st.integers(0, 255)),
    st.tuples(st.just("lose index")),
    st.tuples(st.just("foreign index"), st.sampled_from([b"", b"{}", b"gland partitions 0 {}", b"\xff\xfe\n\x00"])),
)


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, int], bytes]:
    """The content of every version of every partition."""
    partitions = Partitions(tmp_path_factory.mktemp("versions"))
    found = {}
    for asset in ASSETS:
        for slug in SLUGS:
            for version in range(10):
                path = partitions.path(asset, slug)
                write(partitions, asset, slug, version)
                found[asset, slug, version] = path.read_bytes()
    return found


def test_after_anything_it_says_what_the_files_say(versions: dict[tuple[str, str, int], bytes]) -> None:
    @settings(max_examples=80, deadline=None)
    @given(st.lists(ACTIONS, max_size=25))
    def holds(actions: list[tuple[object, ...]]) -> None:
        with tempfile.TemporaryDirectory() as made:
            partitions = Partitions(Path(made))
            for action in [*actions, ("look",)]:
                act(partitions, versions, *action)

    holds()


def act(partitions: Partitions, versions: dict[tuple[str, str, int], bytes], what: object, *given: object) -> None:
    file, saved = partitions.warehouse / INDEX, partitions.warehouse / "saved"
    match what, *given:
        case "write", (str(asset), str(slug)), int(version):
            write(Partitions(partitions.warehouse), asset, slug, version)
        case "replace", (str(asset), str(slug)), int(version):  # as another process does it, without its waiting for the disk
            path = partitions.path(asset, slug)
            path.parent.mkdir(exist_ok=True)
            path.with_suffix(".part").write_bytes(versions[asset, slug, version])
            path.with_suffix(".part").replace(path)
        case "rewrite", (str(asset), str(slug)), int(version):
            rewrite(partitions.path(asset, slug), versions[asset, slug, version])
        case "delete", (str(asset), str(slug)):
            partitions.path(asset, slug).unlink(missing_ok=True)
        case "truncate", (str(asset), str(slug)), float(share):
            with suppress(FileNotFoundError):
                os.truncate(partitions.path(asset, slug), int(share * partitions.path(asset, slug).stat().st_size))
        case "exchange", (str(asset), str(slug)), (str(other), str(another)):
            exchange(partitions.path(asset, slug), partitions.path(other, another))
        case ("wait",):
            time.sleep(TICK_S)
        case ("save index",):
            if file.exists():
                shutil.copy(file, saved)
        case ("restore index",):
            if saved.exists():
                shutil.copy(saved, file)
        case "spoil index", float(at), int(byte):
            spoil(file, at, byte)
        case ("lose index",):
            file.unlink(missing_ok=True)
        case "foreign index", bytes(content):
            file.write_bytes(content)
        case "look", *again:
            if not again:
                forget()
            assert seen(partitions) == there(partitions)
        case _:
            raise AssertionError(what)


def filled(folder: Path) -> Partitions:
    """A warehouse whose files are older than a tick, indexed."""
    partitions = Partitions(folder)
    for asset in ASSETS:
        for slug in SLUGS:
            write(partitions, asset, slug, 1)
    time.sleep(TICK_S)
    partitions.metas()
    forget()
    return partitions


@pytest.fixture
def footers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose footers are read, as they come."""
    read: list[str] = []

    def counted(path: Path) -> PartitionMeta:
        read.append(f"{path.parent.name}/{path.stem}")
        return read_meta(path)

    read_meta = parquet.read_meta
    monkeypatch.setattr(parquet, "read_meta", counted)
    return read


def test_only_footers_of_changed_files_are_read(tmp_path: Path, footers: list[str]) -> None:
    partitions = filled(tmp_path)
    footers.clear()
    before = partitions.metas()
    assert len(before) == 4 and footers == []
    write(partitions, "answers", "optics", 2)
    partitions.path("fields", "logic").unlink()
    time.sleep(TICK_S)
    for new_process in (False, True):
        if new_process:
            forget()
        after = partitions.metas()
        assert after["answers", "optics"].fingerprint == "f2" and len(after) == 3
        assert footers == ["answers/optics"], "read once, and then known"


def test_a_file_as_young_as_the_clock_is_read_again(tmp_path: Path, footers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    partitions = Partitions(tmp_path)
    write(partitions, "answers", "logic", 1)
    monkeypatch.setattr("gland_assets.io.partitions.clock", lambda folder: partitions.path("answers", "logic").stat().st_ctime_ns)
    for _ in range(2):
        partitions.metas()
    assert footers == ["answers/logic"] * 2


@pytest.mark.parametrize("change", ["replaced", "rewritten"])
def test_a_change_in_the_same_moment_shows(tmp_path: Path, versions: dict[tuple[str, str, int], bytes], change: str) -> None:
    partitions = Partitions(tmp_path)
    path = partitions.path("answers", "logic")
    write(partitions, "answers", "logic", 0)
    for turn in range(30):
        for version in (turn, turn + 1, turn + 2):  # an inode given up by one is taken by the next but one
            content = versions["answers", "logic", version % 10]
            if change == "replaced":
                path.with_suffix(".part").write_bytes(content)
                path.with_suffix(".part").replace(path)
            else:
                rewrite(path, content)
            if version == turn:
                partitions.metas()
        assert partitions.metas()["answers", "logic"].fingerprint == f"f{(turn + 2) % 10}"


WRITES = """
import sys
from pathlib import Path
from gland_assets.io.partitions import Partitions
from tests.io.test_index import write
for version in range(20):
    for slug in ("logic", "optics"):
        write(Partitions(Path(sys.argv[1])), "answers", slug, version)
"""


def test_readers_beside_writers_leave_an_index_that_is_right(tmp_path: Path) -> None:
    filled(tmp_path)
    writers = [subprocess.Popen([sys.executable, "-c", WRITES, str(tmp_path)]) for _ in range(2)]
    wrong: list[Exception] = []

    def read() -> None:
        try:
            while any(writer.poll() is None for writer in writers):
                assert len(Partitions(tmp_path).metas()) == 4
        except Exception as error:
            wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert [writer.wait() for writer in writers] == [0, 0] and wrong == []
    forget()
    partitions = Partitions(tmp_path)
    assert seen(partitions) == there(partitions)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_one_letter_that_is_not_as_written_makes_it_worthless(tmp_path: Path) -> None:
    partitions = filled(tmp_path)
    file = tmp_path / INDEX
    spoilt = file.read_bytes().replace(b'"f1"', b'"f2"', 1)
    assert spoilt != file.read_bytes()
    file.write_bytes(spoilt)
    assert seen(partitions) == there(partitions)


def test_where_something_stands_in_its_place_the_files_are_read(tmp_path: Path) -> None:
    (tmp_path / INDEX).mkdir()
    partitions = filled(tmp_path)
    assert seen(partitions) == there(partitions) and len(partitions.metas()) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers", "fields", INDEX]


def test_where_nobody_may_write_the_files_are_read(footers: list[str]) -> None:
    with tempfile.TemporaryDirectory() as made:
        partitions = filled(Path(made))
        (Path(made) / INDEX).unlink()
        folders = [Path(made), *(Path(made) / asset for asset in ASSETS)]
        for folder in folders:
            folder.chmod(0o555)
        with as_somebody_else():
            footers.clear()
            assert seen(partitions) == there(partitions)
            assert len(footers) == 8 and not (Path(made) / INDEX).exists()
        for folder in folders:
            folder.chmod(0o755)


def test_a_warehouse_that_is_not_there_gets_none(tmp_path: Path) -> None:
    assert Partitions(tmp_path / "nowhere").metas() == {}
    assert list(tmp_path.iterdir()) == []
