"""CPU seconds that it takes to decide what to do, whole processes: python -m bench.changes [--folder DIR] [--runs N] [disciplines …].

Projects whose warehouses are complete, of as many disciplines as named (by default 126, 1000 and 5000). The smallest of them is also
built with one discipline changed, against a model served here: with replies to pay for, and with all of them in the store.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

from gland_assets.core.requests import Message, Reply, Request
from gland_assets.io.builder import recorded_build
from gland_assets.io.ledger import Ledger
from gland_assets.io.partitions import INDEX, Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.cli.running import command, environment, store_fresh
from tests.server import ModelServer

HEAD = """[dataset]
name = "changes"
[deployment.large]
model = "openai/large-1"
api_base = "{url}"
key_env = "CHANGES_KEY"
usd_per_million = {{ input = 1.0, output = 2.0 }}
[defaults]
pairs = 4
subject_queries = 2
subjects = [2, 3]
sessions = [2, 3]
"""
WITHIN = 3  # disciplines a subfield, and subfields a field, as in taxonomy.toml at the root
MACHINERY = {
    "gland_assets.cli": "import gland_assets.cli",
    "dagster": "import dagster",
    "litellm": "from gland_assets.io.providers import load_litellm; load_litellm()",
}
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER


def tree(count: int, seeds: dict[int, int]) -> Iterator[str]:
    """The declared nodes; every tenth discipline has an override, and those in `seeds` have that seed."""
    for number in range(count):
        if number % WITHIN**2 == 0:
            yield f'[[field]]\nname = "Field {number}"'
        if number % WITHIN == 0:
            yield f'[[field.subfield]]\nname = "Subfield {number}"\ndisciplines = ['
        own = f", seed = {seeds[number]}" if number in seeds else ", pairs = 5" if number % 10 == 0 else ""
        yield f'  {{ name = "Discipline {number:04}"{own} }},' if own else f'  "Discipline {number:04}",'
        if number % WITHIN == WITHIN - 1 or number == count - 1:
            yield "]"


def declare(folder: Path, count: int, url: str, seeds: dict[int, int] | None = None) -> None:
    """Write the taxonomy file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "taxonomy.toml").write_text(HEAD.format(url=url) + "\n".join(tree(count, seeds or {})) + "\n")


def complete(folder: Path) -> None:
    """Fill the warehouse as builds would have: partitions, ledger, published tables."""
    warehouse = folder / "warehouse"
    project, partitions, ledger = load_project(folder / "taxonomy.toml"), Partitions(warehouse), Ledger(warehouse)
    with recorded_build(project, warehouse) as build_id:
        for discipline in project.disciplines():
            one = rows.made(discipline.slug, discipline.settings.pairs)
            store_fresh(project, partitions, one)
            for stage, made in (("questions", one.questions), ("answers", one.answers)):
                for row in made:
                    asked = Request(stage, one.discipline, "", (Message("user", ""),), rows.PROMPT, discipline.settings.stages[stage], 0)
                    ledger.record(reply(row.request_key or "", build_id), asked, accepted=True)
        ledger.close()
    assert "is up to date" in gland(folder, "publish")


def reply(key: str, build_id: str) -> Reply:
    """A reply that was paid for."""
    return Reply(key, "", "stop", "large", rows.MODEL, 100, 0, 50, Decimal("0.001"), 0.5, 1, build_id, rows.NOON)


def gland(folder: Path, *arguments: str) -> str:
    """Run a verb to its end; what it printed."""
    return ran(*command(*arguments), folder=folder)


def ran(*line: str, folder: Path) -> str:
    """Run a command line in `folder` to its end; what it printed."""
    known = environment({"CHANGES_KEY": "none"})
    return subprocess.run(line, cwd=folder, env=known, capture_output=True, text=True, check=True).stdout


