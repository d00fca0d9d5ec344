"""Dagster's records brought in step with what stands: recipes as they are declared, partitions as they are on disk. No run, nothing made.

A partition that Dagster did not see made (its records are new, or the warehouse came from elsewhere) is told to it as it stands.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import CODE_VERSION_TAG, DATA_VERSION_TAG

from gland_assets.assets.describe import PREVIEW_ROWS, told, told_duplicates
from gland_assets.assets.provenance import GONE, OTHER, Latest, parents, says_so, standing_tags, tags, versions_used
from gland_assets.assets.recipes import recipe_key, report_recipe
from gland_assets.assets.records import FINGERPRINT_TAG, Recorded, Records
from gland_assets.assets.whole import Whole, whole_levels
from gland_assets.core.errors import DamagedPartition, WarehouseError
from gland_assets.core.levels import PARTITIONED, RECIPE_VERSION, UNPARTITIONED, UPSTREAM
from gland_assets.core.plan import Metas, recipe_hash, recipe_used, shared_recipe_hash
from gland_assets.core.project import Project
from gland_assets.core.state import PartitionMeta
from gland_assets.io.database import opened_to_read
from gland_assets.io.partitions import ALL, Partitions
from gland_assets.io.warehouse import PUBLISHED

BATCH = 250
"""Events recorded in one go while somebody waits: some 3 seconds."""

SETTLED = timedelta(seconds=30)
"""What was written more recently may be on its way into the records by whoever wrote it."""


@dataclass(slots=True)
class Reported:
    """What was recorded: recipes by their number, partitions by level and discipline. `all`: nothing is left for another time."""

    recipes: int = 0
    partitions: list[tuple[str, str]] = field(default_factory=list)
    all: bool = True


def report(
    records: Records, project: Project, warehouse: Path, only: Collection[str] | None = None, limit: int | None = None
) -> Reported:  # fmt: skip
    """Record what Dagster does not know of the disciplines in `only`, which are about to be made, or of all, but what is just being made.

    `limit`: most events recorded. Recipes come before what is made by them, levels in order of the road.
    """
    return _Report(records, project, warehouse, only, limit).run()


class _Full(Exception):
    """As many events were recorded as were wanted."""


class _Report:
    """One pass over all levels."""

    def __init__(self, records: Records, project: Project, warehouse: Path, only: Collection[str] | None, limit: int | None) -> None:
        self.records, self.project, self.warehouse, self.limit = records, project, warehouse, limit
        self.partitions = Partitions(warehouse)
        self.disciplines = [d for d in project.disciplines() if only is None or d.slug in only]
        self.metas: Metas = self.partitions.metas()
        self.settled = datetime.now(UTC) - SETTLED if only is None else None
        self.known: dict[dg.AssetKey, dict[str, Recorded]] = {}
        self.done = Reported()

    def run(self) -> Reported:
        try:
            for level in PARTITIONED:
                self.level(level)
            self.shared()
        except _Full:
            self.done.all = False
        return self.done

    def level(self, level: str) -> None:
        made = self.latest(dg.AssetKey(level))
        self.recipes(level, made)
        above = {key: self.latest(key) for key in parents(level)}
        for discipline in self.disciplines:
            slug = discipline.slug
            latest: Latest = {key: events.get(slug) for key, events in above.items()}
            meta, recorded = self.metas.get((level, slug)), made.get(slug)
            if meta is None:
                if recorded is not None:
                    self.gone(level, slug, recorded, latest)
            elif not says_so(recorded, meta, versions_used(meta), latest) and not self.in_the_making(level, slug, meta):
                self.count()
                self.materialization(level, slug, standing_tags(meta, versions_used(meta), latest), self.metadata(meta))

    def recipes(self, level: str, made: Mapping[str, Recorded]) -> None:
        """Recipes that changed since they were observed; those never observed, once they are not what was used."""
        observed = self.latest(recipe_key(level))
        for discipline in self.disciplines:
            slug, meta = discipline.slug, self.metas.get((level, discipline.slug))
            used = observed[slug].version if slug in observed else recipe_used(meta) if meta else GONE if slug in made else None
            version = recipe_hash(self.project, level, discipline, self.metas)
            if used not in (None, version):
                self.count()
                report_recipe(self.records.instance, level, version, slug)
                self.known.pop(recipe_key(level), None)
                self.done.recipes += 1

    def gone(self, level: str, slug: str, recorded: Recorded, latest: Latest) -> None:
        used = {recipe_key(level): GONE, **{dg.AssetKey(name): recorded.inputs.get(name, "") for name in UPSTREAM[level]}}
        if recorded.inputs.get(recipe_key(level).to_user_string()) != GONE and not self.in_the_making(level, slug, None):
            self.count()
            own = {DATA_VERSION_TAG: recorded.version, CODE_VERSION_TAG: recorded.code or RECIPE_VERSION[level]}
            metadata = {
                "dagster/partition_row_count": 0,
                "gone": f"{self.partitions.path(level, slug)} cannot be read; a build makes it again",
            }
            self.materialization(level, slug, own | tags(level, used, latest), metadata)

    def shared(self) -> None:
        for level in UNPARTITIONED:
            version, recorded = shared_recipe_hash(self.project, level), self.records.latest_whole(recipe_key(level))
            if recorded is None or recorded.version != version:
                self.count()
                report_recipe(self.records.instance, level, version)
                self.done.recipes += 1
        if self.settled is not None:  # else they are about to be made
            for level, whole in whole_levels(self.project, self.warehouse, self.metas).items():
                self.whole(level, whole)

    def whole(self, level: str, whole: Whole) -> None:
        """Tell of an unpartitioned level that stands and that Dagster does not know of, or knows as made from something else."""
        recorded, recipe = self.records.latest_whole(dg.AssetKey(level)), shared_recipe_hash(self.project, level)
        if whole.state == "missing" or (recorded is not None and whole.state == "stale") or self.recent(whole.written_at):
            return
        used = recipe if whole.state == "fresh" else OTHER
        if recorded and recorded.fingerprint == whole.fingerprint and recorded.inputs.get(recipe_key(level).to_user_string()) == used:
            return
        self.count()
        above = {key: event for key in parents(level) if (event := self.records.latest_whole(key))}
        own = {DATA_VERSION_TAG: whole.version, CODE_VERSION_TAG: RECIPE_VERSION[level], FINGERPRINT_TAG: whole.fingerprint}
        made_from = tags(level, {key: event.version for key, event in above.items()} | {recipe_key(level): used}, above)
        self.materialization(level, None, own | made_from, self.whole_metadata(level))

    def whole_metadata(self, level: str) -> dict[str, Any]:
        if level == "duplicates":
            return told_duplicates(self.partitions.rows("duplicates", ALL))
        path = self.warehouse / PUBLISHED
        with suppress(WarehouseError), opened_to_read(path, wait_s=0) as connection:  # somebody may hold it just now
            rows = int(connection.execute("select count(*) from dataset").fetchall()[0][0])
            return {"dagster/row_count": rows, "path": dg.MetadataValue.path(str(path))}
        return {"path": dg.MetadataValue.path(str(path))}

    def latest(self, key: dg.AssetKey) -> dict[str, Recorded]:
        if key not in self.known:
            self.known[key] = self.records.latest(key, [discipline.slug for discipline in self.disciplines])
        return self.known[key]

    def in_the_making(self, level: str, slug: str, meta: PartitionMeta | None) -> bool:
        """Whether somebody has just written the partition, or writes it while this pass goes on."""
        try:
            now = self.partitions.meta(level, slug)
        except DamagedPartition:
            now = None
        return (now and now.stamp) != (meta and meta.stamp) or (meta is not None and self.recent(meta.written_at))

    def recent(self, written_at: datetime | None) -> bool:
        return self.settled is not None and written_at is not None and written_at > self.settled

    def metadata(self, meta: PartitionMeta) -> dict[str, Any]:
        return told(meta, self.partitions.rows(meta.asset, meta.discipline, PREVIEW_ROWS), made_now=False)

    def materialization(self, level: str, slug: str | None, tags: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        event = dg.AssetMaterialization(level, partition=slug, metadata=metadata, tags=tags)
        self.records.instance.report_runless_asset_event(event)
        self.known.pop(dg.AssetKey(level), None)
        self.done.partitions.append((level, slug or ALL))

    def count(self) -> None:
        if self.limit is not None and self.done.recipes + len(self.done.partitions) >= self.limit:
            raise _Full
