"""`gland sql`: everything can be read, nothing can be written."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gland_assets.cli.places import find_places
from gland_assets.cli.sql import connect, refuse_writes
from gland_assets.core.errors import GlandError
from gland_assets.core.tables import TABLES
from gland_assets.io.sql import useful_questions
from tests.cli.running import declare, gland, gland_alone

WRITES = """
create table t(x int)
create temp view v as select 1
insert into questions values (1)
drop view questions
update questions set text = ''
delete from questions
copy (select 1) to 'OUT/x.csv'
copy questions to 'OUT/x.parquet'
export database 'OUT/x'
attach 'OUT/x.db'
set enable_external_access = true
pragma threads=1
install fts
load fts
call pragma_version()
prepare p as select 1
explain analyze copy (select 1) to 'OUT/x.csv'
explain (analyze) copy (select 1) to 'OUT/x.csv'
/* */ explain copy (select 1) to 'OUT/x'
select 1; copy (select 1) to 'OUT/x.csv'
create type t as enum ('a'); select 1
begin
checkpoint
vacuum
use memory
""".strip().splitlines()
READS = """
select 1
from dataset
with a as (select 1 x) select x from a
values (1), (2)
describe questions
show tables
summarize subjects
explain select 1
explain analyze select count(*) from questions
pivot (select 1 a, 'x' b) on b using sum(a)
/* what */ select 1; -- and why
select * from duckdb_views() limit 1
(select 1) union all (select 2)
""".strip().splitlines()


def standing(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("where", ["elsewhere", "answers"])
def test_what_writes_is_refused_and_writes_nothing(where: str, made: Path) -> None:
    out = made / "warehouse" / where
    out.mkdir(exist_ok=True)
    gland(made, "sql", "select 1")
    before = standing(made)
    for query in WRITES:
        ran = gland(made, "sql", query.replace("OUT", str(out)))
        assert (ran.code, ran.out) == (2, "") and ran.err, query
    assert standing(made) == before


def test_what_reads_is_run(made: Path) -> None:
    for query in READS:
        ran = gland(made, "sql", query)
        assert (ran.code, bool(ran.out)) == (0, True), (query, ran.err)


def test_no_other_file_can_be_read(made: Path, tmp_path: Path) -> None:
    (tmp_path / "key.csv").write_text("secret\nsk-1\n")
    for reach in ("read_text('{0}')", "'{0}'", "glob('{0}')", "read_csv('{0}')", "read_blob('{0}')"):
        ran = gland(made, "sql", f"select * from {reach.format(tmp_path / 'key.csv')}")
        assert ran.code == 2 and "sk-1" not in ran.out + ran.err, reach
        assert "no other file" in ran.err


def test_no_variable_of_the_program_is_a_table(made: Path) -> None:
    here = find_places(made / "taxonomy.toml", None)
    secret = {"key": ["sk-1"]}  # DuckDB would look it up by name in the frames that call it
    with closing(connect(here.project(), here)) as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("select * from secret")
    assert secret


@given(
    query=st.one_of(
        st.text(max_size=80), st.sampled_from(WRITES + READS).flatmap(lambda text: st.integers(0, len(text)).map(lambda n: text[:n]))
    )
)
def test_any_text_is_run_or_refused_and_breaks_nothing(query: str) -> None:
    try:
        refuse_writes(query)
    except (GlandError, duckdb.Error):
        return
    kinds = {statement.type for statement in duckdb.extract_statements(query)}
    assert kinds <= {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.CREATE}


def test_a_fault_of_the_query_is_told_as_duckdb_tells_it_with_a_hint(made: Path) -> None:
    ran = gland(made, "sql", "select nme from subjects")
    assert ran.code == 2 and 'Candidate bindings: "name"' in ran.err and "gland sql" in ran.err and "Traceback" not in ran.err


def test_without_a_query_tables_and_ten_queries_are_listed(made: Path) -> None:
    ran = gland(made, "sql")
    assert all(f"{name} " in ran.out for name in ("dataset", *TABLES))
    assert "gland sql 10" in ran.out and all(title in ran.out for title in useful_questions())
    assert any(line.split()[:2] == ["questions", "20"] for line in ran.out.splitlines())


def test_each_packaged_query_runs_by_its_number(made: Path) -> None:
    for number in range(1, 11):
        ran = gland(made, "sql", str(number), "--format", "json")
        assert ran.code == 0 and isinstance(ran.json, list), number


def test_a_number_that_no_query_has_is_refused(made: Path) -> None:
    ran = gland(made, "sql", "11")
    assert ran.code == 2 and "1 to 10" in ran.err
    assert gland(made, "sql", "0").code == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(
    text=st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=60), number=st.integers(-(2**62), 2**62)
)
def test_json_and_csv_give_back_what_was_selected(text: str, number: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = declare(tmp_path_factory.getbasetemp() / "any")
    query = f"select '{text.replace(chr(39), chr(39) * 2)}' as t, {number} as n, ['a', null] as l, null as nothing, 1.5::decimal(9,2) as d"
    ran = gland(folder, "sql", query, "--format", "json")
    assert ran.json == [{"t": text, "n": number, "l": ["a", None], "nothing": None, "d": 1.5}]
    ran = gland(folder, "sql", query, "--format", "csv")
    head, row = csv.reader(io.StringIO(ran.out, newline=""))
    assert head == ["t", "n", "l", "nothing", "d"]
    assert row == [text, str(number), '["a", null]', "", "1.50"]


def test_json_of_no_row_is_an_empty_list_and_alike_columns_are_told_apart(made: Path) -> None:
    assert gland(made, "sql", "select 1 where false", "--format", "json").out == "[]\n"
    assert gland(made, "sql", "select 1 as n, 2 as n, 'nan'::double as x", "--format", "json").json == [{"n": 1, "n_1": 2, "x": None}]


def test_json_carries_times_intervals_and_structures(made: Path) -> None:
    query = "select timestamptz '2026-01-02 03:04:05+00' as t, {'a': [1]} as s, interval 1 day as i, date '2026-01-02' as d"
    (row,) = gland(made, "sql", query, "--format", "json").json
    assert row == {"t": "2026-01-02T03:04:05+00:00", "s": {"a": [1]}, "i": "1 day, 0:00:00", "d": "2026-01-02"}


def test_a_table_cuts_what_is_long_and_says_so(made: Path) -> None:
    ran = gland(made, "sql", "select repeat('word ', 200) as t, 1234567 as n")
    assert "…" in ran.out and "1,234,567" in ran.out and "--format csv" in ran.err
    ran = gland(made, "sql", "select * from range(500)")
    assert len(ran.out.splitlines()) == 201 and "first 200 rows" in ran.err


def test_a_long_query_prints_its_rows_alone(made: Path) -> None:
    slow = "select count(*) as n from range(3_000_000) a(i) where md5(md5(md5(i::text))) > '8'"
    ran = gland_alone(made, "sql", f"set enable_progress_bar = true; {slow}")
    assert ran.code == 2
    assert len(gland_alone(made, "sql", slow, "--format", "json").json) == 1


def test_queries_work_before_anything_is_made(tmp_path: Path) -> None:
    folder = declare(tmp_path)
    assert gland(folder, "sql", "select count(*) as n from disciplines", "--format", "json").json == [{"n": 3}]
    assert json.loads(gland(folder, "sql", "from dataset", "--format", "json").out) == []
