"""The running sums of a build, from its events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gland_assets.cli import render
from gland_assets.cli.projection import Projection
from gland_assets.core.levels import GENERATED
from gland_assets.core.progress import SAMPLED, Count, Counted, DisciplineDone, Event, LevelDone, Published, Resting

if TYPE_CHECKING:
    from gland_assets.io.foresight import Portion

SHOWN_LEVELS = (*GENERATED, "signatures", "contamination")
SOONEST_S = 1.0  # after the first reply, before which a pace means nothing
ENOUGH = 0.02  # share of the work after which its pace says how long the rest takes
UNKNOWN = "price unknown"


@dataclass(slots=True)
class Level:
    """How far one level has come over all disciplines of the build."""

    wanted: int = 0  # disciplines
    done: int = 0  # of those
    made_rows: int = 0  # of the levels done
    failed: int = 0
    coming: int = 0  # rows of levels under way

    @property
    def rows(self) -> int:
        """Rows that stand, and those of levels under way."""
        return self.made_rows + self.coming


class Counts:
    """What a build has done so far. `portions` and `seconds` are what its estimate expects."""

    def __init__(
        self, late: Mapping[str, Sequence[str]], portions: Mapping[tuple[str, str], Portion] | None = None, seconds: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.disciplines, self._seconds, self._now = len(late), seconds, now
        self.to_come = Projection(portions or {})
        self._started = now()
        self._first: float | None = None  # when the first reply came: starting up is no part of the pace
        self.levels = {level: Level(sum(level in levels for levels in late.values())) for level in SHOWN_LEVELS}
        self._done: set[tuple[str, str]] = set()  # (level, discipline)
        self._coming: Counter[tuple[str, str]] = Counter()  # (level, discipline) -> rows of a level under way
        self.done = 0  # disciplines
        self.all = Count()
        self.stages: dict[str, Count] = {}
        self.deployments: dict[str, Count] = {}  # in the order in which they were first heard of
        self._rests: dict[str, tuple[float, str]] = {}  # deployment -> until when, and why
        self.errors: dict[str, str] = {}  # discipline -> why it could not be made
        self.published: Published | None = None

    def add(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, Counted):
            self._add_counted(event)
        elif isinstance(event, Resting):
            self._rests[event.deployment] = (self._now() + event.seconds, event.cause)
            self.deployments.setdefault(event.deployment, Count())
        elif isinstance(event, LevelDone):
            self._add_level(event)
        elif isinstance(event, DisciplineDone):
            self.done += event.error is None
            if event.error is not None:
                self.errors[event.discipline] = event.error
        else:
            self.published = event

    def _add_counted(self, counted: Counted) -> None:
        if self._first is None:
            self._first = self._now()
        for (stage, discipline, deployment), count in counted.parts.items():
            self.all.add(count)
            self.stages.setdefault(stage, Count()).add(count)
            if deployment:
                self.deployments.setdefault(deployment, Count()).add(count)
            self.to_come.add(discipline, stage, count)
            if stage in SAMPLED:  # one reply is one row
                self._coming[stage, discipline] += count.accepted
                self.levels[stage].coming += count.accepted

    def _add_level(self, event: LevelDone) -> None:
        level = self.levels.get(event.asset)
        if level is None:
            return
        if (event.asset, event.discipline) not in self._done:
            self._done.add((event.asset, event.discipline))
            level.done += 1
            self.to_come.finish(event.discipline, event.asset)
        level.coming -= self._coming.pop((event.asset, event.discipline), 0)
        if event.made:
            level.made_rows += event.rows
            level.failed += event.failed

    @property
    def rows(self) -> int:
        """Rows of generated levels that this build has made."""
        return sum(self.levels[level].rows for level in GENERATED)

    @property
    def failed(self) -> int:
        """Rows that this build could not make."""
        return sum(level.failed for level in self.levels.values())

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self._now() - self._started

    @property
    def _working(self) -> float:
        """Seconds since the first reply."""
        return 0.0 if self._first is None else self._now() - self._first

    @property
    def rate(self) -> float:
        """Rows a second since the first reply."""
        return self.rows / self._working if self._working >= SOONEST_S else 0.0

    @property
    def pace(self) -> str:
        """Rows a second, or a minute where they come slowly."""
        return f"{self.rate:.1f} rows/s" if self.rate >= 1 else f"{60 * self.rate:.0f} rows/min"

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1: by calls where any are to be made, else by replies from the store, else by disciplines."""
        if self.disciplines == self.done:
            return 1.0
        calls, reused = self.to_come.calls, self.to_come.reused
        made, left = (self.all.calls, calls) if self.all.calls or calls else (self.all.reused, reused)
        by_replies = made / (made + left) if made else 0.0
        return min(0.99, by_replies if made or left else self.done / self.disciplines)

    @property
    def left(self) -> str:
        """How long the rest will take, as far as one can tell; empty when one cannot."""
        if self.share >= 1:
            return "publishing"
        if self.share >= ENOUGH:
            return f"about {render.duration(self._working * (1 - self.share) / self.share)} left"
        return "" if self._seconds is None else f"about {render.duration(max(1.0, self._seconds - self.elapsed))} left"

    @property
    def cost(self) -> str:
        """Dollars so far; what is unpriced is said."""
        if not self.all.unpriced:
            return render.money(self.all.usd)
        if self.all.unpriced == self.all.calls:
            return UNKNOWN
        return f"{render.money(self.all.usd)} and {render.several(self.all.unpriced, 'call')} of unknown price"

    @property
    def cost_at_end(self) -> str:
        """What the whole build is thought to cost, as far as prices are known; empty when no more calls are expected."""
        if self.share >= 1 or not self.to_come.calls:
            return ""
        more = self.to_come.usd(self.stages)
        if more is None:
            return "" if self.cost == UNKNOWN else "price of the rest unknown"
        if not self.all.usd and not more:
            return ""
        return f"about {render.money(self.all.usd + more)} when done" if not self.all.unpriced else ""

    def rests(self, deployment: str) -> tuple[float, str] | None:
        """For how many seconds from now a deployment rests, and why; None when it does not."""
        until, cause = self._rests.get(deployment, (0.0, ""))
        left = until - self._now()
        return (left, cause) if left > 0 else None


def short_cost(count: Count) -> str:
    """Dollars of calls in a word, for a table: with `+ ?` where some are unpriced."""
    if not count.unpriced:
        return render.money(count.usd)
    return "unknown" if count.unpriced == count.calls else f"{render.money(count.usd)} + ?"
