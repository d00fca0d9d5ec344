"""`gland show`: a row with all it comes from, the curriculum of a discipline, or a few pairs to read."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from gland_assets.cli import found, reading, render
from gland_assets.cli.places import known, places
from gland_assets.cli.sql import connect
from gland_assets.core.errors import GlandError
from gland_assets.core.levels import IMPORTED

if TYPE_CHECKING:
    import duckdb

    from gland_assets.core.project import Project
    from gland_assets.io.partitions import Partitions


def show(
    context: typer.Context,
    what: Annotated[
        str | None, typer.Argument(metavar="[ID|SLUG]", help="The id of a row, or its first 6 digits or more; or a discipline.")
    ] = None,
    count: Annotated[int, typer.Option("-n", metavar="N", min=1, max=1000, help="How many pairs, when nothing is named.")] = 3,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="The same pairs again; another number, others.")] = None,
) -> None:
    """Show a row with its whole ancestry, a discipline's curriculum, or a few random pairs."""
    from gland_assets.io.imported import meta_of, origins
    from gland_assets.io.partitions import Partitions

    here = places(context)
    project, partitions = here.project(), Partitions(here.warehouse)
    with closing(connect(project, here)) as connection:
        if what is None:
            _random(connection, project, count, random.randrange(10_000) if seed is None else seed)
        elif what in project.index():
            reading.curriculum(project, what, found.rows(connection, "curriculum", what), origins(meta_of(partitions, what)))
        elif found.PREFIX.fullmatch(what.lower()):
            _row(connection, project, partitions, found.find(connection, what.lower()))
        else:
            known(project, [what])


def _random(connection: duckdb.DuckDBPyConnection, project: Project, count: int, seed: int) -> None:
    ids = found.random_ids(connection, count, seed)
    if not ids:
        raise GlandError("no pair has been kept yet; `gland build` makes some, `gland status` says how far it has come")
    for row in found.pairs(connection, ids):
        reading.pair(project, row)
    render.remark(f"`gland show --seed {seed}` shows these again; `gland show ID` everything about one")


def _row(connection: duckdb.DuckDBPyConnection, project: Project, partitions: Partitions, which: found.Found) -> None:
    from gland_assets.io.imported import whence

    if which.kind == "question":
        questions = [which.id]
    elif which.kind in ("answer", "failed row"):
        source = "select question_id from gland_parts.answers where answer_id = $1"
        questions = [row[0] for row in connection.execute(source, [which.id]).fetchall()]
    else:
        questions = []
    if questions:
        for row in found.pairs(connection, questions):
            imported = row["strategy"] == IMPORTED
            reading.pair(project, row, True, whence(partitions, row["discipline"], row["question_id"]) if imported else ())
    elif which.kind == "failed row":
        failed = connection.execute("select stage, cause, detail, attempts from failures where row_id = $1", [which.id]).fetchall()
        reading.failed(project, which, failed)
    else:
        _part(connection, project, which)


def _part(connection: duckdb.DuckDBPyConnection, project: Project, which: found.Found) -> None:
    """A subject, or the one that a syllabus, session or key concept stands under, with what was asked of it."""
    around = [{"subject_id": which.id, "session_id": None, "concept": None}]
    if which.kind != "subject":
        around = [dict(row) for row in found.rows(connection, "around", which.id)]
    subject, session = (around[0]["subject_id"], around[0]["session_id"]) if around else (None, None)
    listed = [row for row in found.rows(connection, "curriculum", which.discipline) if row["subject_id"] == subject]
    within = session if which.kind in ("session", "key concept") else None
    asked = found.rows(connection, "asked_of", which.id) if within else []
    reading.part(project, which, listed, within, around[0]["concept"] if around else None, asked)
