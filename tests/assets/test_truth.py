"""Dagster tells the same truth as `gland plan`: asked by GraphQL after real builds, edits that the sensor notices, and lost records."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest

from gland_assets.assets import reporting
from gland_assets.assets.instance import open_instance
from gland_assets.assets.provenance import parents
from gland_assets.assets.sensors import taxonomy_watch
from gland_assets.assets.up_to_date import report_up_to_date
from gland_assets.core.levels import PARTITIONED, UNPARTITIONED
from gland_assets.core.plan import Plan, make_plan, recipe_hash
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests.assets.graphql import Dagster, shown
from tests.assets.test_assets import materialize
from tests.cli.running import gland
from tests.server import ModelServer
from tests.test_build import KEY, build, served

SLUGS = ("logic", "optics", "music")


@dataclass
class Shown:
    """A project that was built, and what Dagster and the plan say of it."""

    folder: Path
    instance: dg.DagsterInstance
    dagster: Dagster
    watch: dg.SensorDefinition = field(init=False)

    def __post_init__(self) -> None:
        self.watch = taxonomy_watch(self.taxonomy, self.warehouse)

    @property
    def taxonomy(self) -> Path:
        return self.folder / "taxonomy.toml"

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    @property
    def endpoint(self) -> str:
        """The model server's, as the taxonomy names it."""
        return self.taxonomy.read_text().split("api_base = ")[1].splitlines()[0]

    def look(self) -> str:
        """One tick of the sensor."""
        said = self.watch(dg.build_sensor_context(instance=self.instance))
        assert isinstance(said, dg.SkipReason) and said.skip_message
        return said.skip_message

    def plan(self) -> Plan:
        return make_plan(load_project(self.taxonomy), Partitions(self.warehouse).metas())

    def agreed(self) -> set[tuple[str, str]]:
        """What both call stale, once they are seen to agree on every partition."""
        parts = [part for part in self.plan().partitions if part.state != "orphan"]
        states = self.dagster.states(PARTITIONED, list(dict.fromkeys(part.discipline for part in parts)))
        for state in ("stale", "missing"):
            planned = {(part.asset, part.discipline) for part in parts if part.state == state}
            assert {place for place, said in states.items() if said == state.upper()} == planned
        return {place for place, said in states.items() if said == "STALE"}

    def bring_up(self, slug: str, *levels: str) -> None:
        """A run of these levels, by default of whatever is out of date, and of what follows for all disciplines."""
        materialize(self.folder, self.instance, slug, *(levels or (*self.plan().out_of_date()[slug], *UNPARTITIONED)))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> Path:
    """A project of three disciplines, built as a user builds it."""
    _running_server.reset()
    folder = served(tmp_path_factory.mktemp("truth") / "built", _running_server, pairs=4)
    code, said = build(folder)
    assert code == 0, said
    return folder


@pytest.fixture
def seen(built: Path, tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """A copy of the built project, whose partitions count as settled."""
    monkeypatch.setenv("SMALL_KEY", KEY["SMALL_KEY"])
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "unused"))
    monkeypatch.setattr(reporting, "SETTLED", -reporting.SETTLED)
    folder = tmp_path / "project"
    shutil.copytree(built, folder)
    with open_instance(folder / "warehouse") as instance, shown(folder, instance) as dagster:
        yield Shown(folder, instance, dagster)


def replaced(old: str, new: str) -> Callable[[Path], None]:
    def edit(taxonomy: Path) -> None:
        text = taxonomy.read_text()
        assert old in text
        taxonomy.write_text(text.replace(old, new))

    return edit


def with_prompt(taxonomy: Path) -> None:
    replaced('name = "served"', 'name = "served"\nprompts = "prompts"')(taxonomy)
    (taxonomy.parent / "prompts").mkdir()
    (taxonomy.parent / "prompts" / "answers.txt").write_text("Answer {question}\n")


