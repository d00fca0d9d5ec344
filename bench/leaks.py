"""Benchmark items looked for in questions and answers: python -m bench.leaks [questions …].

First the level contamination at so many questions (by default 100,000) against 30,000 made-up items, from Parquet to Parquet in a process
of its own: CPU seconds, user and system, with its start and imports, and peak memory. Then, with the known sets in the folder that
GLAND_BENCH_DATA names, every item planted in a question as it is, with a number changed, and with two clauses swapped: how many are caught.
Last, what is found in texts that repeat no benchmark: the made-up questions, Python's manual and the functions of its library.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data.topics import topics
from random import Random

from bench.changes import machine
from bench.corpus import WORDS, corpus
from bench.dedup import MIB, project, store, write
from gland_assets.core.benchmarks import KNOWN
from gland_assets.core.leaks import Benchmark, Index
from gland_assets.core.project import RULES, DecontaminationSet
from gland_assets.core.texts import Texts
from gland_assets.io.benchmarks import read_items, stamped
from gland_assets.io.contamination import find_leaks
from gland_assets.io.partitions import Partitions

ITEMS = 30_000
PLANTED = 500  # every so many questions one repeats an item
CLAUSE = re.compile(r"[^,;.?!\n]+[,;.?!\n]*")


def items() -> list[str]:
    """Made-up items of 20 to 80 words of the manual, in no order."""
    rng = Random(ITEMS)
    return [" ".join(rng.choices(WORDS, k=rng.randint(20, 80))) for _ in range(ITEMS)]


def make(folder: Path, count: int) -> None:
    """A warehouse of questions, of which every PLANTED-th repeats an item, and the items' file."""
    texts, made_up = corpus(count)[0], items()
    for turn, number in enumerate(range(0, count, PLANTED)):
        texts[number] += f" {made_up[turn % ITEMS]}"
    store(folder, texts)
    (folder / "items.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in made_up))


def look(folder: Path, count: int) -> None:
    """The level contamination, every discipline."""
    partitions = Partitions(folder)
    declared = stamped([DecontaminationSet("made-up", str(folder / "items.jsonl"), columns=("text",), rules=RULES)])
    for slug in partitions.stored("questions"):
        table, content = find_leaks(partitions, slug, declared)
        write(partitions, "contamination", slug, table, content)


def start(folder: Path, count: int) -> None:
    """Nothing: what the step takes before it begins."""


STEPS: dict[str, Callable[[Path, int], None]] = {"make": make, "start": start, "look": look}
SAID = {"start": "start and imports alone", "look": "look for 30,000 items"}


def measured(step: str, folder: Path, count: int) -> tuple[float, float]:
    """CPU seconds and peak MiB of a step in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "bench.leaks", "--step", step, "--folder", str(folder), str(count)])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{step} failed"
    return used.ru_utime + used.ru_stime, used.ru_maxrss / MIB


def speed(counts: list[int], folder: Path) -> None:
    """The first part."""
    print("| step | questions | CPU s | questions a CPU s | peak MiB |\n|---|---|---|---|---|", flush=True)
    said = []
    for count in counts:
        warehouse = folder / f"{count}"
        measured("make", warehouse, count)
        for step, what in SAID.items():
            seconds, peak = measured(step, warehouse, count)
            print(f"| {what} | {count:,} | {seconds:.2f} | {count / seconds:,.0f} | {peak:,.0f} |", flush=True)
        partitions = Partitions(warehouse)
        found = sum(len(partitions.rows("contamination", slug)) for slug in project().index())
        said.append(f"{count:,} questions: {len(range(0, count, PLANTED)):,} repeat an item, {found:,} found")
    print("\n" + "\n".join(said), flush=True)


def another_number(text: str, rng: Random) -> str | None:
    """One number of the text, any one, changed."""
    numbers = list(re.finditer(r"\d+", text))
    if not numbers:
        return None
    chosen = rng.choice(numbers)
    return f"{text[: chosen.start()]}{int(chosen[0]) + rng.randint(1, 9)}{text[chosen.end() :]}"


def swapped_clauses(text: str, rng: Random) -> str | None:
    """Two clauses of the text, any two, in each other's place. A clause goes up to the next punctuation or line break."""
    clauses = CLAUSE.findall(text)
    if len(clauses) < 2:
        return None
    one, other = rng.sample(range(len(clauses)), 2)
    clauses[one], clauses[other] = clauses[other], clauses[one]
    return "".join(clauses)


CHANGES: dict[str, Callable[[str, Random], str | None]] = {
    "as it is": lambda text, rng: text,
    "a number changed": another_number,
    "clauses swapped": swapped_clauses,
}


def caught(benchmark: Benchmark) -> dict[str, tuple[int, int]]:
    """By way of planting: how many items can be planted so, and how many of those are found, each in its own question."""
    index, counts = Index([benchmark]), {}
    for way, change in CHANGES.items():
        changed = [(item, change(item.text, Random(number))) for number, item in enumerate(benchmark.items)]
        planted = [(item, text) for item, text in changed if text is not None]
        found = {
            (leak.text, leak.item)
            for leak in index.search(Texts.of([f"Please help me with this: {text} Thank you." for _, text in planted]))
        }
        counts[way] = len(planted), sum((number, item) in found for number, (item, _) in enumerate(planted))
    return counts


def clean() -> dict[str, list[str]]:
    """Texts that repeat no benchmark."""
    manual = [part for name in sorted(topics) for part in topics[name].split("\n\n") if part.strip()]
    return {"made-up questions": corpus(100_000)[0], "paragraphs of Python's manual": manual, "functions of its library": list(functions())}


def functions() -> Iterator[str]:
    """The functions of Python's own library, each as its source stands, tests left out."""
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        if {"test", "tests", "site-packages", "lib2to3"} & set(path.relative_to(root).parts):
            continue
        try:
            source = path.read_text(encoding="utf-8")
            tree = ast.parse(source)
        except (SyntaxError, UnicodeDecodeError):
            continue
        lines = source.splitlines(keepends=True)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.end_lineno:
                yield "".join(lines[node.lineno - 1 : node.end_lineno])


def rates(folder: Path) -> None:
    """The second part."""
    sets = [each for each in stamped([DecontaminationSet(name, str(folder), known=True) for name in KNOWN]) if each.content]
    benchmarks = [Benchmark(each.name, each.rules, read_items(each)) for each in sets]
    print(f"\n| set | items | {' | '.join(CHANGES)} |\n|---|---|{'---|' * len(CHANGES)}", flush=True)
    for benchmark in benchmarks:
        shown = [f"{found:,} of {of:,} ({found / of:.1%})" if of else "–" for of, found in caught(benchmark).values()]
        print(f"| {benchmark.name} | {len(benchmark.items):,} | {' | '.join(shown)} |", flush=True)
    index = Index(benchmarks)
    print("\n| clean texts | number | with a hit |\n|---|---|---|", flush=True)
    for what, texts in clean().items():
        leaks = list(index.search(Texts.of(texts)))
        for leak in leaks[:20]:
            print(f"{leak.benchmark} {leak.item.item_id}: {leak.match.span!r}", file=sys.stderr)
        hit = {leak.text for leak in leaks}
        print(f"| {what} | {len(texts):,} | {len(hit):,} |", flush=True)


def main(counts: list[int], folder: Path) -> None:
    """Both parts."""
    print(machine() + "\n", flush=True)
    if counts:
        speed(counts, folder)
    if data := os.environ.get("GLAND_BENCH_DATA"):
        rates(Path(data))


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("questions", type=int, nargs="*", default=[100_000])
    given.add_argument("--folder", type=Path, help="where the warehouses are kept; by default they are thrown away")
    given.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    wanted = given.parse_args()
    if wanted.step:
        STEPS[wanted.step](wanted.folder, *wanted.questions)
    else:
        with tempfile.TemporaryDirectory() as thrown_away:
            main(wanted.questions, wanted.folder or Path(thrown_away))
