"""Which partitions are out of date, and because of what. Pure: from the taxonomy and what the stored partitions say of themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gland_assets.core.hashing import digest
from gland_assets.core.levels import PARTITIONED, RECIPE_VERSION, UPSTREAM, upstream
from gland_assets.core.project import Discipline, Project
from gland_assets.core.recipes import changes, declared_content_hash, declared_rows, fingerprint, recipe
from gland_assets.core.state import PartitionMeta

FREE = ("signatures", "contamination")
"""The levels of a discipline that are computed from others without a model."""

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
    retry_failures: bool = False  # rows whose replies were all rejected are asked again

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

    def free(self) -> Plan:
        """What asks no model and can be made from what stands: signatures and contamination whose questions and answers are there."""
        there = {(part.asset, part.discipline) for part in self.partitions if part.state != "missing"}
        late = (part for part in self.partitions if part.asset in FREE and part.state in ("missing", "stale"))
        return replace(
            self, partitions=tuple(part for part in late if all((name, part.discipline) in there for name in UPSTREAM[part.asset]))
        )

    def orphans(self) -> list[PartitionPlan]:
        """Partitions whose discipline has left the taxonomy."""
        return [part for part in self.partitions if part.state == "orphan"]


def make_plan(project: Project, metas: Metas, only: Iterable[str] = (), retry_failures: bool = False) -> Plan:
    """The plan for all disciplines, or for those in `only`; orphans are listed in either case.

    `retry_failures` puts out of date what holds rows that failed though a provider answered.
    """
    wanted = set(only)
    parts: list[PartitionPlan] = []
    slugs = set()
    for discipline in project.disciplines():
        slugs.add(discipline.slug)
        if not wanted or discipline.slug in wanted:
            parts += _discipline_plan(project, discipline, metas, retry_failures)
    gone = sorted(key for key in metas if key[1] not in slugs and key[0] in PARTITIONED)
    parts += [PartitionPlan(asset, slug, "orphan", ("not in the taxonomy",)) for asset, slug in gone]
    return Plan(tuple(parts), _duplicates_plan(project, metas, parts), retry_failures)


def _discipline_plan(project: Project, discipline: Discipline, metas: Metas, retry_failures: bool) -> list[PartitionPlan]:
    # What a declared level will hold is known now, made or not: a node that moves puts nothing below it out of date.
    rows = declared_rows(project, discipline.slug)
    contents = {level: declared_content_hash(level, row) for level, row in rows.items()}
    parts = []
    for level in PARTITIONED:
        parts.append(part := _partition_plan(project, discipline, level, metas, contents, retry_failures))
        if part.state == "fresh":
            contents[level] = metas[level, discipline.slug].content_hash
    return parts


def _partition_plan(
    project: Project, discipline: Discipline, level: str, metas: Metas, above: Mapping[str, str], retry_failures: bool
) -> PartitionPlan:
    """`above` holds the content hash of each level above that is known beforehand."""
    slug = discipline.slug
    meta = metas.get((level, slug))
    if meta is None:
        return PartitionPlan(level, slug, "missing", ("not made yet",))
    now, needed = recipe(project, level, discipline, imported(metas, slug)), upstream(level, project.dedup.over)
    late = [_is_late(name) for name in needed if name not in above]
    again = meta.unanswered or (retry_failures and meta.unusable)
    if not late and not again and fingerprint(now, {name: above[name] for name in needed}) == meta.fingerprint:
        return PartitionPlan(level, slug, "fresh")
    stands = {name: there.content_hash for name in needed if (there := metas.get((name, slug)))}
    known = stands | {name: above[name] for name in needed if name in above}
    because = changes(json.loads(meta.recipe), now)
    because += [f"{name} changed" for name, content in known.items() if meta.upstream.get(name) != content]
    if meta.unanswered:
        because.append(f"no provider answered for {meta.unanswered} of its rows")
    if retry_failures and meta.unusable:
        because.append(f"{meta.unusable} failed {'row is' if meta.unusable == 1 else 'rows are'} asked again")
    if not because and of_another_version(meta):
        because.append("made by another version")
    return PartitionPlan(level, slug, "stale" if because else "waiting", (*because, *late))


def _duplicates_plan(project: Project, metas: Metas, above: Iterable[PartitionPlan]) -> PartitionPlan:
    meta = metas.get(("duplicates", "all"))
    late = [name for name in UPSTREAM["duplicates"] if any(p.asset == name and p.state not in ("fresh", "orphan") for p in above)]
    if meta is None:
        return PartitionPlan("duplicates", "all", "missing", ("not made yet",))
    because = changes(json.loads(meta.recipe), dedup_recipe(project))
    if not because and meta.fingerprint != dedup_fingerprint(project, metas):
        because.append("other questions to compare")
    state: State = "stale" if because else "waiting" if late else "fresh"
    return PartitionPlan("duplicates", "all", state, (*because, *map(_is_late, late)))


def _is_late(level: str) -> str:
    return f"{level} {'is' if level == 'contamination' else 'are'} out of date"


def dedup_recipe(project: Project) -> dict[str, Any]:
    """Everything that decides how `duplicates` is made, what it compares aside."""
    return {"version": RECIPE_VERSION["duplicates"], "threshold": project.dedup.threshold, "across": project.dedup.across}


def dedup_fingerprint(project: Project, metas: Metas) -> str:
    """What `duplicates` would be made from: its recipe and the content of every partition it compares."""
    references = sorted([name, meta.content_hash] for (asset, name), meta in metas.items() if asset == "reference_signatures")
    return digest("duplicates", dedup_recipe(project), _hashes(project, metas, UPSTREAM["duplicates"], "content_hash"), *references)


def dataset_fingerprint(project: Project, metas: Metas) -> str:
    """What `dataset` would publish: every partition as it was last written, and the nodes it stands under."""
    stamps = _hashes(project, metas, PARTITIONED, "stamp")
    duplicates = metas.get(("duplicates", "all"))
    return digest("dataset", shared_recipe(project, "dataset"), stamps, duplicates.stamp if duplicates else None)


def _hashes(project: Project, metas: Metas, levels: Iterable[str], attribute: str) -> list[Any]:
    slugs = [discipline.slug for discipline in project.disciplines()]
    return [[level, slug, getattr(metas[level, slug], attribute)] for level in levels for slug in sorted(slugs) if (level, slug) in metas]


def imported(metas: Metas, slug: str) -> str | None:
    """The content hash of the rows imported into a discipline; None when there are none."""
    meta = metas.get(("imported", slug))
    return meta.content_hash if meta else None


def recipe_hash(project: Project, level: str, discipline: Discipline, metas: Metas) -> str:
    """The version of a `recipes/LEVEL` partition."""
    return digest("recipe", recipe(project, level, discipline, imported(metas, discipline.slug)))


def recipe_hashes(project: Project, metas: Metas) -> dict[tuple[str, str], str]:
    """(level, discipline) -> recipe version, for every partitioned level."""
    return {(level, d.slug): recipe_hash(project, level, d, metas) for level in PARTITIONED for d in project.disciplines()}


def recipe_used(meta: PartitionMeta) -> str:
    """The version of `recipes/LEVEL` that a partition was made by; one that no recipe has when it is to be made again in any case."""
    if of_another_version(meta):
        return "of another version"
    return f"unanswered: {meta.unanswered}" if meta.unanswered else digest("recipe", json.loads(meta.recipe))


def of_another_version(meta: PartitionMeta) -> bool:
    """Whether a partition was written by a version that takes fingerprints otherwise."""
    return fingerprint(json.loads(meta.recipe), meta.upstream) != meta.fingerprint


def shared_recipe(project: Project, level: str) -> dict[str, Any]:
    """What decides how an unpartitioned level is made, the partitions it is made from aside; plain JSON values."""
    if level == "duplicates":
        return dedup_recipe(project)
    nodes: list[Any] = [[d.slug, d.name, d.subfield, d.settings.pairs] for d in project.disciplines()]
    for top in project.fields:
        nodes += [[top.slug, top.name], *([sub.slug, sub.name, top.slug] for sub in top.subfields)]
    return {"version": RECIPE_VERSION[level], "tree": nodes}


def shared_recipe_hash(project: Project, level: str) -> str:
    """The version of `recipes/LEVEL` for an unpartitioned level: it changes too when a discipline comes or goes."""
    return digest("recipe", shared_recipe(project, level), sorted(project.index()))
