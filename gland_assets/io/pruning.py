"""What nothing in the taxonomy stands on any more, and taking it away: files of removed disciplines, and replies nobody looks up.

Each removal can be cut off at any moment and gone on with: a discipline's levels go from the last to the first, so that those left are
always such as a build leaves them when it is stopped; replies go in small transactions. The ledger keeps what was paid, for ever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

from gland_assets.core.errors import DamagedPartition, WarehouseError
from gland_assets.core.levels import GENERATED, PARTITIONED
from gland_assets.core.plan import make_plan
from gland_assets.core.project import Project
from gland_assets.core.requests import Reply, Request
from gland_assets.core.state import PartitionMeta
from gland_assets.io.ledger import Ledger
from gland_assets.io.locks import holder, is_locked, lock_path, try_lock
from gland_assets.io.partitions import Partitions
from gland_assets.io.store import ResponseStore, store_path

LOCKS = "locks"
AT_ONCE = 500  # replies


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a discipline that has left the taxonomy leaves behind in the warehouse, replies aside."""

    discipline: str
    files: tuple[Path, ...]  # partitions, the last level first, then its lock
    bytes: int


@dataclass(frozen=True, slots=True)
class Replies:
    """Stored replies of one discipline that nothing looks up."""

    discipline: str
    left: bool  # the discipline has left the taxonomy; else other settings have taken their place
    keys: tuple[str, ...]
    bytes: int  # of their texts
    usd: Decimal  # what they cost, as far as it is known
    unpriced: int  # replies whose price is unknown


def leftovers(project: Project, warehouse: Path) -> list[Leftover]:
    """What removed disciplines have left behind, in order of name. Lists folders and opens no file."""
    known = project.index()
    partitions = Partitions(warehouse)
    found: dict[str, list[Path]] = {}
    for level in reversed(PARTITIONED):
        for slug in partitions.stored(level):
            found.setdefault(slug, []).append(partitions.path(level, slug))
    for slug in _locks(warehouse):
        found.setdefault(slug, []).append(lock_path(warehouse, slug))
    return [Leftover(slug, tuple(files), sum(map(_size, files))) for slug, files in sorted(found.items()) if slug not in known]


