"""Exports: the kept pairs as JSON Lines or Parquet with a dataset card, streamed in batches, each file whole or absent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from gland_assets.core.errors import GlandError
from gland_assets.core.project import Project
from gland_assets.core.tables import DATASET
from gland_assets.io.cards import Contents, card
from gland_assets.io.durable import replacing, write_text
from gland_assets.io.live import steady

BATCH = 2_000  # pairs held at once

Row = Mapping[str, Any]

_ABOUT = ("id", "field", "subfield", "discipline", "subject", "level", "question_model", "answer_model")
"""The columns that every JSON line carries beside its pair."""


def messages_line(row: Row) -> dict[str, Any]:
    """A pair as chat messages."""
    turns = [{"role": "user", "content": row["question"]}, {"role": "assistant", "content": row["answer"]}]
    return {"messages": turns} | {name: row[name] for name in _ABOUT}


def prompt_completion_line(row: Row) -> dict[str, Any]:
    """A pair as prompt and completion."""
    return {"prompt": row["question"], "completion": row["answer"]} | {name: row[name] for name in _ABOUT}


LINES: Mapping[str, Callable[[Row], dict[str, Any]]] = {"messages": messages_line, "prompt-completion": prompt_completion_line}
FORMATS = (*LINES, "parquet")


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote."""

    path: Path  # the data file
    card: Path
    pairs: int
    fields: Mapping[str, int] = field(default_factory=dict)  # field -> pairs


def export(
    connection: duckdb.DuckDBPyConnection, project: Project, format: str, where: str | None, out_dir: Path, force: bool = False
) -> Exported:
    """Write the pairs of `dataset` for which the SQL condition `where` holds into `out_dir`, in order of id, with a dataset card.

    `connection` sees the tables: that of connect_live, or one on gland.duckdb. Raises GlandError for an unknown format, a condition that is
    not one, a folder with files in it (unless `force`: then files of the same names are replaced, all others left), and for no pair at all.
    """
    if format not in FORMATS:
        raise GlandError(f"no export format '{format}'; take one of {', '.join(FORMATS)}")
    if not force and out_dir.exists() and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise GlandError(f"{out_dir} is there already and not an empty folder; name another one, or use --force")
    name = "train.parquet" if format == "parquet" else "train.jsonl"
    contents = _steadily(lambda: _write(connection, format, where, out_dir / name), where)
    write_text(out_dir / "README.md", card(project, contents, format, name, where))
    return Exported(out_dir / name, out_dir / "README.md", contents.pairs, contents.by_field())


def _steadily(write: Callable[[], Contents], where: str | None) -> Contents:
    try:
        return steady(write)
    except duckdb.Error as error:
        reason = str(error).split("\n\n")[0]
        if where is None:
            raise GlandError(f"dataset cannot be read: {reason}") from error
        raise GlandError(f"--where {where}: {reason}; the columns are {', '.join(DATASET.column_names)}") from error


def _write(connection: duckdb.DuckDBPyConnection, format: str, where: str | None, path: Path) -> Contents:
    contents = Contents()
    batches = _selected(connection, where)
    with replacing(path) as file:
        if format == "parquet":
            _write_parquet(file, batches, contents)
        else:
            _write_lines(file, batches, LINES[format], contents)
        if not contents.pairs:
            reason = f"no pair fits the condition {where}" if where else "no pair has been kept yet; run `gland build`"
            raise GlandError(f"{path.parent}: nothing to export: {reason}")
    return contents


def _selected(connection: duckdb.DuckDBPyConnection, where: str | None) -> Iterator[pa.RecordBatch]:
    columns = ", ".join(DATASET.column_names)
    condition = f" where (\n{where}\n)" if where else ""
    text = f"select {columns} from dataset{condition} order by id"
    try:
        if len(connection.extract_statements(text)) != 1:
            raise GlandError(f"--where takes one SQL condition over the columns of dataset, not several statements: {where}")
        yield from connection.execute(text).to_arrow_reader(BATCH)
    except (pa.ArrowException, OSError) as error:  # while it streams, Arrow hands on what DuckDB says
        raise duckdb.Error(str(error)) from error


def _write_parquet(file: BinaryIO, batches: Iterator[pa.RecordBatch], contents: Contents) -> None:
    writer = None
    for batch in batches:
        writer = writer or pq.ParquetWriter(file, batch.schema, compression="zstd")
        writer.write_batch(batch)
        contents.count(batch)
    if writer is not None:
        writer.close()


def _write_lines(file: BinaryIO, batches: Iterator[pa.RecordBatch], line: Callable[[Row], dict[str, Any]], contents: Contents) -> None:
    for batch in batches:
        lines = (json.dumps(line(row), ensure_ascii=False) for row in batch.to_pylist())
        file.write("".join(f"{text}\n" for text in lines).encode("utf-8"))
        contents.count(batch)
