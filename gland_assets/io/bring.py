"""Read the questions and pairs of a file that people bring: column by column, without an object a row.

What does not go that way is read record by record, which takes what is unusual (a JSON array, a message in parts, a row too long for a
block) and knows the line of what is wrong. Both give the same rows.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from gland_assets.core.errors import GlandError
from gland_assets.core.imports import Form, Named, checked, columns_of, in_words, recognise
from gland_assets.io.parquet import encodable
from gland_assets.io.turns import schema_of, taken

BLOCK = 1 << 24  # bytes read at once
BATCH = 1 << 14  # rows
LOOKED_AT = 100  # records, to see which form they are in
SHOWN = 5  # bad rows that are named
NOT_UTF8 = "is not UTF-8; save the file as UTF-8"

BROUGHT = pa.schema([("question", pa.string()), ("answer", pa.string()), ("row", pa.int32())])
"""What is read of a file: texts as they stand, no question blank, a blank answer null; the number of its record, from 1."""

_UNREADABLE = (OSError, EOFError, zlib.error, pa.ArrowException)


@dataclass(slots=True)
class Brought:
    """What a file holds, as BROUGHT, and what of it was left out."""

    form: Form
    rows: pa.Table = field(default_factory=BROUGHT.empty_table)
    system_turns: int = 0
    further_turns: int = 0
    bad: int = 0  # rows
    examples: list[str] = field(default_factory=list)  # of those, each with its place


class _Odd(Exception):
    """Something that is for the careful road."""


csv.field_size_limit(2**31 - 1)  # a cell may be as long as it is


def bring(path: Path, named: Named | None = None, skip_bad: bool = False) -> Brought:
    """The rows of a file, read as `named` or in the form that it is in.

    Raises GlandError naming file, line and fault when a row has no question or is not of that form, unless `skip_bad` counts it instead.
    """
    try:
        kind = _kind(path)
        form = _form(path, kind, named)
        if not skip_bad and kind != "array":
            with suppress(_Odd, csv.Error, UnicodeDecodeError, *_UNREADABLE):
                return _together(Brought(form), ((table, None) for table in _columns(path, kind, form)), path)
        return _together(Brought(form), _records_of(path, kind, form), path, skip_bad)
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise GlandError(f"{path} cannot be read: {reason}") from error


def _kind(path: Path) -> str:
    """parquet, csv, lines (of JSON) or array (of JSON), by the file's name, and by its first letter where that does not tell."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    ending = suffixes[-1] if suffixes else ""
    if ending in (".jsonl", ".ndjson"):
        return "lines"
    if ending == ".json":
        with _bytes(path) as file:
            begin = next((line for line in file if line.strip()), b"")
        return "array" if begin.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"[") else "lines"
    if ending in (".csv", ".parquet"):
        return ending[1:]
    raise GlandError(f"{path}: its name ends neither in .jsonl, .json, .csv (each also with .gz) nor in .parquet; rename it as what it is")


def _text(path: Path) -> IO[str]:
    return io.TextIOWrapper(_bytes(path), encoding="utf-8-sig", newline="")


def _bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path) if path.suffix.lower() == ".gz" else open(path, "rb")


def _form(path: Path, kind: str, named: Named | None) -> Form:
    columns: Mapping[str, Collection[str]]
    if kind == "parquet":
        columns = {field.name: _within(field.type) for field in pq.read_schema(path)}
    else:
        first = list(islice(_records(path, kind), LOOKED_AT))
        columns = columns_of(record for _, record, _ in first if isinstance(record, Mapping))
        if not columns and (faults := [(line, fault) for line, _, fault in first if fault]):
            raise GlandError(f"{path}:{faults[0][0]}: {faults[0][1]}")
    there = f"its columns are {', '.join(columns)}" if columns else "it holds no row that can be read"
    lacking = [repr(column) for column in named.columns if column not in columns] if named else []
    if lacking:
        raise GlandError(f"{path}: no column {' and none '.join(lacking)}; {there}")
    form = named or recognise(columns)
    if form is None:
        raise GlandError(f"{path}: {there}, which is no known form; name the ones to read with --question and, if there is one, --answer")
    return form


def _within(kind: pa.DataType) -> set[str]:
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and pa.types.is_struct(kind.value_type):
        return {each.name for each in kind.value_type}
    return set()


def _columns(path: Path, kind: str, form: Form) -> Iterator[pa.Table]:
    """The columns of `form`, some rows at a time. Raises ArrowException where they are not as it has them."""
    schema = schema_of(form)
    if kind == "parquet":
        with pq.ParquetFile(path) as file:
            there = [name for name in schema.names if name in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH, columns=there):
                yield pa.Table.from_batches([batch])
        return
    if kind == "csv":
        with _text(path) as file:
            yield from _cells_together(file, schema)
        return
    with pa.input_stream(str(path), compression="detect") as stream:
        how = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
        for batch in pa_json.open_json(stream, pa_json.ReadOptions(block_size=BLOCK), how):
            yield pa.Table.from_batches([batch])