def cpu(*line: str, folder: Path, says: str = "") -> float:
    """CPU seconds, user and system, of a command line and every process that comes of it; `says` stands in what it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = ran(*line, folder=folder)
    assert says in said, said
    while True:  # what outlived its parent came to us
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def tell(what: str, disciplines: int | None, taken: list[float]) -> None:
    """One line of the table."""
    middle, least, most = statistics.median(taken), min(taken), max(taken)
    print(f"| {what} | {'' if disciplines is None else f'{disciplines:,}'} | {middle:.2f} | {least:.2f}–{most:.2f} |", flush=True)


def machine() -> str:
    """What this ran on."""
    model = "unknown CPU"
    if (known := Path("/proc/cpuinfo")).exists():
        model = next((line.partition(": ")[2] for line in known.read_text().splitlines() if line.startswith("model name")), model)
    packages = ", ".join(f"{name} {version(name)}" for name in ("pyarrow", "duckdb", "pydantic", "dagster", "litellm"))
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; {packages}"


def nothing_to_do(folder: Path, count: int, runs: int) -> None:
    """The verbs over a project that is up to date."""
    gland(folder, "plan")  # once unmeasured: files come into the system's memory, and what is kept for the next command is kept
    for verb, says in (("plan", "up to date"), ("status", "Last build"), ("build", "Nothing to do")):
        tell(f"`gland {verb}`, nothing to do", count, [cpu(*command(verb), folder=folder, says=says) for _ in range(runs)])
    taken = []
    for _ in range(runs):
        (folder / "warehouse" / INDEX).unlink()
        taken.append(cpu(*command("plan"), folder=folder, says="up to date"))
    tell("`gland plan`, nothing to do, every footer read", count, taken)


def one_changed(folder: Path, count: int, server: ModelServer, runs: int) -> None:
    """One discipline's seed changed, so that all it holds is made again: each seed once with replies to pay for, once without."""

    def build(seed: int, pays: bool) -> float:
        before = server.answered
        declare(folder, count, server.url, {1: seed})
        taken = cpu(*command("build", "--yes"), folder=folder, says="1 discipline brought up to date")
        assert (server.answered > before) == pays, "the store held what it should not, or not what it should"
        return taken

    never_used = int(time.time())
    build(never_used, pays=True)  # unmeasured: at the first build Dagster hears of all disciplines
    asked = [build(never_used + turn, pays=True) for turn in range(1, runs + 1)]
    stored = [build(never_used + turn, pays=False) for turn in range(runs)]
    tell("`gland build`, one discipline changed, its replies in the store", count, stored)
    tell("`gland build`, one discipline changed, its replies to be paid for", count, asked)
    declare(folder, count, server.url)
    gland(folder, "build", "--yes")


def imports(folder: Path, runs: int) -> None:
    """What loading the machinery costs, in a process of its own."""
    for name, script in MACHINERY.items():
        tell(f"`import {name}`", None, [cpu(sys.executable, "-c", script, folder=folder) for _ in range(runs)])


def main(counts: list[int], folder: Path, runs: int) -> None:
    """Make the projects that `folder` does not hold yet, and measure."""
    if platform.system() == "Linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1)  # processes that outlive their parent are counted too
    server = ModelServer().start()
    print(f"{machine()}\n\n| command | disciplines | CPU s, median | least–most |\n|---|---|---|---|", flush=True)
    for count in counts:
        place = folder / f"{count}"
        made = (place / "warehouse" / "gland.duckdb").exists()
        declare(place, count, server.url)
        if not made:
            complete(place)
        nothing_to_do(place, count, runs)
    one_changed(folder / f"{min(counts)}", min(counts), server, runs)
    imports(folder, runs)
    server.stop()


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("disciplines", type=int, nargs="*", default=[126, 1000, 5000])
    given.add_argument("--folder", type=Path, help="where the projects are kept and found again; by default they are thrown away")
    given.add_argument("--runs", type=int, default=5)
    wanted = given.parse_args()
    with tempfile.TemporaryDirectory() as thrown_away:
        main(wanted.disciplines, wanted.folder or Path(thrown_away), wanted.runs)
