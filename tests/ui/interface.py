"""`gland ui` as a process on a project of its own, and what stands in its warehouse."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import psutil

from tests.server import ModelServer

ROOT = Path(__file__).parents[2]
GLAND = [sys.executable, "-c", "import sys; from gland_assets.cli import main; sys.exit(main())"]
START_S = 120.0
STOP_S = 60.0
TICKS_S = 90.0
HELD_S = 30.0  # while another process has gland.duckdb
TAXONOMY = """
[dataset]
name = "shown"

[deployment.test]
model = "openai/test-model"
api_base = "{url}"
key_env = "TEST_KEY"
max_parallel_requests = 16
usd_per_million = {{ input = 1, output = 2 }}

[defaults]
models = ["test"]
pairs = 4
subject_queries = 1
subjects = [2, 3]
sessions = [2, 3]

[[field]]
name = "Formal sciences"
  [[field.subfield]]
  name = "Reasoning"
  disciplines = ["Logic", "Algebra"]

[[field]]
name = "Crafts"
  [[field.subfield]]
  name = "Kitchen"
  disciplines = ["Cooking"]
"""


@dataclass(slots=True)
class Interface:
    """A running `gland ui`."""

    process: subprocess.Popen[str]
    url: str
    taxonomy: Path
    said: Path

    @property
    def warehouse(self) -> Path:
        return self.taxonomy.parent / "warehouse"

    def edit(self, old: str, new: str) -> None:
        """Replace text in taxonomy.toml."""
        text = self.taxonomy.read_text()
        assert old in text
        self.taxonomy.write_text(text.replace(old, new))

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query over gland.duckdb, opened as anybody would; tried again while somebody holds the file."""
        give_up = time.monotonic() + HELD_S
        while True:
            try:
                with duckdb.connect(str(self.warehouse / "gland.duckdb"), read_only=True) as connection:
                    return connection.execute(query).fetchall()
            except duckdb.IOException:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.5)

    def automatic_runs(self) -> list[dg.DagsterRun]:
        """The runs that Dagster's automation launched by itself."""
        with dg.DagsterInstance.from_config(str(self.warehouse / "dagster")) as instance:
            return list(instance.get_runs(dg.RunsFilter(tags={"dagster/sensor_name": "keep_up_to_date"})))

    def wait_for_ticks(self, sensor: str, count: int) -> None:
        """Until `sensor` has looked `count` more times."""
        since, give_up = time.time(), time.monotonic() + TICKS_S
        with dg.DagsterInstance.from_config(str(self.warehouse / "dagster")) as instance:
            while time.monotonic() < give_up:
                for state in instance.all_instigator_state():
                    if state.instigator_name == sensor:
                        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=since)
                        if sum(tick.is_completed for tick in ticks) >= count:
                            return
                time.sleep(0.5)
        raise AssertionError(f"{sensor} does not look any more")

    def processes(self) -> list[psutil.Process]:
        """Every living process of this interface, wherever it stands: its Dagster home is in their environment."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("DAGSTER_HOME") == str(self.warehouse / "dagster")
            except psutil.Error:
                continue
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def stop(self, how: signal.Signals) -> int:
        """Send the signal to `gland ui` alone and wait until it has ended. Returns its exit code."""
        self.process.send_signal(how)
        return self.process.wait(STOP_S)


def write_project(folder: Path, server: ModelServer) -> Path:
    """A project of three disciplines whose model is the test server. Returns its taxonomy file."""
    folder.mkdir()
    path = folder / "taxonomy.toml"
    path.write_text(TAXONOMY.format(url=server.url))
    return path


@contextmanager
def running(taxonomy: Path) -> Iterator[Interface]:
    """`gland ui` on the project, once it has said where it listens; ended by force afterwards if it still runs."""
    said = taxonomy.parent / "said.txt"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GLAND_", "DAGSTER_"))}
    with open(said, "w") as output:
        process = subprocess.Popen(
            [*GLAND, "--taxonomy", str(taxonomy), "ui", "--port", str(_free_port())],
            cwd=ROOT, env=env | {"TEST_KEY": "x"}, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    interface = Interface(process, "", taxonomy, said)
    try:
        interface.url = _address(interface)
        yield interface
    finally:
        if process.poll() is None:
            interface.stop(signal.SIGTERM)
        for left in interface.processes():
            left.kill()


def _address(interface: Interface) -> str:
    give_up = time.monotonic() + START_S
    while time.monotonic() < give_up and interface.process.poll() is None:
        if found := re.search(r"http://\S+", interface.said.read_text()):
            return found[0]
        time.sleep(0.2)
    raise AssertionError(f"gland ui did not start: {interface.said.read_text()}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
