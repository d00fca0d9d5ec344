"""The web interface as a set of processes: it answers, and at the end all of it is gone."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from gland_assets.assets.serve import MARK, end_marked, serve
from gland_assets.core.errors import EnvironmentFault
from tests.cli.running import declare, environment, gland, gland_process

DETACHED = """
import os, subprocess, sys
# A child that leaves its parent's session, tells nobody, and does not end when it is asked to.
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True, stdout=sys.stdout)
"""


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port


def bearing(name: str, value: str | None = None) -> list[psutil.Process]:
    """The living processes with this variable in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            held = process.environ().get(name)
            if held is not None and value in (None, held) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.parametrize(("end", "own"), [(signal.SIGINT, True), (signal.SIGTERM, False)], ids=["own definitions", "ours"])
def test_it_answers_and_leaves_no_process_behind(end: signal.Signals, own: bool, tmp_path: Path) -> None:
    folder = declare(tmp_path / "project")
    if own:
        gland(tmp_path, "init", str(tmp_path / "other"), "--provider", "ollama")
        (folder / "definitions.py").write_text((tmp_path / "other" / "definitions.py").read_text())
    port = free_port()
    token = {"GLAND_TEST_TOKEN": str(tmp_path)}
    process = gland_process(folder, "ui", "--port", str(port), env=token)
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert f"http://127.0.0.1:{port}" in lines[1], (lines, process.stderr and process.stderr.read())
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=30) as answered:
        assert json.loads(answered.read())["dagster_version"]
    assert asked(port, "{ assetNodes { assetKey { path } } }", until="answers")
    assert len(bearing("GLAND_TEST_TOKEN", str(tmp_path))) >= 3, "webserver, daemon and a code server"
    process.send_signal(end)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0 and "Ended." in out and "Traceback" not in err
    assert not bearing("GLAND_TEST_TOKEN", str(tmp_path))


def asked(port: int, query: str, until: str) -> bool:
    """Whether Dagster's GraphQL gives a reply with `until` in it before long: code is loaded while the page already answers."""
    body = json.dumps({"query": query}).encode()
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answered:
            if until in answered.read().decode():
                return True
        time.sleep(0.3)
    return False


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    folder = declare(tmp_path)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        ran = gland(folder, "ui", "--port", str(holder.getsockname()[1]))
    assert ran.code == 2 and "is in use; choose another with --port" in ran.err


def test_an_address_that_is_not_ours_is_told(tmp_path: Path) -> None:
    ran = gland(declare(tmp_path), "ui", "--port", "3999", "--host", "192.0.2.1")
    assert ran.code == 2 and "cannot listen" in ran.err
    ran = gland(tmp_path, "ui", "--port", "3999", "--host", "no such host")
    assert ran.code == 2 and "Traceback" not in ran.err


def test_what_dagster_says_is_shown_when_it_does_not_start(tmp_path: Path) -> None:
    folder = declare(tmp_path)
    (folder / "dagster_webserver").mkdir()  # stands before the real one, in the folder that Dagster is started in
    (folder / "dagster_webserver" / "__init__.py").write_text("")
    (folder / "dagster_webserver" / "__main__.py").write_text("raise SystemExit('the webserver is broken')\n")
    with pytest.raises(EnvironmentFault, match=r"ended by itself with code 1(.|\n)*the webserver is broken"):
        serve(folder / "taxonomy.toml", folder / "warehouse", "127.0.0.1", free_port(), pytest.fail, lambda: False)


def test_a_marked_process_ends_wherever_it_stands_even_if_it_does_not_want_to() -> None:
    mark = f"test-{os.getpid()}"
    with subprocess.Popen([sys.executable, "-c", DETACHED], env=environment({MARK: mark}), stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "up\n"
    assert len(bearing(MARK, mark)) == 1, "the parent is gone, the child is not"
    end_marked(mark)
    assert not bearing(MARK, mark)


def test_processes_with_another_mark_are_left_alone() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], env=environment({MARK: "another"}), stdin=subprocess.PIPE
    ) as other:
        end_marked("mine")
        assert other.poll() is None
        other.communicate(b"")
