"""References: texts that questions are compared with and that are never published, with signatures of their own.

`references/NAME.parquet` holds the rows, `reference_signatures/NAME.parquet` what they are compared by.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gland_assets.core.errors import GlandError
from gland_assets.core.hashing import canonical
from gland_assets.core.levels import REFERENCE
from gland_assets.core.nearest import nearest
from gland_assets.core.project import Project
from gland_assets.core.recipes import fingerprint, recipe
from gland_assets.core.state import PartitionMeta
from gland_assets.io.bring import Brought
from gland_assets.io.imported import Origin, origins
from gland_assets.io.importing import alone, free_name, kept, write_given
from gland_assets.io.partitions import Partitions
from gland_assets.io.signing import signature_table
from gland_assets.io.table_hash import table_hash
from gland_assets.io.texts import compared_texts

ROWS, SIGNATURES = "references", "reference_signatures"


def add_references(project: Project, partitions: Partitions, files: Sequence[tuple[Path, Brought]]) -> list[tuple[Origin, int]]:
    """Keep files as references, each in the place of what came from the same path before, and sign them; each with its repeated rows."""
    with alone(partitions, ROWS):
        known = {origin.name: origin for origin in all_references(partitions)}
        made = []
        for path, brought in files:
            name = free_name(path, known)
            known[name], rows = kept(ROWS, f"{REFERENCE}{name}", name, path, brought)
            made.append((known[name], rows, len(brought.rows) - len(rows)))
        for origin, rows, _ in made:
            content = table_hash(rows)
            before = partitions.meta(ROWS, origin.name)
            if before is None or before.content_hash != content:
                write_given(partitions, ROWS, origin.name, rows, content, [origin])
        _sign(project, partitions)
    return [(origin, repeated) for origin, _, repeated in made]


def all_references(partitions: Partitions) -> list[Origin]:
    """The references there are, in order of name."""
    return [origin for name in partitions.stored(ROWS) for origin in origins(partitions.meta(ROWS, name))]


def sign_references(project: Project, partitions: Partitions) -> None:
    """Bring the signatures of all references up to date with their rows and with [dedup]; those of removed ones go."""
    with alone(partitions, ROWS):
        _sign(project, partitions)


def _sign(project: Project, partitions: Partitions) -> None:
    there = partitions.stored(ROWS)
    for name in partitions.stored(SIGNATURES):
        if name not in there:
            partitions.path(SIGNATURES, name).unlink(missing_ok=True)
    for name in there:
        rows, signed = partitions.meta(ROWS, name), partitions.meta(SIGNATURES, name)
        assert rows is not None
        made_by = recipe(project, "signatures", next(project.disciplines()))
        upstream = {ROWS: rows.content_hash}
        wanted = fingerprint(made_by, upstream)
        if signed is None or signed.fingerprint != wanted:
            slug = f"{REFERENCE}{name}"
            table = signature_table(slug, compared_texts(partitions, slug, project.dedup.over), project.dedup)
            meta = PartitionMeta(SIGNATURES, name, wanted, table_hash(table), canonical(made_by), upstream, usd="0")
            partitions.write(SIGNATURES, name, table, meta)


def remove_reference(partitions: Partitions, name: str) -> Origin:
    """Take a reference away with its signatures. Raises GlandError when there is none of that name."""
    with alone(partitions, ROWS):
        known = {origin.name: origin for origin in all_references(partitions)}
        if name not in known:
            raise GlandError(f"no reference {name!r}; {nearest(name, known, 'there are') if known else 'none was imported'}")
        for asset in (SIGNATURES, ROWS):
            partitions.path(asset, name).unlink(missing_ok=True)
        return known[name]
