"""The benchmark sets that a project declares: where their files are, what items those hold, and a hash by which a changed file shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache, lru_cache
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from gland_assets.core.benchmarks import KNOWN, files_of, item_texts, members_of, of_split
from gland_assets.core.decontamination import Item
from gland_assets.core.errors import Fault, SettingsError
from gland_assets.core.hashing import ID_BYTES, digest
from gland_assets.core.project import DecontaminationSet
from gland_assets.io.tabular import READABLE, File, Record, Unreadable, in_archive, is_archive, is_tabular, on_disk, records

if TYPE_CHECKING:
    from gland_assets.core.leaks import Index

TEST = "test"  # the split of a known set that is compared with
Below = Callable[[str], list[str]]
"""Folder -> the paths of all files in it and below, from it on."""


def stamped(declared: Sequence[DecontaminationSet]) -> tuple[DecontaminationSet, ...]:
    """The sets with a hash of what their files hold now, empty where there are none.

    A process reads a file again only once it has changed.
    """
    below = cache(_below)
    return tuple(replace(each, content=_content(_paths(each, below))) for each in declared)


@lru_cache(maxsize=1)
def index_of(declared: tuple[DecontaminationSet, ...]) -> Index:
    """What is looked for, made once in a process for the same files. Raises SettingsError."""
    from gland_assets.core.leaks import Benchmark, Index  # which load NumPy

    return Index([Benchmark(each.name, each.rules, read_items(each)) for each in declared])


def read_items(declared: DecontaminationSet) -> tuple[Item, ...]:
    """The items of a set, in order of file and row; what stands twice under one id stands once.

    Raises SettingsError with the file and line at fault.
    """
    try:
        files = _files(declared)
        base = os.path.commonpath([os.path.dirname(file.name) for file in files])
        found = dict.fromkeys(item for file in files for item in _items(declared, file, os.path.relpath(file.name, base)))
    except Unreadable as error:
        raise SettingsError([replace(error.fault, node=_node(declared))]) from error
    if not found:
        raise _fault(declared, "holds no item", "name the file that holds the set, or its `columns`")
    return tuple(found)


def split_of(declared: DecontaminationSet) -> str:
    """The part of the set that its items are of; empty where nothing tells."""
    return declared.split or (TEST if declared.known else "")


def _items(declared: DecontaminationSet, file: File, name: str) -> Iterator[Item]:
    """The items of a file; one without an id of its own is called by `name`, the row and its number in that."""
    known = KNOWN[declared.name] if declared.known else None
    columns = declared.columns or _columns(known.columns if known else (), file)
    ids = (declared.id,) if declared.id else known.ids if known else ()
    split = split_of(declared)
    stem = os.path.join(os.path.dirname(name), os.path.basename(name).split(".")[0])
    with closing(_readable(file, columns)) as held:
        for record in held:
            row, at = record.content, record.line or record.number
            identity = next((str(row[each]) for each in ids if each in row), None) if ids else None
            try:
                if declared.id and identity is None:
                    raise LookupError(declared.id)
                texts = item_texts(row, columns)
            except LookupError as error:
                what = f"has no column {error.args[0]!r}; it has {', '.join(map(str, row))}"
                fix = f"set `columns` and `id` of [decontaminate.{declared.name}] by these"
                raise SettingsError([record.wrong(file.name, what, fix, _node(declared))]) from None
            if known and known.numbers and identity and not known.numbers[0] <= int(identity) <= known.numbers[1]:
                continue
            identity = identity or (f"{stem}:{at}" if at else stem)
            for number, text in enumerate(texts, 1):
                if text.strip():
                    yield Item(split, f"{identity}:{number}" if len(texts) > 1 else identity, text)


def _columns(choices: Sequence[tuple[str, ...]], file: File) -> tuple[str, ...]:
    """The first of the choices that the file's first row has; the first of all when it has none."""
    for columns in choices:
        with suppress(LookupError), closing(_readable(file, columns)) as held:
            item_texts(next(held, Record(0, 0, {})).content, columns)
            return columns
    return choices[0]


def _readable(file: File, columns: Sequence[str]) -> Generator[Record]:
    """The records of a file, up to the first that cannot be read. Numbers stand for the columns of a CSV without a header."""
    for record in records(file, not all(column.isdecimal() for column in columns)):
        if record.fault is not None:
            raise Unreadable(record.fault)
        yield record


def _files(declared: DecontaminationSet) -> list[File]:
    """The files of a set, those in archives too. Raises SettingsError when there is none."""
    files: list[File] = []
    for path in _paths(declared, _below):
        if not is_archive(path):
            files.append(on_disk(path))
            continue
        held = {file.name: file for file in in_archive(path)}
        inner = [name.removeprefix(f"{path}/") for name in held]
        chosen = members_of(KNOWN[declared.name], inner) if declared.known else of_split(inner, declared.split)
        files += [held[f"{path}/{name}"] for name in chosen]
    if not files:
        raise _fault(declared, *lacking(declared))
    return files


def lacking(declared: DecontaminationSet) -> tuple[str, str]:
    """What to say of a set without files, and the next step."""
    if declared.known:
        folders = " or ".join(KNOWN[declared.name].folders)
        what = f"{declared.path} has no files of {declared.name!r}, in a folder such as {folders}"
        return what, f"put the set there, or give `path` and `columns` under [decontaminate.{declared.name}]"
    if not os.path.exists(declared.path):
        return f"{declared.path} does not exist", "put the file there, or mend the path"
    of = f" of split {declared.split!r}" if declared.split else ""
    return f"{declared.path} has no file{of} that can be read", f"put one there: {READABLE}"


def _paths(declared: DecontaminationSet, below: Below) -> list[Path]:
    """The files of a set on disk, in order; none when they are not there."""
    root = Path(declared.path)
    if root.is_file():
        return [root]
    found = below(declared.path)
    if declared.known:
        return [root.parent / path for path in files_of(KNOWN[declared.name], [f"{root.name}/{path}" for path in found])]
    readable = [path for path in found if is_tabular(path)]
    archives = [path for path in found if is_archive(Path(path))]
    return [root / path for path in sorted([*of_split(readable, declared.split), *archives])]


def _below(folder: str) -> list[str]:
    found = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        found += [os.path.relpath(os.path.join(parent, file), folder) for file in files]
    return found


def _content(paths: Sequence[Path]) -> str:
    """A hash of what the files hold and of how they are called, from the folder on that they have in common, which items' ids may show."""
    if not paths:
        return ""
    base = os.path.commonpath([path.parent for path in paths])
    try:
        states = [(path, path.stat()) for path in paths]
        held = [[os.path.relpath(path, base), _hash(path, state.st_size, state.st_mtime_ns, state.st_ino)] for path, state in states]
    except OSError:
        return ""
    return digest("benchmark", held)


@lru_cache(maxsize=1 << 14)
def _hash(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return file_digest(file, lambda: blake2b(digest_size=ID_BYTES)).hexdigest()


def _node(declared: DecontaminationSet) -> str:
    return f"decontaminate {declared.name!r}"


def _fault(declared: DecontaminationSet, what: str, fix: str) -> SettingsError:
    return SettingsError([Fault(declared.path, 0, _node(declared), what, fix)])
