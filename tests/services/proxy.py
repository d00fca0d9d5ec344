"""Nginx as a reverse proxy in front of the test server: both real processes, started, stopped and killed at will."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("nginx.conf")
INSTALL = "nginx is missing; on Debian and Ubuntu, as root or with sudo: apt-get install nginx"
HANG = 120.0  # seconds after which a wait counts as hung; nothing waits that long when all is well


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(happened: Callable[[], bool], what: str, process: subprocess.Popen[str] | None = None) -> None:
    """Wait for `happened`; fail when `process` ends before it, or when it does not come in `HANG` seconds."""
    deadline = time.monotonic() + HANG
    while not happened():
        assert process is None or process.poll() is None, f"ended with {process.returncode} before {what}"
        assert time.monotonic() < deadline, f"waited {HANG:.0f} s for {what}"
        time.sleep(0.02)


def answers_on(port: int) -> bool:
    """Whether something accepts connections on this loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Upstream:
    """The OpenAI-compatible test server as a process of its own."""

    port: int
    log: Path
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        with self.log.open("a") as log:
            command = [sys.executable, "-m", "tests.server", "--port", str(self.port)]
            self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True)
        wait_until(lambda: answers_on(self.port), f"the test server to listen ({self.log})", self.process)

    def send(self, number: signal.Signals) -> None:
        """Send a signal: SIGSTOP makes it hang with its connections open, SIGCONT lets it go on, SIGKILL ends it."""
        assert self.process is not None
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait()


@dataclass(frozen=True)
class Proxy:
    """A running nginx, and what its access log says of every request that reached it."""

    port: int
    folder: Path
    process: subprocess.Popen[str]

    def asked(self) -> list[tuple[int, str]]:
        """(status, request body) of each finished request, in order of finishing. A request that was turned away has an empty body."""
        log = self.folder / "access.log"
        lines = log.read_text().split("\n")[:-1] if log.exists() else []  # what follows the last newline is still being written
        return [(entry["status"], entry["body"]) for entry in map(json.loads, lines)]

    def count(self, status: int) -> int:
        """How many requests ended with this status."""
        return sum(1 for seen, _ in self.asked() if seen == status)


def start_proxy(folder: Path, upstream: int, rate: int, burst: int) -> Proxy:
    """Start nginx on a free port with all its files in `folder`: `rate` requests a second, `burst` above it, the rest turned away."""
    nginx = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
    assert nginx is not None, INSTALL
    folder.mkdir()
    port = free_port()
    # Workers of a root master fall to another account, which cannot enter the test's folder.
    names = {"USER": f"user {getpass.getuser()};" if os.geteuid() == 0 else "", "FOLDER": folder, "PORT": port}
    text = CONFIG.read_text()
    for name, value in {**names, "UPSTREAM": upstream, "RATE": rate, "BURST": burst}.items():
        text = text.replace(f"@{name}@", str(value))
    config = folder / "nginx.conf"
    config.write_text(text)
    command = [nginx, "-e", str(folder / "error.log"), "-c", str(config), "-p", str(folder)]
    with (folder / "stderr.log").open("w") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True)
    wait_until(lambda: answers_on(port), f"nginx to listen ({folder}/stderr.log, error.log)", process)
    return Proxy(port, folder, process)
