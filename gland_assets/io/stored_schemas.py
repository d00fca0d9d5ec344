"""The columns of stored files as Arrow schemas: partitions (the nested form of core/records.py), the ledger's exports, the tree."""

from __future__ import annotations

import pyarrow as pa

TEXT = pa.string()
INT = pa.int32()
TIME = pa.timestamp("us", tz="UTC")


def _struct(**columns: pa.DataType) -> pa.StructType:
    return pa.struct(list(columns.items()))


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


FAILURE = _struct(
    failure_id=TEXT, build_id=TEXT, row_id=TEXT, request_key=TEXT, cause=TEXT, detail=TEXT, attempts=INT, failed_at=TIME
)  # fmt: skip
CONCEPT = _struct(concept_id=TEXT, position=INT, name=TEXT)
SESSION = _struct(session_id=TEXT, position=INT, title=TEXT, description=TEXT, concepts=pa.list_(CONCEPT))
SAMPLED_CONCEPT = _struct(concept_id=TEXT, session_id=TEXT)

STORED: dict[str, pa.Schema] = {
    "fields": _schema(field=TEXT, name=TEXT, position=INT),
    "subfields": _schema(subfield=TEXT, field=TEXT, name=TEXT, position=INT),
    "disciplines": _schema(discipline=TEXT, subfield=TEXT, name=TEXT, position=INT),
    "subjects": _schema(
        subject_id=TEXT, discipline=TEXT, name=TEXT, level=TEXT, subtopics=pa.list_(TEXT), found_in_queries=INT, request_key=TEXT,
        failure=FAILURE,
    ),
    "syllabi": _schema(
        syllabus_id=TEXT, subject_id=TEXT, discipline=TEXT, introduction=TEXT, session_count=INT, request_key=TEXT,
        sessions=pa.list_(SESSION), failure=FAILURE,
    ),
    "questions": _schema(
        question_id=TEXT, discipline=TEXT, subject_id=TEXT, syllabus_id=TEXT, sample_index=INT, strategy=TEXT, text=TEXT, tokens=INT,
        request_key=TEXT, made_at=TIME, concepts=pa.list_(SAMPLED_CONCEPT), failure=FAILURE,
    ),
    "answers": _schema(
        answer_id=TEXT, question_id=TEXT, discipline=TEXT, text=TEXT, tokens=INT, finish_reason=TEXT, deployment=TEXT, model=TEXT,
        request_key=TEXT, made_at=TIME, failure=FAILURE,
    ),
    "signatures": _schema(
        question_id=TEXT, discipline=TEXT, text_hash=TEXT, signature=pa.large_binary(), bands=pa.large_binary(), bitmap=pa.large_binary()
    ),
    "contamination": _schema(
        question_id=TEXT, discipline=TEXT, part=TEXT, benchmark=TEXT, split=TEXT, item_id=TEXT, items=INT, share=pa.float64(), ngram=INT,
        question_span=TEXT, item_span=TEXT,
    ),
    "imported": _schema(question_id=TEXT, discipline=TEXT, question=TEXT, answer=TEXT, source=TEXT, row=INT),
    "references": _schema(question_id=TEXT, discipline=TEXT, text=TEXT, answer=TEXT),
    "duplicates": _schema(
        question_id=TEXT, kept_id=TEXT, discipline=TEXT, kept_discipline=TEXT, kind=TEXT, jaccard=pa.float64()
    ),
}  # fmt: skip
"""Asset -> schema of its partition files."""
STORED["reference_signatures"] = STORED["signatures"]

_USD = pa.decimal128(18, 9)

LEDGER: dict[str, pa.Schema] = {
    "prompts": _schema(prompt_hash=TEXT, stage=TEXT, name=TEXT, text=TEXT),
    "builds": _schema(
        build_id=TEXT, started_at=TIME, ended_at=TIME, outcome=TEXT, calls=pa.int64(), reused=pa.int64(), usd=_USD, gland_version=TEXT,
        taxonomy_hash=TEXT,
    ),
    "requests": _schema(
        request_key=TEXT, build_id=TEXT, discipline=TEXT, stage=TEXT, prompt_hash=TEXT, deployment=TEXT, model=TEXT,
        prompt_tokens=pa.int64(), cached_tokens=pa.int64(), completion_tokens=pa.int64(), usd=_USD, latency_s=pa.float64(), attempts=INT,
        accepted=pa.bool_(), sent_at=TIME,
    ),
}  # fmt: skip
"""Table -> schema of the files that the ledger exports."""

TAXONOMY = _schema(
    field=TEXT, field_name=TEXT, field_position=INT, subfield=TEXT, subfield_name=TEXT, subfield_position=INT, discipline=TEXT, name=TEXT,
    position=INT, pairs_wanted=INT,
)  # fmt: skip
"""The declared tree, one row a discipline."""
