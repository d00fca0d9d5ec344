"""What a plan will ask for: each level that is out of date is walked through against the response store, with the code that makes it.

A reply in the store is read as a build would read it, so what will be reused is exact; a miss counts as a call, and what follows from
rows not made yet is estimated from the history of the project, else from declared defaults.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from math import ceil
from pathlib import Path
from typing import TypeVar

from gland_assets.core.cost import usd
from gland_assets.core.curriculum import make_subjects, make_syllabi
from gland_assets.core.instructions import make_answers, make_questions
from gland_assets.core.levels import GENERATED
from gland_assets.core.making import Making
from gland_assets.core.plan import Metas, Plan
from gland_assets.core.project import Discipline, Project
from gland_assets.core.records import Question, Record, Subject, Syllabus, question_from, subject_from, syllabus_from
from gland_assets.core.requests import Rejected, Reply, Request, RequestFailed
from gland_assets.io.gateway import read_reply, tries
from gland_assets.io.ledger import Ledger
from gland_assets.io.paid import paid_reply
from gland_assets.io.partitions import Partitions
from gland_assets.io.prices import price_of
from gland_assets.io.store import ResponseStore

T = TypeVar("T")

TURNS = {"subjects": 2, "syllabi": 2, "questions": 1, "answers": 1}  # calls a row
DEFAULT_TOKENS = {"subjects": (600, 600), "syllabi": (900, 900), "questions": (1200, 120), "answers": (150, 400)}
"""Prompt and completion tokens a call, declared for a project without history; completions are held under the stage's max_tokens."""
LOCAL_TOKENS_A_SECOND = 80  # of the bundled model, on one core
REMOTE_SECONDS = 8.0  # a call


@dataclass(slots=True)
class StageEstimate:
    """What one stage will ask for."""

    calls: int = 0
    reused: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: Decimal | None = Decimal(0)


