"""A lane: the way to one endpoint of one deployment, which all processes over a warehouse keep to together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from gland_assets.core.hashing import digest
from gland_assets.core.headroom import Headroom, Room, headroom
from gland_assets.core.pacing import Outages, Pace, Rates, Ticket
from gland_assets.core.project import Deployment
from gland_assets.io.slots import Slots

T = TypeVar("T")

LOOK_S = 1.0  # how old what was seen of a rest may be


class Away(Exception):
    """The endpoint rests, or was asked to be left alone: another one may serve meanwhile."""


@dataclass(slots=True)
class Turn:
    """Leave to send one request, and when its like may be told of what came of it."""

    ticket: Ticket
    sent_tokens: float
    settled: bool = False


def _file(deployment: Deployment, endpoint: int) -> str:
    """Named by where it leads, too: what was found out about one address says nothing of the one that takes its place."""
    where = (deployment.route or deployment.model, *deployment.api_base[endpoint : endpoint + 1])
    return f"_lane-{deployment.name}-{digest(where)[:12]}.lock"


class Lane:
    """One endpoint. The bundled model has none to share: each process loads its own, and asks it one thing at a time."""

    def __init__(
        self, deployment: Deployment, endpoint: int, locks: Path, outages: Outages, obeyed: float, on_rest: Callable[[str, float], None]
    ) -> None:
        """`obeyed` is the most seconds of peace that are granted to a server at once. `on_rest` is told of each rest when it is first seen,
        whichever process began it: its cause, empty when another did, and the seconds left of it, 0 when it is over."""
        self.deployment, self.endpoint, self.load, self.sent = deployment, endpoint, 0, 0
        self._outages, self._obeyed = replace(outages, probe=max(outages.probe, deployment.timeout)), obeyed
        self._rates = Rates(1 if deployment.local else deployment.max_parallel_requests, deployment.rpm, deployment.tpm)
        self._slots = Slots(None if deployment.local else locks / _file(deployment, endpoint), self._rates.parallel)
        self._rests_until = self._held_until = self._looked_at = 0.0  # as last seen, and when
        self._rest, self._on_rest = 0.0, on_rest  # of its rests the one last seen, named by the requests sent before it
        self.counts_tokens = deployment.tpm is not None

    def close(self) -> None:
        """Lets go of its file."""
        self._slots.close()

    def serves(self, most: float) -> bool:
        """Whether it serves within `most` seconds, as far as is known here."""
        now = time.monotonic()
        if self._rests_until > now and now - self._looked_at >= LOOK_S:  # another process may have found it well
            self._look(lambda pace, now: None)
        return self._rests_until <= now and self._held_until - now <= most

    def away(self) -> tuple[float, float]:
        """Seconds for which nothing will be sent here; and seconds since its last reply in which it did nothing but fail."""
        return self._look(lambda pace, now: (pace.away(now), now - pace.failing_since if pace.failing else 0.0))

    @asynccontextmanager
    async def turn(self, tokens: float, discipline: str) -> AsyncIterator[Turn]:
        """Holds a slot, from the moment at which the pace lets a request of about so many tokens go. Disciplines take turns. Raises Away
        while it rests."""
        self.load += 1
        try:
            async with self._slots.one(discipline):
                turn = self._admitted(tokens)
                try:
                    await self._its_time(turn)
                    self.sent += 1
                    yield turn
                finally:
                    if not turn.settled:  # called off, or what went wrong says nothing about the endpoint
                        self._change(turn, lambda pace, now: pace.give_back(turn.ticket, self._rates, now))
        finally:
            self.load -= 1

    def _admitted(self, tokens: float) -> Turn:
        def admit(pace: Pace, now: float) -> Turn | None:
            ticket = pace.admit(self._rates, tokens, now, self._outages)
            return None if ticket is None else Turn(ticket, pace.sent_tokens)

        turn = self._look(admit)
        if turn is None:
            raise Away
        return turn

    async def _its_time(self, turn: Turn) -> None:
        while (wait := turn.ticket.at - time.monotonic()) > 0:
            await asyncio.sleep(wait)
            ticket = self._look(lambda pace, now: pace.again(turn.ticket, now))
            if ticket is None:
                raise Away
            turn.ticket = ticket

    def replied(self, turn: Turn, tokens: float, seconds: float, headers: Mapping[str, str]) -> None:
        """A reply came: what it took, and what the server says of its limits."""

        def change(pace: Pace, now: float) -> None:
            pace.reply(turn.ticket, self._rates, tokens, seconds, now)
            self._heed(pace, turn, headers, now)

        self._change(turn, change)

    def refused(self, turn: Turn, asked: float | None, headers: Mapping[str, str]) -> None:
        """The server refused: too many requests, or tokens."""

        def change(pace: Pace, now: float) -> None:
            pace.refused(turn.ticket, self._rates, self._granted(asked), now)
            self._heed(pace, turn, headers, now)

        self._change(turn, change)

    def failed(self, turn: Turn, cause: str, asked: float | None, never_there: bool) -> None:
        """It did not answer, and may rest from now on. What was `never_there` is not waited for."""

        def change(pace: Pace, now: float) -> None:
            may_rest = not never_there or pace.answered > 0
            pace.failed(turn.ticket, self._rates, self._granted(asked), now, self._outages, may_rest)

        self._change(turn, change, cause)

    def _change(self, turn: Turn, change: Callable[[Pace, float], None], cause: str = "") -> None:
        turn.settled = True
        self._look(change, cause)

    def _look(self, change: Callable[[Pace, float], T], cause: str = "") -> T:
        """What `change` says of the pace, and does to it, at a time of the monotonic clock. A rest that began with it has this cause."""
        rest = 0.0

        def looked(pace: Pace) -> T:
            nonlocal rest
            now = time.monotonic()
            answer = change(pace, now)
            self._rests_until, self._held_until, self._looked_at = pace.rests_until, pace.held_until, now
            self._slots.limit = pace.parallel(self._rates)
            rest = pace.rested if pace.rest else 0.0
            return answer

        answer = self._slots.look(looked)
        if rest != self._rest:
            self._rest = rest
            self._on_rest(cause, max(0.0, self._rests_until - self._looked_at) if rest else 0.0)
        return answer

    def _granted(self, seconds: float | None) -> float | None:
        return None if seconds is None else min(seconds, self._obeyed)

    def _heed(self, pace: Pace, turn: Turn, headers: Mapping[str, str], now: float) -> None:
        if headers:
            said = headroom(headers)
            self.counts_tokens = self.counts_tokens or said.tokens is not None
            pace.told(turn.ticket, Headroom(self._bounded(said.requests), self._bounded(said.tokens)), turn.sent_tokens, now)

    def _bounded(self, room: Room | None) -> Room | None:
        return None if room is None else replace(room, seconds=min(room.seconds, self._obeyed))
