"""Dagster's web interface as processes of ours: started together, watched, and all of them gone at the end.

Dagster starts a code server below each of its processes, and those can outlive them. So every process is given a mark in its environment,
which what it starts inherits, and at the end whatever bears the mark is ended, wherever it then stands in the process tree.
"""

import errno
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from gland_assets.assets.instance import dagster_home, open_instance
from gland_assets.assets.partitions import sync_partitions
from gland_assets.assets.records import Records
from gland_assets.assets.reporting import BATCH, report
from gland_assets.core.errors import EnvironmentFault
from gland_assets.io.project import load_project

MARK = "GLAND_UI"
"""The variable whose value marks the processes of one web interface."""

START_S = 120.0  # after which an interface that does not answer has failed
POLL_S = 0.2
GRACE_S = 5.0  # between asking processes to end and ending them
TAIL = 15  # lines of a process's log that are shown when it fails


@dataclass(frozen=True, slots=True)
class _Part:
    """One process of the interface and where it logs."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


def serve(taxonomy: Path, warehouse: Path, host: str, port: int, ready: Callable[[str], None], stop: Callable[[], bool]) -> None:
    """Run the web interface and Dagster's daemon until `stop()`; `ready(url)` is called once the interface answers.

    Raises EnvironmentFault when the port is taken, the interface does not come up, or one of its processes ends by itself. When it
    returns or raises, no process of the interface is left.
    """
    _refuse_taken(host, port)
    project = load_project(taxonomy)
    with open_instance(warehouse) as instance:
        sync_partitions(instance, project)
        report(Records(instance), project, warehouse, limit=BATCH)
    mark = uuid4().hex
    parts: list[_Part] = []
    try:
        what = _opened(taxonomy)
        environment = _environment(taxonomy, warehouse, mark)
        web = ["dagster_webserver", "--host", host, "--port", str(port), *what]
        parts.append(_start("webserver", web, taxonomy.parent, warehouse, environment))
        url = _address(host, port)
        if not _wait_until_it_answers(url, parts, stop):
            return
        # Only now: loading the assets twice at once would make the page wait for longer.
        parts.append(_start("daemon", ["dagster._daemon", "run", *what], taxonomy.parent, warehouse, environment))
        ready(url)
        while not stop():
            _check_running(parts)
            time.sleep(POLL_S)
    finally:
        end_marked(mark, [part.process.pid for part in parts])


def _refuse_taken(host: str, port: int) -> None:
    """Raise EnvironmentFault when nothing could listen there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise EnvironmentFault(f"port {port} of {host} is in use; choose another with --port") from None
        raise EnvironmentFault(f"cannot listen at port {port} of {host}: {error.strerror or error}") from None


def _address(host: str, port: int) -> str:
    shown = "127.0.0.1" if host == "0.0.0.0" else "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def _opened(taxonomy: Path) -> Sequence[str]:
    """What Dagster is told to open: the project's own definitions.py, or ours for a project without one.

    A definitions.py opens taxonomy.toml beside it, so for a file of another name ours is taken.
    """
    own = taxonomy.parent / "definitions.py"
    if own.exists() and taxonomy.name == "taxonomy.toml":
        return ["-f", str(own), "-d", str(taxonomy.parent)]
    return ["-m", "gland_assets.assets.served", "-d", str(taxonomy.parent)]


def _environment(taxonomy: Path, warehouse: Path, mark: str) -> dict[str, str]:
    places = {"DAGSTER_HOME": dagster_home(warehouse), "GLAND_TAXONOMY": taxonomy.resolve(), "GLAND_WAREHOUSE": warehouse.resolve()}
    return {**os.environ, **{name: str(path) for name, path in places.items()}, MARK: mark}


def _start(name: str, module: Sequence[str], folder: Path, warehouse: Path, environment: dict[str, str]) -> _Part:
    """Start a Python module as a process in a session of its own, so that Ctrl-C reaches it through us alone."""
    log = dagster_home(warehouse) / f"{name}.log"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    return _Part(name, process, log)


def _wait_until_it_answers(url: str, parts: Iterable[_Part], stop: Callable[[], bool]) -> bool:
    """Whether the interface answers; False when it was stopped before that. Raises EnvironmentFault when it does not come up."""
    deadline = time.monotonic() + START_S
    while not stop():
        _check_running(parts)
        try:
            with urllib.request.urlopen(f"{url}/server_info", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            if time.monotonic() >= deadline:
                raise EnvironmentFault(f"the web interface does not answer at {url} after {START_S:.0f} s; see {_logs(parts)}") from None
        time.sleep(POLL_S)
    return False


def _logs(parts: Iterable[_Part]) -> str:
    return ", ".join(str(part.log) for part in parts)


def _check_running(parts: Iterable[_Part]) -> None:
    for part in parts:
        code = part.process.poll()
        if code is not None:
            said = "\n".join(part.log.read_text(errors="replace").splitlines()[-TAIL:])
            raise EnvironmentFault(f"Dagster's {part.name} ended by itself with code {code}; {part.log} ends with:\n{said}")


def end_marked(mark: str, roots: Iterable[int] = ()) -> None:
    """End every process that bears the mark or descends from `roots`: ask first, then, after a few seconds, do not ask."""
    waited = time.monotonic() + GRACE_S
    asked: set[int] = set()
    while left := _marked(mark, roots):
        for process in left:
            _end(process, by_force=time.monotonic() >= waited, again=process.pid in asked)
            asked.add(process.pid)
        psutil.wait_procs(left, timeout=POLL_S)


def _end(process: psutil.Process, by_force: bool, again: bool) -> None:
    try:
        if by_force:
            process.kill()
        elif not again:
            process.terminate()
    except psutil.NoSuchProcess:
        pass


def _marked(mark: str, roots: Iterable[int]) -> list[psutil.Process]:
    """The living processes that bear the mark, and those below the roots."""
    found = {process.pid: process for process in psutil.process_iter() if _bears(process, mark)}
    for root in roots:
        try:
            top = psutil.Process(root)
            found |= {process.pid: process for process in (top, *top.children(recursive=True)) if process.status() != psutil.STATUS_ZOMBIE}
        except psutil.NoSuchProcess:
            continue
    return list(found.values())


def _bears(process: psutil.Process, mark: str) -> bool:
    try:
        return bool(process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, OSError):
        return False  # of another user, or gone