EDITS: dict[str, tuple[Callable[[Path], None], set[tuple[str, str]]]] = {
    "answers of one discipline": (replaced('"Logic"', '{ name = "Logic", stage.answers.temperature = 0.1 }'), {("answers", "logic")}),
    "a prompt file": (with_prompt, {("answers", slug) for slug in SLUGS}),
    "pairs of one discipline": (replaced('"Music"', '{ name = "Music", pairs = 5 }'), {("questions", "music")}),
    "shingles": (replaced("[defaults]", "[dedup]\nngram = 4\n[defaults]"), {("signatures", slug) for slug in SLUGS}),
    "seed of a field": (
        replaced('name = "Arts"', 'name = "Arts"\nseed = 3'),
        {(level, "music") for level in ("subjects", "syllabi", "questions")},
    ),
    "name of a discipline": (
        replaced('"Optics"', '{ name = "Light", slug = "optics" }'),
        {(level, "optics") for level in ("disciplines", "subjects", "syllabi", "questions")},
    ),
    "name of a field": (
        replaced('name = "Formal sciences"', 'name = "Formal science"\nslug = "formal-sciences"'),
        {("fields", "logic"), ("fields", "optics")},
    ),
    "a discipline more and one less": (replaced('"Optics"', '"Set theory"'), set()),
    "titles and deployments": (replaced("max_parallel_requests = 8", "max_parallel_requests = 9"), set()),
}


def test_after_a_build_nothing_is_stale_and_each_partition_names_what_it_was_made_from(seen: Shown) -> None:
    assert seen.agreed() == set()
    assert set(seen.dagster.states(PARTITIONED, list(SLUGS)).values()) == {"FRESH"}
    assert seen.dagster.whole(*UNPARTITIONED) == {"duplicates": "FRESH", "dataset": "FRESH"}
    project, metas = load_project(seen.taxonomy), Partitions(seen.warehouse).metas()
    for (level, slug), meta in metas.items():
        if level in PARTITIONED:
            wanted = {name: metas[name, slug].content_hash for name in meta.upstream}
            wanted[f"recipes/{level}"] = recipe_hash(project, level, project.discipline(slug), {})
            tags = made(seen.instance, level, slug).tags or {}
            named = {key.to_user_string(): tags[f"dagster/input_data_version/{key.to_user_string()}"] for key in parents(level)}
            assert {name: version for name, version in named.items() if version} == wanted
            assert tags["dagster/data_version"] == meta.content_hash


def test_a_build_records_at_its_end_that_every_level_is_up_to_date_and_one_with_nothing_to_do_records_nothing(seen: Shown) -> None:
    assert report_up_to_date(seen.instance, load_project(seen.taxonomy), seen.warehouse) == []
    records = {path: path.read_bytes() for path in (seen.warehouse / "dagster").rglob("*.db")}
    assert records
    again = gland(seen.folder, "build", "--yes")
    assert again.code == 0 and "Nothing to do" in again.out
    assert records == {path: path.read_bytes() for path in (seen.warehouse / "dagster").rglob("*.db")}


def test_after_an_edit_dagster_calls_stale_what_the_plan_does_until_it_is_taken_back(seen: Shown) -> None:
    declared = seen.taxonomy.read_text()
    for edit, (change, expected) in EDITS.items():
        change(seen.taxonomy)
        seen.look()
        assert seen.agreed() == expected, edit
        seen.taxonomy.write_text(declared)
    seen.look()
    assert seen.agreed() == set()
    assert seen.look().endswith("0 added, 0 removed; recipes: 0 changed")


def test_once_it_is_made_again_all_is_fresh_and_what_lies_below_only_if_it_had_to_be(seen: Shown) -> None:
    again = '[deployment.again]\nmodel = "openai/large-1"\nrevision = "2"\nkey_env = "SMALL_KEY"\napi_base = '
    replaced("[defaults]", f"{again}{seen.endpoint}\n[defaults]\nmodels = ['large']")(seen.taxonomy)
    replaced('"Logic"', '{ name = "Logic", stage.syllabi.models = ["again"], pairs = 5 }')(seen.taxonomy)
    seen.look()
    assert seen.agreed() == {("syllabi", "logic"), ("questions", "logic")}
    seen.bring_up("logic", "syllabi")
    assert seen.agreed() == {("questions", "logic")}  # the new model's syllabi are word for word the old one's
    seen.bring_up("logic", "questions")
    assert seen.agreed() == {("answers", "logic"), ("signatures", "logic"), ("contamination", "logic")}
    seen.bring_up("logic")
    assert seen.agreed() == set()
    assert seen.dagster.whole(*UNPARTITIONED) == {"duplicates": "FRESH", "dataset": "FRESH"}


