"""`gland build` as a command: exit codes, refusals, what it says, and stopping it."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import duckdb
import psutil
import pytest

from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.cli.running import HEAD, declare, gland, gland_alone, gland_process, store_fresh
from tests.server import ModelServer

KEY = {"SMALL_KEY": "sk-of-the-test"}
TREE = '[[field]]\nname = "Formal"\n[[field.subfield]]\nname = "Reasoning"\ndisciplines = ["Logic", "Optics"]\n'


@pytest.fixture
def asking(server: ModelServer, tmp_path: Path) -> Path:
    """A project that asks the test server for four pairs of each of two disciplines."""
    head = HEAD.replace("pairs = 10", "pairs = 4").replace("[defaults]", f'api_base = "{server.url}"\n[defaults]')
    head = re.sub(r"(usd_per_million = .*)\n(api_base = .*)\n", r"\2\n\1\n", head)
    return declare(tmp_path / "asking", TREE, head)


def test_a_build_says_what_it_did_and_the_next_has_nothing_to_do(asking: Path, server: ModelServer) -> None:
    ran = gland_alone(asking, "build", "--yes", "--workers", "1", env=KEY)
    assert ran.code == 0, ran.err
    assert "2 disciplines to bring up to date. About " in ran.out.splitlines()[0]
    levels, stages, deployments = (
        {line.split()[0]: line.split()[1:] for line in table.splitlines()} for table in ran.out.split("\n\n")[1:4]
    )
    assert levels["questions"] == ["8"] and levels["answers"] == ["8"]
    assert stages["all"][:5] == [str(server.answered), "0", "0", "0", "0"] and stages["all"][-1].startswith("$")
    assert deployments["large"] == stages["all"]
    assert "warehouse/gland.duckdb holds 8 kept pairs." in ran.out
    assert "\x1b" not in ran.out + ran.err and "sk-of-the-test" not in ran.out + ran.err
    asked = server.count
    ran = gland_alone(asking, "build")
    assert (ran.code, server.count) == (0, asked), "no key is needed when nothing is asked"
    assert ran.out == "Nothing to do: the whole taxonomy is up to date. No model was asked.\n"
    with duckdb.connect(str(asking / "warehouse" / "gland.duckdb"), read_only=True) as published:
        assert published.execute("select count(*) from dataset").fetchone() == (8,)


def test_failed_rows_end_with_1_and_their_causes(asking: Path, server: ModelServer) -> None:
    server.fail("400", times=10_000, match='"temperature": 0.7', message="not at this temperature")
    ran = gland_alone(asking, "build", "--yes", "-d", "logic", "--workers", "1", env=KEY)
    assert ran.code == 1, ran.err
    assert "4 rows failed; the rest stands:" in ran.out and "bad_request" in ran.out and "not at this temperature" in ran.out
    failed = json.loads(gland(asking, "status", "--json").out)["disciplines"][0]["rows"]
    assert failed["questions"]["failed"] + (failed["answers"] or {"failed": 0})["failed"] == 4


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(asking: Path, server: ModelServer) -> None:
    server.state.latency = 0.5
    (asking / "taxonomy.toml").write_text((asking / "taxonomy.toml").read_text().replace("pairs = 4", "pairs = 400"))
    process = gland_process(asking, "build", "--yes", "--workers", "1", env=KEY)
    deadline = time.monotonic() + 90
    while server.answered < 20 and time.monotonic() < deadline:
        time.sleep(0.1)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "stopped; everything paid for is kept. `gland build` goes on from here."
    assert "Traceback" not in out + err
    psutil.wait_procs(below, timeout=20)
    assert not [each for each in below if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]
    paid = server.answered
    found = gland(asking, "plan", "--json").json
    assert 20 <= found["requests"]["reused"] <= paid


def test_a_second_ctrl_c_ends_at_once(asking: Path, server: ModelServer) -> None:
    server.state.latency = 30.0
    process = gland_process(asking, "build", "--yes", "--workers", "1", env=KEY)
    deadline = time.monotonic() + 90
    while server.count < 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    below = psutil.Process(process.pid).children(recursive=True)
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "what was stored is kept" in err
    psutil.wait_procs(below, timeout=20)
    assert not [each for each in below if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def test_a_missing_key_names_its_variable_and_asks_nobody(asking: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMALL_KEY", raising=False)
    ran = gland(asking, "build", "--yes")
    assert ran.code == 2 and "SMALL_KEY" in ran.err and server.count == 0


def test_money_is_not_spent_unasked_where_nobody_can_be_asked(asking: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_KEY", "sk-of-the-test")
    ran = gland(asking, "build")
    assert ran.code == 2 and "--yes" in ran.err and "costs about $" in ran.err and server.count == 0


def test_an_unknown_discipline_is_refused_with_the_nearest(asking: Path) -> None:
    ran = gland(asking, "build", "--yes", "-d", "optic")
    assert ran.code == 2 and "did you mean 'optics'?" in ran.err


def test_what_lies_outside_the_named_disciplines_is_left_alone(asking: Path) -> None:
    store_fresh(load_project(asking / "taxonomy.toml"), Partitions(asking / "warehouse"), rows.made("logic"))
    ran = gland(asking, "build", "-d", "logic")
    assert ran.code == 0 and "Nothing to do: logic is up to date." in ran.out
