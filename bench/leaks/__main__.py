"""Benchmark items looked for in questions and answers: python -m bench.leaks [QUESTIONS …] [--runs N] [--folder DIR].

First the level contamination at so many questions (by default 100,000) in 200 disciplines against 30,000 made-up items, in one process from
Parquet to Parquet, start and imports with it: CPU seconds, user and system, by step, and peak memory. Medians of N runs, and the range.

Then, with the known sets in the folder that GLAND_BENCH_DATA names, every item planted in a question as it is, with a number changed, and
with two clauses swapped: how many are caught. Last, what is found in texts that repeat no benchmark: the made-up questions, Python's manual
and the functions of its library.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import tempfile
from functools import cache, cached_property
from pathlib import Path
from random import Random
from statistics import median

from bench.changes import machine
from bench.corpus import WORDS, Corpus, identity
from bench.dedup.measure import measured
from bench.dedup.warehouse import store
from bench.leaks.rates import rates
from bench.leaks.steps import SETS
from bench.peers.tools import ROOT
from gland_assets.core.project import RULES, DecontaminationSet
from gland_assets.io.benchmarks import stamped
from gland_assets.io.partitions import Partitions

ITEMS = 30_000
PLANTED = 499  # every so many questions one repeats an item, in all disciplines alike
HEAD = "| what | questions | CPU s | range | start | index | look | peak MiB |\n|---|---|---|---|---|---|---|---|"


class Repeating(Corpus):
    """A corpus of which every PLANTED-th question goes on with an item."""

    def text(self, number: int) -> str:
        """The question of that number."""
        text = self._without.text(number)
        return text if number % PLANTED else f"{text} {items()[number // PLANTED % ITEMS]}"

    @cached_property
    def _without(self) -> Corpus:
        return Corpus(self.plain, self.copies, self.edited, self.family, self.templates)


@cache
def items() -> list[str]:
    """Made-up items of 20 to 80 words of the manual, in no order."""
    rng = Random(ITEMS)
    return [" ".join(rng.choices(WORDS, k=rng.randint(20, 80))) for _ in range(ITEMS)]


def made(folder: Path, count: int) -> Path:
    """A warehouse of so many questions, with the items' file, unless it is there."""
    warehouse = folder / f"{count}"
    if not (warehouse / SETS).exists():
        store(warehouse, Repeating.of(count))
        file = warehouse / "items.jsonl"
        file.write_text("".join(json.dumps({"text": text}) + "\n" for text in items()))
        sets = stamped([DecontaminationSet("made-up", str(file), columns=("text",), rules=RULES)])
        (warehouse / SETS).write_bytes(pickle.dumps(sets))
    return warehouse


def speed(counts: list[int], folder: Path, runs: int) -> None:
    """The first part."""
    warehouses = [made(folder, count) for count in counts]
    print(HEAD, flush=True)
    for count, warehouse in zip(counts, warehouses, strict=True):
        used = [measured(sys.executable, "-m", "bench.leaks.steps", warehouse, folder=ROOT) for _ in range(runs)]
        seconds, took = sorted(each.seconds for each in used), [json.loads(each.said) for each in used]
        steps = " | ".join(f"{median(each[step] for each in took):.2f}" for step in took[0])
        spread, peak = f"{seconds[0]:.2f}–{seconds[-1]:.2f}", max(each.peak for each in used)
        print(f"| look for {ITEMS:,} items | {count:,} | {median(seconds):.2f} | {spread} | {steps} | {peak:,.0f} |", flush=True)
    for count, warehouse in zip(counts, warehouses, strict=True):
        partitions = Partitions(warehouse)
        found = [row for slug in partitions.stored("contamination") for row in partitions.rows("contamination", slug)]
        planted = {identity(number) for number in range(0, count, PLANTED)}
        caught = planted & {row["question_id"] for row in found}
        print(f"\n{count:,} questions: {len(planted):,} repeat an item, {len(caught):,} of these found")


def main(counts: list[int], folder: Path, runs: int) -> None:
    """Both parts."""
    print(f"{machine()}\n", flush=True)
    if counts:
        speed(counts, folder, runs)
    if data := os.environ.get("GLAND_BENCH_DATA"):
        rates(Path(data))


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("questions", type=int, nargs="*", default=[100_000])
    given.add_argument("--runs", type=int, default=5)
    given.add_argument("--folder", type=Path, help="where the warehouses are kept and found again; by default they are thrown away")
    wanted = given.parse_args()
    with tempfile.TemporaryDirectory() as thrown_away:
        main(wanted.questions, wanted.folder or Path(thrown_away), wanted.runs)
