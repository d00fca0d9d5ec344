"""Plausible rows, projects and warehouses for tests: made with core/records.py, cheap, and the same for the same arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from gland_assets.core.hashing import digest
from gland_assets.core.project import Deployment, Discipline, Field, Project, Settings, StageSettings, Subfield
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
    content_of,
    signature_from,
    to_row,
)
from gland_assets.core.state import PartitionMeta
from gland_assets.io.parquet import as_table, write_parquet
from gland_assets.io.partitions import Partitions
from gland_assets.io.signing import signature_table
from gland_assets.io.stored_schemas import LEDGER

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = "openai/large-1"
PROMPT = digest("prompt", "questions.one_session.txt")
WORDS = (
    "axiom proof lemma field group order limit bound graph tree light cell gene bond wave heat price trade court vote river plate storm "
    "verse scene chord brush stone arch bridge beam load gear pump valve clause tense vowel root stem archive census treaty"
).split()


@dataclass(frozen=True)
class Made:
    """All generated levels of one discipline."""

    discipline: str
    subjects: tuple[Subject, ...]
    syllabi: tuple[Syllabus, ...]
    questions: tuple[Question, ...]
    answers: tuple[Answer, ...]

    @property
    def signatures(self) -> tuple[Signature, ...]:
        questions = as_table("questions", [to_row(question) for question in self.questions])
        return tuple(signature_from(row) for row in signature_table(self.discipline, questions, project().dedup).to_pylist())

    def levels(self) -> dict[str, Sequence[Record]]:
        return {
            "subjects": self.subjects, "syllabi": self.syllabi, "questions": self.questions, "answers": self.answers,
            "signatures": self.signatures, "contamination": (),
        }  # fmt: skip


def settings(pairs: int = 10, **changed: Any) -> Settings:
    stage = StageSettings(("large",), 1.0, 0.95, 2048)
    given: dict[str, Any] = {"pairs": pairs, "seed": 1, "subject_queries": 2, "subjects": (2, 4), "sessions": (2, 4)} | changed
    return Settings(**given, stages={name: stage for name in ("subjects", "syllabi", "questions", "answers")})


def project(slugs: Iterable[str] = ("logic", "optics"), pairs: int = 10, path: Path = Path("taxonomy.toml"), name: str = "tiny") -> Project:
    """A project of one field with one subfield a discipline's first letter."""
    by_letter: dict[str, list[str]] = {}
    for slug in slugs:
        by_letter.setdefault(slug[0], []).append(slug)
    position = iter(range(100_000))
    subfields = tuple(
        Subfield(
            f"studies-{letter}", f"Studies {letter.upper()}", "knowledge", place, None,
            tuple(Discipline(slug, slug.title(), f"studies-{letter}", "knowledge", next(position), settings(pairs)) for slug in within),
        )
        for place, (letter, within) in enumerate(by_letter.items())
    )  # fmt: skip
    fields = (Field("knowledge", "Knowledge's whole", 0, None, subfields),)
    return Project(name, "en", 1, path, fields, {"large": Deployment("large", MODEL)}, {"answers.txt": "{question}"}, taxonomy_hash="t1")


def failure(stage: str, row: str, cause: str = "refused") -> Failure:
    return Failure(digest("failure", stage, row), "b1", row, digest("request", row), cause, "said no", 3, NOON)


def syllabus(subject: Subject, rng: Random, sessions: int = 3, concepts: int = 3) -> Syllabus:
    identity = digest("syllabus", subject.subject_id)

    def session(position: int) -> Session:
        key = digest("session", identity, position)
        taught = tuple(KeyConcept(digest("concept", key, n), n, " ".join(rng.choices(WORDS, k=2))) for n in range(concepts))
        return Session(key, position, f"{rng.choice(WORDS)} and {rng.choice(WORDS)}", " ".join(rng.choices(WORDS, k=8)), taught)

    held = tuple(session(position) for position in range(sessions))
    key = digest("request", identity)
    return Syllabus(identity, subject.subject_id, subject.discipline, "What it is about.", sessions, key, held)


