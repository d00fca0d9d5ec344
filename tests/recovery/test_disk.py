"""A full disk and a folder that may not be written: told with what to do; once that is done, a build goes on as if nothing had been."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gland_assets.io.durable import PART
from tests.cli.running import gland
from tests.recovery.conftest import Built
from tests.recovery.disks import gland_obeying, read_only, small_disk
from tests.recovery.published import digests
from tests.server import ModelServer
from tests.test_build import KEY, PARALLEL, asked_twice


def test_a_disk_that_fills_up_costs_at_most_what_was_on_its_way(built: Built, tmp_path: Path, server: ModelServer) -> None:
    taxonomy = built.folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('"Logic"', '{ name = "Logic", pairs = 12 }'))
    made = []
    for room in (60_000, 400_000):  # full before anything is asked, and in the midst of asking
        server.reset()
        with small_disk(built.folder, tmp_path / f"of {room}", room) as disk:
            ran = disk.run("build", "--yes", "--workers", "1", env=KEY)
            assert ran.code == 2 and ("make room" in ran.err or "free space" in ran.err), ran.err
            assert "Traceback" not in ran.err and "[SQL" not in ran.err
            assert (server.count == 0) == (room == 60_000)
            assert list(disk.folder.rglob(f"*{PART}")) == []
            disk.make_room()
            ran = disk.run("build", "--yes", "--workers", "1", env=KEY)
            assert ran.code == 0, ran.err
            shutil.copytree(disk.folder, tmp_path / f"from {room}")
        made.append(digests(tmp_path / f"from {room}"))
        assert len(asked_twice(server)) <= PARALLEL
    assert made[0] == made[1] and made[0]["dataset"][0] == 16


@pytest.mark.parametrize(
    "verb", [["build", "--yes"], ["plan"], ["status"], ["show"], ["sql", "1"], ["publish"]], ids=lambda verb: str(verb[0])
)
def test_a_folder_that_may_not_be_written_is_told(built: Built, server: ModelServer, verb: list[str]) -> None:
    built.edit()
    with read_only(built.warehouse):
        ran = gland_obeying(built.folder, *verb, env=KEY)
    assert "Traceback" not in ran.err
    if verb[0] in ("show", "sql"):
        assert ran.code == 0, "reading takes no lock and writes nothing"
    else:
        assert ran.code == 2 and str(built.warehouse) in ran.err and "give write access" in ran.err
    assert server.count == 0
    assert gland(built.folder, "plan", "--json").json["requests"]["calls"] == 2
