"""What a running build has still to ask for and to pay, from its estimate and from its own course so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from gland_assets.core.progress import Count

if TYPE_CHECKING:
    from gland_assets.io.foresight import Portion

ENOUGH = 20  # calls after which a build's own course says more than its estimate


@dataclass(slots=True)
class _Stage:
    """One stage over all disciplines: what was expected of those that are done and of the others, and what they took."""

    calls: int = 0  # expected of disciplines not done
    reused: int = 0
    made: int = 0  # calls they have made so far
    met: int = 0  # replies from the store they have had so far
    done_calls: int = 0  # expected of disciplines done
    done_made: int = 0  # calls those have made
    each: Decimal | None = Decimal(0)  # dollars a call, as estimated; None: a price is unknown

    def left(self) -> float:
        """Calls still to make. Where the disciplines done took more or fewer than was expected of them, so will the others."""
        course = self.done_made / self.done_calls if self.done_calls >= ENOUGH else 1.0
        return max(0.0, course * self.calls - self.made)


class Projection:
    """`portions` is what the estimate expects by discipline and stage. Read by one thread while another adds."""

    def __init__(self, portions: Mapping[tuple[str, str], Portion]) -> None:
        self._portions = portions
        self._stages: dict[str, _Stage] = {}
        self._seen: dict[tuple[str, str], tuple[int, int]] = {}  # (discipline, stage) -> calls and replies from the store so far
        self._done: set[tuple[str, str]] = set()
        costs: dict[str, Decimal | None] = {}
        for (_, stage), portion in portions.items():
            kept = self._stages.setdefault(stage, _Stage())
            kept.calls += portion.calls
            kept.reused += portion.reused
            before = costs.setdefault(stage, Decimal(0))
            costs[stage] = None if before is None or portion.usd is None else before + portion.usd
        for stage, kept in self._stages.items():
            cost = costs[stage]
            kept.each = None if cost is None else cost / max(1, kept.calls)

    def add(self, discipline: str, stage: str, count: Count) -> None:
        """Takes in what happened to requests."""
        kept = self._stages.setdefault(stage, _Stage())
        calls, reused = self._seen.get((discipline, stage), (0, 0))
        self._seen[discipline, stage] = calls + count.calls, reused + count.reused
        if (discipline, stage) in self._done:
            kept.done_made += count.calls
        else:
            kept.made += count.calls
            kept.met += count.reused

    def finish(self, discipline: str, stage: str) -> None:
        """A level of a discipline is done: whatever was expected of it, no more will come."""
        if (discipline, stage) in self._done or stage not in self._stages:
            return
        self._done.add((discipline, stage))
        kept, (calls, reused) = self._stages[stage], self._seen.get((discipline, stage), (0, 0))
        kept.made -= calls
        kept.met -= reused
        kept.done_made += calls
        if (portion := self._portions.get((discipline, stage))) is not None:
            kept.calls -= portion.calls
            kept.reused -= portion.reused
            kept.done_calls += portion.calls

    @property
    def calls(self) -> float:
        """Calls still to make."""
        return sum(stage.left() for stage in tuple(self._stages.values()))

    @property
    def reused(self) -> int:
        """Replies still to come from the store."""
        return sum(max(0, stage.reused - stage.met) for stage in tuple(self._stages.values()))

    def usd(self, so_far: Mapping[str, Count]) -> Decimal | None:
        """Dollars still to pay, when each stage has done as `so_far` says; None when a price is unknown."""
        total = Decimal(0)
        for name, stage in tuple(self._stages.items()):
            left = round(stage.left())
            if not left:
                continue
            own = so_far.get(name, Count())
            if stage.each is None or own.unpriced:
                return None
            # What this build's own calls of a stage have cost is the better basis once there are some: the same prompts, and whoever
            # answers now, a fallback at another price too. Before that, the estimate: the project's history, else declared defaults.
            each = own.usd / own.calls if own.calls >= ENOUGH else stage.each
            total += each * left
        return total
