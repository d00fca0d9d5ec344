"""CPU seconds that it takes to import, and to find what is nearest: python -m bench.imports [--folder DIR] [rows …].

Files of so many pairs (by default 100,000), the questions of bench/corpus.py with answers of 60 words: as messages in JSON Lines, plain
and gzipped, as CSV and as Parquet. Each import is a process of its own, with its start and its imports; so is the last step, a build's:
imported rows as rows of the levels `questions` and `answers`. `--similar WAREHOUSE` asks instead for the questions nearest to some of those
that `bench.dedup --folder` has stored.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bench.changes import machine
from bench.corpus import WORDS, Corpus
from bench.dedup.measure import Used, measured
from gland_assets.io.imported import taken_in
from gland_assets.io.partitions import Partitions
from tests import rows
from tests.cli.running import command, environment

TAXONOMY = """[dataset]
name = "imports"
[defaults]
pairs = 0
subject_queries = 0
[[field]]
name = "All"
[[field.subfield]]
name = "Of it"
disciplines = ["Logic"]
"""
FILES = ("messages.jsonl", "messages.jsonl.gz", "pairs.csv", "pairs.parquet")
ASKED = 20


def write(folder: Path, count: int) -> None:
    """The files to import."""
    questions = list(map(Corpus.of(count).text, range(count)))
    rng = Random(count)
    starts = [rng.randrange(len(WORDS) - 60) for _ in questions]
    answers = [f"{number}: {' '.join(WORDS[at : at + 60])}." for number, at in enumerate(starts)]
    table = pa.table({"question": questions, "answer": answers})
    pq.write_table(table, folder / "pairs.parquet")
    pa_csv.write_csv(table, folder / "pairs.csv")
    with open(folder / "messages.jsonl", "w", encoding="utf-8") as plain, gzip.open(folder / "messages.jsonl.gz", "wt") as zipped:
        for question, answer in zip(questions, answers, strict=True):
            turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            line = json.dumps({"messages": turns}) + "\n"
            plain.write(line)
            zipped.write(line)


def take_in(warehouse: Path) -> None:
    """The imported rows as a build takes them in: read, laid out as the levels have them, hashed and written."""
    from gland_assets.core.state import PartitionMeta
    from gland_assets.io.table_hash import table_hash

    partitions = Partitions(warehouse)
    for level in ("questions", "answers"):
        rows = taken_in(partitions, level, "logic")
        assert rows is not None
        content = table_hash(rows.select(["question_id", "text"]))
        partitions.write(level, "logic", rows, PartitionMeta(level, "logic", content, content, "{}", imported=len(rows)))
        del rows  # as a build, which has one level in hand


def imports(counts: list[int], folder: Path) -> None:
    """Write the files, import each into a warehouse of its own, and take one in."""
    print(f"{machine()}\n\n| step | rows | CPU s | rows a CPU s | peak MiB |\n|---|---|---|---|---|", flush=True)
    for count in counts:
        place = folder / f"{count}"
        place.mkdir(parents=True, exist_ok=True)
        (place / "taxonomy.toml").write_text(TAXONOMY)
        write(place, count)
        for name in FILES:
            used = measured(*command("--warehouse", f"{name}.warehouse", "import", name, "-d", "logic"), folder=place, env=environment())
            tell(f"`gland import {name}`, {(place / name).stat().st_size / 10**6:,.0f} MB", count, used)
        script = "import sys; from pathlib import Path; from bench.imports import take_in; take_in(Path(sys.argv[1]))"
        used = measured(sys.executable, "-c", script, f"{FILES[-1]}.warehouse", folder=place, env=environment())
        tell("imported rows into both levels", count, used)


def tell(what: str, count: int, used: Used) -> None:
    """One line of the table."""
    print(f"| {what} | {count:,} | {used.seconds:.2f} | {count / used.seconds:,.0f} | {used.peak:,.0f} |", flush=True)


def without_a_word(text: str) -> str:
    """A text with the word in its middle left out."""
    words = text.split()
    return " ".join([*words[: len(words) // 2], *words[len(words) // 2 + 1 :]])


def similar(warehouse: Path) -> None:
    """Seconds, by the clock and of CPU, from an edited question to what is nearest to it, in one process and in a process each."""
    from gland_assets.io.live import connect_live
    from gland_assets.io.similar import nearest

    partitions = Partitions(warehouse)
    slugs = partitions.stored("questions")
    project = rows.project(slugs)
    texts = [partitions.columns("questions", slug, ["text"])["text"][7].as_py() for slug in slugs[:ASKED]]
    print(f"{machine()}\n\n| question | seconds | CPU s | compared | nearest |\n|---|---|---|---|---|", flush=True)
    for number, text in enumerate(texts):
        before, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        with closing(connect_live(project, warehouse)) as connection:
            found = nearest(connection, project, warehouse, without_a_word(text), 10)
        used = resource.getrusage(resource.RUSAGE_SELF)
        taken = used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime
        best = f"{found.found[0].similarity:.2f}" if found.found else "–"
        print(f"| {number} | {time.perf_counter() - before:.2f} | {taken:.2f} | {found.compared:,} | {best} |", flush=True)


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("rows", type=int, nargs="*", default=[100_000])
    given.add_argument("--folder", type=Path, help="where files and warehouses are kept; by default they are thrown away")
    given.add_argument("--similar", type=Path, metavar="WAREHOUSE")
    wanted = given.parse_args()
    if wanted.similar:
        similar(wanted.similar)
    else:
        with tempfile.TemporaryDirectory() as thrown_away:
            imports(wanted.rows, wanted.folder or Path(thrown_away))
