"""The stored questions nearest to a text: candidates by the band keys of minhash.duckdb, similarity by the texts behind these, exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from gland_assets.core.dedup import jaccard, shingles, sign
from gland_assets.core.errors import GlandError, WarehouseBusy
from gland_assets.core.levels import REFERENCE, upstream
from gland_assets.core.project import Project
from gland_assets.core.recipes import recipe
from gland_assets.core.state import PartitionMeta
from gland_assets.core.texts import Texts, UInt32s
from gland_assets.io.database import WAIT_S, opened_to_read, refused, stands
from gland_assets.io.live import steady
from gland_assets.io.minhash import INDEX, candidates
from gland_assets.io.partitions import Partitions
from gland_assets.io.parts import view_partitions
from gland_assets.io.references import ROWS
from gland_assets.io.sql import query
from gland_assets.io.texts import StoredTexts, is_reference

MOST = 2_000
"""Rows whose texts are compared, those that share most bands first: templated ones share them by the thousand."""


Held = tuple[str, str]  # id and discipline of a row of the index


@dataclass(frozen=True, slots=True)
class Near:
    """A question, or row of a reference, and the exact Jaccard similarity of what it is compared by to the text that was asked about."""

    question_id: str
    discipline: str  # of a reference's text: reference:NAME
    status: str | None  # what became of the question, or `reference`; None until its answer is made
    text: str  # of the question, its answer, or both, as `over` says
    similarity: float


@dataclass(frozen=True, slots=True)
class Nearest:
    """What was found, the nearest first."""

    found: tuple[Near, ...]
    over: str  # questions, answers or both: which text of a pair is indexed, and so was compared
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
    partitions, over = Partitions(warehouse), project.dedup.over
    shared, stamps = _index(warehouse, signed.bands[0], wait_s)
    metas = partitions.metas()
    signatures = {slug: meta for slug in project.index() if (meta := metas.get(("signatures", slug)))}
    behind = [slug for slug, meta in signatures.items() if meta.stamp != stamps.get(slug) or _signed_otherwise(project, meta)]
    rows = [(identity, slug) for identity, slug in shared[:MOST] if all(asset in metas for asset in _texts_of(slug, over))]
    states = _states(connection, partitions, rows)
    told = {"question_id": [identity for identity, _ in rows], "discipline": [slug for _, slug in rows]}
    texts = StoredTexts(partitions, over, pa.table(told, pa.schema(dict.fromkeys(told, pa.string()))))
    mine = shingles(text, project.dedup.ngram)
    found = [
        Near(identity, slug, states.get(identity, REFERENCE[:-1]), stored, jaccard(mine, shingles(stored, project.dedup.ngram)))
        for row, (identity, slug) in enumerate(rows)
        if (is_reference(slug) or identity in states) and (stored := texts(row))
    ]
    found.sort(key=lambda near: (-near.similarity, near.discipline, near.question_id))
    alike = tuple(near for near in found[:count] if near.similarity > 0)
    return Nearest(alike, over, len(found), max(0, len(shared) - MOST), tuple(behind))


def _signed_otherwise(project: Project, meta: PartitionMeta) -> bool:
    """Whether signatures were made by other settings than those declared now."""
    now = recipe(project, "signatures", project.discipline(meta.discipline))
    return now != {**now, **json.loads(meta.recipe)}


def _texts_of(slug: str, over: str) -> list[tuple[str, str]]:
    """The partitions that hold the texts by which a discipline's questions, or a reference's rows, are compared."""
    if is_reference(slug):
        return [(ROWS, slug.removeprefix(REFERENCE))]
    return [(asset, slug) for asset in upstream("signatures", over)]


def _index(warehouse: Path, keys: UInt32s, wait_s: float) -> tuple[list[Held], dict[str, str]]:
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


def _states(connection: duckdb.DuckDBPyConnection, partitions: Partitions, shared: Sequence[Held]) -> dict[str, str | None]:
    """What became of the questions among these, by id, from the partitions of their disciplines alone."""
    ours = [(identity, slug) for identity, slug in shared if not is_reference(slug)]
    if not ours:
        return {}
    slugs = sorted({slug for _, slug in ours})
    for asset in ("questions", "answers"):
        view_partitions(connection, partitions, asset, slugs)
    return dict(steady(lambda: connection.execute(query("show/similar"), [[identity for identity, _ in ours]]).fetchall()))


def recall(similarity: float, bands: int, rows: int) -> float:
    """The share of texts of this similarity that share a band."""
    return float(1 - (1 - similarity**rows) ** bands)
