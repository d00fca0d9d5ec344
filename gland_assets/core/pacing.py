"""How fast one endpoint is asked: within its declared rates, within what it says is left of them, and as wide as it is found to bear.

Pure: a state that all processes share, and what each event does to it. Times are seconds of one monotonic clock. Rates are kept by the
generic cell rate algorithm (a theoretical arrival time, ITU-T I.371); the width, requests under way at once, by additive increase and
multiplicative decrease (Chiu and Jain 1989), with a ceiling remembered where it was last refused, so that few calls are lost to probing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite

from gland_assets.core.headroom import Headroom, Room

MINUTE = 60.0
BURST_S = 1.0  # of a declared rate may go out at once, one request at least
HAIR = 1e-6  # of a spacing, added to it: sums of times are rounded, and a request too early by that is one too many in a minute
FEW = 20  # requests a minute: of so few, keeping a burst's worth back would be a waste
NARROW = 0.75  # of the width, after a refusal that nothing foretold
PROBE = 300  # replies before a width that was refused is tried again: one refusal in so many calls
NARROWEST = 1 / 64  # below 1: one request, and a pause after it
STALE_S = 600.0  # a state that nobody used for so long says nothing any more
PAUSE_S, LONGEST_PAUSE_S = 1.0, 16.0  # after a second refusal without a reply between them; doubles with each further one
SMOOTH = 0.1  # weight of the newest latency in the mean


@dataclass(frozen=True, slots=True)
class Rates:
    """What is declared of an endpoint."""

    parallel: int  # requests under way at once
    rpm: int | None = None  # requests a minute
    tpm: int | None = None  # tokens a minute


@dataclass(frozen=True, slots=True)
class Outages:
    """How an endpoint that fails is left alone."""

    fails: int = 5  # in a row, before it rests
    first: float = 5.0  # seconds of the first rest; doubles each time
    longest: float = 300.0  # seconds
    probe: float = 30.0  # seconds for which one request alone finds out whether it is well again


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to send one request, not before `at`."""

    number: float  # of all requests sent
    at: float
    tokens: float  # counted for it
    probe: bool = False  # it finds out whether the endpoint is well again


