"""The running sums of a build, from its events."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gland_assets.cli import render
from gland_assets.core.levels import GENERATED
from gland_assets.core.progress import Asked, DisciplineDone, Event, LevelDone, Published

SHOWN_LEVELS = (*GENERATED, "signatures")
ONE_REPLY_A_ROW = ("questions", "answers")
SOONEST_S = 1.0  # after the first reply, before which a pace means nothing
ENOUGH = 0.02  # share of the work after which its pace says how long the rest takes


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
    """What a build has done so far. `replies` is how many its estimate expects, paid and from the store."""

    def __init__(
        self, late: Mapping[str, Sequence[str]], replies: int = 0, seconds: float | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.disciplines, self._expected, self._seconds, self._now = len(late), replies, seconds, now
        self._started = now()
        self._first: float | None = None  # when the first reply came: starting up is no part of the pace
        self.levels = {level: Level(sum(level in levels for levels in late.values())) for level in SHOWN_LEVELS}
        self._late = {slug: [level for level in SHOWN_LEVELS if level in levels] for slug, levels in late.items()}
        self._done: set[tuple[str, str]] = set()  # (level, discipline)
        self._coming: Counter[tuple[str, str]] = Counter()  # (level, discipline) -> rows of a level under way
        self.done = self.calls = self.reused = self.rejected = self.retried = self.tokens = self.unpriced = self._answered = 0
        self.usd = Decimal(0)  # of the calls whose price is known
        self.errors: dict[str, str] = {}  # discipline -> why it could not be made
        self.published: Published | None = None

    def add(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, Asked):
            self._add_asked(event)
        elif isinstance(event, LevelDone):
            self._add_level(event)
        elif isinstance(event, DisciplineDone):
            self.done += event.error is None
            if event.error is not None:
                self.errors[event.discipline] = event.error
        else:
            self.published = event

    def _add_asked(self, event: Asked) -> None:
        if self._first is None:
            self._first = self._now()
        if event.kind == "retry":
            self.retried += 1
            return
        self._pass_above(event.stage, event.discipline)
        self._answered += event.kind in ("accepted", "failed")
        if event.kind == "failed":
            return
        self.rejected += event.kind == "rejected"
        if event.reused:
            self.reused += 1
        else:
            self.calls += 1
            self.tokens += event.tokens
            self.unpriced += event.usd is None
            self.usd += event.usd or 0
        if event.kind == "accepted" and event.stage in ONE_REPLY_A_ROW:
            self._coming[event.stage, event.discipline] += 1
            self.levels[event.stage].coming += 1

    def _pass_above(self, stage: str, slug: str) -> None:
        """What asks for one level has made those above it, though they are told of only when the whole discipline is done."""
        for level in self._late.get(slug, ()):
            if level == stage:
                return
            self._finish(level, slug)

    def _finish(self, level: str, slug: str) -> None:
        if (level, slug) not in self._done:
            self._done.add((level, slug))
            self.levels[level].done += 1

    def _add_level(self, event: LevelDone) -> None:
        level = self.levels.get(event.asset)
        if level is None:
            return
        self._finish(event.asset, event.discipline)
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
        """How much of the work is done, 0 to 1: by replies where any are expected, else by disciplines."""
        if self.disciplines == self.done:
            return 1.0
        by_replies = self._answered / self._expected if self._expected else 0.0
        return min(0.99, max(by_replies, self.done / self.disciplines))

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
        if not self.unpriced:
            return render.money(self.usd)
        if self.unpriced == self.calls:
            return "price unknown"
        return f"{render.money(self.usd)} and {render.several(self.unpriced, 'call')} of unknown price"
