"""What questions are compared by, as it is stored: their rows for minhash.duckdb, and the texts by which two of them are alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gland_assets.core.dedup import UInt64s
from gland_assets.core.hashing import digest
from gland_assets.core.levels import REFERENCE
from gland_assets.core.plan import Metas
from gland_assets.core.project import Project
from gland_assets.io.partitions import Partitions
from gland_assets.io.parts import PARTS, view_partitions
from gland_assets.io.sql import as_pattern, files_list, query

COMPARED = ("signatures", "questions", "answers")
"""The assets that say which questions are duplicates."""


def made_from(project: Project, metas: Metas) -> dict[str, str]:
    """Discipline -> the partitions that its rows are compared by, as they were last written; of those that have signatures.

    References stand beside the disciplines, as reference:NAME.
    """
    stamps = {slug: [(meta := metas.get((asset, slug))) and meta.stamp for asset in COMPARED] for slug in project.index()}
    found = {slug: digest(told) for slug, told in stamps.items() if told[0]}
    return found | {f"{REFERENCE}{name}": meta.stamp for (asset, name), meta in metas.items() if asset == "reference_signatures"}


def is_reference(slug: str) -> bool:
    """Whether what stands for the discipline is a reference."""
    return slug.startswith(REFERENCE)


def signed_as(slug: str) -> tuple[str, str]:
    """Asset and name of the partition that holds the signatures of a discipline or a reference."""
    return ("reference_signatures", slug.removeprefix(REFERENCE)) if is_reference(slug) else ("signatures", slug)


def view_compared(connection: duckdb.DuckDBPyConnection, partitions: Partitions, metas: Metas, slugs: Iterable[str]) -> None:
    """Name the rows of these disciplines and references for minhash/rows.sql."""
    wanted = list(slugs)
    for asset in COMPARED:
        view_partitions(connection, partitions, asset, [slug for slug in wanted if (asset, slug) in metas])
    files = [partitions.path(*signed_as(slug)) for slug in wanted if is_reference(slug)]
    source = (
        f"read_parquet({files_list(*map(as_pattern, files))}, hive_partitioning = false)" if files else f"{PARTS}.signatures where false"
    )
    connection.execute(f"create or replace view {PARTS}.reference_signatures as select * from {source}")


def stored_rows(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The rows named by `view_compared`: question_id, discipline, publishable, text_key and keys."""
    rows = connection.execute(query("minhash/rows")).to_arrow_table()
    hashes = rows["text_hash"].combine_chunks()
    told = bytes.fromhex("".join(pc.utf8_slice_codeunits(hashes, 0, 16).to_pylist()))
    keys = np.frombuffer(told, dtype=">u8").astype(np.uint64)
    return rows.drop_columns("text_hash").append_column("text_key", pa.array(keys))


def groups(disciplines: Iterable[str], across: bool) -> UInt64s:
    """What sets the rows of each discipline apart from those that they are not compared with."""
    told = ["" if across or is_reference(slug) else slug for slug in disciplines]
    return np.array([int(digest("group", slug)[:16], 16) if slug else 0 for slug in told], dtype=np.uint64)


def compared_texts(partitions: Partitions, slug: str, over: str) -> pa.Table:
    """The texts that a discipline's questions, or a reference's rows, are compared by, null where there is none, with id and discipline.

    Raises WarehouseError when a partition cannot be read or was not made.
    """
    names = ("question_id", "discipline", "text")
    if is_reference(slug):
        return _of_reference(partitions, slug, over)
    if over != "both":
        return partitions.columns(over, slug, names)
    return _joined(partitions.columns("questions", slug, names), partitions.columns("answers", slug, ("question_id", "text")))


def _of_reference(partitions: Partitions, slug: str, over: str) -> pa.Table:
    columns = ("question_id", "discipline", "text") if over == "questions" else ("question_id", "discipline", "text", "answer")
    rows = partitions.columns("references", slug.removeprefix(REFERENCE), columns)
    if over == "questions":
        return rows
    answers = rows.select(["question_id", "answer"]).rename_columns(["question_id", "text"])
    asked = rows.select(["question_id", "discipline", "text"])
    return _joined(asked, answers) if over == "both" else asked.set_column(2, "text", answers["text"])


def _joined(asked: pa.Table, answered: pa.Table) -> pa.Table:
    """Question and answer as one text; none where one of them is missing."""
    at = pc.index_in(asked["question_id"], value_set=answered["question_id"].combine_chunks())
    return asked.set_column(2, "text", pc.binary_join_element_wise(asked["text"], answered["text"].take(at), "\n\n"))


class Texts:
    """The texts of rows, read by discipline when the first of them is asked for."""

    def __init__(self, partitions: Partitions, over: str, ids: Sequence[str], disciplines: Sequence[str]) -> None:
        self._partitions, self._over, self._ids, self._disciplines = partitions, over, ids, disciplines
        self._of: dict[str, dict[str, str]] = {}
        self._wanted: defaultdict[str, list[str]] = defaultdict(list)
        for identity, slug in zip(ids, disciplines, strict=True):
            self._wanted[slug].append(identity)

    def __call__(self, row: int) -> str:
        """The stored text; empty when the partition was replaced meanwhile and has it no more: the next build compares anew.

        Raises WarehouseError when the partition cannot be read.
        """
        slug = self._disciplines[row]
        if slug not in self._of:
            self._of[slug] = self._read(slug)
        return self._of[slug].get(self._ids[row], "")

    def _read(self, slug: str) -> dict[str, str]:
        stored = compared_texts(self._partitions, slug, self._over)
        stored = stored.filter(
            pc.and_(pc.is_valid(stored["text"]), pc.is_in(stored["question_id"], value_set=pa.array(self._wanted[slug])))
        )
        return dict(zip(stored["question_id"].to_pylist(), stored["text"].to_pylist(), strict=True))