@dataclass(slots=True)
class Pace:
    """What all processes know of one endpoint. Every field is a float, so that the whole is a row of doubles."""

    used_at: float = 0.0
    sent: float = 0.0  # requests, ever
    sent_tokens: float = 0.0
    request_due: float = 0.0  # when the next request would come if all came evenly at the declared rate
    token_due: float = 0.0
    held_until: float = 0.0  # nothing is sent before: the server asked for it
    room: float = inf  # requests that the server still takes, as far as it has said
    room_from: float = 0.0
    room_until: float = 0.0  # and then `room_most` anew
    room_most: float = inf
    token_room: float = inf  # the same of tokens
    token_room_from: float = 0.0
    token_room_until: float = 0.0
    token_room_most: float = inf
    width: float = inf  # requests at once that it is found to bear
    ceiling: float = inf  # the width at which it last refused
    good: float = 0.0  # replies since the width changed
    refusing: float = 0.0  # refusals in a row that said something new
    heard: float = 0.0  # requests sent at the last of those: refusals of earlier ones say nothing new
    latency: float = 0.0  # mean seconds of a reply
    answered: float = 0.0  # replies, ever
    failing: float = 0.0  # faults in a row, refusals aside
    failing_since: float = 0.0
    rest: float = 0.0  # seconds of the last rest
    rests_until: float = 0.0
    rested: float = 0.0  # requests sent when it last began to rest

    def usable(self, now: float) -> bool:
        """Whether it may be gone by: used lately, by this clock."""
        return now - STALE_S <= self.used_at <= now and self.sent >= 0

    def parallel(self, rates: Rates) -> int:
        """Requests that may be under way at once."""
        return max(1, int(min(rates.parallel, self.width)))

    def away(self, now: float) -> float:
        """Seconds for which nothing will be sent: it rests, or asked to be left alone."""
        return max(0.0, self.rests_until - now, self.held_until - now)

    def resting(self, now: float) -> bool:
        """Whether it is left alone after faults."""
        return self.rests_until > now

    def admit(self, rates: Rates, tokens: float, now: float, outages: Outages) -> Ticket | None:
        """Leave for one request of about so many tokens; None while it rests."""
        if self.resting(now):
            return None
        probe = self.rest > 0
        if probe:
            self.rests_until = now + outages.probe
        self.used_at = now
        self.sent += 1
        self.sent_tokens += tokens
        at = max(now, self.held_until)
        if rates.rpm is not None:
            self.request_due, at = _due(self.request_due, now, at, 1.0, *_spacing(rates.rpm))
        if rates.tpm is not None:
            spacing, burst = _spacing(rates.tpm)
            self.token_due, at = _due(self.token_due, now, at, tokens, spacing, max(burst, tokens))
        at = self._within_room(tokens, at)
        return Ticket(self.sent, at, tokens, probe)

    def _within_room(self, tokens: float, at: float) -> float:
        """When there is room for it as the server counts; takes it."""
        at, *room = _take(1.0, at, self.room, self.room_from, self.room_until, self.room_most)
        self.room, self.room_from, self.room_until = room
        at, *room = _take(tokens, at, self.token_room, self.token_room_from, self.token_room_until, self.token_room_most)
        self.token_room, self.token_room_from, self.token_room_until = room
        return at

    def again(self, ticket: Ticket, now: float) -> Ticket | None:
        """The ticket at its time: as it is, or later if the server has asked for that meanwhile; None if it rests by now."""
        if self.resting(now) and not ticket.probe:
            return None
        return Ticket(ticket.number, max(ticket.at, self.held_until), ticket.tokens, ticket.probe)

    def give_back(self, ticket: Ticket, rates: Rates, now: float) -> None:
        """A request that was not sent after all."""
        self._recount(ticket, rates, 0.0)
        if ticket.probe:
            self.rests_until = now

    def _recount(self, ticket: Ticket, rates: Rates, used: float) -> None:
        self.sent_tokens += used - ticket.tokens
        self.token_room += ticket.tokens - used
        if rates.tpm is not None:
            self.token_due += (used - ticket.tokens) * _spacing(rates.tpm)[0]

    def reply(self, ticket: Ticket, rates: Rates, used: float, seconds: float, now: float) -> None:
        """A reply came: it took so many tokens and so long."""
        self._recount(ticket, rates, used)
        self.used_at = now
        self.answered += 1
        self.failing = self.rest = self.rests_until = self.refusing = 0.0
        self.latency = seconds if not self.latency else (1 - SMOOTH) * self.latency + SMOOTH * seconds
        self._widen(rates)
        self._pause(now)

    def _widen(self, rates: Rates) -> None:
        if self.width >= rates.parallel:
            self.width = inf
            return
        self.good += 1
        wider = self.width + 1 if self.width >= 1 else min(1.0, self.width / NARROW)
        if self.good < (PROBE if wider >= self.ceiling else max(1.0, self.width)):
            return
        if self.width >= self.ceiling:
            self.ceiling = inf  # it bears now what it refused before
        self.width, self.good = wider, 0.0

    def _pause(self, now: float) -> None:
        if self.width < 1:
            self.held_until = max(self.held_until, now + self.latency * (1 / self.width - 1))

    def refused(self, ticket: Ticket, rates: Rates, asked: float | None, now: float) -> None:
        """It was too much for the server, which may have asked for so many seconds of peace."""
        self._recount(ticket, rates, 0.0)
        self.used_at = now
        if asked is not None:
            self.held_until = max(self.held_until, now + asked)
        if ticket.probe:
            self.rests_until = now  # it is there
            self.failing = self.rest = 0.0
        if ticket.number > self.heard:
            self.refusing += 1
            self.heard = self.sent
            if self.refusing == 1:
                self._narrow(rates)
            else:  # nothing is taken at all for the moment, however narrow
                self.held_until = max(self.held_until, now + min(LONGEST_PAUSE_S, PAUSE_S * 2 ** (self.refusing - 2)))
        self._pause(now)

    def _narrow(self, rates: Rates) -> None:
        here = min(self.width, float(rates.parallel))
        # One step where the ceiling was known; else nobody knows how far below it lies.
        narrower = here - 1 if here >= max(2.0, self.ceiling) else NARROW * here
        self.width = max(NARROWEST, float(int(narrower)) if narrower >= 1 else narrower)
        self.ceiling, self.good = here, 0.0

    def failed(self, ticket: Ticket, rates: Rates, asked: float | None, now: float, outages: Outages, may_rest: bool) -> None:
        """It did not answer as a server should, and may rest from now on."""
        self._recount(ticket, rates, 0.0)
        self.used_at = now
        if asked is not None:
            self.held_until = max(self.held_until, now + asked)
        if ticket.number <= self.rested:
            return  # sent before it was left alone: no news
        if not self.failing:
            self.failing_since = now
        self.failing += 1
        if self.failing < outages.fails or not may_rest:
            return
        self.rest = min(outages.longest, 2 * self.rest or outages.first)
        self.rests_until, self.rested = now + self.rest, self.sent

    def told(self, ticket: Ticket, said: Headroom, sent_tokens: float, now: float) -> None:
        """What the server said with the reply to `ticket`, sent when `sent_tokens` tokens had been, of what it still takes."""
        if said.requests is not None and self.room_from <= now:  # else it speaks of what is used up already
            self.room, self.room_until, self.room_most = _told(said.requests, self.sent - ticket.number, now)
        if said.tokens is not None and self.token_room_from <= now:
            self.token_room, self.token_room_until, self.token_room_most = _told(said.tokens, self.sent_tokens - sent_tokens, now)


def _told(said: Room, since: float, now: float) -> tuple[float, float, float]:
    """What is left, less what went out since; until when; and how much there is then."""
    return said.left - max(0.0, since), now + said.seconds, inf if said.most is None else said.most


def _take(amount: float, at: float, room: float, begins: float, until: float, most: float) -> tuple[float, float, float, float]:
    """When `amount` fits, from `at` on, into the room there is or into the next; and that room, when it began and ends."""
    at = max(at, begins)
    if at >= until or room < min(amount, most):
        at = max(at, until)
        room, begins, until = most, at, at + MINUTE if isfinite(most) else 0.0
    return at, room - amount, begins, until


def _spacing(a_minute: int) -> tuple[float, float]:
    """Seconds from one to the next, and how many may go at once, so that no minute holds more than `a_minute`."""
    burst = max(1.0, BURST_S * a_minute / MINUTE)
    return (1 + HAIR) * MINUTE / (a_minute - burst if a_minute >= FEW else a_minute), burst


def _due(due: float, now: float, at: float, amount: float, spacing: float, burst: float) -> tuple[float, float]:
    """The next arrival time after `amount` more, and when those may go."""
    due = max(due, now) + amount * spacing
    return due, max(at, due - burst * spacing)
