"""Times the `dataset` view at scale, live and published, and publication itself: python -m bench.dataset_view [pairs] [folder]."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from dagster_duckdb import DuckDBResource

from gland_assets.core.records import to_row
from gland_assets.io.live import connect_live
from gland_assets.io.minhash import compute_duplicates, update_index
from gland_assets.io.partitions import Partitions
from gland_assets.io.warehouse import publish
from tests import rows

DISCIPLINES = 200
QUERIES = {
    "count": "select count(*) from dataset",
    "rollup": "select field, subfield, discipline, count(*), sum(tokens) from dataset group by rollup (field, subfield, discipline)",
    "every column": "select count(id), sum(len(sessions)), sum(len(key_concepts)), sum(len(answer)), sum(usd) from dataset",
    "one pair": "select * from dataset where id = (select min(question_id) from questions)",
    "one discipline": "select * from dataset where discipline = 'd-0007'",
    "disciplines": "select * from disciplines",
}


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long the body took."""
    began, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{what:40} {time.perf_counter() - began:8.2f} s wall {time.process_time() - cpu:8.2f} s CPU", flush=True)


def store(warehouse: Path, pairs: int) -> list[str]:
    """Write `pairs` pairs as partitions; returns the slugs."""
    partitions = Partitions(warehouse)
    slugs = [f"d-{n:04}" for n in range(DISCIPLINES)]
    for slug in slugs:
        one = rows.made(slug, pairs // DISCIPLINES, subjects=20, sessions=12, concepts=5)
        rows.store(partitions, one)
        rows.store_ledger(warehouse, one, name=f"requests-{slug}")
    return slugs


def ask(connection: duckdb.DuckDBPyConnection, label: str) -> None:
    """Time every query on one connection."""
    for name, text in QUERIES.items():
        with timed(f"{label}: {name}"):
            connection.execute(text).fetchall()


def change(partitions: Partitions, slug: str, pairs: int) -> None:
    """Remake one discipline's answers."""
    answers = rows.made(slug, pairs, subjects=20, sessions=12, concepts=5, seed=1).answers
    partitions.write("answers", slug, [to_row(row) for row in answers], rows.meta("answers", slug, answers))


def main(pairs: int, folder: Path) -> None:
    """Generate, publish, and time."""
    with timed(f"write {pairs} pairs as partitions"):
        slugs = store(folder, pairs)
    project = rows.project(slugs, pairs=pairs // DISCIPLINES)
    partitions = Partitions(folder)
    published = DuckDBResource(database=str(folder / "gland.duckdb"))
    steps: dict[str, Callable[[], object]] = {
        "read all footers": partitions.metas,
        "compute duplicates": lambda: compute_duplicates(project, partitions),
        "compute duplicates again": lambda: compute_duplicates(project, partitions),
        "minhash.duckdb": lambda: update_index(project, folder),
        "publish all": lambda: publish(project, folder, published),
        "publish again, nothing changed": lambda: publish(project, folder, published),
        "change one discipline's answers": lambda: change(partitions, slugs[7], pairs // DISCIPLINES),
        "publish one changed discipline": lambda: publish(project, folder, published),
    }
    for what, step in steps.items():
        with timed(what):
            step()
    with duckdb.connect(str(folder / "gland.duckdb"), read_only=True) as connection:
        ask(connection, "published")
    with timed("connect live"):
        connection = connect_live(project, folder)
    ask(connection, "live")


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as made:
        main(wanted, Path(sys.argv[2] if len(sys.argv) > 2 else made))
