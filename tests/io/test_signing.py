"""Signatures of stored questions, by column: what core signs is what is written."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gland_assets.core.dedup import sign, text_hash
from gland_assets.core.errors import WarehouseError
from gland_assets.core.project import Dedup
from gland_assets.core.records import signature_from
from gland_assets.core.texts import Texts
from gland_assets.io.partitions import Partitions
from gland_assets.io.signing import sign_questions, signature_table
from gland_assets.io.stored_schemas import STORED
from tests import rows

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXTS, max_size=8), st.sampled_from([Dedup(), Dedup(num_perm=6, bands=2, rows=3, ngram=1, seed=4)]))
def test_every_question_with_a_text_is_signed_as_core_signs_it(texts: list[str | None], dedup: Dedup) -> None:
    questions = pa.table({"question_id": [f"q{n}" for n in range(len(texts))], "text": pa.array(texts, pa.string())})
    table = signature_table("logic", questions, dedup)
    assert table.schema == STORED["signatures"]
    found = [signature_from(row) for row in table.to_pylist()]
    asked = [(f"q{n}", text) for n, text in enumerate(texts) if text is not None]
    signed = sign(Texts.of([text for _, text in asked]), dedup)
    words, begins = signed.bitmaps
    bitmaps = [words[begin:end].tobytes() for begin, end in pairwise(begins)]
    assert [row.bitmap for row in found] == bitmaps
    for (identity, text), row, worded, values, keys in zip(asked, found, signed.worded, signed.signatures, signed.bands, strict=True):
        assert (row.question_id, row.discipline, row.text_hash) == (identity, "logic", text_hash(text))
        assert row.signature == (values.tobytes() if worded else b"")
        assert row.bands == (keys.tobytes() if worded else b"")


def test_what_is_signed_is_what_stands_in_the_partition(tmp_path: Path) -> None:
    logic = rows.with_question(rows.made("logic"), 2, text=None, failure=rows.failure("questions", "q"))
    partitions = Partitions(tmp_path)
    rows.store(partitions, logic)
    table, content = sign_questions(partitions, "logic", Dedup())
    assert [signature_from(row) for row in table.to_pylist()] == list(logic.signatures)
    assert len(table) == len(logic.questions) - 1
    rows.store(partitions, rows.with_question(logic, 0, tokens=7))  # which no signature is made from
    assert sign_questions(partitions, "logic", Dedup())[1] == content
    rows.store(partitions, rows.with_question(logic, 0, text="Another question?"))
    assert sign_questions(partitions, "logic", Dedup())[1] != content
    rows.store(partitions, logic)
    assert sign_questions(partitions, "logic", replace(Dedup(), seed=2))[1] != content


def test_questions_that_have_not_been_made_are_named(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"questions/logic.parquet has not been made; run `gland build -d logic`"):
        sign_questions(Partitions(tmp_path), "logic", Dedup())
