"""The stored questions nearest to a text: candidates by the band keys of minhash.duckdb, similarity by their texts, exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from gland_assets.core.dedup import UInt64s, jaccard, shingles, sign
from gland_assets.core.errors import GlandError, WarehouseBusy
from gland_assets.core.levels import REFERENCE
from gland_assets.core.project import Project
from gland_assets.core.texts import Texts
from gland_assets.io.database import WAIT_S, opened_to_read, refused, stands
from gland_assets.io.live import steady
from gland_assets.io.minhash import INDEX, candidates
from gland_assets.io.partitions import Partitions
from gland_assets.io.parts import view_partitions
from gland_assets.io.references import ROWS
from gland_assets.io.sql import query

MOST = 2_000
"""Questions whose texts are compared, those that share most bands first: templated ones share them by the thousand."""


Row = tuple[str, str, str | None, str | None]  # id, discipline, status, text


@dataclass(frozen=True, slots=True)
class Near:
    """A stored text and its exact Jaccard similarity to the one that was asked about."""

    question_id: str
    discipline: str  # of a reference's text: reference:NAME
    status: str | None  # what became of the question, or `reference`; None until its answer is made
    text: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Nearest:
    """What was found, the nearest first."""

    found: tuple[Near, ...]
    compared: int  # texts
    left_out: int  # that share a band and were not compared, since there were too many
    behind: tuple[str, ...]  # disciplines whose questions the index does not hold as they are now


def nearest(
    connection: duckdb.DuckDBPyConnection, project: Project, warehouse: Path, text: str, count: int, wait_s: float = WAIT_S
) -> Nearest:
    """The `count` stored questions, and texts of references, nearest to `text` among those that share a band with it.

    `connection` sees the live views, and afterwards only the disciplines that were looked into. Raises GlandError for a text without a
    word, where there is no index yet, and while another program holds the index.
    """
    signed = sign(Texts.of([text]), project.dedup)
    if not signed.worded[0]:
        raise GlandError("there is no word in that text; questions are compared by their words")
    partitions = Partitions(warehouse)
    shared, stamps = _index(warehouse, signed.bands[0], wait_s)
    metas = partitions.metas()
    behind = [slug for slug in project.index() if ("signatures", slug) in metas and metas["signatures", slug].stamp != stamps.get(slug)]
    rows = [*_stored(connection, partitions, shared[:MOST]), *_of_references(partitions, shared[:MOST])]
    mine = shingles(text, project.dedup.ngram)
    found = [
        Near(identity, discipline, status, stored, jaccard(mine, shingles(stored, project.dedup.ngram)))
        for identity, discipline, status, stored in rows
        if stored is not None
    ]
    found.sort(key=lambda near: (-near.similarity, near.discipline, near.question_id))
    alike = tuple(near for near in found[:count] if near.similarity > 0)
    return Nearest(alike, len(found), max(0, len(shared) - MOST), tuple(behind))


def _index(warehouse: Path, keys: UInt64s, wait_s: float) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The questions and references' rows that share a band, those with most first, and the stamps of what the index was made from."""
    path = warehouse / INDEX
    if not stands(path):
        raise GlandError(f"{path} is not there yet; `gland build`, or `gland publish` where questions stand, makes it")
    try:
        shared = candidates(warehouse, keys, wait_s)
        with opened_to_read(path, wait_s) as connection:
            return shared, dict(connection.execute("select discipline, stamp from parts").fetchall())
    except WarehouseBusy as busy:
        raise GlandError(f"{path} is held by {busy.holder}; ask again when it has let go") from busy
    except duckdb.Error as error:
        raise refused(path, error) from error


def _stored(connection: duckdb.DuckDBPyConnection, partitions: Partitions, shared: Sequence[tuple[str, str]]) -> list[Row]:
    """The rows of questions, read from the partitions of their disciplines alone."""
    ours = [(identity, discipline) for identity, discipline in shared if not discipline.startswith(REFERENCE)]
    if not ours:
        return []
    slugs = sorted({discipline for _, discipline in ours})
    for asset in ("questions", "answers"):
        view_partitions(connection, partitions, asset, slugs)
    return steady(lambda: connection.execute(query("show/similar"), [[identity for identity, _ in ours]]).fetchall())


def _of_references(partitions: Partitions, shared: Sequence[tuple[str, str]]) -> Iterator[Row]:
    for reference in sorted({discipline for _, discipline in shared if discipline.startswith(REFERENCE)}):
        ids = pa.array([identity for identity, discipline in shared if discipline == reference], pa.string())
        rows = partitions.columns(ROWS, reference.removeprefix(REFERENCE), ["question_id", "discipline", "text"])
        for row in rows.filter(pc.is_in(rows["question_id"], value_set=ids)).to_pylist():
            yield row["question_id"], row["discipline"], "reference", row["text"]


def recall(similarity: float, bands: int, rows: int) -> float:
    """The share of texts of this similarity that share a band."""
    return float(1 - (1 - similarity**rows) ** bands)
