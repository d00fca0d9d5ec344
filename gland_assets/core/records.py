"""The rows that generation makes. Frozen; ids follow from what a row holds, so a row that comes out the same keeps its id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from gland_assets.core.hashing import digest
from gland_assets.core.requests import RequestFailed


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a row is missing: stands in the row's place, so that nothing disappears and nothing shifts."""

    failure_id: str
    build_id: str
    row_id: str
    request_key: str
    cause: str
    detail: str
    attempts: int
    failed_at: datetime

    @classmethod
    def of(cls, error: RequestFailed, build_id: str, failed_at: datetime) -> Failure:
        """The failure row of a request that gave no usable reply."""
        row = error.request.row
        return cls(digest("failure", build_id, error.request.stage, row), build_id, row, error.request_key, error.cause,
                   error.detail[:2000], error.attempts, failed_at)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject of one discipline, merged over the queries that named it."""

    subject_id: str
    discipline: str
    name: str | None
    level: str | None
    subtopics: tuple[str, ...]
    found_in_queries: int
    request_key: str | None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class KeyConcept:
    """Something a session teaches."""

    concept_id: str
    position: int
    name: str


@dataclass(frozen=True, slots=True)
class Session:
    """One class session of a syllabus."""

    session_id: str
    position: int
    title: str
    description: str
    concepts: tuple[KeyConcept, ...]


@dataclass(frozen=True, slots=True)
class Syllabus:
    """The syllabus of one subject: sessions in order, each with its key concepts."""

    syllabus_id: str
    subject_id: str
    discipline: str
    introduction: str | None
    session_count: int
    request_key: str | None
    sessions: tuple[Session, ...]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class SampledConcept:
    """A concept a question was asked to combine."""

    concept_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Question:
    """One instruction and the sample it was asked from."""

    question_id: str  # of discipline, sampled concept ids and index, or the imported pair: stable across rebuilds
    discipline: str
    subject_id: str | None  # None, as the next two, of an imported question
    syllabus_id: str | None
    sample_index: int | None
    strategy: str  # one_session, two_sessions or imported
    text: str | None
    tokens: int | None
    request_key: str | None
    made_at: datetime
    concepts: tuple[SampledConcept, ...]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to one question."""

    answer_id: str
    question_id: str
    discipline: str
    text: str | None
    tokens: int | None
    finish_reason: str | None
    deployment: str | None
    model: str | None
    request_key: str | None
    made_at: datetime
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """A question's normalised text hash, MinHash signature, band keys and bitmap of shingles."""

    question_id: str
    discipline: str
    text_hash: str
    signature: bytes  # little-endian uint32, one a permutation; none where there is no word
    bands: bytes  # little-endian uint32, one a band
    bitmap: bytes  # little-endian uint64: how many shingles, compared how, and their bits


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A dropped question and the kept one it duplicates."""

    question_id: str
    kept_id: str
    discipline: str
    kept_discipline: str
    kind: str  # exact or near
    jaccard: float


Record = Subject | Syllabus | Question | Answer | Signature | Duplicate
CONTENT = {
    Subject: ("subject_id", "name", "level", "subtopics"),
    Syllabus: ("syllabus_id", "subject_id", "introduction", "sessions"),
    Question: ("question_id", "subject_id", "syllabus_id", "sample_index", "strategy", "text", "concepts"),
    Answer: ("answer_id", "question_id", "text"),
    Signature: ("question_id", "text_hash", "bands"),
    Duplicate: ("question_id", "kept_id", "kind", "jaccard"),
}
"""The columns that say what a row is. Times, tokens, prices and who answered are left out: they change nothing below."""


def to_row(record: Record) -> dict[str, Any]:
    """A record as nested plain values, as it is stored."""
    return asdict(record)


def content_of(record: Record) -> list[Any]:
    """What of a record goes into its partition's content hash; a failed row counts as failed, not by how it failed."""
    row = asdict(record)
    told = (row[name] for name in CONTENT[type(record)])
    return [value.hex() if isinstance(value, bytes) else value for value in told] + [bool(row.get("failure"))]


def _failure(row: Mapping[str, Any]) -> Failure | None:
    found = row.get("failure")
    return Failure(**found) if found else None


def subject_from(row: Mapping[str, Any]) -> Subject:
    """A stored row as a Subject."""
    return Subject(**{**row, "subtopics": tuple(row["subtopics"] or ()), "failure": _failure(row)})


def syllabus_from(row: Mapping[str, Any]) -> Syllabus:
    """A stored row as a Syllabus with its sessions and concepts."""
    sessions = tuple(
        Session(**{**session, "concepts": tuple(KeyConcept(**c) for c in session["concepts"] or ())}) for session in row["sessions"] or ()
    )
    return Syllabus(**{**row, "sessions": sessions, "failure": _failure(row)})


def question_from(row: Mapping[str, Any]) -> Question:
    """A stored row as a Question with its sampled concepts."""
    concepts = tuple(SampledConcept(**c) for c in row["concepts"] or ())
    return Question(**{**row, "concepts": concepts, "failure": _failure(row)})


def answer_from(row: Mapping[str, Any]) -> Answer:
    """A stored row as an Answer."""
    return Answer(**{**row, "failure": _failure(row)})


def signature_from(row: Mapping[str, Any]) -> Signature:
    """A stored row as a Signature."""
    return Signature(**row)