def _locks(warehouse: Path) -> list[str]:
    """The disciplines that have a lock file; those of other things begin with an underscore."""
    return sorted(path.stem for path in (warehouse / LOCKS).glob("*.lock") if not path.stem.startswith("_"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def remove(warehouse: Path, leftover: Leftover) -> None:
    """Take away what a discipline left behind. Raises WarehouseError while it is being made, or when a file cannot go."""
    with held(warehouse, leftover.discipline, for_good=True):
        for path in leftover.files:
            if path.parent.name != LOCKS:
                _unlink(path)


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise WarehouseError(f"{path} cannot be removed: {error.strerror}; give write access to its folder") from error


def refuse_running(warehouse: Path) -> None:
    """Raise WarehouseError, naming the process, while any discipline is being made."""
    for slug in _locks(warehouse):
        if is_locked(lock_path(warehouse, slug)):
            raise _busy(warehouse, slug)


@contextmanager
def held(warehouse: Path, slug: str, for_good: bool = False) -> Iterator[None]:
    """Hold a discipline, without waiting; `for_good`: its lock's file goes too. Raises WarehouseError when another process holds it."""
    descriptor = try_lock(lock_path(warehouse, slug))
    if descriptor is None:
        raise _busy(warehouse, slug)
    try:
        yield
        if for_good:
            _unlink(lock_path(warehouse, slug))
    finally:
        os.close(descriptor)


def _busy(warehouse: Path, slug: str) -> WarehouseError:
    return WarehouseError(f"{slug} is being made by {holder(warehouse, slug)}; nothing is pruned meanwhile: run it again afterwards")


def own_store(project: Project, warehouse: Path) -> ResponseStore:
    """The project's own response store. Raises WarehouseError when it shares one: other projects look up what this one does not."""
    if project.store_path is not None:
        raise WarehouseError(
            f"{project.store_path} is shared ([store] path): what no discipline here asks for, another project may, so it is never pruned "
            "from one of them; `gland prune` without --responses takes away the files of removed disciplines"
        )
    return ResponseStore(store_path(project, warehouse))


class Unreferenced:
    """Finds the replies of one project's own store that no build would look up and no row stands on."""

    def __init__(self, project: Project, warehouse: Path, store: ResponseStore) -> None:
        self._project, self._warehouse, self._store = project, warehouse, store
        self._partitions = Partitions(warehouse)
        self._ours = builds(warehouse)
        self.kept: list[str] = []
        """Disciplines whose replies were all kept, since what they will look up is not known before they are built."""

    def of_removed(self) -> list[Replies]:
        """Those of disciplines that have left the taxonomy, by the store's own column: no walk."""
        known = self._project.index()
        return [found for slug in self._store.disciplines() if slug not in known and (found := self._unless(slug, True, frozenset()))]

    def disciplines(self) -> list[str]:
        """The disciplines in the taxonomy that have replies."""
        known = self._project.index()
        return [slug for slug in self._store.disciplines() if slug in known]

    def superseded_in(self, slug: str) -> Replies | None:
        """Those of one discipline in the taxonomy: neither met on a walk through all its levels nor named by its rows."""
        keep = self._referenced(slug)
        if keep is None:
            self.kept.append(slug)
            return None
        return self._unless(slug, False, keep)

    def _unless(self, slug: str, left: bool, keep: frozenset[str]) -> Replies | None:
        found = [each for each in self._store.of_discipline(slug) if each.request_key not in keep and each.build_id in self._ours]
        if not found:
            return None
        known = sum((each.usd for each in found if each.usd is not None), Decimal(0))
        return Replies(
            slug, left, tuple(each.request_key for each in found), sum(each.bytes for each in found), known,
            sum(each.usd is None for each in found),
        )  # fmt: skip

    def _referenced(self, slug: str) -> frozenset[str] | None:
        """The keys a discipline stands on; None when some level is out of date or some reply missing, so that they cannot all be known."""
        from gland_assets.io.foresight import in_store  # here: `gland status` asks for removed disciplines alone
        from gland_assets.io.walk import Miss, Walk

        plan = make_plan(self._project, self._metas(slug), [slug]).of(slug)
        if any(plan[stage].state != "fresh" for stage in GENERATED):
            return None
        met: set[str] = set()
        missed: list[Miss] = []

        def hit(reply: Reply, request: Request) -> None:
            met.add(reply.request_key)

        walk = Walk(self._project, self._project.discipline(slug), self._partitions, partial(in_store, self._store), hit, missed.append)
        for stage in GENERATED:
            walk.look(stage)
            met.update(row.request_key for row in walk.rows(stage) if row.request_key)
            if missed:
                return None
        return frozenset(met)

    def _metas(self, slug: str) -> dict[tuple[str, str], PartitionMeta]:
        found = {}
        for level in (*PARTITIONED, "imported"):
            try:
                meta = self._partitions.meta(level, slug)
            except DamagedPartition:
                continue
            if meta is not None:
                found[level, slug] = meta
        return found


def forget(ledger: Ledger, store: ResponseStore, found: Replies) -> None:
    """Take replies out of the store, a few at a time: noted in the ledger first, or the next build would take them for lost."""
    for start in range(0, len(found.keys), AT_ONCE):
        some = found.keys[start : start + AT_ONCE]
        ledger.forget(some)
        store.remove(some)


def builds(warehouse: Path) -> frozenset[str]:
    """The builds of this project. A reply that none of them paid belongs to another project, which shares this store."""
    with closing(Ledger(warehouse)) as ledger:
        if not ledger.exists():
            return frozenset()
        with ledger.reading() as connection:
            return frozenset(build_id for (build_id,) in connection.execute("select build_id from builds"))
