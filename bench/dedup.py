"""Signing questions and finding their duplicates at scale: python -m bench.dedup [--folder DIR] [questions …].

Makes warehouses of so many questions (by default 100,000) in DISCIPLINES disciplines, and measures each step in a process of its own, from
Parquet to Parquet, with its start and its imports: CPU seconds, user and system, and peak memory. Last, what of the planted was found.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from bench.changes import machine
from bench.corpus import Planted, corpus, identity
from gland_assets.core.dedup import jaccard, shingles
from gland_assets.core.project import Project
from gland_assets.core.state import PartitionMeta
from gland_assets.io.minhash import compute_duplicates, update_index
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.signing import sign_questions
from gland_assets.io.stored_schemas import STORED
from tests import rows

DISCIPLINES = 200
MIB = 1024  # kibibytes


def project() -> Project:
    """What the warehouses are of."""
    return rows.project(f"d-{number:04}" for number in range(DISCIPLINES))


def sign(warehouse: Path) -> None:
    """The level signatures, every discipline."""
    partitions, declared = Partitions(warehouse), project()
    for slug in partitions.stored("questions"):
        table, content = sign_questions(partitions, slug, declared.dedup)
        write(partitions, "signatures", slug, table, content)


def find(warehouse: Path) -> None:
    """The level duplicates, from nothing."""
    compute_duplicates(project(), Partitions(warehouse))


def index(warehouse: Path) -> None:
    """The index of signatures, from nothing."""
    update_index(project(), warehouse)


def start(warehouse: Path) -> None:
    """Nothing: what the other steps take before they begin."""


STEPS: dict[str, Callable[[Path], None]] = {"start": start, "sign": sign, "find": find, "index": index}
SAID = {"start": "start and imports alone", "sign": "sign all questions", "find": "find duplicates", "index": "update `minhash.duckdb`"}


def write(partitions: Partitions, asset: str, slug: str, table: pa.Table, content: str) -> None:
    """Write a partition as a build would."""
    partitions.write(asset, slug, table, PartitionMeta(asset, slug, content, content, "{}"))


def table(asset: str, **columns: list[str]) -> pa.Table:
    """Rows of an asset with the given columns, the others empty."""
    count = len(next(iter(columns.values())))
    return pa.table([columns.get(field.name, pa.nulls(count, field.type)) for field in STORED[asset]], schema=STORED[asset])


def store(warehouse: Path, texts: list[str]) -> None:
    """Write texts as the questions of all disciplines in turn, each answered."""
    partitions = Partitions(warehouse)
    for number, slug in enumerate(project().index()):
        held = range(number, len(texts), DISCIPLINES)
        ids, slugs = [identity(each) for each in held], [slug] * len(held)
        asked = [texts[each] for each in held]
        write(partitions, "questions", slug, table("questions", question_id=ids, discipline=slugs, text=asked), "questions")
        answers = table("answers", answer_id=ids, question_id=ids, discipline=slugs, text=["So it is."] * len(held))
        write(partitions, "answers", slug, answers, "answers")


def measured(step: str, warehouse: Path) -> tuple[float, float]:
    """CPU seconds and peak MiB of a step in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "bench.dedup", "--step", step, "--folder", str(warehouse)])
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"{step} failed"
    return used.ru_utime + used.ru_stime, used.ru_maxrss / MIB


def told_of(texts: list[str], planted: list[Planted], warehouse: Path) -> str:
    """What was found of the planted pairs, and whether every near duplicate is one by an exact check."""
    number_of = {identity(number): number for number in range(len(texts))}
    found = Partitions(warehouse).rows("duplicates", ALL)
    dropped = {number_of[row["question_id"]] for row in found}
    threshold, ngram = project().dedup.threshold, project().dedup.ngram
    alike = [pair for pair in planted if pair.similarity >= threshold]
    caught = sum(pair.one in dropped or pair.other in dropped for pair in alike)
    near = [(texts[number_of[row["question_id"]]], texts[number_of[row["kept_id"]]]) for row in found if row["kind"] == "near"]
    true = sum(jaccard(shingles(one, ngram), shingles(other, ngram)) >= threshold for one, other in near)
    return (
        f"{len(texts):,} questions: {len(alike):,} pairs planted at {threshold} and above, {caught:,} caught ({caught / len(alike):.4f}); "
        f"{len(found):,} dropped, {true:,} of {len(near):,} near ones at the threshold by exact check"
    )


def main(counts: list[int], folder: Path) -> None:
    """Make the warehouses and measure."""
    print(f"{machine()}\n\n| step | questions | CPU s | questions a CPU s | peak MiB |\n|---|---|---|---|---|", flush=True)
    said = []
    for count in counts:
        warehouse = folder / f"{count}"
        texts, planted = corpus(count)
        store(warehouse, texts)
        for step, what in SAID.items():
            seconds, peak = measured(step, warehouse)
            print(f"| {what} | {count:,} | {seconds:.2f} | {count / seconds:,.0f} | {peak:,.0f} |", flush=True)
        said.append(told_of(texts, planted, warehouse))
    print("\n" + "\n".join(said))


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("questions", type=int, nargs="*", default=[100_000])
    given.add_argument("--folder", type=Path, help="where the warehouses are kept; by default they are thrown away")
    given.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    wanted = given.parse_args()
    if wanted.step:
        STEPS[wanted.step](wanted.folder)
    else:
        with tempfile.TemporaryDirectory() as thrown_away:
            main(wanted.questions, wanted.folder or Path(thrown_away))
