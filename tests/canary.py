"""Looking for a secret in everything that stands in a folder: as it is, encoded, compressed, and inside tables."""

from __future__ import annotations

import base64
import gzip
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"\x78": zlib.decompress,
    b"\x28\xb5\x2f\xfd": lambda content: pa.CompressedInputStream(pa.BufferReader(content), "zstd").read(),
}
"""How compressed content begins, and what opens it."""


class Search:
    """Looks for secrets by their cores: parts of letters and digits alone, which no quoting or escaping changes."""

    def __init__(self, *cores: str) -> None:
        assert all(core.isalnum() and core.isascii() and len(core) >= 10 for core in cores)
        self._needles = {needle.lower(): core for core in cores for needle in _written(core.encode())}

    def holds(self, content: bytes | str, depth: int = 2) -> bool:
        """Whether a core stands in the content, or in what it unpacks to."""
        plain = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
        if any(needle in each for each in (plain.lower(), unquote_to_bytes(plain).lower()) for needle in self._needles):
            return True
        return depth > 0 and any(self.holds(inside, depth - 1) for inside in _unpacked(plain))

    def places(self, folder: Path) -> list[str]:
        """Where under `folder` a core stands: file names, contents, and what the tables in files hold."""
        return [place for path in sorted(folder.rglob("*")) for place in self._in(path, str(path.relative_to(folder)))]

    def _in(self, path: Path, name: str) -> Iterator[str]:
        if self.holds(name):
            yield f"name of {name}"
        if not path.is_file() or path.is_symlink():
            return
        content = path.read_bytes()
        if self.holds(content):
            yield name
        for kind, magic, rows in (("Parquet", b"PAR1", _parquet), ("SQLite", b"SQLite format 3", _sqlite), ("DuckDB", b"DUCK", _duckdb)):
            if content[8:12] == magic if kind == "DuckDB" else content.startswith(magic):
                yield from sorted({f"{name}: {kind} {where}" for where, value in rows(path) if self.holds(value)})


def _written(core: bytes) -> Iterator[bytes]:
    """The core as it is, in UTF-16 and hexadecimal, and what of its base64 is the same whatever stands around it, at all three offsets."""
    yield from (core, core.decode().encode("utf-16-le"), core.hex().encode())
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + core)
        inner = whole[4 if before else 0 : len(whole) - 4]
        yield from (inner, inner.translate(bytes.maketrans(b"+/", b"-_")))


def _unpacked(content: bytes) -> Iterator[bytes]:
    for magic, opened in PACKED.items():
        if content.startswith(magic):
            with suppress(OSError, EOFError, zlib.error):  # it only begins like that
                yield opened(content)


def _parquet(path: Path) -> Iterator[tuple[str, bytes | str]]:
    file = pq.ParquetFile(path)
    yield from (("metadata", key + b"=" + value) for key, value in (file.metadata.metadata or {}).items())
    for name, column in zip(file.schema_arrow.names, file.read().columns, strict=True):
        yield from ((f"column {name}", repr(value) if not isinstance(value, str | bytes) else value) for value in column.to_pylist())


def _sqlite(path: Path) -> Iterator[tuple[str, bytes | str]]:
    with closing(sqlite3.connect(path)) as connection:  # its -wal file is read with it
        connection.text_factory = bytes
        for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in connection.execute(f'select * from "{table.decode()}"'):
                yield from ((f"table {table.decode()}", value) for value in row if isinstance(value, bytes))


def _duckdb(path: Path) -> Iterator[tuple[str, bytes | str]]:
    copy = path.with_name(f"{path.name}.read")
    shutil.copyfile(path, copy)
    try:
        with duckdb.connect(str(copy), read_only=True) as connection:
            for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall():
                for row in connection.execute(f'select * from "{schema}"."{table}"').fetchall():
                    yield from ((f"table {table}", value if isinstance(value, bytes) else str(value)) for value in row)
            for kind in ("tables", "columns", "views"):
                yield from ((f"{kind}", str(row)) for row in connection.execute(f"select * from duckdb_{kind}()").fetchall())
    finally:
        copy.unlink()