def made(
    slug: str, pairs: int = 10, subjects: int = 2, seed: int = 0, words: int = 30, sessions: int = 3, concepts: int = 3,
    made_at: datetime = NOON,
) -> Made:  # fmt: skip
    """A discipline with every row standing, all questions unlike one another."""
    rng = Random(f"{slug} {seed}")
    named = tuple(
        Subject(digest("subject", slug, n), slug, f"{slug} {rng.choice(WORDS)} {n}", ("beginner", "advanced")[n % 2], ("one", "two"), 1,
                digest("request", "subjects", slug))
        for n in range(subjects)
    )  # fmt: skip
    syllabi = tuple(syllabus(subject, rng, sessions, concepts) for subject in named)
    questions, answers = [], []
    for index in range(pairs):
        taught = syllabi[index % subjects]
        session = rng.choice(taught.sessions)
        sampled = tuple(SampledConcept(c.concept_id, session.session_id) for c in rng.sample(session.concepts, 2))
        identity = digest("question", slug, index)
        text = f"Case {seed}.{index} of {slug}: " + " ".join(f"{rng.choice(WORDS)}{rng.randrange(1000)}" for _ in range(words)) + "?"
        questions.append(
            Question(identity, slug, taught.subject_id, taught.syllabus_id, index, "one_session", text, words, digest("request", identity),
                     made_at, sampled)
        )  # fmt: skip
        answers.append(
            Answer(digest("answer", identity), identity, slug, "Because " + " ".join(rng.choices(WORDS, k=words)), words, "stop", "large",
                   MODEL, digest("request", "answer", identity), made_at + timedelta(seconds=1))
        )  # fmt: skip
    return Made(slug, named, syllabi, tuple(questions), tuple(answers))


def with_question(one: Made, index: int, **changed: Any) -> Made:
    """`one` with its index-th question changed."""
    questions = list(one.questions)
    questions[index] = replace(questions[index], **changed)
    return replace(one, questions=tuple(questions))


def with_failed_answer(one: Made, index: int) -> Made:
    """`one` with its index-th answer failed."""
    answers = list(one.answers)
    answers[index] = replace(
        answers[index], text=None, tokens=None, finish_reason=None, deployment=None, model=None,
        failure=failure("answers", answers[index].answer_id),
    )  # fmt: skip
    return replace(one, answers=tuple(answers))


def meta(asset: str, slug: str, records: Sequence[Record], upstream: dict[str, str] | None = None) -> PartitionMeta:
    content = digest("content", [content_of(record) for record in records])
    return PartitionMeta(asset, slug, digest("fingerprint", asset, slug, content), content, "{}", upstream or {}, build_id="b1", usd="0")


def store_level(partitions: Partitions, asset: str, slug: str, records: Sequence[Record]) -> PartitionMeta:
    """Write one level of one discipline."""
    return partitions.write(asset, slug, [to_row(record) for record in records], meta(asset, slug, records))


def store(partitions: Partitions, *disciplines: Made) -> None:
    """Write all generated levels of the given disciplines."""
    for one in disciplines:
        for asset, records in one.levels().items():
            store_level(partitions, asset, one.discipline, records)


def store_duplicates(partitions: Partitions, *found: Duplicate) -> None:
    store_level(partitions, "duplicates", "all", found)


def store_ledger(warehouse: Path, *disciplines: Made, name: str = "requests-1-1") -> None:
    """Write the ledger's Parquet files: a paid request for each question and answer, one build, one prompt."""
    requests = [
        {
            "request_key": row.request_key, "build_id": "b1", "discipline": row.discipline, "stage": stage, "prompt_hash": PROMPT,
            "deployment": "large", "model": MODEL, "prompt_tokens": 100, "cached_tokens": 0, "completion_tokens": 50,
            "usd": Decimal("0.001"), "latency_s": 0.5, "attempts": 1, "accepted": True, "sent_at": NOON,
        }
        for one in disciplines
        for stage, rows in (("questions", one.questions), ("answers", one.answers))
        for row in rows
    ]  # fmt: skip
    builds = [{"build_id": "b1", "started_at": NOON, "ended_at": NOON, "outcome": "done", "calls": len(requests), "reused": 0,
               "usd": Decimal("0.001") * len(requests), "gland_version": "0.1.0", "taxonomy_hash": "t1"}]  # fmt: skip
    prompts = [{"prompt_hash": PROMPT, "stage": "questions", "name": "questions.one_session.txt", "text": "Write one question."}]
    for table, file, rows in (("requests", name, requests), ("builds", "builds", builds), ("prompts", "prompts", prompts)):
        write_parquet(warehouse / "ledger" / f"{file}.parquet", pa.Table.from_pylist(rows, schema=LEDGER[table]))