@dataclass(slots=True)
class Estimate:
    """What bringing a plan up to date will ask for. `usd` is None when a deployment's price is unknown."""

    by_stage: dict[str, StageEstimate] = field(default_factory=dict)
    seconds: float = 0.0
    basis: str = "nothing to ask for"

    @property
    def calls(self) -> int:
        """Calls that will be paid for."""
        return sum(stage.calls for stage in self.by_stage.values())

    @property
    def reused(self) -> int:
        """Replies that stand in the response store already."""
        return sum(stage.reused for stage in self.by_stage.values())

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts that will be paid for."""
        return sum(stage.prompt_tokens for stage in self.by_stage.values())

    @property
    def completion_tokens(self) -> int:
        """Tokens of all replies that will be paid for."""
        return sum(stage.completion_tokens for stage in self.by_stage.values())

    @property
    def usd(self) -> Decimal | None:
        """Dollars; None when the price of any call is unknown."""
        parts = [stage.usd for stage in self.by_stage.values()]
        return None if any(part is None for part in parts) else sum((part for part in parts if part is not None), Decimal(0))


class _Walk:
    """An `ask` that looks into the store and calls nobody, for one discipline."""

    def __init__(self, project: Project, store: ResponseStore, ledger: Ledger) -> None:
        self._project, self._store, self._ledger = project, store, ledger
        self.missed: dict[str, set[str]] = defaultdict(set)  # stage -> rows that will be asked for
        self.calls: dict[str, float] = defaultdict(float)  # by stage
        self.reused: dict[str, int] = defaultdict(int)

    async def ask(self, request: Request, accept: Callable[[Reply], T]) -> tuple[T, Reply]:
        for attempt, (asked, key) in enumerate(tries(self._project, request)):
            reply = paid_reply(self._store, self._ledger, key)
            if reply is None:
                # A first turn that is missing will be followed by the second.
                self.calls[request.stage] += TURNS[request.stage] if len(request.messages) == 1 else 1
                self.missed[request.stage].add(request.row)
                raise RequestFailed(request, key, "not asked yet", "", attempt, rejected=False)
            self.reused[request.stage] += 1
            try:
                return read_reply(asked, reply, accept), reply
            except Rejected as rejected:
                last = rejected
        raise RequestFailed(request, key, last.cause, last.detail, attempt + 1, rejected=True)


def foresee(project: Project, warehouse: Path, plan: Plan) -> Estimate:
    """What the levels of `plan` that are out of date will ask for. Reads partitions and store; asks and writes nothing.

    Raises WarehouseError when a reply that was paid for would have to be paid for again.
    """
    late = plan.out_of_date()
    if not any(level in GENERATED for levels in late.values() for level in levels):
        return Estimate()
    partitions = Partitions(warehouse)
    history = _History(partitions.metas())
    index = project.index()
    walks: dict[str, _Walk] = {}
    with closing(ResponseStore(project.store_path or warehouse / "responses.sqlite")) as store, closing(Ledger(warehouse)) as ledger:
        for slug, levels in late.items():
            walks[slug] = _Walk(project, store, ledger)
            asyncio.run(_discipline(project, index[slug], levels, partitions, walks[slug], history))
    return _priced(project, walks, history)


async def _discipline(
    project: Project, discipline: Discipline, levels: Sequence[str], partitions: Partitions, walk: _Walk, history: _History
) -> None:
    """Walk one discipline's late levels, and add the calls that follow from rows the walk could not know.

    A syllabus to come takes its share of the questions, so that one more among many is foreseen as what it costs.
    """
    making = Making(project, discipline, walk.ask, "plan")
    slug, settings = discipline.slug, discipline.settings
    known: dict[str, Sequence[Record]] = {}
    unknown = dict.fromkeys(GENERATED, 0.0)  # rows that will stand, but are not known yet

    async def level(stage: str, read: Callable[[Mapping[str, object]], Record], make: Callable[[], Awaitable[Sequence[Record]]]) -> None:
        if stage not in levels:
            known[stage] = [read(row) for row in partitions.rows(stage, slug)]
            return
        known[stage] = await make()
        unknown[stage] += len(walk.missed[stage]) * (history.subjects_a_query(settings.subjects) if stage == "subjects" else 1)

    def listed() -> list[Subject]:
        return [row for row in known["subjects"] if isinstance(row, Subject)]

    def taught() -> list[Syllabus]:
        return [row for row in known["syllabi"] if isinstance(row, Syllabus)]

    await level("subjects", subject_from, lambda: make_subjects(making))
    await level("syllabi", syllabus_from, lambda: make_syllabi(making, listed()))
    if "syllabi" in levels:
        walk.calls["syllabi"] += TURNS["syllabi"] * unknown["subjects"]
        unknown["syllabi"] += unknown["subjects"]
    fresh = [_to_come(slug, number) for number in range(ceil(unknown["subjects"]))]
    coming = {row.subject_id for row in fresh} | {row.subject_id for row in taught() if row.syllabus_id in walk.missed["syllabi"]}
    await level("questions", question_from, lambda: make_questions(making, [*listed(), *fresh], taught(), coming))
    if coming:
        unasked = settings.pairs - len(known["questions"])
        walk.calls["questions"] += unasked
        unknown["questions"] += unasked
    if "answers" in levels:
        asked = [row for row in known["questions"] if isinstance(row, Question)]
        await make_answers(making, asked)
        walk.calls["answers"] += unknown["questions"]


def _to_come(slug: str, number: int) -> Subject:
    """A subject that a query to be asked will bring."""
    return Subject(f"to come {number}", slug, None, None, (), 0, None)


class _History:
    """Means over what this project has asked for so far."""

    def __init__(self, metas: Metas) -> None:
        sums: dict[str, list[int]] = {stage: [0, 0, 0] for stage in GENERATED}
        subjects = queries = 0
        for (asset, _), meta in metas.items():
            if asset in sums:
                for place, value in enumerate((meta.calls, meta.prompt_tokens, meta.completion_tokens)):
                    sums[asset][place] += value
            if asset == "subjects" and meta.calls:
                subjects, queries = subjects + meta.rows, queries + max(1, meta.calls // TURNS["subjects"])
        self._sums, self._subjects = sums, (subjects, queries)

    def known(self, stage: str) -> bool:
        """Whether this stage has been paid for before."""
        return self._sums[stage][0] > 0

    def tokens(self, stage: str, max_tokens: int) -> tuple[float, float]:
        """Prompt and completion tokens a call."""
        calls, prompt, completion = self._sums[stage]
        if calls:
            return prompt / calls, completion / calls
        return DEFAULT_TOKENS[stage][0], min(DEFAULT_TOKENS[stage][1], max_tokens)

    def subjects_a_query(self, bounds: tuple[int, int]) -> float:
        """Different subjects that one more query brings."""
        subjects, queries = self._subjects
        return subjects / queries if queries else sum(bounds) / 2


def _priced(project: Project, walks: Mapping[str, _Walk], history: _History) -> Estimate:
    estimate = Estimate({stage: StageEstimate() for stage in GENERATED})
    index, defaults = project.index(), False
    for slug, stage in product(walks, GENERATED):
        total, deployment = estimate.by_stage[stage], project.preferred(index[slug], stage)
        calls = round(walks[slug].calls[stage])
        total.calls += calls
        total.reused += walks[slug].reused[stage]
        if not calls:
            continue
        defaults = defaults or not history.known(stage)
        a_prompt, a_completion = history.tokens(stage, index[slug].settings.stages[stage].max_tokens)
        prompt, completion = round(calls * a_prompt), round(calls * a_completion)
        total.prompt_tokens += prompt
        total.completion_tokens += completion
        cost = usd(price_of(deployment), prompt, 0, completion)
        total.usd = None if cost is None or total.usd is None else total.usd + cost
        estimate.seconds += (
            completion / LOCAL_TOKENS_A_SECOND if deployment.local else calls * REMOTE_SECONDS / deployment.max_parallel_requests
        )
    if estimate.calls:
        estimate.basis = "declared defaults, for want of history" if defaults else "the history of this project"
    return estimate
