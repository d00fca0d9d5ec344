"""Which partitions are out of date, and because of what. Pure: from the taxonomy and what the stored partitions say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gland_assets.core.hashing import digest
from gland_assets.core.levels import GENERATED, PARTITIONED, RECIPE_VERSION, UPSTREAM
from gland_assets.core.project import Discipline, Project
from gland_assets.core.recipes import changes, declared_content_hash, declared_rows, fingerprint, recipe
from gland_assets.core.state import PartitionMeta

State = Literal["missing", "stale", "waiting", "fresh", "orphan"]
Metas = Mapping[tuple[str, str], PartitionMeta]


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """One partition: its state and, in words, why.

    `stale`: its own recipe or what it was made from differs now. `waiting`: something above is out of date; it is made again only if that
    comes out different. `orphan`: its discipline is no longer in the taxonomy.
    """

    asset: str
    discipline: str
    state: State
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Every partition of the taxonomy, in declared order, and the orphans; and `duplicates`, the one file over all of them."""

    partitions: tuple[PartitionPlan, ...]
    duplicates: PartitionPlan

    def out_of_date(self) -> dict[str, list[str]]:
        """Discipline -> its levels to bring up to date, in order of the road; disciplines in declared order."""
        found: dict[str, list[str]] = {}
        for part in self.partitions:
            if part.state in ("missing", "stale", "waiting"):
                found.setdefault(part.discipline, []).append(part.asset)
        return found

    def of(self, slug: str) -> dict[str, PartitionPlan]:
        """Level -> plan, for one discipline."""
        return {part.asset: part for part in self.partitions if part.discipline == slug}

    def orphans(self) -> list[PartitionPlan]:
        """Partitions whose discipline has left the taxonomy."""
        return [part for part in self.partitions if part.state == "orphan"]


def make_plan(project: Project, metas: Metas, only: Iterable[str] = ()) -> Plan:
    """The plan for all disciplines, or for those in `only`; orphans are listed in either case."""
    wanted = set(only)
    parts: list[PartitionPlan] = []
    slugs = set()
    for discipline in project.disciplines():
        slugs.add(discipline.slug)
        if not wanted or discipline.slug in wanted:
            parts += _discipline_plan(project, discipline, metas)
    gone = sorted(key for key in metas if key[1] not in slugs and key[0] in PARTITIONED)
    parts += [PartitionPlan(asset, slug, "orphan", ("not in the taxonomy",)) for asset, slug in gone]
    return Plan(tuple(parts), _duplicates_plan(project, metas, parts))


def _discipline_plan(project: Project, discipline: Discipline, metas: Metas) -> list[PartitionPlan]:
    # What a declared level will hold is known now, made or not: a node that moves puts nothing below it out of date.
    rows = declared_rows(project, discipline.slug)
    contents = {level: declared_content_hash(level, row) for level, row in rows.items()}
    parts = []
    for level in PARTITIONED:
        parts.append(part := _partition_plan(project, discipline, level, metas, contents))
        if part.state == "fresh":
            contents[level] = metas[level, discipline.slug].content_hash
    return parts


def _partition_plan(project: Project, discipline: Discipline, level: str, metas: Metas, above: Mapping[str, str]) -> PartitionPlan:
    """`above` holds the content hash of each level above that is known beforehand."""
    slug = discipline.slug
    meta = metas.get((level, slug))
    if meta is None:
        return PartitionPlan(level, slug, "missing", ("not made yet",))
    now = recipe(project, level, discipline)
    late = [name for name in UPSTREAM[level] if name not in above]
    if late:
        differs = changes(json.loads(meta.recipe), now)
        return PartitionPlan(level, slug, "stale" if differs else "waiting", (*differs, *(f"{name} are out of date" for name in late)))
    upstream = {name: above[name] for name in UPSTREAM[level]}
    if fingerprint(now, upstream) == meta.fingerprint:
        if meta.unanswered:
            return PartitionPlan(level, slug, "stale", (f"no provider answered for {meta.unanswered} of its rows",))
        return PartitionPlan(level, slug, "fresh")
    differs = changes(json.loads(meta.recipe), now)
    moved = [f"{name} changed" for name in UPSTREAM[level] if meta.upstream.get(name) != upstream[name]]
    return PartitionPlan(level, slug, "stale", (*differs, *moved) or ("made by another version",))


def _duplicates_plan(project: Project, metas: Metas, above: Iterable[PartitionPlan]) -> PartitionPlan:
    meta = metas.get(("duplicates", "all"))
    late = [name for name in UPSTREAM["duplicates"] if any(p.asset == name and p.state not in ("fresh", "orphan") for p in above)]
    if meta is None:
        return PartitionPlan("duplicates", "all", "missing", ("not made yet",))
    differs = changes(json.loads(meta.recipe), dedup_recipe(project))
    if late:
        because = (*differs, *(f"{name} are out of date" for name in late))
        return PartitionPlan("duplicates", "all", "stale" if differs else "waiting", because)
    if meta.fingerprint == dedup_fingerprint(project, metas):
        return PartitionPlan("duplicates", "all", "fresh")
    return PartitionPlan("duplicates", "all", "stale", tuple(differs) or ("other questions to compare",))


def dedup_recipe(project: Project) -> dict[str, Any]:
    """Everything that decides how `duplicates` is made, the signatures and answers aside."""
    return {"version": RECIPE_VERSION["duplicates"], "threshold": project.dedup.threshold}


def dedup_fingerprint(project: Project, metas: Metas) -> str:
    """What `duplicates` would be made from: its recipe and the content of every signatures and answers partition in the taxonomy."""
    return digest("duplicates", dedup_recipe(project), _hashes(project, metas, UPSTREAM["duplicates"], "content_hash"))


def dataset_fingerprint(project: Project, metas: Metas) -> str:
    """What `dataset` would publish: every partition as it was last written, and the nodes it stands under."""
    wanted = {d.slug: d.settings.pairs for d in project.disciplines()}
    stamps = _hashes(project, metas, PARTITIONED, "stamp")
    duplicates = metas.get(("duplicates", "all"))
    return digest("dataset", RECIPE_VERSION["dataset"], wanted, stamps, duplicates.stamp if duplicates else None)


def _hashes(project: Project, metas: Metas, levels: Iterable[str], attribute: str) -> list[Any]:
    slugs = [discipline.slug for discipline in project.disciplines()]
    return [[level, slug, getattr(metas[level, slug], attribute)] for level in levels for slug in sorted(slugs) if (level, slug) in metas]


def recipe_hash(project: Project, level: str, discipline: Discipline) -> str:
    """The version of a `recipes/LEVEL` partition."""
    return digest("recipe", recipe(project, level, discipline))


def recipe_hashes(project: Project) -> dict[tuple[str, str], str]:
    """(level, discipline) -> recipe version, for every generated level."""
    return {(level, d.slug): recipe_hash(project, level, d) for d in project.disciplines() for level in GENERATED}
