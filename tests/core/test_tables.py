"""The declared tables: complete, documented, keyed as they are published."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gland_assets.core.levels import GENERATED
from gland_assets.core.tables import TABLES, VIEWS, Column, Table

COLUMNS = {
    "fields": "field name position",
    "subfields": "subfield field name position",
    "disciplines": "discipline subfield name position state pairs_wanted built_at",
    "subjects": "subject_id discipline name level subtopics found_in_queries request_key",
    "syllabi": "syllabus_id subject_id discipline introduction session_count request_key",
    "sessions": "session_id syllabus_id subject_id discipline position title description",
    "key_concepts": "concept_id session_id discipline position name",
    "questions": "question_id discipline subject_id sample_index strategy text tokens request_key status made_at",
    "question_concepts": "question_id concept_id session_id discipline",
    "answers": "answer_id question_id discipline text tokens finish_reason deployment model request_key made_at",
    "signatures": "question_id discipline text_hash",
    "duplicates": "question_id kept_id discipline kept_discipline kind jaccard",
    "contamination": "question_id discipline part benchmark split item_id items share ngram question_span item_span",
    "benchmarks": "benchmark split discipline items",
    "prompts": "prompt_hash stage name text",
    "builds": "build_id started_at ended_at outcome calls reused usd gland_version taxonomy_hash",
    "requests": "request_key build_id discipline stage prompt_hash deployment model prompt_tokens cached_tokens completion_tokens usd "
    "latency_s attempts accepted sent_at",
    "failures": "failure_id build_id discipline stage row_id request_key cause detail attempts failed_at",
}
KEYED = {"fields", "subfields", "disciplines", "subjects", "syllabi", "prompts", "builds"}


def everything() -> Iterator[tuple[Table, Column]]:
    for table in (*TABLES.values(), *VIEWS):
        for column in table.columns:
            yield table, column


def test_the_tables_and_columns_are_those_that_people_rely_on() -> None:
    assert {name: " ".join(table.column_names) for name, table in TABLES.items()} == COLUMNS
    assert all(name == table.name for name, table in TABLES.items())


def test_only_small_tables_have_a_primary_key() -> None:
    assert {name for name, table in TABLES.items() if table.key} == KEYED


def test_every_generated_level_has_its_table() -> None:
    assert {table.asset for table in TABLES.values()} >= set(GENERATED)


@pytest.mark.parametrize("table", [*TABLES.values(), *VIEWS], ids=lambda table: table.name)
def test_a_table_says_what_one_row_is(table: Table) -> None:
    assert table.meaning.startswith(("one row a ", "one row an "))


def test_every_column_has_a_meaning_of_its_own() -> None:
    for table, column in everything():
        assert len(column.meaning) > 8, (table.name, column.name)
        assert column.meaning != column.name and not column.meaning.endswith("."), (table.name, column.name)
