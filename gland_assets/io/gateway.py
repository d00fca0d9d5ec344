"""The gateway: the one way from a request to a reply. Store first, then an identical request in flight, then a provider; then the rules.

Whatever a provider answers is stored before anything uses it, rejected replies too. After a rejected one the request is asked again as
core/chain.py says, and a later build walks the same chain, so nothing is paid for twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, TypeVar
from weakref import WeakKeyDictionary

from gland_assets.core import quality
from gland_assets.core.budget import Caps
from gland_assets.core.chain import Chain
from gland_assets.core.cost import usd
from gland_assets.core.errors import GlandError, Stopped
from gland_assets.core.progress import LIMITED, Asked, Resting
from gland_assets.core.project import Deployment, Project
from gland_assets.core.requests import Rejected, Reply, Request, RequestFailed, request_key
from gland_assets.core.structured import check_schema, json_of
from gland_assets.core.tally import Tally
from gland_assets.io.budget import Budget
from gland_assets.io.faults import ProviderFault
from gland_assets.io.ledger import Ledger
from gland_assets.io.paid import paid_reply
from gland_assets.io.prices import price_of
from gland_assets.io.sending import NoReply, Sender, Sent, Waits
from gland_assets.io.store import ResponseStore

T = TypeVar("T")

STOP_POLL_S = 0.05


@dataclass(slots=True)
class _Loop:
    """What belongs to one event loop: each step of a build runs in one of its own."""

    flights: dict[str, asyncio.Future[Reply]] = field(default_factory=dict)
    askers: set[asyncio.Task[object]] = field(default_factory=set)
    paying: set[asyncio.Task[object]] = field(default_factory=set)  # those with a call under way, or its reply not yet stored
    reserved: dict[asyncio.Task[object], int | None] = field(default_factory=dict)
    watch: asyncio.Task[None] | None = None
    ended: GlandError | None = None  # why nothing is sent any more


class Gateway:
    """Asks on behalf of one build, in one process. `ask` is a core.requests.Ask."""

    def __init__(
        self, project: Project, store: ResponseStore, ledger: Ledger, build_id: str, caps: Caps,
        on_event: Callable[[Asked | Resting], None] | None = None, stop: Callable[[], bool] = lambda: False, waits: Waits | None = None,
    ) -> None:  # fmt: skip
        self.project, self.store, self.ledger, self.build_id = project, store, ledger, build_id
        self.tally = Tally()
        self._on_event, self._stop = on_event or (lambda event: None), stop
        locks = ledger.path.parent / "locks"
        self._budget = Budget(ledger, caps, build_id, locks)
        self._sender = Sender(project.deployments, locks, waits or Waits(), self._on_wire, self._retried, self._resting)
        self._measures: ContextVar[tuple[Tally, ...]] = ContextVar("measures", default=())
        self._reused = 0
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()

    async def ask(self, request: Request, accept: Callable[[Reply], T], again: bool = False) -> tuple[T, Reply]:
        """The value `accept` reads from the first reply that passes, and that reply. `again`: its row has failed before, and is tried on.

        Raises RequestFailed when no try gave one, EnvironmentFault when no deployment of the stage can answer before the user changes
        something, BudgetReached when the request could pass a cap, Stopped when the build is stopping, WarehouseError when a reply cannot
        be stored. All but the first wait until the calls under way in this loop have come to their end: their replies are paid for.
        """
        here = self._here()
        task = _this_task()
        here.askers.add(task)
        try:
            return await self._walk(request, accept, here, again)
        except asyncio.CancelledError:
            # The watch cancels askers once when the build stops; any other cancellation goes on upwards.
            if self._stop() and task.uncancel() == 0:
                raise await self._quiet(here, Stopped(_STOPPED)) from None
            raise
        except GlandError as fault:
            raise await self._quiet(here, fault) from None
        finally:
            here.askers.discard(task)

    async def _quiet(self, here: _Loop, fault: GlandError) -> GlandError:
        """`fault`, once no call is under way: who raises it makes those who wait for others' rows call them off."""
        here.askers.discard(_this_task())  # it ends already: the watch need not call it off
        here.ended = here.ended or fault  # now, or calls would follow calls for as long as any are under way
        while here.paying:
            await asyncio.sleep(STOP_POLL_S)
        return fault

    async def _walk(self, request: Request, accept: Callable[[Reply], T], here: _Loop, again: bool) -> tuple[T, Reply]:
        chain = chain_of(self.project, request, again)
        while True:
            if self._stop():
                raise Stopped(_STOPPED)
            asked = chain.asked
            key = request_key(asked, preferred(self.project, request).identity)
            if not chain.open and paid_reply(self.store, self.ledger, key) is None:
                raise self._failed(chain.failed())
            try:
                reply = await self._reply(asked, key, here)
            except NoReply as none:
                fault = none.fault
                failed = RequestFailed(request, key, fault.cause, fault.detail, chain.replies + none.attempts, rejected=False)
                raise self._failed(failed) from None
            self._count(asked, lambda tally, reply=reply: tally.add_reply(reply))  # type: ignore[misc]
            try:
                value = read_reply(self.project, asked, reply, accept)
            except Rejected as rejected:
                self.ledger.record(reply, asked, accepted=False)
                self._count(asked, _add_rejected)
                self._tell("rejected", asked, f"{rejected.cause}: {rejected.detail}", reply)
                chain.reject(reply, rejected)
            else:
                if reply.reused:  # else that stands there since it was paid
                    self.ledger.record(reply, asked, accepted=True)
                self._tell("accepted", asked, reply.text, reply)
                return value, reply

    async def _reply(self, request: Request, key: str, here: _Loop) -> Reply:
        while True:
            stored = paid_reply(self.store, self.ledger, key)
            if stored is not None:
                self._reused += 1
                return stored
            flight = here.flights.get(key)
            if flight is None:
                return await self._fly(request, key, here)
            try:
                reply = await asyncio.shield(flight)
            except asyncio.CancelledError:
                if _this_task().cancelling():
                    raise
                continue  # the one who asked was called off, not this one
            self._reused += 1
            return replace(reply, reused=True)

    async def _fly(self, request: Request, key: str, here: _Loop) -> Reply:
        flight = here.flights[key] = asyncio.get_running_loop().create_future()
        try:
            async with self.store.claimed(key):
                # Another process may have paid for it since it was looked up, or while this one waited for its turn.
                reply = paid_reply(self.store, self.ledger, key) or await self._pay(request, key, here)
            self._reused += reply.reused
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

    async def _pay(self, request: Request, key: str, here: _Loop) -> Reply:
        if not self.store.proven:
            await asyncio.to_thread(self.store.prove)
        with self._kept(here):
            reply = self._read_sent(await self._sender.send(request), key)
            standing = await self.store.put(reply, request, preferred(self.project, request).identity)
            self.ledger.record(reply, request, accepted=True)  # until it is judged
        # Another process may have stored its own meanwhile: its text stands for all, and this payment is still ours.
        return reply if standing is reply else replace(reply, text=standing.text, finish_reason=standing.finish_reason)

    def _read_sent(self, sent: Sent, key: str) -> Reply:
        done = sent.completion
        # No other word of the provider's tells a later build that the model only thought.
        finish = "only_reasoning" if done.reasoned and not done.text.strip() else done.finish_reason
        price = price_of(self.project.deployments[sent.deployment])
        return Reply(
            key, done.text, finish, sent.deployment, done.model, done.prompt_tokens, done.cached_tokens, done.completion_tokens,
            usd(price, done.prompt_tokens, done.cached_tokens, done.completion_tokens), sent.latency_s, sent.attempts,
            self.build_id, sent.sent_at,
        )  # fmt: skip

    @asynccontextmanager
    async def _on_wire(self, name: str, request: Request) -> AsyncIterator[None]:
        """What a call happens inside of: its worst cost is set aside, and nothing calls it off."""
        here, task = self._here(), _this_task()
        reservation = await self._budget.reserve(self.project.deployments[name], request)
        try:
            if here.ended is not None or self._stop():
                raise here.ended or Stopped(_STOPPED)
            here.paying.add(task)
            yield
        except BaseException:
            here.paying.discard(task)
            self._budget.settle(reservation)
            raise
        here.reserved[task] = reservation

    @contextmanager
    def _kept(self, here: _Loop) -> Iterator[None]:
        """What is done to get a reply and to keep it. After it, however it ends, the reply counts as paid, and no more as set aside."""
        task = _this_task()
        try:
            yield
        finally:
            here.paying.discard(task)
            self._budget.settle(here.reserved.pop(task, None))

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
            self._sender.close()
            self._budget.close()
            self.store.close()
            self.ledger.close()

    def _here(self) -> _Loop:
        loop = asyncio.get_running_loop()
        here = self._loops.get(loop)
        if here is None:
            here = self._loops[loop] = _Loop()
        if here.watch is None or here.watch.done():
            here.watch = loop.create_task(self._watch(here))
        return here

    async def _watch(self, here: _Loop) -> None:
        while not self._stop():
            await asyncio.sleep(STOP_POLL_S)
        told: set[asyncio.Task[object]] = set()
        while here.askers:
            for asker in here.askers - here.paying - told:
                asker.cancel()
                told.add(asker)
            await asyncio.sleep(STOP_POLL_S)

    def _failed(self, failed: RequestFailed) -> RequestFailed:
        self._count(failed.request, _add_failure)
        self._tell("failed", failed.request, f"{failed.cause}: {failed.detail}")
        return failed

    def _retried(self, request: Request, deployment: str, fault: ProviderFault) -> None:
        self._count(request, lambda tally: tally.add_retry(fault.cause == LIMITED))
        text = f"deployment.{deployment}: {fault}"
        self._on_event(Asked("retry", request.stage, request.discipline, text, deployment=deployment, cause=fault.cause))

    def _resting(self, deployment: str, cause: str, seconds: float) -> None:
        self._on_event(Resting(deployment, cause, seconds))

    def _count(self, request: Request, add: Callable[[Tally], None]) -> None:
        for tally in (self.tally, *self._measures.get()):
            for part in tally.at(request.stage):
                add(part)

    def _tell(self, kind: Literal["accepted", "rejected", "failed"], request: Request, text: str, reply: Reply | None = None) -> None:
        if reply is None:
            self._on_event(Asked(kind, request.stage, request.discipline, text))
            return
        paid = Decimal(0) if reply.reused else reply.usd
        tokens = reply.prompt_tokens + reply.completion_tokens
        meant = request.settings.models[0]
        instead_of = meant if reply.deployment != meant else ""
        told = Asked(
            kind, request.stage, request.discipline, text, tokens, paid, reply.reused, reply.deployment, seconds=reply.latency_s,
            instead_of=instead_of,
        )  # fmt: skip
        self._on_event(told)


def _this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


_STOPPED = "stopped; what was paid for is stored, and the next `gland build` goes on from there"


def preferred(project: Project, request: Request) -> Deployment:
    """The deployment whose identity goes into the request's key."""
    return project.deployments[request.settings.models[0]]


def chain_of(project: Project, request: Request, again: bool = False) -> Chain:
    """The tries of a request. `again`: its row has failed before, and is tried on."""
    return Chain(request, preferred(project, request).local, again)


def read_reply(project: Project, request: Request, reply: Reply, accept: Callable[[Reply], T]) -> T:
    """The value of a reply that passes every rule; raises Rejected."""
    prompts = [message.content for message in request.messages if message.role == "user"]
    quality.check(reply.text, reply.finish_reason, prompts, request.stage, request.schema is not None, project.language)
    if request.schema is not None:
        check_schema(json_of(reply.text), request.schema)
    return accept(reply)


def _add_rejected(tally: Tally) -> None:
    tally.rejected += 1


def _add_failure(tally: Tally) -> None:
    tally.failures += 1
