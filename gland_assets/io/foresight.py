"""What a plan will ask for: each level that is out of date is walked through against the response store, with the code that makes it.

A reply in the store is read as a build would read it, so what will be reused is exact; a miss counts as the calls a row takes, and what
follows from rows not made yet is estimated. Both go by the history of the project, else by declared defaults.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from math import ceil
from pathlib import Path

from gland_assets.core.cost import estimate_tokens, usd
from gland_assets.core.levels import GENERATED, TURNS
from gland_assets.core.plan import Plan
from gland_assets.core.project import Deployment, Discipline, Project
from gland_assets.core.records import Subject
from gland_assets.core.requests import Reply, Request
from gland_assets.io.history import Call, History
from gland_assets.io.ledger import Ledger
from gland_assets.io.paid import paid_reply
from gland_assets.io.partitions import Partitions
from gland_assets.io.prices import price_of
from gland_assets.io.store import ResponseStore, store_path
from gland_assets.io.walk import COMING, Miss, Walk

DEFAULT_TOKENS = {
    ("subjects", 0): (260, 600), ("subjects", 1): (1000, 600), ("syllabi", 0): (330, 900), ("syllabi", 1): (1400, 900),
    ("questions", 0): (1400, 120), ("answers", 0): (150, 400),
}  # fmt: skip
"""Prompt and completion tokens of a call, by stage and turn, declared for a project without history. A prompt that can be rendered is
counted instead; completions are held under the stage's max_tokens."""
LOCAL_TOKENS_A_SECOND = 80  # of the bundled model, on one core
REMOTE_SECONDS = 8.0  # a call


@dataclass(slots=True)
class Portion:
    """What one stage, one discipline or all of a plan will ask for. `usd` is None when a price is unknown."""

    calls: int = 0  # that will be paid for
    reused: int = 0  # replies that stand in the response store already
    prompt_tokens: int = 0  # of the calls
    completion_tokens: int = 0
    usd: Decimal | None = Decimal(0)


@dataclass(slots=True)
class Estimate:
    """What bringing a plan up to date will ask for."""

    portions: dict[tuple[str, str], Portion] = field(default_factory=dict)  # by discipline and stage
    seconds: float = 0.0
    basis: str = "nothing to ask for"

    @property
    def all(self) -> Portion:
        """The whole of it."""
        return _sum(self.portions.values())

    @property
    def by_stage(self) -> dict[str, Portion]:
        """Over all disciplines, in order of the road."""
        return {name: _sum(each for (_, stage), each in self.portions.items() if stage == name) for name in GENERATED}

    @property
    def by_discipline(self) -> dict[str, Portion]:
        """Over all stages, in order of the plan."""
        return {slug: self.of((slug,)) for slug, _ in self.portions}

    def of(self, slugs: Iterable[str]) -> Portion:
        """What some disciplines will ask for together."""
        return _sum(self.portions[slug, stage] for slug in slugs for stage in GENERATED if (slug, stage) in self.portions)


def _sum(portions: Iterable[Portion]) -> Portion:
    total = Portion()
    for each in portions:
        for name in ("calls", "reused", "prompt_tokens", "completion_tokens"):
            setattr(total, name, getattr(total, name) + getattr(each, name))
        total.usd = None if total.usd is None or each.usd is None else total.usd + each.usd
    return total


def foresee(project: Project, warehouse: Path, plan: Plan) -> Estimate:
    """What the levels of `plan` that are out of date will ask for. Reads partitions, store and ledger; asks and writes nothing.

    Raises WarehouseError when a reply that was paid for would have to be paid for again.
    """
    with closing(Ledger(warehouse)) as ledger:
        return foresee_levels(
            project, warehouse, plan.out_of_date(), lambda store, key: paid_reply(store, ledger, key), retry_failures=plan.retry_failures
        )


def in_store(store: ResponseStore, key: str) -> Reply | None:
    """The stored reply of a key."""
    return store.get((key,)).get(key)


