"""The two turns of a curriculum: when both are gone through again, and when that would only be paid for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from gland_assets.core.curriculum import CONVERSATIONS, make_subjects
from gland_assets.core.making import Making
from gland_assets.core.requests import Reply, Request, RequestFailed
from tests.projects import small_project

T = TypeVar("T")
PROSE = (
    "Propositional logic for beginners, with truth tables and proofs; then predicate logic, with quantifiers and models, for the advanced."
)
LISTED = json.dumps(
    {
        "subjects": [
            {"subject_name": "Propositional logic", "subtopics": ["truth tables"], "level": "beginner"},
            {"subject_name": "Predicate logic", "subtopics": ["quantifiers"], "level": "advanced"},
        ]
    }
)


class Model:
    """Answers first turns, and second ones after `failing` of them have failed, `rejected` or without a reply."""

    def __init__(self, failing: int, rejected: bool) -> None:
        self.failing, self.rejected = failing, rejected
        self.firsts: list[int] = []  # seeds
        self.seconds: list[tuple[int, str]] = []  # seeds, and what the first turn said

    async def ask(self, request: Request, accept: Callable[[Reply], T]) -> tuple[T, Reply]:
        if len(request.messages) == 1:
            self.firsts.append(request.seed)
            text = f"{PROSE} ({len(self.firsts)})"
        else:
            self.seconds.append((request.seed, request.messages[1].content))
            if len(self.seconds) <= self.failing:
                raise RequestFailed(request, "key", "too_few" if self.rejected else "context_length", "", 4, rejected=self.rejected)
            text = LISTED
        reply = Reply("key", text, "stop", "main", "model-a", 1, 0, 1, None, 0.0, 1, "build", datetime(2026, 1, 1, tzinfo=UTC))
        return accept(reply), reply


def made(model: Model) -> list[str]:
    """What each subject row is: its name, or the cause of its failure."""
    project = small_project()
    rows = asyncio.run(make_subjects(Making(project, project.discipline("logic"), model.ask, "build")))
    return [row.failure.cause if row.failure else str(row.name) for row in rows]


def test_a_sound_conversation_is_held_once() -> None:
    model = Model(failing=0, rejected=True)
    assert made(model) == ["Propositional logic", "Predicate logic"]
    assert (len(model.firsts), len(model.seconds)) == (1, 1)


@pytest.mark.parametrize("failing", range(1, CONVERSATIONS))
def test_when_no_second_turn_can_be_used_both_are_gone_through_again_with_another_seed(failing: int) -> None:
    model = Model(failing, rejected=True)
    assert made(model) == ["Propositional logic", "Predicate logic"]
    assert len(set(model.firsts)) == len(model.firsts) == failing + 1
    assert [seed for seed, _ in model.seconds] == model.firsts
    assert [text for _, text in model.seconds] == [f"{PROSE} ({number})" for number in range(1, failing + 2)]


def test_it_ends_after_a_bounded_number_of_conversations_in_one_failure_row() -> None:
    model = Model(failing=100, rejected=True)
    assert made(model) == ["too_few"]
    assert (len(model.firsts), len(model.seconds)) == (CONVERSATIONS, CONVERSATIONS)


def test_where_no_reply_came_no_other_first_turn_is_paid_for() -> None:
    model = Model(failing=100, rejected=False)
    assert made(model) == ["context_length"]
    assert (len(model.firsts), len(model.seconds)) == (1, 1)
