"""Subjects of a discipline, and the syllabus of each: asked in free text first, then read out of it by a second turn.

Free text first because a format demanded in the first turn lowers quality (GLAN, arXiv 2402.13064).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from gland_assets.core.chain import FORM
from gland_assets.core.fanout import each
from gland_assets.core.hashing import derive_seed, digest
from gland_assets.core.making import Making
from gland_assets.core.parsing import SessionFound, SubjectFound, parse_prose, parse_subjects, parse_syllabus
from gland_assets.core.records import Failure, KeyConcept, Session, Subject, Syllabus
from gland_assets.core.requests import Message, Reply, Request, RequestFailed
from gland_assets.core.schemas import prose_schema, subjects_schema, syllabus_schema

T = TypeVar("T")

CONVERSATIONS = 3
"""Times both turns are gone through when what is replied to the second cannot be used: then the first may hold nothing to read out."""


async def _converse(making: Making, first: Request, extract: Request, accept: Callable[[Reply], T]) -> tuple[T, Reply]:
    """The value read from the second turn, and its reply. `extract` is the second turn's request, its messages that turn alone."""
    for conversation in range(CONVERSATIONS):
        seed = derive_seed(first.seed, "conversation", conversation) if conversation else first.seed
        text, _ = await making.ask(replace(first, seed=seed), lambda reply: parse_prose(reply.text))
        messages = (*first.messages, Message("assistant", text), *extract.messages)
        try:
            return await making.ask(replace(extract, seed=seed, messages=messages), accept)
        except RequestFailed as error:
            # Where no reply came, or the model could not put in form what it was shown, another first turn would be paid for nothing.
            hopeless = not error.rejected or (error.cause in FORM and not making.preferred(first.stage).local)
            if hopeless or conversation == CONVERSATIONS - 1:
                raise
    raise AssertionError("no conversation was tried")


async def make_subjects(making: Making) -> list[Subject]:
    """The subjects of one discipline: every query's, merged by name in the order first found; a failed query is a failure row."""
    slug, settings = making.discipline.slug, making.discipline.settings
    least, most = settings.subjects
    local = making.preferred("subjects").local
    spoken = prose_schema() if local else None

    async def query(number: int) -> tuple[list[SubjectFound], str] | Failure:
        row = digest("subjects", slug, number)
        seed = derive_seed(settings.seed, slug, "subjects", number)
        ask = making.turn("subjects.ask.txt", least=str(least), most=str(most))
        extract = making.turn("subjects.extract.txt", least=str(least), most=str(most))
        first = making.request("subjects", row, "subjects.ask.txt", (ask,), seed, number, spoken)
        second = making.request("subjects", row, "subjects.extract.txt", (extract,), seed, number, subjects_schema(least, most, local))
        try:
            found, reply = await _converse(
                making, first, second, lambda reply: parse_subjects(reply.text, making.discipline.name, least, most)
            )
        except RequestFailed as error:
            return making.failure(error)
        return found, reply.request_key

    return merge_subjects(slug, await each(range(settings.subject_queries), query))


def merge_subjects(slug: str, queries: Sequence[tuple[list[SubjectFound], str] | Failure]) -> list[Subject]:
    """Subjects that share a name (case and spacing aside) become one, which keeps what its first finder said of it."""
    merged: dict[str, Subject] = {}
    failed: list[Subject] = []
    for outcome in queries:
        if isinstance(outcome, Failure):
            failed.append(Subject(outcome.row_id, slug, None, None, (), 0, outcome.request_key, outcome))
            continue
        found, key = outcome
        named = {subject_id(slug, one[0]): one for one in reversed(found)}
        for identity, (name, level, subtopics) in reversed(named.items()):
            known = merged.get(identity)
            merged[identity] = (
                replace(known, found_in_queries=known.found_in_queries + 1)
                if known
                else Subject(identity, slug, name, level, tuple(subtopics), 1, key)
            )
    return [*merged.values(), *failed]


def subject_id(slug: str, name: str) -> str:
    """Identity of a subject: its discipline and its name, case and spacing aside."""
    return digest("subject", slug, " ".join(name.casefold().split()))


async def make_syllabi(making: Making, subjects: Sequence[Subject]) -> list[Syllabus]:
    """One syllabus a subject, in their order; a subject whose syllabus failed has a failure row in its place."""
    slug, settings = making.discipline.slug, making.discipline.settings
    least, most = settings.sessions
    local = making.preferred("syllabi").local
    spoken = prose_schema() if local else None

    async def one(subject: Subject) -> Syllabus:
        assert subject.name is not None and subject.level is not None
        identity = digest("syllabus", subject.subject_id)
        seed = derive_seed(settings.seed, subject.subject_id, "syllabi")
        ask = making.turn(
            "syllabi.ask.txt", subject=subject.name, level=subject.level, subtopics=", ".join(subject.subtopics),
            least=str(least), most=str(most),
        )  # fmt: skip
        extract = making.turn("syllabi.extract.txt", subject=subject.name, least=str(least), most=str(most))
        first = making.request("syllabi", identity, "syllabi.ask.txt", (ask,), seed, schema=spoken)
        second = making.request("syllabi", identity, "syllabi.extract.txt", (extract,), seed, schema=syllabus_schema(least, most, local))
        try:
            found, reply = await _converse(making, first, second, lambda reply: parse_syllabus(reply.text, subject.name or "", least, most))
        except RequestFailed as error:
            failure = making.failure(error)
            return Syllabus(identity, subject.subject_id, slug, None, 0, failure.request_key, (), failure)
        return build_syllabus(subject, *found, reply.request_key)

    return await each([subject for subject in subjects if not subject.failure], one)


def build_syllabus(subject: Subject, introduction: str, found: Sequence[SessionFound], request_key: str) -> Syllabus:
    """A syllabus record from what the model said, with ids that follow from titles and names."""
    identity = digest("syllabus", subject.subject_id)
    sessions = []
    for position, (title, description, names) in enumerate(found):
        session_id = digest("session", identity, title, position)
        concepts = tuple(KeyConcept(digest("concept", session_id, name), place, name) for place, name in enumerate(names))
        sessions.append(Session(session_id, position, title, description, concepts))
    return Syllabus(identity, subject.subject_id, subject.discipline, introduction, len(sessions), request_key, tuple(sessions))