def test_what_is_edited_while_a_run_goes_on_is_stale_when_it_ends(seen: Shown, server: ModelServer) -> None:
    replaced('"Logic"', '{ name = "Logic", pairs = 5 }')(seen.taxonomy)

    def edit() -> None:
        while not server.count:
            time.sleep(0.01)
        replaced("pairs = 5 }", "pairs = 6 }")(seen.taxonomy)
        seen.look()

    server.state.latency = 1.0
    editing = Thread(target=edit)
    editing.start()
    seen.bring_up("logic", "questions")
    editing.join()
    seen.look()
    assert seen.agreed() == {("questions", "logic"), ("answers", "logic"), ("signatures", "logic"), ("contamination", "logic")}


def test_a_file_that_is_gone_is_stale_to_dagster_until_it_is_made_again(seen: Shown) -> None:
    (seen.warehouse / "answers" / "optics.parquet").unlink()
    seen.look()
    assert {place for place, said in seen.dagster.states(PARTITIONED, list(SLUGS)).items() if said != "FRESH"} == {("answers", "optics")}
    seen.bring_up("optics")
    assert seen.agreed() == set()


def test_a_warehouse_that_comes_without_records_is_told_to_dagster_and_not_made_again(
    built: Path, tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "SETTLED", -reporting.SETTLED)
    folder = tmp_path / "elsewhere"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("dagster"))
    replaced('"Music"', '{ name = "Music", stage.answers.temperature = 0.1 }')(folder / "taxonomy.toml")
    with open_instance(folder / "warehouse") as instance, shown(folder, instance) as dagster:
        seen = Shown(folder, instance, dagster)
        monkeypatch.setattr("gland_assets.assets.sensors.BATCH", 20)
        assert "recipes: 1 changed; partitions made elsewhere: 19 told; more to come" in seen.look()
        assert "more to come" not in seen.look()
        assert seen.agreed() == {("answers", "music")}
        assert seen.dagster.whole(*UNPARTITIONED) == {"duplicates": "FRESH", "dataset": "FRESH"}
        assert server.count == 0
        event = made(instance, "questions", "logic")
        meta = Partitions(seen.warehouse).meta("questions", "logic")
        assert meta and event.metadata["dagster/partition_row_count"].value == meta.rows == 4
        assert event.metadata["calls"].value == meta.calls and str(event.metadata["preview"].value).startswith("|")
        assert seen.look().endswith("0 added, 0 removed; recipes: 0 changed")


def test_a_build_tells_dagster_of_the_disciplines_it_touches(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    shutil.copytree(built, folder, ignore=shutil.ignore_patterns("dagster"))
    replaced('"Music"', '{ name = "Music", pairs = 5 }')(folder / "taxonomy.toml")
    code, said = build(folder)
    assert code == 0, said
    with open_instance(folder / "warehouse") as instance, shown(folder, instance) as dagster:
        assert set(dagster.states(PARTITIONED, ["music"]).values()) == {"FRESH"}
        assert set(dagster.states(PARTITIONED, ["logic"]).values()) == {"MISSING"}  # left to the sensor of `gland ui`


def test_what_was_published_outside_dagster_is_told_to_it(seen: Shown) -> None:
    replaced("[defaults]", "[dedup]\nthreshold = 0.6\n[defaults]")(seen.taxonomy)
    seen.look()
    assert seen.dagster.whole(*UNPARTITIONED)["duplicates"] == "STALE"
    assert gland(seen.folder, "publish").code == 0
    seen.look()
    assert seen.dagster.whole(*UNPARTITIONED) == {"duplicates": "FRESH", "dataset": "FRESH"}


def made(instance: dg.DagsterInstance, level: str, slug: str) -> dg.AssetMaterialization:
    """The latest materialization of a partition."""
    which = dg.AssetRecordsFilter(asset_key=dg.AssetKey(level), asset_partitions=[slug])
    [record] = instance.fetch_materializations(which, limit=1).records
    assert record.asset_materialization
    return record.asset_materialization
