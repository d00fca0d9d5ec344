"""Questions from sampled sessions and key concepts, and an answer to each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from gland_assets.core.cost import estimate_tokens
from gland_assets.core.fanout import each
from gland_assets.core.hashing import derive_seed, digest
from gland_assets.core.making import Making
from gland_assets.core.parsing import parse_answer, parse_question
from gland_assets.core.records import Answer, Question, SampledConcept, Session, Subject, Syllabus
from gland_assets.core.requests import Request, RequestFailed
from gland_assets.core.sampling import Sample, deal, draw_samples, usable
from gland_assets.core.schemas import question_schema


def dealt_samples(
    subjects: Sequence[Subject], syllabi: Sequence[Syllabus], pairs: int, seed: int, coming: Collection[str] = ()
) -> Iterator[tuple[Subject, Syllabus, Sample]]:
    """The samples that `pairs` questions are asked from: dealt round robin to the subjects with a usable syllabus, in their order.

    The subjects whose ids are `coming` will have one: they take their share of the deal, and nothing can be drawn for them yet.
    """
    by_subject = {syllabus.subject_id: syllabus for syllabus in syllabi if usable(syllabus)}
    taught = [subject for subject in subjects if subject.subject_id in by_subject or subject.subject_id in coming]
    for subject, count in zip(taught, deal(len(taught), pairs), strict=True):
        if syllabus := by_subject.get(subject.subject_id):
            for sample in draw_samples(syllabus, count, seed):
                yield subject, syllabus, sample


def syllabus_text(syllabus: Syllabus) -> str:
    """The whole syllabus as a prompt shows it."""
    lines = [syllabus.introduction or ""]
    for number, session in enumerate(syllabus.sessions, 1):
        lines.append(f"Session {number}: {session.title}. {session.description}".rstrip())
        lines.append("Key concepts: " + ", ".join(concept.name for concept in session.concepts))
    return "\n".join(line for line in lines if line)


def question_request(making: Making, subject: Subject, syllabus: Syllabus, sample: Sample) -> Request:
    """The request for the question of one sample."""
    prompt = f"questions.{sample.strategy}.txt"
    turn = making.turn(
        prompt, subject=subject.name or "", level=subject.level or "", syllabus=syllabus_text(syllabus),
        sessions="\n".join(_session_line(session) for session in sample.sessions),
        concepts="\n".join(f"- {concept.name} (session {session.position + 1})" for concept, session in sample.concepts),
    )  # fmt: skip
    identity = sample.question_id(making.discipline.slug)
    seed = derive_seed(making.discipline.settings.seed, identity, "questions")
    # The bundled model chats about the task unless a schema makes it ask.
    schema = question_schema() if making.preferred("questions").local else None
    return making.request("questions", identity, prompt, (turn,), seed, sample.index, schema)


def _session_line(session: Session) -> str:
    return f"Session {session.position + 1}: {session.title}"


async def make_questions(
    making: Making, subjects: Sequence[Subject], syllabi: Sequence[Syllabus], coming: Collection[str] = ()
) -> list[Question]:
    """`pairs` questions of one discipline, each from a fresh sample; a failed one is a failure row in its place.

    Of the subjects `coming`, as in `dealt_samples`, none can be asked yet.
    """
    settings, slug = making.discipline.settings, making.discipline.slug
    local = making.preferred("questions").local

    async def one(item: tuple[Subject, Syllabus, Sample]) -> Question:
        subject, syllabus, sample = item
        request = question_request(making, subject, syllabus, sample)
        # Only the weak local model has to be held to naming a concept; of the others it is measured.
        names = [concept.name for concept, _ in sample.concepts] if local else []
        sampled = tuple(SampledConcept(concept.concept_id, session.session_id) for concept, session in sample.concepts)
        known = (request.row, slug, subject.subject_id, syllabus.syllabus_id, sample.index, sample.strategy)
        try:
            text, reply = await making.ask(request, lambda reply: parse_question(reply.text, names))
        except RequestFailed as error:
            failure = making.failure(error)
            return Question(*known, None, None, failure.request_key, making.now(), sampled, failure)
        tokens = reply.completion_tokens or estimate_tokens(text)
        return Question(*known, text, tokens, reply.request_key, making.now(), sampled)

    return await each(list(dealt_samples(subjects, syllabi, settings.pairs, settings.seed, coming)), one)


def answer_request(making: Making, question: Question) -> Request:
    """The request for the answer to one question."""
    turn = making.turn("answers.txt", question=question.text or "")
    identity = digest("answer", question.question_id)
    return making.request("answers", identity, "answers.txt", (turn,), derive_seed(question.question_id, "answers"))


async def make_answers(making: Making, questions: Sequence[Question]) -> list[Answer]:
    """One answer to every question that stands, in their order; a failed one is a failure row in its place."""

    async def one(question: Question) -> Answer:
        request = answer_request(making, question)
        known = (request.row, question.question_id, question.discipline)
        try:
            text, reply = await making.ask(request, lambda reply: parse_answer(reply.text, question.text or ""))
        except RequestFailed as error:
            failure = making.failure(error)
            return Answer(*known, None, None, None, None, None, failure.request_key, making.now(), failure)
        return Answer(
            *known, text, reply.completion_tokens or estimate_tokens(text),
            reply.finish_reason, reply.deployment, reply.model, reply.request_key, making.now(),
        )  # fmt: skip

    return await each([question for question in questions if not question.failure], one)
