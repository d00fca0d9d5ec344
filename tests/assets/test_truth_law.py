"""The law: whatever is edited, made, made elsewhere or forgotten, and in whatever order, Dagster calls stale exactly what the plan does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gland_assets.assets.definitions import definitions_for
from gland_assets.assets.partitions import sync_partitions
from gland_assets.assets.provenance import standing_tags, tags_of, versions_used
from gland_assets.assets.records import Records
from gland_assets.assets.reporting import _Report, report
from gland_assets.core.hashing import canonical
from gland_assets.core.levels import PARTITIONED, UPSTREAM
from gland_assets.core.plan import make_plan
from gland_assets.core.project import Dedup, Project
from gland_assets.core.recipes import declared_content_hash, declared_rows, fingerprint, recipe
from gland_assets.core.state import PartitionMeta
from gland_assets.io.partitions import Partitions
from tests.projects import small_project, with_discipline, with_settings, with_stage

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SLUG = "logic"
PROJECT = small_project({SLUG: ("formal", "reasoning")})
GRAPH = definitions_for("taxonomy.toml").resolve_asset_graph()
EDITS: list[Callable[[Project], Project]] = [
    lambda p: with_stage(p, SLUG, "answers", temperature=0.1),
    lambda p: with_stage(p, SLUG, "syllabi", max_tokens=9),
    lambda p: with_settings(p, SLUG, pairs=9),
    lambda p: with_discipline(p, SLUG, name="Reason"),
    lambda p: replace(p, prompts={**p.prompts, "questions.one_session.txt": "{syllabus} {sessions} {concepts}"}),
    lambda p: replace(p, dedup=Dedup(ngram=5)),
    lambda p: replace(p, fields=tuple(replace(top, name="Form") for top in p.fields)),
]


class World:
    """One discipline on disk, what is declared of it, and Dagster's records of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.partitions = folder, Partitions(folder)
        self.on = frozenset[int]()  # the edits in force
        self.forget()

    @property
    def project(self) -> Project:
        project = PROJECT
        for edit in sorted(self.on):
            project = EDITS[edit](project)
        return project

    def edit(self, which: int) -> None:
        """Make an edit, or take it back."""
        self.on ^= {which}

    def start(self) -> None:
        """What a run does before its first step."""
        report(Records(self.instance), self.project, self.folder, only=[SLUG])

    def make(self, level: str, content: int, unanswered: int, seen: bool) -> None:
        """Make a level as a step of Dagster would, or, not `seen` by it, elsewhere. Nothing when something above is missing."""
        metas = self.partitions.metas()
        if any((name, SLUG) not in metas for name in UPSTREAM[level]):
            return
        made_by = recipe(self.project, level, self.project.discipline(SLUG))
        upstream = {name: metas[name, SLUG].content_hash for name in UPSTREAM[level]}
        rows = declared_rows(self.project, SLUG)
        held = declared_content_hash(level, rows[level]) if level in rows else f"{level} {content}"
        meta = PartitionMeta(
            level, SLUG, fingerprint(made_by, upstream), held, canonical(made_by), upstream,
            unanswered=0 if level in rows else unanswered, written_at=LONG_AGO,
        )  # fmt: skip
        self.partitions.write(level, SLUG, [], meta)
        if seen:
            tags = standing_tags(meta, versions_used(meta), {}) | tags_of(self.instance, meta)
            self.instance.report_runless_asset_event(dg.AssetMaterialization(level, partition=SLUG, tags=tags))

    def forget(self) -> None:
        """Dagster's records are new."""
        self.instance = dg.DagsterInstance.ephemeral()
        sync_partitions(self.instance, self.project)

    def agree(self) -> None:
        """One look of the sensor; then both say the same."""
        report(Records(self.instance), self.project, self.folder)
        plan = make_plan(self.project, self.partitions.metas()).of(SLUG)
        resolver = CachingStaleStatusResolver(self.instance, GRAPH, LoadingContextForTest(self.instance))
        said = {level: resolver.get_status(dg.AssetKey(level), SLUG).name for level in PARTITIONED}
        assert said == {level: "FRESH" if part.state == "waiting" else part.state.upper() for level, part in plan.items()}
        again = report(Records(self.instance), self.project, self.folder)
        assert (again.recipes, again.partitions) == (0, [])


edits = st.builds(lambda which: lambda world: world.edit(which), st.integers(0, len(EDITS) - 1))
makes = st.builds(
    lambda *how: lambda world: (world.start(), world.make(*how)),
    st.sampled_from(PARTITIONED), st.integers(0, 1), st.sampled_from([0, 0, 0, 2]), st.booleans(),
)  # fmt: skip
builds = st.builds(
    lambda content, seen: lambda world: [world.start(), *(world.make(level, content, 0, seen) for level in PARTITIONED)],
    st.integers(0, 1),
    st.booleans(),
)
forgets = st.just(World.forget)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=(Phase.reuse, Phase.generate))
@given(builds, st.lists(st.one_of(edits, makes, edits, makes, builds, forgets), min_size=2, max_size=6))
def test_dagster_calls_stale_what_the_plan_does(first: Callable[[World], None], steps: list[Callable[[World], None]]) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder))
        for step in (first, *steps):
            step(world)
            world.agree()


def test_what_is_made_while_a_look_goes_on_is_not_told_as_it_was(tmp_path: Path) -> None:
    world = World(tmp_path)
    for level in PARTITIONED:
        world.make(level, 0, 0, seen=True)
    look = _Report(Records(world.instance), world.project, tmp_path, only=None, limit=None)  # has read what stands
    world.make("questions", 1, 0, seen=True)
    assert look.run().partitions == []
    world.agree()
