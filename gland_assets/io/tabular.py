"""Records of the files that people have: JSON Lines, JSON, CSV, Parquet, each of them perhaps gzipped, or several in a tar archive.

What cannot be read is told as a Fault: file, line or number of the record, what is wrong, and the next step.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import tarfile
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple

from gland_assets.core.benchmarks import TABULAR, TAR
from gland_assets.core.errors import Fault, GlandError
from gland_assets.core.imports import kind_of_value

if TYPE_CHECKING:
    import pyarrow.parquet as pq

BATCH = 1024  # rows of Parquet read at once
FILES = "*.jsonl, *.json, *.csv and *.parquet, gzipped or not"
READABLE = f"{FILES}, and *.tar or *.tar.gz of such files"
MEND = "mend the line, or take it out"

csv.field_size_limit(2**31 - 1)  # a cell may be as long as it is

Kind = Literal["lines", "document", "csv", "parquet"]
"""JSON Lines, JSON that is one array or one object, CSV, Parquet."""


class Unreadable(GlandError):
    """A file that cannot be read, or not beyond some place."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(fault)


@dataclass(frozen=True, slots=True)
class File:
    """A file of records, by how it is told of: on disk, or out of an archive."""

    name: str
    held: Path | bytes

    @property
    def zipped(self) -> bool:
        """Whether it is gzipped, by its name."""
        return self.name.lower().endswith(".gz")

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """What it holds, unzipped."""
        with BytesIO(self.held) if isinstance(self.held, bytes) else self.held.open("rb") as raw:
            yield gzip.GzipFile(fileobj=raw) if self.zipped else raw  # type: ignore[misc]


class Record(NamedTuple):
    """What stands at a place of a file."""

    number: int  # from 1; 0 of a JSON file's only object
    line: int  # that it ends on; 0 of Parquet and of JSON that does not go by lines
    content: Mapping[str, Any]
    fault: Fault | None = None  # why it has no content

    def wrong(self, name: str, what: str, fix: str, node: str = "") -> Fault:
        """Something that is wrong with it."""
        return Fault(name if self.line or not self.number else f"{name}, row {self.number}", self.line, node, what, fix)


def is_archive(path: Path) -> bool:
    """Whether the name is that of a tar archive."""
    return re.search(TAR, path.name.lower()) is not None


def is_tabular(name: str) -> bool:
    """Whether records can be read from a file of this name."""
    return re.search(TABULAR, name.lower()) is not None


def in_archive(path: Path) -> list[File]:
    """The files of records in a tar archive, in order of name. Raises Unreadable."""
    with told(on_disk(path)), tarfile.open(path) as archive:
        held = sorted((member for member in archive if member.isfile() and is_tabular(member.name)), key=lambda member: member.name)
        files = []
        for member in held:
            stream = archive.extractfile(member)
            assert stream is not None, "only of what is no file"
            files.append(File(f"{path}/{member.name}", stream.read()))
        return files


def on_disk(path: Path) -> File:
    """A file of records that stands by itself."""
    return File(str(path), path)


def kind_of(file: File) -> Kind:
    """What a file holds, by its name; whether JSON goes by lines, by the first two of these. Raises Unreadable."""
    name = file.name.lower()
    if not is_tabular(name):
        raise Unreadable(Fault(file.name, 0, "", "is of no kind that can be read", f"name one of {FILES}"))
    ending = name.removesuffix(".gz").rsplit(".", 1)[-1]
    if ending == "json":
        with told(file), file.open() as stream:
            first = list(islice(filter(bytes.strip, stream), 2))
        return "lines" if len(first) == 2 and _is_object(first[0]) else "document"
    return "csv" if ending == "csv" else "parquet" if ending == "parquet" else "lines"


def _is_object(line: bytes) -> bool:
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(line), dict)
    return False


def records(file: File, header: bool = True) -> Generator[Record]:
    """What a file holds, in order, record by record; one that cannot be read has a fault.

    `header`: whether the first line of a CSV names its columns; otherwise they are "0", "1" … Raises Unreadable where nothing that follows
    can be read.
    """
    kind = kind_of(file)
    with told(file):
        if kind == "parquet":
            yield from _rows(file)
            return
        with file.open() as stream:
            if kind == "csv":
                yield from _cells(file.name, stream, header)
            else:
                yield from _lines(file.name, stream) if kind == "lines" else _document(file.name, stream)


