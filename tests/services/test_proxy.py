"""A build through a real nginx that turns requests away (429), times out (504) and loses its upstream (502): every row is answered,
and no reply that was paid for is asked for again.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.services.proxy import HANG, ROOT, Proxy, Upstream, free_port, start_proxy, wait_until

PAIRS = 40  # per discipline: at RATE requests a second, long enough for three faults in one build
RATE, BURST = 20, 5
TAXONOMY = """
[dataset]
name = "through-a-proxy"
seed = 11

[deployment.proxied]
model = "hosted_vllm/test-model"
api_base = "http://127.0.0.1:{port}/v1"
max_parallel_requests = 16
timeout = 30
usd_per_million = {{ input = 1, output = 2 }}

[defaults]
models = ["proxied"]
subject_queries = 1
sessions = [2, 3]
pairs = {pairs}

[[field]]
name = "Formal sciences"
  [[field.subfield]]
  name = "Foundations"
  disciplines = ["Logic", "Set theory"]
"""
GLAND = [sys.executable, "-c", "import sys; from gland_assets.cli import main; sys.exit(main())"]


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    server = Upstream(free_port(), tmp_path / "upstream.log")
    server.start()
    yield server
    server.send(signal.SIGKILL)


@pytest.fixture
def proxy(tmp_path: Path, upstream: Upstream) -> Iterator[Proxy]:
    running = start_proxy(tmp_path / "nginx", upstream.port, RATE, BURST)
    yield running
    running.process.terminate()
    running.process.wait()


@pytest.fixture
def taxonomy(tmp_path: Path, proxy: Proxy) -> Path:
    path = tmp_path / "project" / "taxonomy.toml"
    path.parent.mkdir()
    path.write_text(TAXONOMY.format(port=proxy.port, pairs=PAIRS))
    return path


def gland(taxonomy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command's run to its end."""
    return subprocess.run(
        [*GLAND, "--taxonomy", str(taxonomy), *arguments],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=4 * HANG,
    )  # fmt: skip


def number(taxonomy: Path, query: str) -> Any:
    """The one value that `query` gives over the live views."""
    done = gland(taxonomy, "sql", query, "--format", "json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    (value,) = row.values()
    return value


def build_through_faults(taxonomy: Path, proxy: Proxy, upstream: Upstream) -> tuple[int, str]:
    """Build while the upstream hangs for a while and then dies for a while: the exit code and all output."""
    log = taxonomy.parent / "build.log"
    with log.open("w") as out:
        command = [*GLAND, "--taxonomy", str(taxonomy), "build", "--yes"]
        build = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True, start_new_session=True)
    try:
        wait_until(lambda: proxy.count(200) >= 20, "the first replies", build)
        upstream.send(signal.SIGSTOP)
        wait_until(lambda: proxy.count(504) > 0, "a gateway timeout", build)
        upstream.send(signal.SIGCONT)
        answered = proxy.count(200)
        wait_until(lambda: proxy.count(200) > answered + 10, "replies after the timeout", build)
        upstream.send(signal.SIGKILL)
        wait_until(lambda: proxy.count(502) > 0, "a bad gateway", build)
        upstream.start()
        return build.wait(timeout=4 * HANG), log.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(build.pid, signal.SIGKILL)  # its workers too, when a wait above failed


def test_a_build_through_a_limping_proxy_answers_every_row_and_asks_nothing_twice(taxonomy: Path, proxy: Proxy, upstream: Upstream) -> None:
    code, output = build_through_faults(taxonomy, proxy, upstream)
    assert code == 0, output

    statuses = Counter(status for status, _ in proxy.asked())
    assert {200, 429, 502, 504} <= set(statuses), statuses

    assert number(taxonomy, "select count(*) from failures") == 0
    assert number(taxonomy, "select count(*) from questions") == 2 * PAIRS
    assert number(taxonomy, "select count(*) from questions join answers using (question_id) where length(answers.text) > 0") == 2 * PAIRS

    answered = Counter(body for status, body in proxy.asked() if status == 200)
    assert "" not in answered
    assert [body for body, times in answered.items() if times > 1] == []
    assert number(taxonomy, "select count(*) from requests") == answered.total()  # each paid reply is on the books, once

    before = len(proxy.asked())
    again = gland(taxonomy, "build", "--yes")
    assert again.returncode == 0, again.stderr
    assert len(proxy.asked()) == before


def test_a_proxy_without_upstream_gives_failure_rows_and_a_later_build_mends_them(taxonomy: Path, proxy: Proxy, upstream: Upstream) -> None:
    upstream.send(signal.SIGKILL)
    lost = gland(taxonomy, "build", "--yes")
    assert lost.returncode == 1, lost.stderr  # some rows failed, and nothing worse
    assert "Traceback" not in lost.stdout + lost.stderr
    assert number(taxonomy, "select count(*) from failures") > 0
    assert proxy.count(200) == 0

    upstream.start()
    mended = gland(taxonomy, "build", "--yes")
    assert mended.returncode == 0, mended.stderr
    assert number(taxonomy, "select count(*) from failures") == 0
    assert number(taxonomy, "select count(*) from answers") == 2 * PAIRS
