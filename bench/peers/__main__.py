"""GLAND and its peers side by side, by hand: python -m bench.peers [--venvs FOLDER] [--repeats 3] [--latency 0.1] [TOOL…].

Each peer is installed into a virtual environment of its own (3 GB in all) in a temporary folder, or in FOLDER, which can be used again.
After that nothing beyond loopback is needed: `unshare -rn sh -c 'ip link set lo up; python -m bench.peers …'` proves it. All of it takes
an hour on two cores.

Two questions. Change one of 300 inputs and run again: which calls arrive, what stands at the end? Kill a run when half of its replies
are paid for, run again: which part of those is paid for again? A peer's row is one call, a text in and an answer out. GLAND makes six
calls for a discipline of one pair, its input is the discipline's name; so the setting of one discipline's answers is changed too, which
is as deep as a peer's input.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from bench.peers.tools import TOOLS, WAYS, Way, install
from bench.peers.trial import ROWS, Run, Trial, inputs
from tests.server import ModelServer


def measure(way: Way, server: ModelServer, venvs: Path, folder: Path, repeats: int) -> None:
    """Answers both questions for one way to use a tool, and prints the figures."""
    given = inputs()
    firsts: list[Run] = []
    hung = False
    for repeat in range(repeats if way.repeated else 1):
        trial = Trial(way, server, venvs, folder / f"whole-{repeat}")
        firsts.append(first := trial.run(given))
        if repeat == 0:
            print(f"  first run: {told(first)}", flush=True)
            changes(trial, first, given, way.edits)
        if not hung:
            hung = lose(Trial(way, server, venvs, folder / f"killed-{repeat}"), given, len(first.replies) // 2, -way.option)
    cpu, wall = median(one.cpu_s for one in firsts), median(one.wall_s for one in firsts)
    print(f"  median of {len(firsts)} first runs: {cpu:.1f} CPU s, {wall:.0f} s, {1000 * cpu / ROWS:.0f} CPU ms a row", flush=True)


def lose(trial: Trial, given: list[dict[str, str]], half: int, afresh: int) -> bool:
    """Kills a run a little past half, off the ends of batches of 10, 50 and 100, and runs again; whether that hung."""
    killed = trial.run(given, kill_after=half + 5)
    one = trial.resume(killed, given)
    print(f"  killed after {one.before} replies, run again: {one.again} paid again, {one.share:.1%}; {told(one.run)}", flush=True)
    hung = one.run.fault == "hangs"
    if hung:
        one = trial.resume(killed, given, option=afresh)
        print(f"  then with its cache off: {one.again} paid again, {one.share:.1%}; {told(one.run)}", flush=True)
    return hung


def changes(trial: Trial, run: Run, given: list[dict[str, str]], edits: Mapping[str, Mapping[str, str]]) -> None:
    """Runs the same again, then with one input edited, one edit after the other."""
    print(f"  the same again: {told(trial.run(given))}", flush=True)
    for what, edit in edits.items():
        given, after, changed = trial.change(run, given, edit)
        rows = f"of it {changed.fresh} new and {changed.stale} stale, of the others {changed.others_kept} as they were"
        print(f"  {what} changed: {told(after)}: {rows}", flush=True)
        run = after


def told(run: Run) -> str:
    """What a run came to, in short."""
    probes = run.received - len(run.replies)
    return f"{len(run.replies)} calls{f' and {probes} for no row' if probes else ''}, {run.fault or f'{len(run.rows)} rows'}"


def main() -> None:
    """Installs what is asked for and measures it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=", ".join(tool.name for tool in TOOLS))
    parser.add_argument("--venvs", type=Path, help="folder of the peers' environments; a temporary one unless given")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds before each reply")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="peers-") as scratch:
        venvs = (asked.venvs or Path(scratch, "venvs")).absolute()
        server = ModelServer().start()
        server.state.latency, server.state.spread = asked.latency, 0.5
        for tool in TOOLS:
            if asked.tools and tool.name not in asked.tools:
                continue
            refused = install(tool, venvs)
            if refused:
                print(f"{tool.name} {tool.version} does not install: {refused}")
                continue
            for number, way in enumerate(way for way in WAYS if way.tool is tool):
                print(f"{tool.name} {tool.version}: {way.label}", flush=True)
                measure(way, server, venvs, Path(scratch, f"{tool.name}-{number}"), asked.repeats)
        server.stop()


if __name__ == "__main__":
    main()
