"""Read the questions and pairs of a file that people bring: column by column, without an object a row.

What does not go that way is read record by record, which takes what is unusual (a JSON array, a message in parts, a row too long for a
block) and knows the line of what is wrong. Both give the same rows.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json

from gland_assets.core.errors import Fault, GlandError
from gland_assets.core.imports import Form, Named, checked, columns_of, in_words, recognise
from gland_assets.io.parquet import encodable
from gland_assets.io.tabular import MEND, File, Kind, Record, Unreadable, as_text, kind_of, on_disk, parquet, records, told, unreadable
from gland_assets.io.turns import schema_of, taken

BLOCK = 1 << 24  # bytes read at once
BATCH = 1 << 14  # rows
LOOKED_AT = 100  # records, to see which form they are in
SHOWN = 5  # bad rows that are named

BROUGHT = pa.schema([("question", pa.string()), ("answer", pa.string()), ("row", pa.int32())])
"""What is read of a file: texts as they stand, no question blank, a blank answer null; the number of its record, from 1."""


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


def bring(path: Path, named: Named | None = None, skip_bad: bool = False) -> Brought:
    """The rows of a file, read as `named` or in the form that it is in.

    Raises GlandError naming file, line and fault when a row has no question or is not of that form, unless `skip_bad` counts it instead.
    """
    file = on_disk(path)
    kind = kind_of(file)
    form = _form(file, kind, named)
    if not skip_bad and kind != "document":
        with suppress(_Odd, csv.Error, UnicodeDecodeError, *unreadable()):
            return _together(Brought(form), ((table, None) for table in _columns(file, kind, form)), file)
    return _together(Brought(form), _records_of(file, form), file, skip_bad)


def _form(file: File, kind: Kind, named: Named | None) -> Form:
    columns: Mapping[str, Collection[str]]
    if kind == "parquet":
        with told(file), parquet(file) as held:
            columns = {field.name: _within(field.type) for field in held.schema_arrow}
    else:
        with closing(records(file)) as found:
            first = list(islice(found, LOOKED_AT))
        columns = columns_of(record.content for record in first)
        if not columns and (faults := [record.fault for record in first if record.fault]):
            raise Unreadable(faults[0])
    there = f"its columns are {', '.join(columns)}" if columns else "it holds no row that can be read"
    lacking = [repr(column) for column in named.columns if column not in columns] if named else []
    if lacking:
        raise GlandError(f"{file.name}: no column {' and none '.join(lacking)}; {there}")
    form = named or recognise(columns)
    if form is None:
        raise GlandError(
            f"{file.name}: {there}, which is no known form; name the ones to read with --question and, if there is one, --answer"
        )
    return form


def _within(kind: pa.DataType) -> set[str]:
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and pa.types.is_struct(kind.value_type):
        return {each.name for each in kind.value_type}
    return set()


def _columns(file: File, kind: Kind, form: Form) -> Iterator[pa.Table]:
    """The columns of `form`, some rows at a time. Raises ArrowException where they are not as it has them."""
    schema = schema_of(form)
    if kind == "parquet":
        with parquet(file) as held:
            there = [name for name in schema.names if name in held.schema_arrow.names]
            for batch in held.iter_batches(BATCH, columns=there):
                batch.validate(full=True)  # that text is UTF-8: Parquet does not ask
                yield pa.Table.from_batches([batch])
    elif kind == "csv":
        with file.open() as stream, as_text(stream) as text:
            yield from _cells_together(text, schema)
    else:
        with pa.input_stream(file.held, compression="gzip" if file.zipped else None) as stream:
            how = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
            for batch in pa_json.open_json(stream, pa_json.ReadOptions(block_size=BLOCK), how):
                yield pa.Table.from_batches([batch])


def _cells_together(file: TextIO, schema: pa.Schema) -> Iterator[pa.Table]:
    """The columns of `schema` from rows of cells. By Python's reader: Arrow's takes all rows after a quote without an end for one cell."""
    reader = csv.reader(file, strict=True)
    head = next(reader, [])
    if len({*head}) < len(head):
        raise _Odd
    while some := list(islice(reader, BATCH)):
        some = list(filter(None, some))
        if any(len(cells) != len(head) for cells in some):
            raise _Odd
        yield pa.table([pa.array([cells[place] for cells in some], pa.string()) for place in map(head.index, schema.names)], schema=schema)


def _records_of(file: File, form: Form) -> Iterator[tuple[pa.Table, list[Record]]]:
    """As `_columns`, with the records; one that is not as `form` has it has a fault too."""
    with closing(records(file)) as found:
        while some := list(islice(found, BATCH)):
            plain: list[dict[str, Any]] = []
            for at, record in enumerate(some):
                try:
                    plain.append(checked(form, record.content))
                except ValueError as error:
                    plain.append({})
                    some[at] = record._replace(fault=record.wrong(file.name, str(error), MEND))
            yield pa.Table.from_pylist([encodable(each) for each in plain], schema=schema_of(form)), some


def _together(found: Brought, parts: Iterator[tuple[pa.Table, list[Record] | None]], file: File, skip_bad: bool = False) -> Brought:
    """All the rows of `parts`; without records, a bad row is for the careful road."""
    tables, count = [], 0
    for table, held in parts:
        rows = taken(found.form, table)
        numbers = pa.array(np.arange(count + 1, count + len(table) + 1, dtype=np.int32))
        count += len(table)
        blank = rows.question.is_null().to_numpy(zero_copy_only=False)
        if blank.any():
            if held is None:
                raise _Odd
            for index in blank.nonzero()[0].tolist():
                _note(found, held[index].fault or held[index].wrong(file.name, "has no question", MEND))
        found.system_turns += rows.system_turns
        found.further_turns += rows.further_turns
        tables.append(pa.table([rows.question, rows.answer, numbers], schema=BROUGHT).filter(rows.question.is_valid()))
    if found.bad and not skip_bad:
        raise GlandError(_told(found, count))
    found.rows = pa.concat_tables([BROUGHT.empty_table(), *tables])
    return found


def _note(found: Brought, fault: Fault) -> None:
    found.bad += 1
    if found.bad <= SHOWN:
        found.examples.append(str(fault))


def _told(found: Brought, count: int) -> str:
    more = f"\nand {found.bad - SHOWN:,} more" if found.bad > SHOWN else ""
    said = f"{found.bad:,} of {count:,} rows cannot be read as {in_words(found.form)}; nothing was imported"
    return (
        "\n".join(found.examples)
        + f"{more}\n{said}: mend them, leave them out with --skip-bad, or name the columns with --question and --answer"
    )
