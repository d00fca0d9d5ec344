"""Import files into a discipline, and take imports back; and the steps in which files become references too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from gland_assets.core.errors import GlandError
from gland_assets.core.hashing import canonical
from gland_assets.core.imports import in_words, pair_ids
from gland_assets.core.levels import IMPORTED
from gland_assets.core.nearest import nearest
from gland_assets.core.slugs import derive_slug
from gland_assets.core.state import PartitionMeta
from gland_assets.io.bring import Brought
from gland_assets.io.imported import Origin, meta_of, origins
from gland_assets.io.imported_rows import once, same
from gland_assets.io.locks import locked
from gland_assets.io.partitions import Partitions
from gland_assets.io.stored_schemas import STORED
from gland_assets.io.table_hash import table_hash

CONTENT = ("question_id", "question")  # the answer is part of the id as it stands


@dataclass(frozen=True, slots=True)
class Imported:
    """What importing a file did to a discipline."""

    origin: Origin
    brought: Brought
    repeated: int  # rows of the file that stand in it before
    new: int  # rows that the discipline did not have
    gone: int  # rows that the file held when it was last imported, and holds no more


def add(partitions: Partitions, slug: str, files: Sequence[tuple[Path, Brought]]) -> list[Imported]:
    """Import files into a discipline, all or none: each takes the place of what was imported from the same path before."""
    with alone(partitions, slug):
        meta = meta_of(partitions, slug)
        known = {origin.name: origin for origin in origins(meta)}
        held = _by_origin(partitions, slug, known) if meta else {}
        before, done = dict(held), []
        for path, brought in files:
            name = free_name(path, known)
            origin, rows = kept(IMPORTED, slug, name, path, brought)
            new = _not_among(rows, held.values())
            others = [table for each, table in held.items() if each != name]
            gone = _not_among(held[name], [rows, *others]) if name in held else 0
            done.append(Imported(origin, brought, len(brought.rows) - len(rows), new, gone))
            if name in held or new:  # what adds nothing under another name would only have to be taken back twice
                known[name], held[name] = origin, rows
        if held.keys() != before.keys() or any(not held[name].equals(before[name]) for name in held):
            _write(partitions, slug, held, known)
        return done


def remove(partitions: Partitions, slug: str, name: str) -> Origin:
    """Take an import back. Raises GlandError when the discipline has none of that name."""
    with alone(partitions, slug):
        known = {origin.name: origin for origin in origins(meta_of(partitions, slug))}
        if name not in known:
            there = nearest(name, known, "it has") if known else "nothing was imported into it"
            raise GlandError(f"{slug} has no import {name!r}; {there}")
        held = _by_origin(partitions, slug, known)
        gone = known.pop(name)
        del held[name]
        if held:
            _write(partitions, slug, held, known)
        else:
            partitions.path(IMPORTED, slug).unlink(missing_ok=True)
        return gone


def alone(partitions: Partitions, slug: str) -> AbstractContextManager[None]:
    """Holds what is imported into a discipline, or all references, against other imports."""
    return locked(partitions.warehouse / "locks" / f"_imported-{slug}.lock", f"what is imported into {slug}")


def free_name(path: Path, known: dict[str, Origin]) -> str:
    """The name of a file among the imports: that of its path, if it was imported before, else one that is free."""
    for origin in known.values():
        if origin.path == str(path):
            return origin.name
    stem = derive_slug(path.name.split(".")[0]) or "file"
    return next(name for name in (stem, *(f"{stem}-{number}" for number in range(2, len(known) + 3))) if name not in known)


def kept(asset: str, slug: str, name: str, path: Path, brought: Brought) -> tuple[Origin, pa.Table]:
    """A file under its name, and its rows as `asset` stores them for `slug`, each once."""
    ids: list[str] = []
    for some in brought.rows.to_batches():  # a million texts at once, as Python has them, would take another gigabyte
        ids += pair_ids(slug, some["question"].to_pylist(), some["answer"].to_pylist())
    question, answer, row = brought.rows.columns
    columns = {
        "question_id": pa.array(ids, pa.string()), "discipline": same(slug, len(ids)), "question": question, "text": question,
        "answer": answer, "source": same(name, len(ids)), "row": row,
    }  # fmt: skip
    rows = once(pa.table([columns[each] for each in STORED[asset].names], schema=STORED[asset]))
    answered = len(rows) - rows["answer"].null_count
    return Origin(name, str(path), in_words(brought.form), len(rows), answered, datetime.now(UTC).isoformat()), rows


def write_given(partitions: Partitions, asset: str, name: str, rows: pa.Table, content: str, known: Iterable[Origin]) -> None:
    """Replace what stands under `name` by rows of these files."""
    told = canonical({"version": "1", "origins": [asdict(origin) for origin in known]})
    partitions.write(asset, name, rows, PartitionMeta(asset, name, content, content, told))


def _not_among(rows: pa.Table, others: Iterable[pa.Table]) -> int:
    """How many of `rows` have an id that stands in none of the others."""
    known = pa.chunked_array([chunk for table in others for chunk in table["question_id"].chunks], pa.string())
    return len(rows) - (pc.sum(pc.is_in(rows["question_id"], value_set=known)).as_py() or 0)


def _by_origin(partitions: Partitions, slug: str, known: dict[str, Origin]) -> dict[str, pa.Table]:
    table, held, begin = partitions.columns(IMPORTED, slug, STORED[IMPORTED].names), {}, 0
    for name, origin in known.items():
        held[name] = table.slice(begin, origin.rows)
        begin += origin.rows
    return held


def _write(partitions: Partitions, slug: str, held: dict[str, pa.Table], known: dict[str, Origin]) -> None:
    names = sorted(held)
    table = pa.concat_tables([held[name] for name in names])
    content = table_hash(once(table).select(CONTENT))
    write_given(partitions, IMPORTED, slug, table, content, (known[name] for name in names))
