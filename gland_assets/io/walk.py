"""The generated levels of one discipline walked through the response store, with the code that makes them. Asks nobody, writes nothing.

A reply in the store is read as a build would read it, so what is looked up here is, to the request, what a build would look up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from gland_assets.core.curriculum import make_subjects, make_syllabi
from gland_assets.core.instructions import make_answers, make_questions
from gland_assets.core.key_parts import KeyParts
from gland_assets.core.levels import UPSTREAM
from gland_assets.core.making import Making
from gland_assets.core.project import Discipline, Project
from gland_assets.core.records import answer_from, question_from, subject_from, syllabus_from
from gland_assets.core.requests import Rejected, Reply, Request, RequestFailed, request_key
from gland_assets.io.gateway import chain_of, preferred, read_reply
from gland_assets.io.imported import unanswered
from gland_assets.io.partitions import Partitions

T = TypeVar("T")
Rows = Mapping[str, Sequence[Any]]

COMING = "coming"
"""Beside the levels above: ids of subjects that will have a syllabus, and take their share of the questions."""

READ: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "subjects": subject_from, "syllabi": syllabus_from, "questions": question_from, "answers": answer_from,
}  # fmt: skip
MAKE: Mapping[str, Callable[[Making, Rows], Awaitable[Sequence[Any]]]] = {
    "subjects": lambda making, rows: make_subjects(making),
    "syllabi": lambda making, rows: make_syllabi(making, rows["subjects"]),
    "questions": lambda making, rows: make_questions(making, rows["subjects"], rows["syllabi"], rows.get(COMING, ())),
    "answers": lambda making, rows: make_answers(making, rows["questions"]),
}


@dataclass(frozen=True, slots=True)
class Miss:
    """A request that a build would send now: its reply is not in the store. What follows from that reply is not known."""

    request: Request
    key: str
    parts: KeyParts
    rejected: int  # replies to it that are stored and cannot be used


class Walk:
    """One discipline's levels as far as partitions and store know them."""

    def __init__(
        self, project: Project, discipline: Discipline, partitions: Partitions, look_up: Callable[[str], Reply | None],
        on_hit: Callable[[Reply, Request], None], on_miss: Callable[[Miss], None], retry_failures: bool = False,
    ) -> None:  # fmt: skip
        """`look_up` gives the stored reply of a key. `on_hit` is told of every reply that is there, a rejected one too; `on_miss` of every
        request that has none. `retry_failures`: as a build would that tries failed rows again."""
        self._project, self._discipline, self._partitions, self._look_up = project, discipline, partitions, look_up
        self._on_hit, self._on_miss = on_hit, on_miss
        self._retry_failures = retry_failures
        self._failed: dict[str, Collection[str]] = {}  # stage -> rows to be tried again
        self._rows: dict[str, Sequence[Any]] = {}

    def rows(self, stage: str) -> Sequence[Any]:
        """The records that a model was asked for, as they were made here, else as the partition holds them. Raises as `Partitions.rows`."""
        if stage not in self._rows:
            self._rows[stage] = [READ[stage](row) for row in self._partitions.asked(stage, self._discipline.slug)]
        return self._rows[stage]

    def look(self, stage: str, above: Rows | None = None) -> Sequence[Any]:
        """What a build would make of a level with the replies there are; rows that miss one stand as failed. `above` takes the place of
        rows known here."""
        rows = {name: self.rows(name) for name in UPSTREAM[stage] if name in READ}
        if stage == "answers":
            rows["questions"] = [*rows["questions"], *unanswered(self._partitions, self._discipline.slug)]
        return asyncio.run(_made(stage, Making(self._project, self._discipline, self._ask, "walk"), rows | dict(above or {})))

    def make(self, stage: str, above: Rows | None = None) -> Sequence[Any]:
        """As `look`; the levels below are then made from these rows, as they are after a build of this level."""
        self._rows[stage] = self.look(stage, above)
        return self._rows[stage]

    async def _ask(self, request: Request, accept: Callable[[Reply], T]) -> tuple[T, Reply]:
        chain = chain_of(self._project, request, self._again(request))
        identity = preferred(self._project, request).identity
        while True:
            asked = chain.asked
            reply = self._look_up(key := request_key(asked, identity))
            if reply is None:
                if not chain.open:
                    raise chain.failed()
                self._on_miss(Miss(asked, key, KeyParts.of(asked, identity), chain.replies))
                raise RequestFailed(request, key, "not asked yet", "", chain.replies, rejected=False)
            self._on_hit(reply, asked)
            try:
                return read_reply(self._project, asked, reply, accept), reply
            except Rejected as rejected:
                chain.reject(reply, rejected)

    def _again(self, request: Request) -> bool:
        if not self._retry_failures:
            return False
        if request.stage not in self._failed:
            self._failed[request.stage] = self._partitions.failed(request.stage, self._discipline.slug)
        return request.row in self._failed[request.stage]


async def _made(stage: str, making: Making, above: Rows) -> Sequence[Any]:
    return await MAKE[stage](making, above)
