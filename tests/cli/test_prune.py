"""`gland prune`: takes away what nothing stands on, never what a build would look up, and nothing without being told to."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.levels import GENERATED, PARTITIONED
from gland_assets.io.locks import discipline_lock, lock_path
from gland_assets.io.partitions import Partitions
from gland_assets.io.store import ResponseStore
from tests.building import build, edit, served, spent
from tests.cli.running import environment, gland
from tests.server import ModelServer

SMALL = {"subject_queries = 2": "subject_queries = 1", "subjects = [3, 4]": "subjects = [2, 2]", "sessions = [3, 4]": "sessions = [2, 2]"}
LISTED = '["Logic", "Optics"]'
EDITS = {
    "answers": ("[defaults]", "[stage.answers]\ntemperature = 0.3\n[defaults]"),
    "syllabi": ("[defaults]", "[stage.syllabi]\ntop_p = 0.5\n[defaults]"),
    "more": ("pairs = 4", "pairs = 6"),
    "fewer": ("pairs = 4", "pairs = 3"),
    "query": ("subject_queries = 1", "subject_queries = 2"),
    "removed": (LISTED, '["Logic"]'),
    "renamed": (LISTED, '["Logic", "Botany"]'),
}


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> Path:
    """Two disciplines built, some first tries rejected; to be copied."""
    _running_server.reset()
    _running_server.fail("empty", times=100_000, match='"seed": 2')
    folder = served(tmp_path_factory.mktemp("once"), _running_server, pairs=4)
    edit(folder, SMALL)
    build(folder)
    return folder


@pytest.fixture
def built(once: Path, tmp_path: Path, server: ModelServer) -> Iterator[Path]:
    yield copied(once, tmp_path / "project", server)


def copied(folder: Path, to: Path, server: ModelServer) -> Path:
    server.reset()
    server.fail("empty", times=100_000, match='"seed": 2')
    shutil.copytree(folder, to)
    return to


def stored(folder: Path) -> dict[str, set[str]]:
    """Discipline -> keys of its stored replies."""
    store = ResponseStore(folder / "warehouse" / "responses.sqlite")
    found = {slug: {each.request_key for each in store.of_discipline(slug)} for slug in store.disciplines()}
    store.close()
    return found


def files(folder: Path) -> set[str]:
    """The partitions and locks of disciplines, as asset/name."""
    warehouse = folder / "warehouse"
    return {
        f"{path.parent.name}/{path.name}"
        for path in warehouse.glob("*/*")
        if path.parent.name in (*PARTITIONED, "locks") and not path.name.startswith("_")
    }


@settings(max_examples=6, deadline=None)
@given(
    steps=st.lists(st.tuples(st.sampled_from(sorted(EDITS)), st.booleans()), max_size=3, unique_by=lambda step: EDITS[step[0]][0]),
    lost=st.sets(st.sampled_from(GENERATED), min_size=1),
)
def test_what_a_build_would_look_up_is_never_taken_away(
    once: Path,
    tmp_path_factory: pytest.TempPathFactory,
    _running_server: ModelServer,
    steps: list[tuple[str, bool]],
    lost: set[str],
) -> None:
    folder = copied(once, tmp_path_factory.mktemp("law") / "kept", _running_server)
    for name, then_built in steps:
        edit(folder, dict([EDITS[name]]))
        if then_built:
            build(folder)
    pruned = copied(folder, folder.parent / "pruned", _running_server)
    ran = gland(pruned, "prune", "--responses", "--yes")
    assert ran.code == 0, ran.err
    calls = []
    for each in (folder, pruned):
        for level in lost:  # so that the build has to look everything up
            shutil.rmtree(each / "warehouse" / level)
        before = _running_server.answered
        build(each)
        calls.append(_running_server.answered - before)
    assert calls[0] == calls[1]
    assert contents(pruned) == {key: value for key, value in contents(folder).items() if key in contents(pruned)}


def contents(folder: Path) -> dict[tuple[str, str], str]:
    """(level, discipline) -> content hash."""
    return {key: meta.content_hash for key, meta in Partitions(folder / "warehouse").metas().items()}


def test_after_a_build_what_older_settings_left_goes_and_nothing_is_asked_again(built: Path, server: ModelServer) -> None:
    before, paid = stored(built), spent(built)
    edit(built, dict([EDITS["answers"]]))
    build(built)
    later = stored(built)
    assert gland(built, "prune").out.startswith("Nothing to prune"), "without --responses the store is not walked through"
    shown = gland(built, "prune", "--responses").out
    assert "made anew with other settings" in shown and "Nothing has been removed" in shown
    assert stored(built) == later
    ran = gland(built, "prune", "--responses", "--yes")
    assert ran.code == 0 and "sqlite3" in ran.out
    left = stored(built)
    assert all(left[slug] < later[slug] and later[slug] - left[slug] < before[slug] for slug in ("logic", "optics"))
    assert spent(built).calls > paid.calls, "the ledger keeps what was paid"
    server.reset()
    (built / "warehouse" / "answers" / "logic.parquet").unlink()
    (built / "warehouse" / "subjects" / "logic.parquet").unlink()
    build(built)
    assert server.count == 0, "rejected tries and first turns are kept too"
    assert gland(built, "prune", "--responses").out.startswith("Nothing to prune")


def test_what_was_pruned_can_be_paid_for_again_and_then_counts_twice(built: Path, server: ModelServer) -> None:
    edit(built, dict([EDITS["answers"]]))
    build(built)
    gland(built, "prune", "--responses", "--yes")
    paid = spent(built)
    edit(built, {EDITS["answers"][1]: "[defaults]"})
    foreseen = gland(built, "plan", "--json").json["requests"]["calls"]
    assert foreseen > 0, "a reply that was pruned is not one that was lost"
    server.reset()
    server.fail("empty", times=100_000, match='"seed": 2')
    build(built)
    assert spent(built).calls - paid.calls == server.answered > 0
    keys = [row["request_key"] for slug in ("logic", "optics") for row in Partitions(built / "warehouse").rows("answers", slug)]
    assert all(gland(built, "why", key, "--json").json["asked"] for key in keys[:2])


def test_a_discipline_that_is_not_up_to_date_keeps_all_its_replies(built: Path) -> None:
    edit(built, dict([EDITS["answers"]]))
    before = stored(built)
    ran = gland(built, "prune", "--responses", "--yes")
    assert stored(built) == before
    assert "All replies are kept of 2 disciplines not up to date: logic, optics" in ran.out


def test_a_removed_discipline_is_told_of_and_goes_when_told_to(built: Path, server: ModelServer) -> None:
    gland(built, "publish")
    edit(built, dict([EDITS["removed"]]))
    before, replies = files(built), stored(built)
    status = gland(built, "status")
    assert "No longer in the taxonomy: optics; 10 files" in status.out
    assert f"{len(replies['optics'])} stored replies for disciplines no longer in the taxonomy" in status.out
    told = gland(built, "status", "--json").json
    assert told["left_behind"]["disciplines"] == ["optics"] and told["left_behind"]["files"] == 10 and told["left_behind"]["bytes"] > 0
    assert told["unreferenced"]["replies"] == len(replies["optics"]) and told["unreferenced"]["usd"] > 0
    shown = gland(built, "prune").out
    assert "optics" in shown and "Nothing has been removed" in shown
    assert files(built) == before and stored(built) == replies
    assert gland(built, "prune", "--yes").code == 0
    assert files(built) == {name for name in before if "optics" not in name}
    assert stored(built) == replies, "what was paid for goes only with --responses"
    assert gland(built, "prune", "--responses", "--yes").code == 0
    assert stored(built) == {"logic": replies["logic"]}
    assert gland(built, "plan", "--json").json["disciplines"] == []
    told = gland(built, "status", "--json").json
    assert (told["left_behind"]["disciplines"], told["unreferenced"]["replies"]) == ([], 0)
    assert gland(built, "prune", "--responses").out.startswith("Nothing to prune")


def test_the_index_of_near_duplicates_loses_the_removed_discipline(built: Path) -> None:
    import duckdb

    gland(built, "publish")
    edit(built, dict([EDITS["removed"]]))
    gland(built, "prune", "--yes")
    with duckdb.connect(str(built / "warehouse" / "minhash.duckdb"), read_only=True) as index:
        for table in ("parts", "signatures", "bands"):
            assert index.execute(f"select distinct discipline from {table}").fetchall() == [("logic",)]


def test_while_a_discipline_is_being_made_nothing_is_removed(built: Path) -> None:
    edit(built, dict([EDITS["removed"]]))
    before, replies = files(built), stored(built)
    for slug in ("optics", "logic"):
        with discipline_lock(built / "warehouse", slug):
            ran = gland(built, "prune", "--responses", "--yes")
        assert ran.code == 2 and f"{slug} is being made by process" in ran.err
        assert (files(built), stored(built)) == (before, replies)
    with discipline_lock(built / "warehouse", "logic"):
        assert gland(built, "prune", "--responses").code == 0, "looking is allowed at any time"


def test_a_shared_store_is_never_pruned_from_one_project(built: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.sqlite"
    shutil.copy(built / "warehouse" / "responses.sqlite", shared)
    edit(built, dict([EDITS["removed"]]) | {"[defaults]": f'[store]\npath = "{shared}"\n[defaults]'})
    kept = shared.read_bytes()
    ran = gland(built, "prune", "--responses", "--yes")
    assert ran.code == 2 and "shared" in ran.err and ran.out == ""
    assert gland(built, "prune", "--yes").code == 0
    assert shared.read_bytes() == kept
    assert gland(built, "status", "--json").json["unreferenced"] is None


def test_replies_that_another_project_paid_into_this_store_are_left_alone(built: Path, tmp_path: Path, server: ModelServer) -> None:
    other = served(tmp_path / "other", server, ("Botany",), pairs=2, more=f'[store]\npath = "{built}/warehouse/responses.sqlite"\n')
    build(other)
    edit(built, dict([EDITS["removed"]]))
    gland(built, "prune", "--responses", "--yes")
    assert set(stored(built)) == {"logic", "botany"}


KILLED = """
import os, signal, sys
from itertools import count
from pathlib import Path
from gland_assets.cli import main
from gland_assets.io import pruning, store
steps, deaths = count(1), int(sys.argv.pop(1))
def step():
    if next(steps) == deaths:
        os.kill(os.getpid(), signal.SIGKILL)
