"""Bring one partition up to date: compare fingerprints, make what differs, write it. The one place where that rule stands."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from gland_assets import __version__
from gland_assets.core.errors import DamagedPartition, Stopped, WarehouseError
from gland_assets.core.hashing import canonical, digest
from gland_assets.core.levels import upstream
from gland_assets.core.making import Making
from gland_assets.core.progress import Asked, LevelDone, Resting
from gland_assets.core.project import Discipline, Project
from gland_assets.core.prompts import prompt_hash
from gland_assets.core.recipes import TAKE_IN, content_hash, declared_content_hash, declared_rows, fingerprint, recipe
from gland_assets.core.records import (
    Answer,
    Question,
    Record,
    Subject,
    Syllabus,
    answer_from,
    question_from,
    subject_from,
    syllabus_from,
    to_row,
)
from gland_assets.core.requests import PASSING, Reply, Request
from gland_assets.core.state import PartitionMeta
from gland_assets.io.budget import caps_of
from gland_assets.io.durable import sweep
from gland_assets.io.gateway import Gateway
from gland_assets.io.imported import meta_of, taken_in, unanswered
from gland_assets.io.ledger import Ledger
from gland_assets.io.locks import discipline_lock, lock_path, try_lock
from gland_assets.io.partitions import Partitions
from gland_assets.io.store import ResponseStore, store_path

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")


_Made = tuple["Sequence[dict[str, Any]] | pa.Table", str, dict[str, Any]]
"""The rows of a partition, its content hash, and what its meta says of how they were made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A partition as it stands now, and whether it had to be made."""

    meta: PartitionMeta
    made: bool


@contextmanager
def open_builder(
    project: Project,
    warehouse: Path,
    build_id: str,
    cap: Decimal | None = None,
    on_event: Callable[[Asked | Resting | LevelDone], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
    retry_failures: bool = False,
) -> Iterator[Builder]:
    """A builder with its gateway open; `cap` is the most that the build may spend, in dollars, beside the project's own budget.

    `retry_failures`: rows whose replies were all rejected are asked again.
    """
    store = ResponseStore(store_path(project, warehouse))
    gateway = Gateway(project, store, Ledger(warehouse), build_id, caps_of(project, cap), on_event, stop)
    try:
        yield Builder(project, warehouse, gateway, build_id, stop, on_event, retry_failures)
    finally:
        gateway.close()


@contextmanager
def recorded_build(project: Project, warehouse: Path) -> Iterator[str]:
    """A build in the ledger, from its start to how it ended; yields its id. What it paid for is exported for readers at the end."""
    sweep(warehouse)
    ledger = Ledger(warehouse)
    build_id = ledger.start_build(__version__, project.taxonomy_hash)
    ledger.add_prompts((prompt_hash(text), name.split(".")[0], name, text) for name, text in project.prompts.items())
    outcome = "failed"
    try:
        yield build_id
        outcome = "done"
    except Stopped:
        outcome = "stopped"
        raise
    finally:
        ledger.end_build(build_id, outcome)
        ledger.sync()
        ledger.close()


class Builder:
    """Reads and brings up to date the partitions of one project, on behalf of one build."""

    def __init__(
        self, project: Project, warehouse: Path, gateway: Gateway, build_id: str, stop: Callable[[], bool],
        on_event: Callable[[LevelDone], None], retry_failures: bool = False,
    ) -> None:  # fmt: skip
        self.project, self.warehouse, self.gateway, self.build_id = project, warehouse, gateway, build_id
        self.partitions = Partitions(warehouse)
        self._stop, self._on_event, self._retry_failures = stop, on_event, retry_failures
        self._held: set[str] = set()

    @contextmanager
    def holding(self, slug: str) -> Iterator[bool]:
        """Holds a discipline for all its levels; yields False, holding nothing, when another process holds it."""
        descriptor = try_lock(lock_path(self.warehouse, slug))
        if descriptor is None:
            yield False
            return
        self._held.add(slug)
        try:
            yield True
        finally:
            self._held.discard(slug)
            os.close(descriptor)

    def _locked(self, slug: str) -> AbstractContextManager[None]:
        return nullcontext() if slug in self._held else discipline_lock(self.warehouse, slug, self._stop)

    def discipline(self, slug: str) -> Discipline:
        """The discipline as declared now; WarehouseError when it has left the taxonomy."""
        try:
            return self.project.discipline(slug)
        except KeyError:
            raise WarehouseError(
                f"{self.project.path}: no discipline '{slug}'; refresh the partitions, or add it to the taxonomy"
            ) from None

    def subjects(self, slug: str) -> list[Subject]:
        """The subjects of a discipline, failure rows among them."""
        return [subject_from(row) for row in self.partitions.rows("subjects", slug)]

    def syllabi(self, slug: str) -> list[Syllabus]:
        """The syllabi of a discipline, failure rows among them."""
        return [syllabus_from(row) for row in self.partitions.rows("syllabi", slug)]

    def questions(self, slug: str) -> list[Question]:
        """The questions of a discipline that a model was asked for, failure rows among them."""
        return [question_from(row) for row in self.partitions.asked("questions", slug)]

    def to_answer(self, slug: str) -> list[Question]:
        """The questions of a discipline that a model is asked to answer: those, and the imported ones that came without an answer."""
        return [*self.questions(slug), *unanswered(self.partitions, slug)]

    def answers(self, slug: str) -> list[Answer]:
        """The answers of a discipline that a model was asked for, failure rows among them."""
        return [answer_from(row) for row in self.partitions.asked("answers", slug)]

    def declare(self, slug: str, wanted: Container[str]) -> dict[str, Outcome]:
        """Write the nodes on a discipline's path, of the wanted levels, by level."""
        discipline, outcomes = self.discipline(slug), {}
        for level, row in declared_rows(self.project, slug).items():
            if level not in wanted:
                continue
            made_by = recipe(self.project, level, discipline)
            now = fingerprint(made_by, {})
            with self._locked(slug):
                outcomes[level] = self._told(
                    self._known(level, slug, now)
                    or self._write(
                        level, slug, [row], PartitionMeta(level, slug, now, declared_content_hash(level, row), canonical(made_by), rows=1)
                    )
                )
        return outcomes

    def generate(self, level: str, slug: str, make: Callable[[Making], Awaitable[Sequence[Record]]]) -> Outcome:
        """Bring `level` of one discipline up to date with rows that `make` asks a model for."""

        def asked() -> _Made:
            with self.gateway.measuring() as tally:
                records = asyncio.run(self._making(level, slug, make))
            usd = None if tally.usd is None else str(tally.usd)
            failures = [failure for record in records if (failure := getattr(record, "failure", None))]
            rows, content, given = self._with_imported(level, slug, [to_row(record) for record in records], content_hash(records))
            return rows, content, {
                "calls": tally.calls, "reused": tally.reused, "prompt_tokens": tally.prompt_tokens,
                "completion_tokens": tally.completion_tokens, "usd": usd, "retries": tally.retries, "limited": tally.limited,
                "rejected": tally.rejected, "answered": dict(tally.deployments),
                "unanswered": sum(failure.cause in PASSING for failure in failures), "imported": given,
            }  # fmt: skip

        return self._bring_up(level, slug, asked)

    def _with_imported(
        self, level: str, slug: str, rows: list[dict[str, Any]], content: str
    ) -> tuple[Sequence[dict[str, Any]] | pa.Table, str, int]:
        """The rows of a level with the imported ones after them, their content hash, and how many were imported."""
        if level not in TAKE_IN or (given := taken_in(self.partitions, level, slug)) is None:
            return rows, content, 0
        import pyarrow as pa

        from gland_assets.io.parquet import as_table
        from gland_assets.io.table_hash import table_hash

        held = table_hash(given.select(["question_id", "text"] if level == "questions" else ["question_id"]))  # which holds the answer
        return pa.concat_tables([as_table(level, rows), given]), digest("with imported", content, held), len(given)

    def compute(
        self, level: str, slug: str, make: Callable[[], tuple[pa.Table, str]], told: Callable[[], dict[str, Any]] = dict
    ) -> Outcome:
        """Bring `level` of one discipline up to date with a table computed without a model; `make` gives it with its content hash.

        `told`: what its meta says beyond that, asked only where it is made.
        """
        return self._bring_up(level, slug, lambda: (*make(), {"usd": "0", **told()}))

    async def _making(self, level: str, slug: str, make: Callable[[Making], Awaitable[Sequence[Record]]]) -> Sequence[Record]:
        failed = self.partitions.failed(level, slug) if self._retry_failures else ()

        async def ask(request: Request, accept: Callable[[Reply], T]) -> tuple[T, Reply]:
            return await self.gateway.ask(request, accept, again=request.row in failed)

        return await make(Making(self.project, self.discipline(slug), ask, self.build_id))

    def _bring_up(self, level: str, slug: str, make: Callable[[], _Made]) -> Outcome:
        with self._locked(slug):
            given = meta_of(self.partitions, slug)
            made_by = recipe(self.project, level, self.discipline(slug), given.content_hash if given else None)
            made_of = {name: self._upstream(name, slug, level) for name in upstream(level, self.project.dedup.over)}
            wanted = fingerprint(made_by, made_of)
            known = self._known(level, slug, wanted)
            if known:
                return self._told(known)
            rows, content, told = make()
            meta = PartitionMeta(level, slug, wanted, content, canonical(made_by), made_of, **told)
            return self._told(self._write(level, slug, rows, meta))

    def _told(self, outcome: Outcome) -> Outcome:
        meta = outcome.meta
        self._on_event(LevelDone(meta.discipline, meta.asset, outcome.made, meta.rows, meta.failed))
        return outcome

    def _upstream(self, name: str, slug: str, level: str) -> str:
        meta = self.partitions.meta(name, slug)
        if meta is None:
            raise WarehouseError(f"{level}/{slug} is made from {name}/{slug}, which does not exist; materialize {name} first")
        return meta.content_hash

    def _known(self, level: str, slug: str, wanted: str) -> Outcome | None:
        try:
            meta = self.partitions.meta(level, slug)
        except DamagedPartition:
            return None  # made again; what it cost is in the response store
        if meta is None or meta.fingerprint != wanted or meta.unanswered:
            return None
        again = self._retry_failures and meta.unusable and meta.build_id != self.build_id
        return None if again else Outcome(meta, False)

    def _write(self, level: str, slug: str, rows: Sequence[dict[str, Any]] | pa.Table, meta: PartitionMeta) -> Outcome:
        return Outcome(self.partitions.write(level, slug, rows, replace(meta, build_id=self.build_id, gland_version=__version__)), True)
