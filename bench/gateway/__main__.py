"""What a request costs through the gateway, and beside it through others: python -m bench.gateway [--runs N] [CLIENT …].

The endpoint is a process of its own, each run of a client another. A run's CPU is all that its process and what it started used, user
and system, imports and all; from a small and a large run the cost per request follows, and what is left is start-up. The peers are used as
bench.peers uses them, a row a request, and installed as there. Prints a table for docs/benchmarks.md; two cores are enough.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.changes import machine
from bench.gateway.clients import CLIENTS, prompts
from bench.peers.tools import CURATOR, DATA_DESIGNER, DISTILABEL, SDG_HUB, Tool, environment, install

LATENCY_S = 0.2
LONG_LATENCY_S = 0.005
PEERS = {tool.name: tool for tool in (DISTILABEL, CURATOR, DATA_DESIGNER, SDG_HUB)}
COUNTS = {
    "gland": (1000, 5000),
    "gland_twice": (1000, 5000),
    "aiohttp": (1000, 5000),
    "litellm": (500, 2500),
    **dict.fromkeys(PEERS, (250, 1250)),
}
"""Requests of the small and of the large run."""

LONG = 100_000


@dataclass(frozen=True)
class Ran:
    """One run: CPU seconds of all its processes, seconds from its start to its end, and those of the requests alone where it tells them."""

    cpu_s: float
    wall_s: float
    asking_s: float


@contextmanager
def endpoint(latency: float) -> Iterator[str]:
    """The URL of an endpoint that answers after `latency` seconds."""
    line = [sys.executable, "-m", "bench.gateway.endpoint", str(latency)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def own(client: str, url: str, count: int, parallel: int, folder: Path) -> subprocess.Popen[str]:
    """A client of clients.py, started."""
    line = [sys.executable, "-m", "bench.gateway.clients", client, url, str(count), str(parallel), str(folder)]
    known = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return subprocess.Popen(line, env=known, stdout=subprocess.PIPE, text=True)


def peer(tool: Tool, venvs: Path, url: str, count: int, parallel: int, folder: Path) -> subprocess.Popen[str]:
    """A peer, started on as many rows; distilabel gets batches of as many as may be in flight, which it sends at once."""
    prompt = prompts(count)
    (folder / "inputs.json").write_text(json.dumps([{"id": f"row-{n}", "question": prompt(n)} for n in range(count)]))
    option = {DISTILABEL.name: parallel, CURATOR.name: 0}.get(tool.name, count)
    script = Path(__file__).parents[1] / "peers" / tool.script
    line = [tool.python(venvs), "-P", script, url, folder, folder / "inputs.json", folder / "out.json", str(option)]
    known = {**environment(tool, folder), "PEERS_PARALLEL": str(parallel)}
    with open(folder / "log.txt", "wb") as log:
        return subprocess.Popen(line, cwd=folder, env=known, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def run(client: str, venvs: Path, url: str, count: int, parallel: int) -> Ran:
    """One run to its end."""
    with tempfile.TemporaryDirectory(prefix="gateway-") as scratch:
        folder, began = Path(scratch), time.perf_counter()
        if client in CLIENTS:
            process = own(client, url, count, parallel, folder)
            assert process.stdout is not None
            told = process.stdout.read()
        else:
            process, told = peer(PEERS[client], venvs, url, count, parallel, folder), "nan"
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, (folder / "log.txt").read_text()[-2000:] if client in PEERS else client
        if client in PEERS:
            rows = json.loads((folder / "out.json").read_text())
            assert len(rows) == count and all(row["answer"].startswith("Answer ") for row in rows)
    return Ran(used.ru_utime + used.ru_stime, time.perf_counter() - began, float(told))


def measure(client: str, venvs: Path, url: str, parallel: int, runs: int) -> None:
    """One line of the table."""
    small, large = COUNTS[client]
    pairs = [(run(client, venvs, url, small, parallel), run(client, venvs, url, large, parallel)) for _ in range(runs)]
    each = [1000 * (more.cpu_s - less.cpu_s) / (large - small) for less, more in pairs]
    whole = statistics.median(1000 * more.cpu_s / large for _, more in pairs)
    start = statistics.median(less.cpu_s for less, _ in pairs) - small * statistics.median(each) / 1000
    if client in CLIENTS:
        rate = statistics.median(large / more.asking_s for _, more in pairs)
    else:
        rate = (large - small) / statistics.median(more.wall_s - less.wall_s for less, more in pairs)
    share = rate * LATENCY_S / parallel
    cells = (
        client, f"{parallel}", f"{large:,}", f"{statistics.median(each):.2f}", f"{min(each):.2f}–{max(each):.2f}", f"{whole:.2f}",
        f"{start:.1f}", f"{rate:,.0f}", f"{share:.2f}", f"{os.getloadavg()[0]:.1f}",
    )  # fmt: skip
    print(f"| {' | '.join(cells)} |", flush=True)


def long_run(count: int, parallel: int) -> None:
    """Memory over many requests, and how the files grow."""
    with endpoint(LONG_LATENCY_S) as url, tempfile.TemporaryDirectory(prefix="gateway-") as scratch:
        process = own("gland", url, count, parallel, Path(scratch))
        seen: list[tuple[int, float]] = []  # bytes of the store, MB of the process
        watched, ended = psutil.Process(process.pid), threading.Event()

        def watch() -> None:
            while not ended.wait(1.0):
                size = sum(path.stat().st_size for path in Path(scratch).glob("responses.sqlite*"))
                seen.append((size, watched.memory_info().rss / 2**20))

        watching = threading.Thread(target=watch)
        watching.start()
        assert process.stdout is not None
        told = process.stdout.readline()
        ended.set()
        watching.join()
        assert process.wait() == 0
        sizes = {name: (Path(scratch) / name).stat().st_size / count for name in ("responses.sqlite", "ledger.sqlite")}
    print(f"\n{count:,} requests at {LONG_LATENCY_S * 1000:.0f} ms, {parallel} in flight: {count / float(told):,.0f} a second")
    grown = [(size / sizes["responses.sqlite"], rss) for size, rss in seen]
    for share in (0.1, 0.25, 0.5, 0.75, 1.0):
        after, rss = next(((many, rss) for many, rss in grown if many >= share * count * 0.99), grown[-1])
        print(f"  resident after about {after:,.0f}: {rss:.0f} MiB")
    files = ", ".join(f"{name} {size:,.0f}" for name, size in sizes.items())
    print(f"  most: {max(rss for _, rss in seen):.0f} MiB; bytes a response: {files}")


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "clients", nargs="*", metavar="CLIENT", default=[client for client in COUNTS if client in CLIENTS], help=", ".join(COUNTS)
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--parallel", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--venvs", type=Path, help="folder of the peers' environments; a temporary one unless given")
    parser.add_argument("--long", type=int, default=0, metavar="N", help=f"watch memory over so many requests, {LONG:,} say")
    asked = parser.parse_args()
    print(f"{machine()}\n")
    if asked.clients:
        print("| client | in flight | requests | CPU ms a request | range | with start-up | start-up s | a second | of the ideal | load |")
        print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="venvs-") as scratch, endpoint(LATENCY_S) as url:
        venvs = (asked.venvs or Path(scratch)).absolute()
        for client in asked.clients:
            if client in PEERS and (refused := install(PEERS[client], venvs)):
                print(f"{client} does not install: {refused}")
                continue
            for parallel in asked.parallel:
                measure(client, venvs, url, parallel, asked.runs)
    if asked.long:
        long_run(asked.long, asked.parallel[0])


if __name__ == "__main__":
    main()