unlink, connect = pruning._unlink, store.connect
def unlinked(path):
    step()
    unlink(path)
def connected(*arguments):
    connection = connect(*arguments)
    connection.set_trace_callback(lambda statement: step() if statement.startswith("delete") else None)
    return connection
pruning._unlink, store.connect, store.KEYS = unlinked, connected, 5
main()
"""


def test_killed_at_any_moment_it_leaves_what_a_build_and_the_next_prune_go_on_with(built: Path, server: ModelServer) -> None:
    edit(built, dict([EDITS["removed"]]))
    for deaths in count(3, 3):
        command = [sys.executable, "-c", KILLED, str(deaths), "prune", "--responses", "--yes"]
        ran = subprocess.run(command, cwd=built, env=environment(), capture_output=True, text=True, timeout=60)
        if ran.returncode != -signal.SIGKILL:
            break
        standing = [level for level in PARTITIONED if Partitions(built / "warehouse").path(level, "optics").exists()]
        assert standing == list(PARTITIONED[: len(standing)]), "as a stopped build leaves them"
    assert deaths > 6 and ran.returncode == 0, ran.stderr
    assert stored(built).keys() == {"logic"} and not lock_path(built / "warehouse", "optics").exists()
    server.reset()
    paid = spent(built)
    shutil.rmtree(built / "warehouse" / "answers")
    build(built)
    assert server.count == 0 and spent(built) == paid
