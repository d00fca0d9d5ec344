"""The stored, nested rows named for SQL: `gland_parts.questions` and its like, over partition files, the ledger's exports and the tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from gland_assets.core.levels import REFERENCE
from gland_assets.core.project import Project
from gland_assets.io.parquet import META_KEY, write_parquet
from gland_assets.io.partitions import EMPTY, SUFFIX, Partitions
from gland_assets.io.sql import as_pattern, files_list, literal
from gland_assets.io.stored_schemas import LEDGER, STORED, TAXONOMY

PARTS = "gland_parts"
"""The schema, or the database in memory, in which the stored rows have their names."""

GENERATED = ("subjects", "syllabi", "questions", "answers", "signatures", "contamination")
"""The assets whose partitions hold rows of the tables; the declared ones come from the taxonomy itself."""


def taxonomy_table(project: Project) -> pa.Table:
    """The declared tree as stored_schemas.TAXONOMY: one row a discipline, in declared order."""
    rows = [
        {
            "field": top.slug, "field_name": top.name, "field_position": top.position, "subfield": subfield.slug,
            "subfield_name": subfield.name, "subfield_position": subfield.position, "discipline": discipline.slug,
            "name": discipline.name, "position": discipline.position, "pairs_wanted": discipline.settings.pairs,
        }
        for top in project.fields for subfield in top.subfields for discipline in subfield.disciplines
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=TAXONOMY)


def part_view(name: str, patterns: Iterable[str]) -> str:
    """The statements that name the rows of the files that match `patterns`; the first, always there, gives the columns.

    Rows of partitions are kept where their discipline is in the taxonomy. The ledger's rows all are: they say what was paid.
    Of contamination, where a set without a hit has no row, what the files say of themselves has a name too.
    """
    files = files_list(*patterns)
    source = f"read_parquet({files}, hive_partitioning = false)"
    known = f"in (select discipline from {PARTS}.taxonomy)"
    if name == "duplicates":
        source += f" where discipline {known} and (kept_discipline {known} or starts_with(kept_discipline, {literal(REFERENCE)}))"
    elif name in GENERATED:
        source += f" where discipline {known}"
    named = f"create or replace view {PARTS}.{name} as select * from {source};"
    if name != "contamination":
        return named
    told = f"select decode(value)::json as told from parquet_kv_metadata({files}) where decode(key) = {literal(META_KEY.decode())}"
    return f"{named}\ncreate or replace view {PARTS}.{name}_told as {told};"


def live_part_views(warehouse: Path) -> list[str]:
    """The statements that name everything stored in the warehouse, whatever files come and go."""
    said = []
    for (name, path), pattern in zip(_empties(warehouse), _patterns(warehouse), strict=True):
        said.append(part_view(name, [as_pattern(path), pattern]))
    return said


def view_partitions(connection: duckdb.DuckDBPyConnection, partitions: Partitions, asset: str, disciplines: Iterable[str]) -> None:
    """Name the rows of just these partitions; those not made are left out."""
    paths = [path for slug in disciplines if (path := partitions.path(asset, slug)).exists()]
    connection.execute(part_view(asset, map(as_pattern, [partitions.path(asset, EMPTY), *paths])))


def view_ledger(connection: duckdb.DuckDBPyConnection, warehouse: Path, name: str, exported: Iterable[Path]) -> None:
    """Name the rows of just these exports of one ledger table."""
    connection.execute(part_view(name, map(as_pattern, [ledger_empty(warehouse, name), *exported])))


def load(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    """Make rows in memory a table among the stored ones."""
    connection.register("given_rows", rows)
    connection.execute(f"create or replace table {PARTS}.{name} as select * from given_rows")
    connection.unregister("given_rows")


def read_afresh(connection: duckdb.DuckDBPyConnection) -> None:
    """Keep DuckDB from serving blocks of a file it has read before: partitions are replaced while connections are open."""
    with suppress(duckdb.CatalogException):  # the setting is DuckDB's own affair and may go
        connection.execute("set enable_external_file_cache = false")


@contextmanager
def attached(connection: duckdb.DuckDBPyConnection, project: Project) -> Iterator[None]:
    """A database in memory beside the connection's file, for the stored rows' names; the taxonomy is in it."""
    read_afresh(connection)
    connection.execute(f"attach ':memory:' as {PARTS}")
    try:
        load(connection, "taxonomy", taxonomy_table(project))
        yield
    except BaseException:
        with suppress(duckdb.TransactionException):  # when none is open
            connection.execute("rollback")
        raise
    finally:
        connection.execute(f"detach {PARTS}")


def write_empties(warehouse: Path) -> None:
    """Write the typed files without rows that are missing or of other columns, so that every pattern matches one. Raises WarehouseError."""
    for name, path in _empties(warehouse):
        schema = (STORED | LEDGER)[name]
        if not _has_columns(path, schema):
            write_parquet(path, schema.empty_table())


def _has_columns(path: Path, schema: pa.Schema) -> bool:
    try:
        return bool(pq.read_schema(path).equals(schema))
    except (OSError, pa.ArrowException):
        return False


def ledger_table(path: Path) -> str:
    """The table that one of the ledger's exports holds rows of: `requests-…`, `builds` or `prompts` in the file's name."""
    return path.stem.split("-")[0]


def ledger_empty(warehouse: Path, name: str) -> Path:
    """The typed file without rows of a ledger table; that of requests is the one the ledger itself keeps."""
    return warehouse / "ledger" / f"{name}-0000000000-0000000000{SUFFIX}"


def _empties(warehouse: Path) -> list[tuple[str, Path]]:
    partitions = Partitions(warehouse)
    stored = [(asset, partitions.path(asset, EMPTY)) for asset in (*GENERATED, "duplicates")]
    return stored + [(name, ledger_empty(warehouse, name)) for name in LEDGER]


def _patterns(warehouse: Path) -> list[str]:
    stored = [f"{as_pattern(warehouse / asset)}/*{SUFFIX}" for asset in GENERATED]
    duplicates = f"{as_pattern(warehouse / 'duplicates')}/*{SUFFIX}"
    return [*stored, duplicates, *(f"{as_pattern(warehouse / 'ledger')}/{name}*{SUFFIX}" for name in LEDGER)]
