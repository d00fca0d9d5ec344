"""Several projects over one response store: none pays for what another has, each keeps its own books."""

from __future__ import annotations

import os
import stat
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from gland_assets.io.ledger import Ledger
from gland_assets.io.store import ResponseStore
from tests.building import build, served, spent
from tests.cli.running import gland, gland_process
from tests.server import ModelServer


@pytest.fixture
def two(tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two projects that declare the same and name one store."""
    monkeypatch.setenv("SMALL_KEY", "sk-of-the-test")
    more = f'[store]\npath = "{tmp_path}/shared/replies.sqlite"\n'
    (tmp_path / "shared").mkdir()
    first, second = (served(tmp_path / name, server, pairs=3, more=more) for name in ("first", "second"))
    return first, second


def held(folder: Path) -> int:
    """Replies in the store that the two share."""
    store = ResponseStore(folder.parent / "shared" / "replies.sqlite")
    count = store.count()
    store.close()
    return count


def paid_by(folder: Path) -> Decimal:
    """Dollars that a project's own builds have paid, by its ledger."""
    with closing(Ledger(folder / "warehouse")) as ledger:
        return ledger.paid()[0]


def test_what_one_project_has_paid_the_next_one_gets(two: tuple[Path, Path], server: ModelServer) -> None:
    first, second = two
    build(first)
    paid = server.answered
    assert paid == held(first) == spent(first).calls > 0
    build(second)
    assert server.answered == paid, "nothing was asked again"
    assert [paid_by(folder) > 0 for folder in two] == [True, False], "the second has paid nothing, and no budget of its own is used up"
    for folder in two:
        assert gland(folder, "plan", "--json").json["requests"]["calls"] == 0
        assert gland(folder, "status", "--json").json["unreferenced"] is None
        assert "shared" in gland(folder, "prune", "--responses", "--yes").err


def test_builds_of_two_projects_at_the_same_time_pay_once(two: tuple[Path, Path], server: ModelServer) -> None:
    server.state.latency = 0.05
    running = [gland_process(folder, "build", "--yes", "--workers", "1") for folder in two]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert server.answered == held(two[0]), "no request was paid for by both"
    shown = [gland(folder, "store", "stats", "--json").json for folder in two]
    assert [each["shared"] for each in shown] == [True, True]
    own = [sum(build["replies"] for build in each["by_build"].values() if build["own"]) for each in shown]
    assert sum(own) == held(two[0]), "each knows its own builds"
    assert [count > 0 for count in own] == [paid_by(folder) > 0 for folder in two], "and those are the ones that its ledger says it paid"
    assert [gland(folder, "store", "verify").code for folder in two] == [0, 0]


@pytest.mark.parametrize(("folder_mode", "others"), [(0o2775, True), (0o755, False)])
def test_who_may_write_into_the_folder_may_write_the_store(two: tuple[Path, Path], tmp_path: Path, folder_mode: int, others: bool) -> None:
    shared = tmp_path / "shared"
    shared.chmod(folder_mode)
    before = os.umask(0o077)
    try:
        kept_open = ResponseStore(shared / "replies.sqlite")
        build(two[0])
        assert kept_open.count() > 0  # while it is open its -wal and -shm are there
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in shared.iterdir()}
        kept_open.close()
    finally:
        os.umask(before)
    assert set(modes) == {f"replies.sqlite{tail}" for tail in ("", "-wal", "-shm", "-asking")}
    assert set(modes.values()) == {0o660 if others else 0o600}
