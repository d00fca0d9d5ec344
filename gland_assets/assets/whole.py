"""The levels that are made from all disciplines: whether what stands is what would be made now."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gland_assets.core.errors import WarehouseError
from gland_assets.core.plan import Metas, dataset_fingerprint, dedup_fingerprint
from gland_assets.core.project import Project
from gland_assets.io.partitions import ALL
from gland_assets.io.warehouse import PUBLISHED, unpublished


@dataclass(frozen=True, slots=True)
class Whole:
    """An unpartitioned level as it stands."""

    state: Literal["missing", "stale", "fresh"]
    fingerprint: str  # of what would be made now
    version: str  # of the data that stand
    written_at: datetime | None = None  # UTC
    disciplines: tuple[str, ...] = ()  # that bringing it up to date would bring in or take out, as far as that is known


def whole_levels(project: Project, warehouse: Path, metas: Metas) -> dict[str, Whole]:
    """Level -> how it stands. A level that cannot be looked at, because another program holds its file, is left out."""
    duplicates = _duplicates(project, metas)
    found = {"duplicates": duplicates}
    try:
        pending = unpublished(project, warehouse)
    except WarehouseError:
        return found
    wanted = dataset_fingerprint(project, metas)
    if not (warehouse / PUBLISHED).exists():
        found["dataset"] = Whole("missing", wanted, "none")
        return found
    written_at = datetime.fromtimestamp((warehouse / PUBLISHED).stat().st_mtime, UTC)
    if pending is None and duplicates.state != "stale":
        found["dataset"] = Whole("fresh", wanted, wanted, written_at)
    else:
        changed = (*pending.changed, *pending.removed) if pending else ()
        found["dataset"] = Whole("stale", wanted, "unknown", written_at, changed)
    return found


def _duplicates(project: Project, metas: Metas) -> Whole:
    wanted, meta = dedup_fingerprint(project, metas), metas.get(("duplicates", ALL))
    if meta is None:
        return Whole("missing", wanted, "none")
    return Whole("fresh" if meta.fingerprint == wanted else "stale", wanted, meta.content_hash, meta.written_at)