def _lines(name: str, stream: Iterable[bytes]) -> Iterator[Record]:
    number = 0
    for line, text in enumerate(stream, 1):
        if not text.strip():
            continue
        number += 1
        try:
            yield _of_json(name, number, line, json.loads(text.decode("utf-8-sig" if line == 1 else "utf-8")))
        except UnicodeDecodeError as error:
            yield _bad(name, number, line, *_not_utf8(error))
        except (ValueError, RecursionError) as error:  # of a number with thousands of digits too
            yield _bad(name, number, line, f"is not JSON: {getattr(error, 'msg', error)}", MEND)


def _document(name: str, stream: BinaryIO) -> Iterator[Record]:
    try:
        content = json.loads(stream.read().decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:  # of a number with thousands of digits too
        what = f"is not JSON: {getattr(error, 'msg', error)}"
        raise Unreadable(Fault(name, getattr(error, "lineno", 0), "", what, "mend the file")) from error
    if isinstance(content, list):
        yield from (_of_json(name, number, 0, each) for number, each in enumerate(content, 1))
    else:
        yield _of_json(name, 0, 0, content)


def _of_json(name: str, number: int, line: int, content: Any) -> Record:
    if isinstance(content, dict):
        return Record(number, line, content)
    return _bad(name, number, line, f"is {kind_of_value(content)}, not an object", 'write each row as {"column": "text", …}')


def _cells(name: str, stream: BinaryIO, header: bool) -> Iterator[Record]:
    with as_text(stream) as text:
        reader = csv.reader(text, strict=True)
        head: list[str] | None = None
        number = 0
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if header and head is None:
                    raise Unreadable(Fault(name, reader.line_num, "", f"its head is not CSV: {error}", "mend the first line")) from error
                number += 1
                yield _bad(name, number, reader.line_num, f"is not CSV: {error}", MEND)
                continue
            if not cells:
                continue
            if header and head is None:
                head = cells
                if twice := [column for column, count in Counter(head).items() if count > 1]:
                    what = f"its head names {twice[0]!r} twice"
                    raise Unreadable(Fault(name, reader.line_num, "", what, "give each column a name of its own"))
                continue
            number += 1
            if head is not None and len(cells) != len(head):
                yield _bad(name, number, reader.line_num, f"has {len(cells)} cells where the head has {len(head)}", MEND)
            else:
                yield Record(number, reader.line_num, dict(zip(head or map(str, range(len(cells))), cells, strict=True)))


def _bad(name: str, number: int, line: int, what: str, fix: str) -> Record:
    record = Record(number, line, {})
    return record._replace(fault=record.wrong(name, what, fix))


def as_text(stream: BinaryIO) -> TextIOWrapper:
    """Bytes as the text of a CSV: UTF-8, perhaps with its mark, lines as they end."""
    return TextIOWrapper(stream, "utf-8-sig", newline="")


def _rows(file: File) -> Iterator[Record]:
    number = 0
    with parquet(file) as held:
        for batch in held.iter_batches(BATCH):
            batch.validate(full=True)
            for row in batch.to_pylist():
                number += 1
                yield Record(number, 0, row)


def parquet(file: File) -> pq.ParquetFile:
    """A file of Parquet, opened. Raises what is `unreadable`."""
    import pyarrow as pa  # as long in loading as many a command takes, which asks for no more than a file's hash
    import pyarrow.parquet as pq

    if isinstance(file.held, Path) and not file.zipped:
        return pq.ParquetFile(file.held)
    with file.open() as stream:
        return pq.ParquetFile(pa.BufferReader(stream.read()))


def unreadable() -> tuple[type[Exception], ...]:
    """What is raised where a file cannot be read as what its name says."""
    import pyarrow as pa

    return OSError, EOFError, zlib.error, tarfile.TarError, pa.ArrowException


@contextmanager
def told(file: File) -> Iterator[None]:
    """What goes wrong in reading a file, as Unreadable."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise Unreadable(Fault(file.name, _line_not_utf8(file), "", *_not_utf8(error))) from error
    except Exception as error:
        if not isinstance(error, unreadable()):
            raise
        reason = getattr(error, "strerror", None) or str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unreadable(Fault(file.name, 0, "", f"cannot be read: {reason}", "put the whole file there, or name another")) from error


def _not_utf8(error: UnicodeDecodeError) -> tuple[str, str]:
    return f"byte 0x{error.object[error.start]:02x} is not UTF-8", "save the file as UTF-8"


def _line_not_utf8(file: File) -> int:
    """The first line that is not UTF-8."""
    with file.open() as lines:
        for number, line in enumerate(lines, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 0
