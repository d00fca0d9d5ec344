"""Rows of the files that people have: JSON Lines, JSON, CSV, Parquet, each of them perhaps gzipped, or several in a tar archive."""

from __future__ import annotations

import csv
import gzip
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

from gland_assets.core.benchmarks import TABULAR, TAR
from gland_assets.core.errors import Fault, SettingsError

LONGEST = 1 << 30  # characters of a CSV field
BATCH = 1024  # rows of Parquet read at once
READABLE = "*.jsonl, *.json, *.csv and *.parquet, gzipped or not, and *.tar or *.tar.gz of such files"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """A file of rows on disk or in an archive: how it is told of, and how it is opened."""

    name: str
    open: Callable[[], BinaryIO]


def is_archive(path: Path) -> bool:
    """Whether the name is that of a tar archive."""
    return re.search(TAR, path.name.lower()) is not None


def is_tabular(name: str) -> bool:
    """Whether rows can be read from a file of this name."""
    return re.search(TABULAR, name.lower()) is not None


def in_archive(path: Path) -> list[File]:
    """The files of rows in a tar archive, in order of name. Raises SettingsError."""
    with _told(str(path)), tarfile.open(path) as archive:
        held = sorted((member for member in archive if member.isfile() and is_tabular(member.name)), key=lambda member: member.name)
        files = []
        for member in held:
            stream = archive.extractfile(member)
            assert stream is not None, "only of what is no file"
            data = stream.read()
            files.append(File(f"{path}/{member.name}", lambda data=data: BytesIO(data)))  # type: ignore[misc]
        return files


def on_disk(path: Path) -> File:
    """A file of rows that stands by itself."""
    return File(str(path), lambda: path.open("rb"))


def read_rows(file: File, header: bool = True) -> Generator[tuple[int, Row]]:
    """The rows of a file, each with its line (of JSON and Parquet its number) from 1 on; 0 for a JSON file's only object.

    `header`: whether the first line of a CSV names its columns; otherwise they are "0", "1" … Raises SettingsError with the line at fault.
    """
    name = file.name.lower()
    if not is_tabular(name):
        raise _fault(file.name, 0, "is of no kind that can be read", f"name one of {READABLE}")
    kind = name.removesuffix(".gz").rsplit(".", 1)[-1]
    with _told(file.name), file.open() as raw:
        stream: BinaryIO = gzip.GzipFile(fileobj=raw) if name.endswith(".gz") else raw  # type: ignore[assignment]
        if kind == "parquet":
            yield from _parquet(stream)
        elif kind == "csv":
            yield from _csv(stream, header)
        elif kind == "json":
            yield from _json(file.name, stream)
        else:
            yield from _lines(file.name, stream)


def _lines(name: str, stream: BinaryIO) -> Iterator[tuple[int, Row]]:
    with TextIOWrapper(stream, "utf-8-sig") as texts:
        for line, text in enumerate(texts, 1):
            if text.strip():
                try:
                    row = json.loads(text)
                except ValueError as error:
                    raise _fault(name, line, f"is no JSON: {error}", "mend the line, or take it out") from error
                yield line, _object(name, line, row)


def _json(name: str, stream: BinaryIO) -> Iterator[tuple[int, Row]]:
    try:
        content = json.loads(stream.read().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        fix = "one object a line is JSON Lines: name the file *.jsonl" if error.msg == "Extra data" else "mend the file"
        raise _fault(name, error.lineno, f"is no JSON: {error.msg}", fix) from error
    if not isinstance(content, list):
        yield 0, _object(name, 0, content)
        return
    for number, row in enumerate(content, 1):
        yield number, _object(name, number, row)


def _csv(stream: BinaryIO, header: bool) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(LONGEST)
    with TextIOWrapper(stream, "utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        names = next(reader, []) if header else None
        for row in reader:
            if row:
                yield reader.line_num, dict(zip(names or map(str, range(len(row))), row, strict=False))


def _parquet(stream: BinaryIO) -> Iterator[tuple[int, Row]]:
    import pyarrow as pa  # as long in loading as many a command takes, which asks for no more than a file's hash
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(pa.BufferReader(stream.read())).iter_batches(BATCH):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except pa.ArrowException as error:
        raise OSError(str(error)) from error


def _object(name: str, line: int, row: Any) -> Row:
    if not isinstance(row, dict):
        raise _fault(name, line, f"is a {type(row).__name__}, not an object", 'write each row as {"column": "text", …}')
    return row


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What goes wrong in reading, as a fault that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise _fault(name, 0, f"byte 0x{error.object[error.start]:02x} is not UTF-8", "save the file as UTF-8") from error
    except (OSError, EOFError, zlib.error, tarfile.TarError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0] if str(error) else type(error).__name__
        raise _fault(name, 0, f"cannot be read: {reason}", "put the whole file there again") from error


def _fault(name: str, line: int, what: str, fix: str) -> SettingsError:
    return SettingsError([Fault(name, line, "benchmark file", what, fix)])
