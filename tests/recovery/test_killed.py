"""Builds killed by SIGKILL, again and again: nothing stored is asked for again, nothing half-written read, and the same dataset made."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import psutil
import pytest

from gland_assets.io.durable import PART
from gland_assets.io.partitions import Partitions
from gland_assets.io.store_layout import text_of
from tests import speech
from tests.cli.running import command, declare, environment
from tests.completions import completion
from tests.recovery.published import digests
from tests.server import ModelServer
from tests.test_build import KEY, SERVED, build, rows

KILLS = 20
PARALLEL = 4
LATENCY_S = 0.1
NAMES = ("Logic", "Optics", "Music", "Botany")
TREE = f'[[field]]\nname = "All"\n[[field.subfield]]\nname = "Some"\ndisciplines = {json.dumps(NAMES)}\n'


def project(folder: Path, server: ModelServer) -> Path:
    """Four disciplines of sixteen pairs."""
    return declare(folder, TREE, SERVED.format(url=server.url, pairs=16, parallel=PARALLEL).replace("queries = 2", "queries = 1"))


class Build:
    """One `gland build` in a process group of its own."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.process = subprocess.Popen(
            command("build", "--yes", "--workers", str(workers)), cwd=folder, env=environment(KEY), text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def wait(self, until: Callable[[], bool], seconds: float = 120) -> bool:
        """Whether it was still running when `until` came true."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            if until():
                return True
            time.sleep(0.005)
        return False

    def family(self) -> list[psutil.Process]:
        """The workers that stand now."""
        try:
            below = psutil.Process(self.process.pid).children()
            return [each for each in below if "spawn_main" in " ".join(each.cmdline())]
        except psutil.NoSuchProcess:
            return []

    def kill(self, who: str, rng: Random) -> str:
        """SIGKILL, as the kernel does it when memory runs out: no word of warning. Whom it hit."""
        workers = self.family()
        if who == "worker" and workers:
            rng.choice(workers).kill()
            _, err = self.process.communicate(timeout=120)
            assert "Traceback" not in err, err
            # A build that was at its end needs no worker any more.
            assert (self.process.returncode, "SIGKILL" in err) in ((2, True), (0, False)), err
            return who
        if who == "group":
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()
        return who if workers else "alone"  # it had no workers yet, or needed none


class Watch:
    """What the server was asked for between two kills, against what had been stored at the first. A request is told by its reply."""

    def __init__(self, server: ModelServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.seen, self.held, self.again, self.lost = 0, set[str](), 0, 0

    def look(self) -> None:
        """After a kill: no request was sent whose reply was stored before, and none twice since."""
        log = self.server.log
        fresh, self.seen = [str(completion(entry["body"])["choices"][0]["message"]["content"]) for entry in log[self.seen :]], len(log)
        assert len(set(fresh)) == len(fresh), "asked for twice by one build, or while another was asking for it"
        assert not self.held.intersection(fresh), "asked for again, though its reply was stored"
        self.held = stored(self.folder)
        on_their_way = len(set(fresh) - self.held)
        assert on_their_way <= PARALLEL
        self.lost += on_their_way

    def sound(self) -> None:
        """Whatever stands is whole."""
        partitions = Partitions(self.folder / "warehouse")
        metas = partitions.metas()
        assert partitions.damaged == {}
        for asset, slug in metas:
            partitions.rows(asset, slug)
        for name in ("responses", "ledger"):
            if (path := self.folder / "warehouse" / f"{name}.sqlite").exists():
                with closing(sqlite3.connect(path)) as connection:
                    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


def stored(folder: Path) -> set[str]:
    """The texts in the response store."""
    path = folder / "warehouse" / "responses.sqlite"
    if not path.exists():
        return set()
    with closing(sqlite3.connect(path)) as connection:
        try:
            return {text_of(text) for (text,) in connection.execute("select text from responses")}
        except sqlite3.OperationalError:  # killed between making the file and its table
            return set()


def changed(path: Path) -> int:
    """When a file was last changed; 0 where there is none."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def moments(folder: Path, server: ModelServer, rng: Random) -> list[Callable[[], Callable[[], bool]]]:
    """When to kill, one kill after the other: while it starts, while it asks, while it publishes. Each is armed when its build begins."""
    warehouse = folder / "warehouse"

    def after(seconds: float) -> Callable[[], bool]:
        started = time.monotonic()
        return lambda: time.monotonic() - started > seconds

    def asked(more: int) -> Callable[[], bool]:
        count = server.count
        return lambda: server.count >= count + more

    def touched(*names: str) -> Callable[[], bool]:
        paths = [warehouse / name for name in names]
        before = [changed(path) for path in paths]
        return lambda: [changed(path) for path in paths] != before

    starting = [lambda: after(rng.uniform(0, 1.0)), lambda: touched("dagster/history/runs.db"), lambda: touched("ledger.sqlite-wal")]
    asking = [lambda: asked(rng.randint(1, 4)) for _ in range(12)]
    # Whatever is published, live.sql is written anew before it.
    publishing = [lambda: touched("duplicates/all.parquet"), lambda: touched("minhash.duckdb", "live.sql")]
    return [*starting, *asking, *publishing, *(lambda: touched("live.sql") for _ in range(3))]


def test_a_build_killed_twenty_times_ends_as_if_it_had_never_been(tmp_path: Path, server: ModelServer) -> None:
    whole = project(tmp_path / "whole", server)
    assert build(whole)[0] == 0
    wanted, calls = digests(whole), server.answered
    server.reset()
    server.state.latency = LATENCY_S
    folder, rng = project(tmp_path / "killed", server), Random(20)
    watch = Watch(server, folder)
    hit: list[str] = []
    for number, moment in enumerate(moments(folder, server, rng)):
        running = Build(folder, workers=rng.choice((1, 1, 2)))
        assert running.wait(moment()), f"it was to be killed for the {number + 1}th time: {running.process.communicate()}"
        time.sleep(rng.uniform(0, 0.1))
        hit.append(running.kill(("group", "parent", "worker")[number % 3], rng))
        watch.look()
        watch.sound()
    assert len(hit) == KILLS
    assert set(hit) == {"group", "parent", "worker", "alone"}, hit
    server.state.latency = 0.0
    code, said = build(folder)
    assert code == 0, said
    watch.look()
    assert digests(folder) == wanted
    assert server.count - calls <= watch.lost <= KILLS * PARALLEL
    assert rows(folder, "select count(*), count(distinct request_key) from requests") == [(calls, calls)]
    assert [path for path in (folder / "warehouse").rglob(f"*{PART}")] == []


def test_a_worker_killed_in_mid_word_ends_the_build_and_does_not_hang_it(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    prose = speech.prose
    monkeypatch.setattr(speech, "prose", lambda rng, sentences: prose(rng, 60 * sentences))  # more than a pipe takes at once
    folder = project(tmp_path / "cut off", server)
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace("pairs = 16", "pairs = 12").replace(json.dumps(NAMES), '["Logic"]'))
    running = Build(folder, workers=1)
    try:
        assert running.wait(lambda: server.answered > 5)
        running.process.send_signal(signal.SIGSTOP)  # a build that does not listen: what its worker has to say fills the pipe
        [worker] = running.family()
        while server.answered < 26 and worker.is_running():
            time.sleep(0.05)
        time.sleep(1)  # until it is in the midst of telling of an answer
        worker.kill()
        running.process.send_signal(signal.SIGCONT)
        _, err = running.process.communicate(timeout=60)
    finally:
        running.process.kill()
    assert running.process.returncode == 2 and "the worker process making logic ended by SIGKILL" in err, err
    assert "Traceback" not in err
