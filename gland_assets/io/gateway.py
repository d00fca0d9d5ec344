"""The gateway: the one way from a request to a reply. Store first, then an identical request in flight, then a provider; then the rules.

Whatever a provider answers is stored before anything uses it, rejected replies too. A rejected one is asked again with the seed of the next
try, and a later build walks the same chain of seeds, so nothing is paid for twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

from gland_assets.core import quality
from gland_assets.core.cost import usd
from gland_assets.core.errors import Stopped
from gland_assets.core.progress import Asked
from gland_assets.core.project import Project
from gland_assets.core.requests import Rejected, Reply, Request, RequestFailed, request_key
from gland_assets.core.structured import check_schema, json_of
from gland_assets.core.tally import Tally
from gland_assets.io.faults import ProviderFault
from gland_assets.io.ledger import Ledger
from gland_assets.io.prices import price_of
from gland_assets.io.sending import NoReply, Sender, Waits
from gland_assets.io.store import ResponseStore

T = TypeVar("T")

TRIES = 4  # replies a request may have rejected before it fails
LOCAL_TRIES = 8  # the local model is weak, and costs nothing
STOP_POLL_S = 0.05


@dataclass(slots=True)
class _Loop:
    """What belongs to one event loop: each step of a build runs in one of its own."""

    flights: dict[str, asyncio.Future[Reply]] = field(default_factory=dict)
    askers: set[asyncio.Task[object]] = field(default_factory=set)
    watch: asyncio.Task[None] | None = None
    stopping: bool = False


class Gateway:
    """Asks on behalf of one build, in one process. `ask` is a core.requests.Ask."""

    def __init__(
        self, project: Project, store: ResponseStore, ledger: Ledger, build_id: str, parallel: Mapping[str, int] | None = None,
        on_event: Callable[[Asked], None] | None = None, stop: Callable[[], bool] = lambda: False, waits: Waits | None = None,
    ) -> None:  # fmt: skip
        """`parallel` limits the requests this process has in flight, by deployment name; without it a deployment's own limit holds."""
        self.project, self.store, self.ledger, self.build_id = project, store, ledger, build_id
        self.tally = Tally()
        self._on_event, self._stop = on_event or (lambda event: None), stop
        self._sender = Sender(project.deployments, parallel or {}, waits or Waits(), self._retried)
        self._measures: ContextVar[tuple[Tally, ...]] = ContextVar("measures", default=())
        self._reused = 0
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()

    async def ask(self, request: Request, accept: Callable[[Reply], T]) -> tuple[T, Reply]:
        """The value `accept` reads from the first reply that passes, and that reply.

        Raises RequestFailed when no try gave one, EnvironmentFault when no deployment of the stage can answer before the user changes
        something, Stopped as soon as the build is stopping, WarehouseError when a reply cannot be stored.
        """
        here = self._here()
        task = asyncio.current_task()
        assert task is not None
        if self._stop():
            raise Stopped(_STOPPED)
        here.askers.add(task)
        try:
            return await self._walk(request, accept, here)
        except asyncio.CancelledError:
            # The watch cancels askers once when the build stops; any other cancellation goes on upwards.
            if here.stopping and task.uncancel() == 0:
                raise Stopped(_STOPPED) from None
            raise
        finally:
            here.askers.discard(task)

    async def _walk(self, request: Request, accept: Callable[[Reply], T], here: _Loop) -> tuple[T, Reply]:
        for attempt, (asked, key) in enumerate(tries(self.project, request)):
            try:
                reply = await self._reply(asked, key, here)
            except NoReply as none:
                raise self._failed(request, key, none.fault, attempt + none.attempts) from None
            self._count(asked, lambda tally, reply=reply: tally.add_reply(reply))  # type: ignore[misc]
            try:
                value = read_reply(asked, reply, accept)
            except Rejected as rejected:
                self.ledger.record(reply, asked, accepted=False)
                self._count(asked, _add_rejected)
                self._tell("rejected", asked, f"{rejected.cause}: {rejected.detail}", reply)
                last = rejected
            else:
                self.ledger.record(reply, asked, accepted=True)
                self._tell("accepted", asked, reply.text, reply)
                return value, reply
        raise self._failed(request, key, last, attempt + 1)

    async def _reply(self, request: Request, key: str, here: _Loop) -> Reply:
        while True:
            stored = self.store.get((key,)).get(key)
            if stored is not None:
                self._reused += 1
                return stored
            flight = here.flights.get(key)
            if flight is None:
                return await self._fly(request, key, here)
            try:
                reply = await asyncio.shield(flight)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                continue  # the one who asked was called off, not this one
            self._reused += 1
            return replace(reply, reused=True)

    async def _fly(self, request: Request, key: str, here: _Loop) -> Reply:
        flight = here.flights[key] = asyncio.get_running_loop().create_future()
        try:
            reply = await self._pay(request, key)
        except asyncio.CancelledError:
            flight.cancel()
            raise
        except BaseException as error:
            flight.set_exception(error)
            flight.exception()  # seen: there may be nobody else waiting for it
            raise
        else:
            flight.set_result(reply)
            return reply
        finally:
            del here.flights[key]

    async def _pay(self, request: Request, key: str) -> Reply:
        sent = await self._sender.send(request)
        done = sent.completion
        price = price_of(self.project.deployments[sent.deployment])
        reply = Reply(
            key, done.text, done.finish_reason, sent.deployment, done.model, done.prompt_tokens, done.cached_tokens, done.completion_tokens,
            usd(price, done.prompt_tokens, done.cached_tokens, done.completion_tokens), sent.latency_s, sent.attempts,
            self.build_id, sent.sent_at,
        )  # fmt: skip
        standing = await self.store.put(reply, request)
        # Another process may have stored its own meanwhile: its text stands for all, and this payment is still ours.
        return reply if standing is reply else replace(reply, text=standing.text, finish_reason=standing.finish_reason)

    @contextmanager
    def measuring(self) -> Iterator[Tally]:
        """A tally of what is asked inside, by this task and those it starts. What was paid is in the ledger, durably, when it ends."""
        tally = Tally()
        token = self._measures.set((*self._measures.get(), tally))
        try:
            yield tally
        finally:
            self._measures.reset(token)
            self.flush()

    def flush(self) -> None:
        """Makes durable what the ledger has been told. Raises WarehouseError."""
        reused, self._reused = self._reused, 0
        self.ledger.add_reused(self.build_id, reused)
        self.ledger.flush()

    def close(self) -> None:
        """Flushes, and lets go of store and ledger."""
        try:
            self.flush()
        finally:
            self.store.close()
            self.ledger.close()

    def _here(self) -> _Loop:
        loop = asyncio.get_running_loop()
        here = self._loops.setdefault(loop, _Loop())
        if here.watch is None or here.watch.done():
            here.watch = loop.create_task(self._watch(here))
        return here

    async def _watch(self, here: _Loop) -> None:
        while not self._stop():
            await asyncio.sleep(STOP_POLL_S)
        here.stopping = True
        for asker in here.askers:
            asker.cancel()

    def _failed(self, request: Request, key: str, why: ProviderFault | Rejected, attempts: int) -> RequestFailed:
        self._count(request, _add_failure)
        self._tell("failed", request, f"{why.cause}: {why.detail}")
        return RequestFailed(request, key, why.cause, why.detail, attempts, rejected=isinstance(why, Rejected))

    def _retried(self, request: Request, deployment: str, fault: ProviderFault) -> None:
        self._tell("retry", request, f"deployment.{deployment}: {fault}")

    def _count(self, request: Request, add: Callable[[Tally], None]) -> None:
        for tally in (self.tally, *self._measures.get()):
            for part in tally.at(request.stage):
                add(part)

    def _tell(
        self, kind: Literal["accepted", "rejected", "retry", "failed"], request: Request, text: str, reply: Reply | None = None
    ) -> None:
        if reply is None:
            self._on_event(Asked(kind, request.stage, request.discipline, text))
        else:
            paid = Decimal(0) if reply.reused else reply.usd
            tokens = reply.prompt_tokens + reply.completion_tokens
            self._on_event(Asked(kind, request.stage, request.discipline, text, tokens, paid, reply.reused))


_STOPPED = "stopped; what was paid for is stored, and the next `gland build` goes on from there"


def tries(project: Project, request: Request) -> Iterator[tuple[Request, str]]:
    """A request and those that follow it when its reply is rejected, each with its key, in the order in which they are asked."""
    preferred = project.deployments[request.settings.models[0]]
    for attempt in range(LOCAL_TRIES if preferred.local else TRIES):
        asked = request.retry(attempt)
        yield asked, request_key(asked, preferred.identity)


def read_reply(request: Request, reply: Reply, accept: Callable[[Reply], T]) -> T:
    """The value of a reply that passes every rule; raises Rejected."""
    prompts = [message.content for message in request.messages]
    quality.check(reply.text, reply.finish_reason, prompts, request.stage, request.schema is not None)
    if request.schema is not None:
        check_schema(json_of(reply.text), request.schema)
    return accept(reply)


def _add_rejected(tally: Tally) -> None:
    tally.rejected += 1


def _add_failure(tally: Tally) -> None:
    tally.failures += 1