def foresee_levels(
    project: Project, warehouse: Path, late: Mapping[str, Sequence[str]],
    look_up: Callable[[ResponseStore, str], Reply | None] = in_store,
    on_hit: Callable[[Reply, Request], None] = lambda reply, request: None, on_miss: Callable[[Miss], None] = lambda miss: None,
    retry_failures: bool = False,
) -> Estimate:  # fmt: skip
    """As `foresee`, for these levels by discipline, whatever state they are in. `on_hit` is told of every reply that is in the store,
    `on_miss` of every request whose reply is not. `retry_failures`: with the failed rows' next tries."""
    if not any(level in GENERATED for levels in late.values() for level in levels):
        return Estimate()
    partitions = Partitions(warehouse)
    foreseen = _Foreseen(project, History(partitions.metas(), warehouse))
    index = project.index()
    with closing(ResponseStore(store_path(project, warehouse))) as store:
        for slug, levels in late.items():
            counts = _Counts(on_hit, on_miss)
            walk = Walk(project, index[slug], partitions, partial(look_up, store), counts.hit, counts.missed, retry_failures)
            _walk(walk, index[slug], levels, counts, foreseen)
            foreseen.add(index[slug], counts)
    return foreseen.estimate()


class _Counts:
    """What one discipline's walk met, and the rows that will follow from what it could not know."""

    def __init__(self, on_hit: Callable[[Reply, Request], None], on_miss: Callable[[Miss], None]) -> None:
        self._on_hit, self._on_miss = on_hit, on_miss
        self.rows: dict[tuple[str, int], float] = defaultdict(float)  # that will be asked for from this turn of the stage on
        self.rendered: dict[tuple[str, int], list[int]] = defaultdict(list)  # prompt tokens of calls whose prompt is known, as estimated
        self.missed_rows: set[str] = set()
        self.reused: Counter[str] = Counter()

    def hit(self, reply: Reply, request: Request) -> None:
        """A reply is in the store."""
        self.reused[request.stage] += 1
        self._on_hit(reply, request)

    def missed(self, miss: Miss) -> None:
        """A reply is not in the store."""
        asked = miss.request
        turn = TURNS[asked.stage] - 1 if len(asked.messages) > 1 else 0
        self.rows[asked.stage, turn] += 1
        self.missed_rows.add(asked.row)
        self.rendered[asked.stage, turn].append(sum(estimate_tokens(message.content) for message in asked.messages))
        self._on_miss(miss)

    def of(self, stage: str) -> float:
        """Rows of a stage that will be asked for."""
        return sum(self.rows[stage, turn] for turn in range(TURNS[stage]))


