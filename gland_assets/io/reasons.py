"""Why a build would ask: what is not in the store, how it differs from what is, and whether a stored reply is still looked up."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gland_assets.core.key_parts import Nearest, Neighbours
from gland_assets.core.levels import GENERATED
from gland_assets.core.plan import Plan
from gland_assets.core.project import Project
from gland_assets.core.requests import Reply, Request
from gland_assets.io.foresight import Estimate, foresee_levels
from gland_assets.io.ledger import Ledger
from gland_assets.io.store import ResponseStore, store_path
from gland_assets.io.store_layout import Stored
from gland_assets.io.stored import neighbours
from gland_assets.io.walk import Miss


@dataclass(frozen=True, slots=True)
class Missing:
    """Requests of one stage that are not in the store, for one reason. `nearest`, `row` and `key` are of the first."""

    stage: str
    requests: int
    because: str
    nearest: Nearest
    row: str
    key: str


class Near:
    """Says of a missing request what is nearest to it."""

    def __init__(self, store: ResponseStore, ledger: Ledger) -> None:
        self._store, self._ledger = store, ledger
        self._seen: dict[tuple[str, str], Neighbours] = {}

    def nearest(self, miss: Miss) -> Nearest:
        """The stored request that it comes closest to, of its discipline and stage; none where it has been paid for and lost."""
        if self._ledger.knows(miss.key):
            return Nearest("lost")
        place = (miss.request.discipline, miss.request.stage)
        if place not in self._seen:
            self._seen[place] = neighbours(self._store, *place)
        return self._seen[place].nearest(miss.parts)


def because(miss: Miss, nearest: Nearest) -> str:
    """Why a request is missing, in words."""
    differs = ", ".join(nearest.differs)
    if miss.rejected:
        replies = "its reply was" if miss.rejected == 1 else f"its {miss.rejected} replies were"
        return f"{replies} rejected, and it is asked for again"
    if nearest.relation == "same row":
        return differs or "a part of the key that is not kept beside replies"
    return {
        "another row": f"new rows, and {differs}" if differs else "new rows",
        "first turn only": "the first turn is stored, its second was never asked for",
        "too old": "what there is was stored by an older gland, without what it was asked with: too old to compare",
        "none": "nothing of this stage is stored",
        "lost": "the store has lost a reply that was paid for; put the file back as it was",
    }[nearest.relation]


def missing(project: Project, warehouse: Path, plan: Plan) -> tuple[list[Missing], Estimate]:
    """What the plan's levels will ask for that is known by now, those alike together, in order of the road; and the whole estimate."""
    groups: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], tuple[Miss, Nearest]] = {}
    with closing(ResponseStore(store_path(project, warehouse))) as store, closing(Ledger(warehouse)) as ledger:
        near = Near(store, ledger)

        def told(miss: Miss) -> None:
            nearest = near.nearest(miss)
            group = (miss.request.stage, because(miss, nearest))
            groups[group] += 1
            first.setdefault(group, (miss, nearest))

        estimate = foresee_levels(project, warehouse, plan.out_of_date(), on_miss=told)
    found = [
        Missing(stage, groups[stage, why], why, nearest, miss.request.row, miss.key) for (stage, why), (miss, nearest) in first.items()
    ]
    return sorted(found, key=lambda each: (GENERATED.index(each.stage), -each.requests)), estimate


def planned(project: Project, warehouse: Path, plan: Plan, prefix: str) -> list[tuple[Miss, Nearest]]:
    """The requests of the plan that are not in the store and whose key begins with these hex digits, each with the nearest stored one."""
    found: dict[str, Miss] = {}

    def met(miss: Miss) -> None:
        if miss.key.startswith(prefix):
            found[miss.key] = miss

    foresee_levels(project, warehouse, plan.out_of_date(), on_miss=met)
    with closing(ResponseStore(store_path(project, warehouse))) as store, closing(Ledger(warehouse)) as ledger:
        near = Near(store, ledger)
        return [(miss, near.nearest(miss)) for miss in found.values()]


def still_asked(project: Project, warehouse: Path, plan: Plan, stored: Stored) -> bool | None:
    """Whether the settings as they are now look up a stored reply; None when that hangs on replies that are not there yet."""
    if stored.discipline not in project.index():
        return False
    late = plan.out_of_date().get(stored.discipline, [])
    levels = [level for level in GENERATED[: GENERATED.index(stored.stage) + 1] if level == stored.stage or level in late]
    met: set[str] = set()
    open_ends: list[Miss] = []

    def hit(reply: Reply, request: Request) -> None:
        met.add(reply.request_key)

    def missed(miss: Miss) -> None:
        if miss.request.stage != stored.stage or stored.parts is None or miss.parts.may_lead_to(stored.parts):
            open_ends.append(miss)

    foresee_levels(project, warehouse, {stored.discipline: levels}, on_hit=hit, on_miss=missed)
    return True if stored.reply.request_key in met else None if open_ends else False
