"""The budget: no request is sent that could pass a cap, whoever else is spending at the same time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from secrets import token_hex
from weakref import WeakKeyDictionary

from gland_assets.core.budget import Caps, worst_case
from gland_assets.core.errors import BudgetReached, EnvironmentFault
from gland_assets.core.project import STAGES, Deployment, Project
from gland_assets.core.requests import Request
from gland_assets.io.ledger import Ledger
from gland_assets.io.locks import try_lock
from gland_assets.io.prices import price_of
from gland_assets.io.reservations import Refusal, Wish

POLL_S = 0.1  # between two looks whether somebody has given something back


def caps_of(project: Project, build_usd: Decimal | None = None) -> Caps:
    """The caps in force: those of the project, and that of one build."""
    return Caps(project.budget.usd, project.budget.tokens, build_usd)


def check_prices(project: Project, caps: Caps, slugs: Iterable[str]) -> None:
    """Raises EnvironmentFault when dollars are capped and a deployment that these disciplines may ask has no known price."""
    if not caps.dollars:
        return
    index = project.index()
    named = dict.fromkeys(name for slug in slugs for stage in STAGES for name in index[slug].settings.stages[stage].models)
    unknown = [name for name in named if price_of(project.deployments[name]) is None]
    if unknown:
        raise EnvironmentFault("\n".join(_unpriced(name) for name in unknown))


class Budget:
    """The caps of one build, as one process keeps to them."""

    def __init__(self, ledger: Ledger, caps: Caps, build_id: str, locks: Path) -> None:
        """`locks` is the folder in which each process that sets something aside keeps a lock, as a sign that it lives."""
        self._ledger, self._caps, self._build_id, self._locks = ledger, caps, build_id, locks
        self._holder = f"_budget-{token_hex(8)}.lock"
        self._sign: int | None = None
        self._turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def reserve(self, deployment: Deployment, request: Request) -> int | None:
        """Sets aside the most that the request can cost, and gives the reservation's number; None where nothing is capped.

        Where others have set aside what is left, waits until they have paid or given it back. Raises BudgetReached when nobody has.
        """
        if not self._caps:
            return None
        price = price_of(deployment)
        if price is None and self._caps.dollars:
            raise EnvironmentFault(_unpriced(deployment.name))
        if self._sign is None:
            async with self._turn():
                if self._sign is None:
                    await asyncio.to_thread(self._ledger.catch_up)  # what a process that was killed has paid counts too
                    self._sign = try_lock(self._locks / self._holder)
        worst = worst_case(request, price)
        if not worst.nanos and self._caps.tokens is None:
            return None  # it costs nothing
        wish = Wish(self._holder, self._build_id, worst, self._caps)
        answer = await self._ask(wish)
        if isinstance(answer, int):
            return answer
        async with self._turn():
            while isinstance(answer := await self._ask(wish), Refusal):
                if not answer.held:
                    raise BudgetReached(_reached(answer))
                if not self._drop_dead():
                    await asyncio.sleep(POLL_S)
        return answer

    def _turn(self) -> asyncio.Lock:
        """Taken by those who wait in this event loop, one after the other."""
        return self._turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())

    def settle(self, reservation: int | None) -> None:
        """Gives a reservation back: what it was for is in the ledger, or was not paid."""
        if reservation is not None:
            self._ledger.release(reservation)

    def close(self) -> None:
        """Takes back the sign of life."""
        if self._sign is not None:
            (self._locks / self._holder).unlink(missing_ok=True)
            os.close(self._sign)
            self._sign = None

    async def _ask(self, wish: Wish) -> int | Refusal:
        asking = asyncio.ensure_future(self._ledger.reserve(wish))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(self._unwanted)  # it is written all the same
            raise

    def _unwanted(self, asked: asyncio.Future[int | Refusal]) -> None:
        if not asked.cancelled() and asked.exception() is None and isinstance(answer := asked.result(), int):
            self.settle(answer)

    def _drop_dead(self) -> bool:
        """Gives back what processes that have died had set aside; whether there were any."""
        dead = []
        for holder in self._ledger.holders():
            if holder != self._holder and (sign := try_lock(self._locks / holder)) is not None:
                (self._locks / holder).unlink(missing_ok=True)
                os.close(sign)
                dead.append(holder)
        for holder in dead:
            self._ledger.release_all(holder)
        return bool(dead)


def _unpriced(name: str) -> str:
    return (
        f"deployment.{name}: its price is unknown, so a budget in dollars cannot be kept; give it usd_per_million = {{ input, output }} "
        "(0 where it costs nothing), or cap tokens"
    )


def _reached(refusal: Refusal) -> str:
    spent, most = (_dollars(amount) if isinstance(amount, Decimal) else f"{amount:,} tokens" for amount in (refusal.spent, refusal.most))
    return (
        f"the budget is reached: {spent} of {most} ({refusal.cap}) are spent, and the next request could pass it; everything paid for is "
        "kept. Raise it, and `gland build` goes on from here."
    )


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}" if not amount or amount >= Decimal("0.01") else f"${amount.normalize():f}"
