"""How many items of the known sets are caught when they are planted in questions, and what is found in texts that repeat none."""

from __future__ import annotations

import ast
import re
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from pydoc_data.topics import topics
from random import Random

from bench.corpus import Corpus
from gland_assets.core.benchmarks import KNOWN
from gland_assets.core.leaks import Benchmark, Index
from gland_assets.core.project import DecontaminationSet
from gland_assets.core.texts import Texts
from gland_assets.io.benchmarks import read_items, stamped

CLAUSE = re.compile(r"[^,;.?!\n]+[,;.?!\n]*")
CLEAN = 100_000  # made-up questions


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
    corpus = Corpus.of(CLEAN)
    questions = [corpus.text(number) for number in range(CLEAN)]
    return {"made-up questions": questions, "paragraphs of Python's manual": manual, "functions of its library": list(functions())}


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
    """Plant, look, and print the tables, for the sets in `folder`."""
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
