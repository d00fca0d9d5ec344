"""What was compared and what came of it, kept in minhash.duckdb: settled for all rows, or again from those that changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import duckdb
import pyarrow as pa

from gland_assets.core.dedup import LOOKED_AT, Entry, find_duplicates
from gland_assets.core.hashing import canonical, digest
from gland_assets.core.near import look_again
from gland_assets.core.plan import Metas, dedup_recipe
from gland_assets.core.project import Dedup, Project
from gland_assets.core.records import Duplicate, to_row
from gland_assets.io.live import steady
from gland_assets.io.neighbours import Neighbours, note
from gland_assets.io.partitions import Partitions
from gland_assets.io.parts import view_partitions
from gland_assets.io.sql import query
from gland_assets.io.stored_schemas import STORED

COMPARED = ("signatures", "questions", "answers")
"""The assets that say which questions are duplicates."""

OUTCOME = {
    "compared": "discipline text, made_from text, rule text",
    "publishable": "question_id text, discipline text, text_hash text",
    "duplicates": "question_id text, kept_id text, discipline text, kept_discipline text, kind text, jaccard double",
}
"""Table of the index -> its columns: the partitions that were compared and by which rule, their rows, and which of those were dropped."""


def rule(project: Project) -> str:
    """What decides how rows are compared. Where it has changed, all are compared anew."""
    return canonical({**dedup_recipe(project), "ngram": project.dedup.ngram, "looked_at": LOOKED_AT})


def made_from(project: Project, metas: Metas) -> dict[str, str]:
    """Discipline -> the partitions that its rows are compared by, as they were last written; of those that have signatures."""
    stamps = {slug: [(meta := metas.get((asset, slug))) and meta.stamp for asset in COMPARED] for slug in project.index()}
    return {slug: digest(found) for slug, found in stamps.items() if found[0]}


def compared(connection: duckdb.DuckDBPyConnection, project: Project) -> dict[str, str]:
    """Discipline -> what its outcomes were made from; empty when nothing was compared, or by another rule."""
    found = connection.execute("select discipline, made_from, rule from compared").fetchall()
    return {slug: by for slug, by, _ in found} if {by for _, _, by in found} == {rule(project)} else {}


def view_compared(connection: duckdb.DuckDBPyConnection, partitions: Partitions, metas: Metas, slugs: Sequence[str]) -> None:
    """Name the rows of these disciplines for minhash/entries.sql."""
    for asset in COMPARED:
        view_partitions(connection, partitions, asset, [slug for slug in slugs if (asset, slug) in metas])


def entries(rows: pa.Table) -> Iterator[Entry]:
    """The publishable questions, in order of id, from the rows of minhash/entries.sql."""
    bands = rows["bands"].combine_chunks()
    offsets, keys = bands.offsets.to_numpy(), bands.values.to_numpy()
    columns = (rows[name].to_pylist() for name in ("question_id", "discipline", "text", "text_hash"))
    for index, (identity, discipline, text, text_hash) in enumerate(zip(*columns, strict=True)):
        yield Entry(identity, discipline, text, text_hash, keys[offsets[index] : offsets[index + 1]])


def settle_all(connection: duckdb.DuckDBPyConnection, settings: Dedup) -> None:
    """Compare all rows named by `view_compared`, whatever stood before."""
    rows = connection.execute(query("minhash/entries")).to_arrow_table()
    for name in OUTCOME:
        connection.execute(f"delete from {name}")
    _insert(connection, "publishable", rows.select(["question_id", "discipline", "text_hash"]))
    _keep(connection, find_duplicates(entries(rows), settings))


def note_changed(connection: duckdb.DuckDBPyConnection, touched: Sequence[str]) -> list[str]:
    """The ids of the rows of `touched` that differ from those compared before; what these were is noted, before it is replaced."""
    mine = "list_contains(?::text[], discipline)"
    now = f"select question_id, discipline, text_hash from ({query('minhash/entries')})"
    steady(lambda: connection.execute(f"create or replace temp table minhash_now as {now}"))
    connection.execute(f"create or replace temp table minhash_was as select * from publishable where {mine}", [touched])
    changed = [one for (one,) in connection.execute(query("minhash/changed")).fetchall()]
    note(connection, "minhash_changed", changed)
    differing = "select question_id from minhash_was semi join minhash_changed using (question_id)"
    bands = f"select key, question_id from bands where {mine} and question_id in ({differing})"
    connection.execute(f"create or replace temp table minhash_was_bands as {bands}", [touched])
    return changed


def settle_changed(
    connection: duckdb.DuckDBPyConnection, partitions: Partitions, touched: Sequence[str], changed: Iterable[str], settings: Dedup
) -> None:
    """Look again at what `note_changed` found, and at the rows it can touch, once `bands` holds the new rows."""
    for name in ("compared", "publishable"):
        connection.execute(f"delete from {name} where list_contains(?::text[], discipline)", [touched])
    connection.execute("insert into publishable from minhash_now")
    found = look_again(Neighbours(connection, partitions, changed), changed, settings)
    note(connection, "minhash_known", found)
    connection.execute("delete from duplicates where question_id in (from minhash_known)")
    _keep(connection, [row for row in found.values() if row is not None])


def sign_off(connection: duckdb.DuckDBPyConnection, project: Project, late: dict[str, str]) -> None:
    """Note what the outcomes of disciplines were made from."""
    connection.execute(
        "insert into compared select unnest(?::text[]), unnest(?::text[]), ?", [list(late), list(late.values()), rule(project)]
    )


def _keep(connection: duckdb.DuckDBPyConnection, found: Iterable[Duplicate]) -> None:
    _insert(connection, "duplicates", pa.Table.from_pylist([to_row(row) for row in found], STORED["duplicates"]))


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    connection.register("given_rows", rows)
    connection.execute(f"insert into {table} from given_rows")
    connection.unregister("given_rows")
