"""Publication: what is published is what stands, the changed disciplines alone are touched, and nobody's own tables are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
from dagster_duckdb import DuckDBResource
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.errors import DamagedPartition, WarehouseError
from gland_assets.core.project import Project
from gland_assets.core.records import Duplicate
from gland_assets.core.tables import DATASET, TABLES, VIEWS
from gland_assets.io.live import connect_live
from gland_assets.io.minhash import compute_duplicates
from gland_assets.io.partitions import Partitions
from gland_assets.io.sql import useful_questions
from gland_assets.io.warehouse import Published, publish
from tests import rows

SLUGS = ("logic", "optics", "poetry")
PROJECT = rows.project(SLUGS)


def published(warehouse: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(duckdb.connect(str(warehouse / "gland.duckdb"), read_only=True)) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query).fetchall()


def change(warehouse: Path, *statements: str) -> None:
    """What somebody does to the published file by hand."""
    with closing(duckdb.connect(str(warehouse / "gland.duckdb"))) as connection:
        for statement in statements:
            connection.execute(statement)


def stored(warehouse: Path, pairs: int = 5) -> list[rows.Made]:
    made = [rows.made(slug, pairs) for slug in SLUGS]
    rows.store(Partitions(warehouse), *made)
    rows.store_ledger(warehouse, *made)
    return made


def everything(connection: duckdb.DuckDBPyConnection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table.name: connection.execute(f"select {', '.join(table.column_names)} from {table.name} order by all").fetchall()
        for table in (*TABLES.values(), *VIEWS.values())
    }


def assert_published_is_what_stands(project: Project, warehouse: Path) -> None:
    with closing(connect_live(project, warehouse)) as live:
        standing = everything(live)
    with closing(duckdb.connect(str(warehouse / "gland.duckdb"), read_only=True)) as connection:
        connection.execute("set timezone = 'UTC'")
        held = everything(connection)
    for name, wanted in standing.items():
        assert held[name] == wanted, name


def test_a_first_publication_holds_everything(tmp_path: Path) -> None:
    made = stored(tmp_path)
    rows.store(Partitions(tmp_path), rows.with_failed_answer(made[0], 2))
    first = publish(PROJECT, tmp_path, DuckDBResource(database=str(tmp_path / "gland.duckdb")))
    assert (first.changed, first.removed, first.skipped) == (SLUGS, (), False)
    assert first.rows == {name: published(tmp_path, f"select count(*) from {name}")[0][0] for name in TABLES}
    assert_published_is_what_stands(PROJECT, tmp_path)
    assert len(published(tmp_path, "from dataset")) == 14


def edit(rng: Random, warehouse: Path, made: dict[str, rows.Made]) -> None:
    """One thing that a build, or a person, may do to the files."""
    partitions = Partitions(warehouse)
    slug = rng.choice(SLUGS)
    what = rng.choice(["make", "make", "fail", "unmake", "half", "duplicates", "ledger", "gone"])
    if what == "make" or slug not in made:
        made[slug] = rows.made(slug, rng.randrange(1, 7), subjects=rng.randrange(1, 4), seed=rng.randrange(9))
        if rng.random() < 0.4:  # repeats a question of its neighbour
            made[slug] = rows.with_question(made[slug], 0, text=rows.made("logic", 1).questions[0].text)
        rows.store(partitions, made[slug])
    elif what == "fail":
        made[slug] = rows.with_failed_answer(made[slug], 0)
        rows.store_level(partitions, "answers", slug, made[slug].answers)
    elif what == "half":
        rows.store_level(partitions, "answers", slug, made[slug].answers[: rng.randrange(len(made[slug].answers))])
    elif what == "unmake":
        partitions.path(rng.choice(["answers", "signatures"]), slug).unlink(missing_ok=True)
    elif what == "duplicates":
        compute_duplicates(PROJECT, partitions)
    elif what == "ledger":  # no request stands in two of its files
        rows.store_ledger(warehouse, made[slug], name=f"requests-{SLUGS.index(slug)}-9")
    else:
        for asset in made.pop(slug).levels():
            partitions.path(asset, slug).unlink(missing_ok=True)


@settings(max_examples=7, deadline=None)
@given(st.integers(0, 10**6))
def test_publication_after_any_edits_is_what_a_publication_at_once_would_be(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    warehouse, rng = tmp_path_factory.mktemp("warehouse"), Random(seed)
    made: dict[str, rows.Made] = {}
    for _ in range(3):
        for _ in range(rng.randrange(1, 5)):
            edit(rng, warehouse, made)
        project = rows.project(rng.sample(SLUGS, rng.randrange(1, 4)), pairs=rng.randrange(1, 4))
        compute_duplicates(project, Partitions(warehouse))
        publish(project, warehouse)
        assert_published_is_what_stands(project, warehouse)


def test_columns_have_the_declared_types_and_comments(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    for table in (*TABLES.values(), *VIEWS.values()):
        described = published(tmp_path, f"describe {table.name}")
        declared = published(tmp_path, "describe select " + ", ".join(f"null::{c.type} as {c.name}" for c in table.columns))
        assert [row[:2] for row in described] == [row[:2] for row in declared], table.name
    comments = published(
        tmp_path, "select table_name, column_name, comment from duckdb_columns() where schema_name = 'main' and not internal"
    )
    wanted = {(table.name, column.name): column.meaning for table in (*TABLES.values(), *VIEWS.values()) for column in table.columns}
    assert {row[:2]: row[2] for row in comments} == wanted
    tables = dict(published(tmp_path, "select table_name, comment from duckdb_tables() where schema_name = 'main'"))
    assert tables == {name: table.meaning for name, table in TABLES.items()}
    assert published(tmp_path, "select comment from duckdb_views() where view_name = 'dataset'") == [(DATASET.meaning,)]


def test_only_small_tables_have_a_primary_key(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    keys = published(
        tmp_path,
        "select table_name, constraint_column_names[1] from duckdb_constraints() where constraint_type in ('PRIMARY KEY', 'UNIQUE')",
    )
    assert set(keys) == {(name, table.columns[0].name) for name, table in TABLES.items() if table.key}


def test_the_first_column_tells_rows_apart(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    for table in (*TABLES.values(), *VIEWS.values()):
        if table.name != "question_concepts":
            key = table.columns[0].name
            assert published(tmp_path, f"select {key} from {table.name} group by {key} having count(*) > 1") == [], table.name


def test_only_the_changed_disciplines_rows_are_replaced(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    change(tmp_path, "update answers set text = 'marked' where discipline <> 'poetry'")
    rows.store_level(Partitions(tmp_path), "answers", "optics", rows.made("optics", 5, seed=1).answers)
    assert publish(PROJECT, tmp_path).changed == ("optics",)
    assert published(tmp_path, "select distinct discipline from answers where text = 'marked'") == [("logic",)]


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    stored(tmp_path)
    first = publish(PROJECT, tmp_path)
    before = (tmp_path / "gland.duckdb").stat()
    assert publish(PROJECT, tmp_path) == Published(first.rows, skipped=True)
    after = (tmp_path / "gland.duckdb").stat()
    assert (before.st_mtime_ns, before.st_ino, before.st_size) == (after.st_mtime_ns, after.st_ino, after.st_size)


def test_the_file_is_changed_in_place(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    before = (tmp_path / "gland.duckdb").stat().st_ino
    rows.store(Partitions(tmp_path), rows.made("logic", 3))
    assert not publish(PROJECT, tmp_path).skipped
    assert (tmp_path / "gland.duckdb").stat().st_ino == before


def test_a_discipline_that_left_the_taxonomy_drops_out(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    smaller = rows.project(["logic"])
    assert publish(smaller, tmp_path).removed == ("optics", "poetry")
    for name, table in TABLES.items():
        if "discipline" in table.column_names and name != "requests":
            assert published(tmp_path, f"select distinct discipline from {name}") in ([("logic",)], []), name
    assert published(tmp_path, "select count(*) from requests") == [(30,)]
    assert_published_is_what_stands(smaller, tmp_path)


def test_names_and_wishes_of_the_taxonomy_are_published_without_any_new_partition(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    wished = publish(rows.project((*SLUGS, "new"), pairs=77), tmp_path)
    assert (wished.changed, wished.removed, wished.skipped) == ((), (), False)
    assert published(tmp_path, "select discipline, state, pairs_wanted from disciplines order by position") == [
        *((slug, "built", 77) for slug in SLUGS), ("new", "missing", 77),
    ]  # fmt: skip


def test_a_new_duplicate_changes_the_status_of_an_untouched_discipline(tmp_path: Path) -> None:
    logic, optics, _ = stored(tmp_path)
    publish(PROJECT, tmp_path)
    dropped, kept = logic.questions[0].question_id, optics.questions[0].question_id
    for found, status in (([Duplicate(dropped, kept, "logic", "optics", "near", 0.8)], "near_duplicate"), ([], "kept")):
        rows.store_duplicates(Partitions(tmp_path), *found)
        assert publish(PROJECT, tmp_path).changed == ()
        assert published(tmp_path, f"select status from questions where question_id = '{dropped}'") == [(status,)]
        assert published(tmp_path, f"select count(*) from dataset where id = '{dropped}'") == [(status == "kept",)]
        assert_published_is_what_stands(PROJECT, tmp_path)


def test_a_duplicate_that_names_a_question_no_longer_there_is_left_out(tmp_path: Path) -> None:
    logic, optics, _ = stored(tmp_path)
    late = optics.questions[4].question_id
    rows.store_duplicates(Partitions(tmp_path), Duplicate(logic.questions[0].question_id, late, "logic", "optics", "near", 0.8))
    rows.store(Partitions(tmp_path), rows.made("optics", 3))
    publish(PROJECT, tmp_path)
    assert published(tmp_path, "from duplicates") == []
    assert published(tmp_path, "select distinct status from questions") == [("kept",)]


def test_what_was_paid_is_published_as_it_is_exported(tmp_path: Path) -> None:
    made = stored(tmp_path)
    publish(PROJECT, tmp_path)
    more = rows.made("logic", 2, seed=1)
    more = replace(more, questions=tuple(replace(q, request_key=f"new{i}") for i, q in enumerate(more.questions)), answers=())
    rows.store_ledger(tmp_path, more, name="requests-2-2")
    assert not publish(PROJECT, tmp_path).skipped
    assert published(tmp_path, "select count(*) from requests") == [(32,)]
    rows.store_ledger(tmp_path, made[0], name="requests-1-1")  # the same file, with other rows
    publish(PROJECT, tmp_path)
    assert_published_is_what_stands(PROJECT, tmp_path)
    assert published(tmp_path, "select count(*) from requests") == [(12,)]


def test_peoples_own_tables_views_and_columns_are_left_alone(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    change(
        tmp_path,
        "create table mine as select question_id, 5 as stars from questions",
        "create schema study; create table study.notes as select 'kept' as note",
        "create view mine_best as select * from dataset join mine on mine.question_id = dataset.id",
        "create index by_question on answers(question_id)",
        "alter table answers add column reviewed boolean default false",
    )
    rows.store(Partitions(tmp_path), rows.made("logic", 2))
    publish(PROJECT, tmp_path)
    assert published(tmp_path, "select count(*), sum(stars) from mine") == [(15, 75)]
    assert published(tmp_path, "from study.notes") == [("kept",)]
    assert published(tmp_path, "select count(*) from mine_best") == [(12,)]
    assert published(tmp_path, "select count(*) from duckdb_indexes() where index_name = 'by_question'") == [(1,)]
    assert published(tmp_path, "select count(reviewed) from answers") == [(12,)]
    assert_published_is_what_stands(PROJECT, tmp_path)


DAMAGE = {
    "a table dropped": "drop table sessions",
    "a table with a key dropped": "drop table subjects",
    "the view dropped": "drop view dataset",
    "the view made another": "create or replace view dataset as select 1 as id",
    "a column dropped": "alter table answers drop column finish_reason",
    "a column renamed": "alter table questions rename column text to question",
    "a column of another type": "alter table builds alter column calls type text",
    "a table made another": "drop table failures; create table failures(failure_id text)",
    "a table made a view": "drop table duplicates; create view duplicates as select 1 as question_id",
    "rows deleted": "delete from key_concepts where discipline = 'logic'",
    "our notes dropped": "drop schema gland_meta cascade",
    "a note dropped": "drop table gland_meta.tables",
    "notes of an older layout": "update gland_meta.parts set stamp = 'old' where kind = 'layout'",
    "a column that must be given": "alter table answers add column stars int; update answers set stars = 1; "
    "alter table answers alter column stars set not null",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_was_altered_is_made_anew(tmp_path: Path, damage: str) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    change(tmp_path, "create table mine as select 1 as i", damage)
    rows.store(Partitions(tmp_path), rows.made("logic", 2))
    publish(PROJECT, tmp_path)
    assert_published_is_what_stands(PROJECT, tmp_path)
    assert published(tmp_path, "from mine") == [(1,)]
    assert publish(PROJECT, tmp_path).skipped


def test_a_table_of_somebody_else_under_one_of_our_names_is_refused(tmp_path: Path) -> None:
    stored(tmp_path)
    change(tmp_path, "create table prompts as select 'my own' as text")
    with pytest.raises(WarehouseError, match=r"gland\.duckdb holds a table 'prompts' that gland did not make; rename it"):
        publish(PROJECT, tmp_path)
    assert published(tmp_path, "from prompts") == [("my own",)]
    change(tmp_path, "alter table prompts rename to my_prompts")
    publish(PROJECT, tmp_path)
    assert published(tmp_path, "from my_prompts") == [("my own",)]


def test_a_discipline_with_a_damaged_partition_stays_as_it_was_published(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    before = published(tmp_path, "from dataset order by id")
    Partitions(tmp_path).path("answers", "logic").write_bytes(b"PAR1")
    assert publish(PROJECT, tmp_path).skipped
    rows.store(Partitions(tmp_path), rows.made("optics", 1))
    assert publish(PROJECT, tmp_path).changed == ("optics",)
    assert published(tmp_path, "from dataset where discipline = 'logic' order by id") == [row for row in before if row[1] == "logic"]
    rows.store(Partitions(tmp_path), rows.made("logic", 5))
    publish(PROJECT, tmp_path)
    assert_published_is_what_stands(PROJECT, tmp_path)


def test_rows_that_cannot_be_read_are_told_with_their_file_and_nothing_is_published(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    before = published(tmp_path, "from dataset order by id")
    rows.store(Partitions(tmp_path), rows.made("logic", 1), rows.made("optics", 2))
    path = Partitions(tmp_path).path("answers", "optics")
    path.write_bytes(path.read_bytes()[:4] + b"\0" * 300 + path.read_bytes()[304:])
    with pytest.raises(DamagedPartition, match=r"answers/optics\.parquet cannot be read"):
        publish(PROJECT, tmp_path)
    assert published(tmp_path, "from dataset order by id") == before


def test_a_warehouse_with_nothing_in_it_is_published_empty(tmp_path: Path) -> None:
    publish(PROJECT, tmp_path / "new")
    assert_published_is_what_stands(PROJECT, tmp_path / "new")
    assert published(tmp_path / "new", "select distinct state from disciplines") == [("missing",)]


def test_the_file_can_be_attached_to_another_session(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    with closing(duckdb.connect()) as connection:
        connection.execute(f"attach '{tmp_path / 'gland.duckdb'}' as made (read_only)")
        assert connection.execute("select count(*) from made.dataset").fetchall() == [(15,)]


def test_the_useful_questions_give_the_same_published_and_live(tmp_path: Path) -> None:
    stored(tmp_path)
    publish(PROJECT, tmp_path)
    with closing(connect_live(PROJECT, tmp_path)) as connection:
        for title, query in useful_questions().items():
            live = connection.execute(query).fetchall()
            assert len(published(tmp_path, query)) == len(live), title
            if title != "show me some":
                assert published(tmp_path, query) == live, title