class _Foreseen:
    """Adds up disciplines, and keeps what had to be guessed."""

    def __init__(self, project: Project, history: History) -> None:
        self.history = history
        self._project = project
        self._portions: dict[tuple[str, str], Portion] = {}
        self._busy: dict[str, float] = defaultdict(float)  # deployment -> seconds of all its calls, one after the other
        self._calls: dict[str, float] = defaultdict(float)  # deployment -> calls
        self._tokens: dict[str, float] = defaultdict(float)  # deployment -> tokens of those
        self._longest = 0.0  # seconds of the discipline that waits longest: its turns follow one another
        self._known, self._guessed = False, set[str]()

    def subjects_a_query(self, discipline: Discipline) -> float:
        """Different subjects that one more query is thought to bring."""
        found = self.history.subjects_a_query(discipline.settings)
        if found is None:
            self._guessed.add("the number of subjects")
        return sum(discipline.settings.subjects) / 2 if found is None else found

    def add(self, discipline: Discipline, counts: _Counts) -> None:
        """Prices what one discipline will ask for."""
        waits = 0.0
        for stage in GENERATED:
            deployment = self._project.preferred(discipline, stage)
            portion = self._portions[discipline.slug, stage] = Portion(reused=counts.reused[stage])
            total = prompt = cached = completion = 0.0
            each = self.history.calls_a_row(stage)
            for turn in range(TURNS[stage]):
                # A first turn that is missing will be followed by the second.
                calls = each[turn] * sum(counts.rows[stage, first] for first in range(turn + 1))
                if not calls:
                    continue
                most = discipline.settings.stages[stage].max_tokens
                call = self._call(stage, turn, deployment, most, counts.rendered[stage, turn])
                total, prompt, cached = total + calls, prompt + calls * call.prompt, cached + calls * call.cached
                completion += calls * call.completion
                self._busy[deployment.name] += calls * call.seconds
                self._calls[deployment.name] += calls
                self._tokens[deployment.name] += calls * (call.prompt + call.completion)
                waits += call.seconds
            portion.calls, portion.prompt_tokens, portion.completion_tokens = round(total), round(prompt), round(completion)
            portion.usd = usd(price_of(deployment), round(prompt), round(cached), round(completion)) if portion.calls else Decimal(0)
        self._longest = max(self._longest, waits)

    def _call(self, stage: str, turn: int, deployment: Deployment, most: int, rendered: Sequence[int]) -> Call:
        known = self.history.call(stage, turn, deployment.name)
        if known is not None:
            self._known = True
            return replace(known, completion=min(known.completion, most))
        self._guessed.add(stage)
        prompt, completion = DEFAULT_TOKENS[stage, turn]
        completion = min(completion, most)
        seconds = completion / LOCAL_TOKENS_A_SECOND if deployment.local else REMOTE_SECONDS
        return Call(sum(rendered) / len(rendered) if rendered else prompt, 0, completion, seconds)

    def estimate(self) -> Estimate:
        """All disciplines together."""
        found = Estimate(self._portions)
        if not found.all.calls:
            return found
        found.seconds = max(self._longest, *map(self._seconds, self._busy))
        defaults = [name for name in ("the number of subjects", *GENERATED) if name in self._guessed]
        if not self._known:
            found.basis = "declared defaults, for want of history"
        else:
            found.basis = "the history of this project" + (f"; declared defaults for {', '.join(defaults)}" if defaults else "")
        return found

    def _seconds(self, name: str) -> float:
        """How long all calls to a deployment take: as many at once as may be, at its declared rates; the bundled model a core each."""
        deployment = self._project.deployments[name]
        if deployment.local:
            return self._busy[name] / (os.cpu_count() or 1)
        at_once = self._busy[name] / deployment.max_parallel_requests
        by_requests = 60 * self._calls[name] / deployment.rpm if deployment.rpm else 0.0
        by_tokens = 60 * self._tokens[name] / deployment.tpm if deployment.tpm else 0.0
        return max(at_once, by_requests, by_tokens) / max(1, len(deployment.api_base))


def _walk(walk: Walk, discipline: Discipline, levels: Sequence[str], counts: _Counts, foreseen: _Foreseen) -> None:
    """Walk one discipline's late levels, and count the rows that follow from rows the walk could not know.

    A syllabus to come takes its share of the questions, so that one more among many is foreseen as what it costs.
    """
    subjects = 0.0  # to come, by queries to be asked
    if "subjects" in levels:
        walk.make("subjects")
        subjects = counts.of("subjects") * foreseen.subjects_a_query(discipline) if counts.of("subjects") else 0.0
    if "syllabi" in levels:
        walk.make("syllabi")
        counts.rows["syllabi", 0] += subjects
    if "questions" in levels:
        fresh = [_to_come(discipline.slug, number) for number in range(ceil(subjects))]
        missed = {row.subject_id for row in walk.rows("syllabi") if row.syllabus_id in counts.missed_rows}
        coming = missed | {row.subject_id for row in fresh}
        made = walk.make("questions", {"subjects": [*walk.rows("subjects"), *fresh], COMING: sorted(coming)})
        counts.rows["questions", 0] += discipline.settings.pairs - len(made) if coming else 0
    if "answers" in levels:
        walk.make("answers")
        counts.rows["answers", 0] += counts.of("questions")


def _to_come(slug: str, number: int) -> Subject:
    """A subject that a query to be asked will bring."""
    return Subject(f"to come {number}", slug, None, None, (), 0, None)
