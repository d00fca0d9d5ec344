"""Partition files: what is written comes back, whole or not at all, and says of itself how it was made."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.errors import DamagedPartition, WarehouseError
from gland_assets.core.records import (
    Answer,
    Duplicate,
    Failure,
    KeyConcept,
    Question,
    Record,
    SampledConcept,
    Session,
    Signature,
    Subject,
    Syllabus,
    answer_from,
    question_from,
    signature_from,
    subject_from,
    syllabus_from,
    to_row,
)
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import EMPTY, Partitions
from tests import rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
MAYBE = st.none() | TEXT
INT = st.integers(-(2**31), 2**31 - 1)
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
FAILURES = st.none() | st.builds(
    Failure, failure_id=TEXT, build_id=TEXT, row_id=TEXT, request_key=TEXT, cause=TEXT, detail=TEXT, attempts=INT, failed_at=TIMES
)  # fmt: skip
SUBJECTS = st.builds(
    Subject, subject_id=TEXT, discipline=TEXT, name=MAYBE, level=MAYBE, subtopics=st.lists(TEXT, max_size=3).map(tuple),
    found_in_queries=INT, request_key=MAYBE, failure=FAILURES,
)  # fmt: skip
CONCEPTS = st.lists(st.builds(KeyConcept, concept_id=TEXT, position=INT, name=TEXT), max_size=2).map(tuple)
SESSIONS = st.builds(Session, session_id=TEXT, position=INT, title=TEXT, description=TEXT, concepts=CONCEPTS)
SYLLABI = st.builds(
    Syllabus, syllabus_id=TEXT, subject_id=TEXT, discipline=TEXT, introduction=MAYBE, session_count=INT, request_key=MAYBE,
    sessions=st.lists(SESSIONS, max_size=2).map(tuple), failure=FAILURES,
)  # fmt: skip
QUESTIONS = st.builds(
    Question, question_id=TEXT, discipline=TEXT, subject_id=TEXT, syllabus_id=TEXT, sample_index=INT, strategy=TEXT, text=MAYBE,
    tokens=st.none() | INT, request_key=MAYBE, made_at=TIMES,
    concepts=st.lists(st.builds(SampledConcept, concept_id=TEXT, session_id=TEXT), max_size=2).map(tuple), failure=FAILURES,
)  # fmt: skip
ANSWERS = st.builds(
    Answer, answer_id=TEXT, question_id=TEXT, discipline=TEXT, text=MAYBE, tokens=st.none() | INT, finish_reason=MAYBE, deployment=MAYBE,
    model=MAYBE, request_key=MAYBE, made_at=TIMES, failure=FAILURES,
)  # fmt: skip
SIGNATURES = st.builds(
    Signature, question_id=TEXT, discipline=TEXT, text_hash=TEXT, signature=st.binary(max_size=12), bands=st.binary(max_size=24)
)  # fmt: skip
DUPLICATES = st.builds(
    Duplicate, question_id=TEXT, kept_id=TEXT, discipline=TEXT, kept_discipline=TEXT, kind=TEXT, jaccard=st.floats(0, 1)
)  # fmt: skip
STORED: list[tuple[str, st.SearchStrategy[Any], Any]] = [
    ("subjects", SUBJECTS, subject_from),
    ("syllabi", SYLLABI, syllabus_from),
    ("questions", QUESTIONS, question_from),
    ("answers", ANSWERS, answer_from),
    ("signatures", SIGNATURES, signature_from),
    ("duplicates", DUPLICATES, lambda row: Duplicate(**row)),
]
META = PartitionMeta("answers", "logic", "f1", "c1", '{"version": "1"}', {"questions": "c0"}, calls=3, usd="0.25", build_id="b1")


@pytest.mark.parametrize(("asset", "records", "read"), STORED, ids=[name for name, _, _ in STORED])
def test_every_record_comes_back_as_it_was_written(asset: str, records: st.SearchStrategy[Any], read: Any) -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(records, max_size=4))
    def holds(written: list[Record]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            partitions = Partitions(Path(folder))
            stored = partitions.write(asset, "logic", [to_row(record) for record in written], META)
            assert [read(row) for row in partitions.rows(asset, "logic")] == written
            failed = sum(bool(getattr(record, "failure", None)) for record in written)
            assert (stored.rows, stored.failed) == (len(written) - failed, failed)

    holds()


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        PartitionMeta, asset=TEXT, discipline=TEXT, fingerprint=TEXT, content_hash=TEXT, recipe=TEXT, upstream=st.dictionaries(TEXT, TEXT),
        calls=INT, usd=MAYBE, written_at=TIMES, stamp=TEXT.filter(bool),
    )
)  # fmt: skip
def test_the_meta_comes_back_from_the_footer(meta: PartitionMeta) -> None:
    with tempfile.TemporaryDirectory() as folder:
        partitions = Partitions(Path(folder))
        partitions.write("fields", "logic", [{"field": "f", "name": "F", "position": 0}], meta)
        assert partitions.meta("fields", "logic") == replace(meta, rows=1)


def test_each_write_has_a_stamp_and_a_time_of_its_own(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    stamps = {partitions.write("answers", "logic", [], META).stamp for _ in range(3)}
    stored = partitions.meta("answers", "logic")
    assert len(stamps) == 3 and stored is not None and stored.stamp in stamps
    assert stored.written_at is not None and stored.written_at.tzinfo is not None


def test_times_are_stored_in_utc_and_files_compressed(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.made("logic"))
    file = pq.ParquetFile(partitions.path("answers", "logic"))
    assert file.schema_arrow.field("made_at").type == pa.timestamp("us", tz="UTC")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"


def test_metas_lists_every_partition_and_sets_damaged_ones_apart(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.made("logic"), rows.made("optics"))
    rows.store_duplicates(partitions)
    whole = set(partitions.metas())
    assert whole == {(asset, slug) for asset in rows.made("logic").levels() for slug in ("logic", "optics")} | {("duplicates", "all")}
    assert partitions.damaged == {}
    partitions.path("answers", "optics").write_bytes(b"PAR1 and then nothing")
    assert set(partitions.metas()) == whole - {("answers", "optics")}
    assert set(partitions.damaged) == {("answers", "optics")}


def test_only_finished_files_count_as_partitions(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    partitions.write("answers", "logic", [], META)
    for name in (f"{EMPTY}.parquet", ".optics.parquet.ab12.part", "notes.txt"):
        (tmp_path / "answers" / name).write_text("not ours")
    assert set(partitions.metas()) == {("answers", "logic")}
    assert sorted(path.name for path in (tmp_path / "answers").glob("*.parquet")) == [f"{EMPTY}.parquet", "logic.parquet"]


def test_what_is_missing_is_none_and_names_the_next_step_when_read(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path / "nowhere")
    assert partitions.meta("answers", "logic") is None and partitions.metas() == {}
    with pytest.raises(WarehouseError, match=r"answers/logic\.parquet has not been made; run `gland build -d logic`"):
        partitions.rows("answers", "logic")


@pytest.mark.parametrize("keep", [0, 3, 8, 200, -1, -30])
def test_a_truncated_file_is_damaged_and_says_so(tmp_path: Path, keep: int) -> None:
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.made("logic"))
    path = partitions.path("answers", "logic")
    path.write_bytes(path.read_bytes()[:keep])
    for read in (partitions.meta, partitions.rows):
        with pytest.raises(DamagedPartition, match=r"answers/logic\.parquet cannot be read .*; delete it"):
            read("answers", "logic")


def test_a_parquet_file_of_somebody_else_is_damaged(tmp_path: Path) -> None:
    path = Partitions(tmp_path).path("answers", "logic")
    path.parent.mkdir()
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(DamagedPartition, match="no gland metadata"):
        Partitions(tmp_path).meta("answers", "logic")


def test_rows_with_half_a_surrogate_pair_are_stored_with_a_mark_in_its_place(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    one = rows.made("logic", pairs=2)
    answers = (replace(one.answers[0], text="so \ud83d it is \u2713"), one.answers[1])
    rows.store_level(partitions, "answers", "logic", ())
    partitions.write("answers", "logic", [to_row(answer) for answer in answers], META)
    assert [row["text"] for row in partitions.rows("answers", "logic")] == ["so \ufffd it is \u2713", one.answers[1].text]


def test_a_folder_named_like_a_column_adds_no_column(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path / "year=2026" / "it's [new] * ?")
    one = rows.made("logic", pairs=1)
    rows.store(partitions, one)
    assert partitions.rows("answers", "logic") == [to_row(one.answers[0])]


def test_a_reader_in_mid_scan_keeps_the_old_file(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.made("logic", pairs=5))
    with open(partitions.path("answers", "logic"), "rb") as old:
        rows.store(partitions, rows.made("logic", pairs=9))
        assert pq.read_table(old).num_rows == 5
    assert len(partitions.rows("answers", "logic")) == 9


FILLS_THE_DISK = """
import resource, signal, sys
from pathlib import Path
from gland_assets.core.errors import WarehouseError
from gland_assets.io.partitions import Partitions
from tests import rows
partitions = Partitions(Path(sys.argv[1]))
more = rows.made("logic", pairs=400)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
try:
    rows.store_level(partitions, "answers", "logic", more.answers)
except WarehouseError as error:
    sys.exit(f"told: {error}")
"""


def test_a_full_disk_leaves_the_partition_that_stood_and_no_other_file(tmp_path: Path) -> None:
    partitions = Partitions(tmp_path)
    rows.store(partitions, rows.made("logic", pairs=2))
    before = partitions.meta("answers", "logic")
    ran = subprocess.run([sys.executable, "-c", FILLS_THE_DISK, str(tmp_path)], capture_output=True, text=True, check=False)
    assert f"told: {partitions.path('answers', 'logic')} cannot be written" in ran.stderr, ran.stderr
    assert "free space" in ran.stderr
    assert partitions.meta("answers", "logic") == before and len(partitions.rows("answers", "logic")) == 2
    assert [path.name for path in (tmp_path / "answers").iterdir()] == ["logic.parquet"]


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Without the superuser's right to write anywhere."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_folder_is_told_with_its_path() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        if os.geteuid():
            folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        with (
            as_somebody_else(),
            pytest.raises(WarehouseError, match=r"answers/logic\.parquet cannot be written: Permission denied; .*access"),
        ):
            Partitions(folder).write("answers", "logic", [], META)
        folder.chmod(stat.S_IRWXU)
