"""Sample sessions and key concepts for questions, and deal questions to subjects. Pure: same seed, same sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from gland_assets.core.hashing import derive_seed, digest
from gland_assets.core.records import KeyConcept, Session, Syllabus

ONE_SESSION, TWO_SESSIONS = "one_session", "two_sessions"
MOST_CONCEPTS = 5  # the method's bound, for both strategies
REDRAWS = 32  # draws before a sample that the subject has had already is let through

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one question is asked from: one or two sessions in order, and concepts of each of them."""

    index: int  # the subject's k-th, from 0
    strategy: str
    sessions: tuple[Session, ...]
    concepts: tuple[tuple[KeyConcept, Session], ...]

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """Ids of the sampled concepts, in order of session and position."""
        return tuple(concept.concept_id for concept, _ in self.concepts)

    def question_id(self, discipline: str) -> str:
        """The id of the question asked from this sample."""
        return digest("question", discipline, self.concept_ids, self.index)


def deal(subject_count: int, pairs: int) -> list[int]:
    """How many questions each of `subject_count` subjects is dealt, round robin in their order.

    They sum to `pairs`, or to 0 without subjects.
    """
    if subject_count == 0:
        return []
    each, left = divmod(pairs, subject_count)
    return [each + (i < left) for i in range(subject_count)]


def usable(syllabus: Syllabus) -> bool:
    """Whether questions can be asked from this syllabus: it has a session with a key concept."""
    return any(session.concepts for session in syllabus.sessions)


def draw_samples(syllabus: Syllabus, count: int, seed: int) -> list[Sample]:
    """The first `count` samples of a syllabus: a longer list starts with the shorter one, whatever else changes.

    A sample differs from the earlier ones of its subject while the syllabus has combinations left. ValueError if it is not `usable`.
    """
    sessions = [session for session in syllabus.sessions if session.concepts]
    if not sessions:
        raise ValueError(f"syllabus {syllabus.syllabus_id} has no key concept")
    drawn: list[Sample] = []
    seen: set[tuple[str, ...]] = set()
    for index in range(count):
        for redraw in range(REDRAWS):
            rng = Random(derive_seed(seed, "sample", syllabus.subject_id, index, redraw))
            sample = _draw(sessions, index, rng)
            if sample.concept_ids not in seen:
                break
        seen.add(sample.concept_ids)
        drawn.append(sample)
    return drawn


def _draw(sessions: Sequence[Session], index: int, rng: Random) -> Sample:
    two = len(sessions) > 1 and rng.random() < 0.5
    chosen = sorted(_pick(sessions, 2 if two else 1, rng), key=lambda session: session.position)
    pool = [(concept, session) for session in chosen for concept in session.concepts]
    least = len(chosen)
    size = least + int(rng.random() * (min(MOST_CONCEPTS, len(pool)) - least + 1))
    while True:
        concepts = _pick(pool, size, rng)
        # Both sessions must be asked about; drawing again keeps all allowed combinations equally likely.
        if len({session.session_id for _, session in concepts}) == len(chosen):
            break
    ordered = sorted(concepts, key=lambda pair: (pair[1].position, pair[0].position))
    return Sample(index, TWO_SESSIONS if two else ONE_SESSION, tuple(chosen), tuple(ordered))


def _pick(items: Sequence[T], count: int, rng: Random) -> list[T]:
    """`count` different items. Only `random()` is promised to repeat across versions of Python, so the draw is made from it."""
    left = list(items)
    return [left.pop(int(rng.random() * len(left))) for _ in range(count)]
