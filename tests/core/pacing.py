"""A provider and those who ask it, in simulated time: to see what a pace comes to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random

from gland_assets.core.pacing import Outages, Pace, Rates

OUTAGES = Outages()
Refuses = "concurrent", "bucket", "window"


@dataclass
class Provider:
    """Takes `most` requests at once (`concurrent`), so many a minute by a bucket that fills evenly, or by a window that starts anew."""

    kind: str
    most: float
    latency: float
    retry_after: float | None = None
    busy: int = 0
    taken: deque[float] = field(default_factory=deque)
    left: float = 0.0
    at: float = 0.0

    def __post_init__(self) -> None:
        self.left = self.most / 6 if self.kind == "bucket" else self.most

    def takes(self, now: float) -> bool:
        if self.kind == "concurrent":
            return self.busy < self.most
        if self.kind == "bucket":  # filled evenly, ten seconds' worth deep
            self.left, self.at = min(self.most / 6, self.left + (now - self.at) * self.most / 60), now
        elif int(now // 60) != int(self.at // 60):
            self.left, self.at = self.most, now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass
class Seen:
    """What became of the calls: (time it was sent, whether it was taken)."""

    calls: list[tuple[float, bool]]
    seconds: float

    def refused_after(self, warm: float) -> float:
        """Share of calls refused, sent after so many seconds."""
        late = [taken for at, taken in self.calls if at >= warm]
        return late.count(False) / max(1, len(late))

    def rate_after(self, warm: float) -> float:
        """Replies a second."""
        return sum(taken for at, taken in self.calls if at >= warm) / (self.seconds - warm)

    def most_in(self, span: float) -> int:
        """The most calls sent within `span` seconds."""
        window: deque[float] = deque()
        most = 0
        for at in sorted(at for at, _ in self.calls):
            window.append(at)
            while window[0] <= at - span:
                window.popleft()
            most = max(most, len(window))
        return most


def simulate(provider: Provider, rates: Rates, seconds: float, seed: int = 0, tokens: float = 0.0) -> Seen:
    """Asks without end, as fast as the pace lets, for so many seconds."""
    pace, rng, order = Pace(), Random(seed), count()
    calls: list[tuple[float, bool]] = []
    coming: list[tuple[float, int, str, object]] = [(0.0, next(order), "fill", None)]
    under_way = 0
    start = 1000.0
    while coming:
        now, _, what, ticket = heappop(coming)
        if now > seconds:
            break
        clock = start + now
        if what == "send":
            taken = provider.takes(clock)
            calls.append((now, taken))
            provider.busy += taken
            after = provider.latency * rng.uniform(0.5, 1.5) if taken else 0.01
            heappush(coming, (now + after, next(order), "reply" if taken else "refusal", ticket))
            continue
        if what == "reply":
            provider.busy -= 1
            pace.reply(ticket, rates, tokens, provider.latency, clock)  # type: ignore[arg-type]
            under_way -= 1
        elif what == "refusal":
            pace.refused(ticket, rates, provider.retry_after, clock)  # type: ignore[arg-type]
            under_way -= 1
        while under_way < pace.parallel(rates):
            given = pace.admit(rates, tokens, clock, OUTAGES)
            assert given is not None
            under_way += 1
            heappush(coming, (max(now, given.at - start), next(order), "send", given))
    return Seen(calls, seconds)
