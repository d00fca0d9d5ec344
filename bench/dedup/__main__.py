"""Near duplicates at scale: python -m bench.dedup [QUESTIONS …] [--runs N] [--folder DIR] [--late] [--hot] [--peers [NAME …]].

Makes a warehouse of so many questions (by default 100,000) in 200 disciplines, or as many as `--disciplines` says, and brings it up to
date from nothing, in one process from Parquet to Parquet and DuckDB, start and imports with it: CPU seconds, user and system, by step, and
peak memory. Medians of N runs, and the range. `--late` adds one discipline of 1 % more and measures what that takes; `--hot` measures
15,000 questions of one template beside the others. `--peers` runs other tools on the first number of questions, each installed into an
environment of its own (2 GB in all).

A question takes some 2 kB of disk: ten million of them 20 GB. Warehouses in DIR stay there, and are used again.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.changes import machine
from bench.corpus import FAMILY_MOST, Corpus
from bench.dedup.measure import measured
from bench.dedup.peers import ROOT, TOOLS, compare
from bench.dedup.warehouse import DISCIPLINES, LATE, bare, fill, found, made, size
from gland_assets.io.partitions import Partitions

HEAD = "| what | questions | CPU s | range | start | sign | find | index | peak MiB |\n|---|---|---|---|---|---|---|---|---|"


class Runs(list[tuple[float, float, dict[str, float]]]):
    """CPU seconds, peak MiB and CPU seconds by step, run by run."""

    def run(self, warehouse: Path) -> None:
        """Bring a warehouse up to date, measured."""
        used = measured(sys.executable, "-m", "bench.dedup.steps", warehouse, folder=ROOT)
        self.append((used.seconds, used.peak, json.loads(used.said)))

    @property
    def seconds(self) -> float:
        """The median."""
        return median(seconds for seconds, _, _ in self)

    def told(self, what: str, count: int) -> str:
        """As a row of a table."""
        least, most = (pick(seconds for seconds, _, _ in self) for pick in (min, max))
        steps = [median(took[name] for _, _, took in self) for name in self[0][2]]
        shown = " | ".join(f"{step:.2f}" for step in steps)
        return f"| {what} | {count:,} | {self.seconds:.2f} | {least:.2f}–{most:.2f} | {shown} | {max(peak for _, peak, _ in self):,.0f} |"


def scale(count: int, folder: Path, runs: int, late: bool, disciplines: int) -> tuple[float, list[str]]:
    """A corpus of `count` from nothing, and with 1 % more; the median and what was found."""
    corpus = Corpus.of(count)
    warehouse = made(folder, corpus, disciplines)
    whole, again, said = Runs(), Runs(), []
    more = range(len(corpus), len(corpus) + count // 100)
    for run in range(runs):
        bare(warehouse)
        whole.run(warehouse)
        if run == 0:
            said += [f"{count:,}: {found(warehouse, corpus).told()}", f"{count:,}, MB of files: {size(warehouse)}"]
        if late:
            fill(Partitions(warehouse), LATE, corpus, more)
            again.run(warehouse)
            if run == 0:
                said.append(f"{count:,} and 1 % more, among the latter: {found(warehouse, corpus, more).told()}")
    print(whole.told("all from nothing", count), flush=True)
    if late:
        print(again.told("1 % more", count), flush=True)
    return whole.seconds, said


def hot(count: int, folder: Path, runs: int) -> str:
    """What a template of FAMILY_MOST questions costs beside `count` others, runs in turns."""
    without = replace(Corpus.of(count), family=0)
    pair = [(corpus, made(folder, corpus), Runs()) for corpus in (without, replace(without, family=FAMILY_MOST, templates=1))]
    for _ in range(runs):
        for _, warehouse, measures in pair:
            bare(warehouse)
            measures.run(warehouse)
    for (corpus, _, measures), what in zip(pair, ("no template", "and those of one"), strict=True):
        print(measures.told(what, len(corpus)), flush=True)
    return f"{FAMILY_MOST:,} questions of one template beside {len(without):,}: {pair[1][2].seconds - pair[0][2].seconds:.2f} CPU s more"


def main(counts: list[int], folder: Path, wanted: argparse.Namespace) -> None:
    """Make the warehouses and measure."""
    print(f"{machine()}\n\n{HEAD}", flush=True)
    told, said = [], []
    for count in counts:
        seconds, more = scale(count, folder, wanted.runs, wanted.late, wanted.disciplines)
        told.append(seconds)
        said += more
    if wanted.hot:
        said.append(hot(counts[0], folder, wanted.runs))
    for (fewer, less), (many, most) in zip(zip(counts, told, strict=True), list(zip(counts, told, strict=True))[1:], strict=False):
        said.append(f"from {fewer:,} to {many:,} the whole grows with an exponent of {math.log(most / less) / math.log(many / fewer):.2f}")
    print("\n" + "\n".join(said), flush=True)
    if wanted.peers is not None:
        compare(wanted.peers or [tool.name for tool in TOOLS], counts[0], folder, wanted.venvs or folder / "venvs", wanted.runs)


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("questions", type=int, nargs="*", default=[100_000])
    given.add_argument("--runs", type=int, default=5)
    given.add_argument(
        "--disciplines", type=int, choices=range(1, DISCIPLINES + 1), metavar="N", default=DISCIPLINES, help="%(default)s by default"
    )
    given.add_argument("--folder", type=Path, help="where the warehouses are kept; by default they are thrown away")
    given.add_argument("--late", action="store_true", help="1 %% more, too")
    given.add_argument("--hot", action="store_true", help="a template of 15,000 beside the first number of questions, too")
    given.add_argument("--peers", nargs="*", choices=[tool.name for tool in TOOLS], help="other tools, too: all, or those named")
    given.add_argument("--venvs", type=Path, help="where the other tools are installed")
    with tempfile.TemporaryDirectory() as thrown_away:
        wanted = given.parse_args()
        main(wanted.questions, wanted.folder or Path(thrown_away), wanted)
