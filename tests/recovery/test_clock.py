"""A clock that is set forwards and back, between builds and during one: what is made and what is paid do not go by it.

What jumps is the clock that Python tells, in every process of a build; the kernel's, and so the times of files, go on.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.cli.running import gland_alone, gland_process
from tests.recovery.conftest import Built
from tests.recovery.published import digests
from tests.server import ModelServer
from tests.test_build import KEY, rows, served

CLOCK = """
import datetime, os, time
was, before = datetime.datetime, time.time
def now():
    with open(os.environ["CLOCK"]) as file:
        return before() + float(file.read())
class Either(type(was)):
    def __instancecheck__(cls, value):
        return isinstance(value, was)
class datetime_(was, metaclass=Either):
    @classmethod
    def now(cls, tz=None):
        return was.fromtimestamp(now(), tz)
    @classmethod
    def utcnow(cls):
        return was.fromtimestamp(now(), datetime.UTC).replace(tzinfo=None)
datetime_.__name__, datetime_.__qualname__, datetime_.__module__ = "datetime", "datetime", "datetime"
datetime.datetime, time.time, time.time_ns = datetime_, now, lambda: int(now() * 1e9)
"""
DAY = 24 * 3600


def test_a_clock_that_jumps_changes_nothing_that_is_made(built: Built, tmp_path: Path, server: ModelServer) -> None:
    clock = tmp_path / "clock"
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    env = KEY | {"CLOCK": str(clock), "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"}

    def set_to(days: float) -> None:
        following = clock.with_suffix(".next")
        following.write_text(str(days * DAY))
        following.replace(clock)

    set_to(30)
    folder = served(tmp_path / "jumping", server, pairs=2)
    server.state.latency = 0.05
    process = gland_process(folder, "build", "--yes", "--workers", "2", env=env)
    for count, days in ((1, -400), (built.calls // 3, 500), (2 * built.calls // 3, -30)):
        while server.answered < count and process.poll() is None:
            time.sleep(0.01)
        set_to(days)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, out + err
    assert server.count == built.calls
    assert digests(folder) == built.digests
    [(started, ended, spread)] = rows(folder, "select started_at, ended_at, (select max(sent_at) - min(sent_at) from requests) from builds")
    assert ended >= started and spread.days > 300, "the clock did jump"  # type: ignore[operator,attr-defined]
    set_to(-4000)
    ran = gland_alone(folder, "build", env=env)
    assert ran.code == 0 and "Nothing to do" in ran.out, ran.err
    taxonomy = folder / "taxonomy.toml"
    taxonomy.write_text(taxonomy.read_text().replace('"Logic"', '{ name = "Logic", pairs = 3 }'))
    ran = gland_alone(folder, "build", "--yes", "--workers", "1", env=env)
    assert ran.code == 0, ran.err
    assert server.count == built.calls + 2
    for verb in (["status"], ["sql", "3"]):
        ran = gland_alone(folder, *verb, env=env)
        assert ran.code == 0 and "Traceback" not in ran.err