def _cells_together(file: IO[str], schema: pa.Schema) -> Iterator[pa.Table]:
    """The columns of `schema` from rows of cells. By Python's reader: Arrow's takes all rows after a quote without an end for one cell."""
    reader = csv.reader(file, strict=True)
    head = next(reader, [])
    while some := list(islice(reader, BATCH)):
        some = list(filter(None, some))
        if any(len(cells) != len(head) for cells in some):
            raise _Odd
        yield pa.table([pa.array([cells[place] for cells in some], pa.string()) for place in map(head.index, schema.names)], schema=schema)


Place = tuple[int, int]  # the number of a record, and the line it ends on, or 0


def _records_of(path: Path, kind: str, form: Form) -> Iterator[tuple[pa.Table, list[tuple[Place, str | None]]]]:
    """As `_columns`, with the place of each row, and what is wrong with it if something is."""
    records = enumerate(_records(path, kind), 1)
    while some := list(islice(records, BATCH)):
        plain: list[dict[str, Any]] = []
        places: list[tuple[Place, str | None]] = []
        for number, (line, record, fault) in some:
            try:
                plain.append({} if fault else checked(form, record))
            except ValueError as error:
                plain.append({})
                fault = str(error)
            places.append(((number, line), fault))
        yield pa.Table.from_pylist([encodable(each) for each in plain], schema=schema_of(form)), places


def _records(path: Path, kind: str) -> Iterator[tuple[int, Any, str | None]]:
    """The line, if there are lines, the record, and what is wrong with it if it cannot be read."""
    if kind == "parquet":
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                yield from ((0, record, None) for record in batch.to_pylist())
        return
    if kind == "lines":
        with _bytes(path) as lines:
            yield from (_parsed(number, line) for number, line in enumerate(lines, 1) if line.strip())
        return
    with _text(path) as file:
        try:
            yield from _cells(file) if kind == "csv" else ((0, record, None) for record in json.load(file))
        except UnicodeDecodeError as error:
            raise GlandError(f"{path}:{_not_utf8(path)}: byte 0x{error.object[error.start]:02x} {NOT_UTF8}") from error
        except (json.JSONDecodeError, RecursionError) as error:
            raise GlandError(f"{path}: is not JSON: {error}; mend the file") from error


def _parsed(number: int, line: bytes) -> tuple[int, Any, str | None]:
    try:
        return number, json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8")), None
    except UnicodeDecodeError as error:
        return number, None, f"byte 0x{line[error.start]:02x} {NOT_UTF8}"
    except (json.JSONDecodeError, RecursionError) as error:
        return number, None, f"is not JSON: {getattr(error, 'msg', error)}"


def _not_utf8(path: Path) -> int:
    """The first line that is not UTF-8."""
    with _bytes(path) as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0


def _cells(file: IO[str]) -> Iterator[tuple[int, Any, str | None]]:
    reader = csv.reader(file, strict=True)
    head: list[str] | None = None
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num, None, f"is not CSV: {error}"
            continue
        if not cells:
            continue
        if head is None:
            head = cells
            continue
        fault = None if len(cells) == len(head) else f"has {len(cells)} cells where the head has {len(head)}"
        yield reader.line_num, dict(zip(head, cells, strict=False)), fault


def _together(
    found: Brought, parts: Iterator[tuple[pa.Table, list[tuple[Place, str | None]] | None]], path: Path, skip_bad: bool = False
) -> Brought:
    """All the rows of `parts`; without places, a bad row is for the careful road."""
    tables, count = [], 0
    for table, places in parts:
        rows = taken(found.form, table)
        numbers = pa.array(np.arange(count + 1, count + len(table) + 1, dtype=np.int32))
        count += len(table)
        blank = rows.question.is_null().to_numpy(zero_copy_only=False)
        if blank.any():
            if places is None:
                raise _Odd
            for index in blank.nonzero()[0].tolist():
                (number, line), fault = places[index]
                _note(found, f"{path}:{line}" if line else f"{path}, row {number}", fault or "has no question")
        found.system_turns += rows.system_turns
        found.further_turns += rows.further_turns
        tables.append(pa.table([rows.question, rows.answer, numbers], schema=BROUGHT).filter(rows.question.is_valid()))
    if found.bad and not skip_bad:
        raise GlandError(_told(found, count))
    found.rows = pa.concat_tables([BROUGHT.empty_table(), *tables])
    return found


def _note(found: Brought, place: str, fault: str) -> None:
    found.bad += 1
    if found.bad <= SHOWN:
        found.examples.append(f"{place}: {fault}")


def _told(found: Brought, count: int) -> str:
    more = f"\nand {found.bad - SHOWN:,} more" if found.bad > SHOWN else ""
    said = f"{found.bad:,} of {count:,} rows cannot be read as {in_words(found.form)}; nothing was imported"
    return (
        "\n".join(found.examples)
        + f"{more}\n{said}: mend them, leave them out with --skip-bad, or name the columns with --question and --answer"
    )
