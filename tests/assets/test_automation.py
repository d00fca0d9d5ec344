"""What starts by itself: what costs nothing, always; what costs money, once the taxonomy says so; neither twice for one state."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from gland_assets.assets import definitions_for
from gland_assets.assets.automation import NAME
from gland_assets.assets.instance import open_instance
from gland_assets.assets.partitions import sync_partitions
from gland_assets.core.levels import DECLARED, GENERATED
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
from tests import rows
from tests.assets.test_assets import materialize
from tests.cli.running import declare, gland, store, store_fresh
from tests.server import ModelServer
from tests.test_build import SERVED

FREE, PAID = "bring_free_levels_up_to_date", "bring_changed_up_to_date"


@dataclass
class Watched:
    """A project, and the sensor that starts what may start by itself."""

    folder: Path
    instance: dg.DagsterInstance

    def __post_init__(self) -> None:
        self.definitions = definitions_for(self.folder / "taxonomy.toml")
        self.sensor = self.definitions.resolve_sensor_def(NAME)

    def look(self) -> str:
        """The job that one tick starts, or why it starts none. A run of it is recorded as queued."""
        said = self.sensor(dg.build_sensor_context(instance=self.instance))
        if isinstance(said, dg.SkipReason):
            return said.skip_message or ""
        assert isinstance(said, dg.RunRequest) and said.job_name and said.run_key
        if said.run_key in self.keys():
            return "started before"
        self.instance.create_run_for_job(
            self.definitions.resolve_job_def(said.job_name), status=dg.DagsterRunStatus.STARTED,
            tags={**said.tags, "dagster/run_key": said.run_key},
        )  # fmt: skip
        return said.job_name

    def keys(self) -> set[str]:
        """The keys of all runs so far: Dagster starts none twice."""
        return {run.tags["dagster/run_key"] for run in self.instance.get_runs() if "dagster/run_key" in run.tags}

    def end(self, how: dg.DagsterRunStatus = dg.DagsterRunStatus.SUCCESS) -> None:
        """The run under way ends."""
        run = self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]), limit=1)[0]
        if how is dg.DagsterRunStatus.CANCELED:
            self.instance.report_run_canceled(run)
        elif how is dg.DagsterRunStatus.FAILURE:
            self.instance.report_run_failed(run)
        else:
            event = dg.DagsterEventType.PIPELINE_SUCCESS.value
            self.instance.report_dagster_event(dg.DagsterEvent(event, run.job_name), run.run_id)

    def edit(self, old: str, new: str) -> None:
        taxonomy = self.folder / "taxonomy.toml"
        text = taxonomy.read_text()
        assert old in text
        taxonomy.write_text(text.replace(old, new))

    def switch_on(self) -> None:
        self.edit("[defaults]", "[automation]\npaid = true\n[defaults]")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with everything made and published."""
    folder = declare(tmp_path_factory.mktemp("automation") / "project")
    store(folder, *(rows.made(slug) for slug in ("logic", "optics", "music")))
    assert gland(folder, "publish").code == 0
    return folder


@pytest.fixture
def watched(stored: Path, tmp_path: Path) -> Iterator[Watched]:
    """A copy of it, watched."""
    folder = tmp_path / "project"
    shutil.copytree(stored, folder)
    with open_instance(folder / "warehouse") as instance:
        yield Watched(folder, instance)


def test_nothing_starts_while_everything_is_up_to_date(watched: Watched) -> None:
    assert watched.look() == "everything is up to date"
    watched.switch_on()
    assert watched.look() == "everything is up to date"


def test_with_the_switch_off_no_edit_starts_what_asks_a_model(watched: Watched) -> None:
    watched.edit('"Logic"', '{ name = "Logic", stage.answers.temperature = 0.1 }')
    assert watched.look().startswith("1 discipline waits for a build; paid = true under [automation]")
    assert watched.instance.get_runs_count() == 0


def test_with_the_switch_on_an_edit_starts_one_run_and_the_next_edit_the_next(watched: Watched) -> None:
    watched.edit('"Logic"', '{ name = "Logic", stage.answers.temperature = 0.1 }')
    watched.look()
    watched.switch_on()  # noticed without a restart
    assert watched.look() == PAID
    assert watched.look().startswith("waits for the end of run")
    watched.end(dg.DagsterRunStatus.FAILURE)
    assert watched.look() == "started before"
    watched.edit("temperature = 0.1", "temperature = 0.2")
    assert watched.look() == PAID


def test_a_run_that_was_canceled_starts_again_only_after_the_next_edit(watched: Watched) -> None:
    watched.switch_on()
    watched.edit('["Logic", "Optics"]', '["Logic", { name = "Optics", pairs = 12 }, "Algebra"]')
    assert watched.look() == PAID
    one = rows.made("algebra")
    store_fresh(load_project(watched.folder / "taxonomy.toml"), Partitions(watched.folder / "warehouse"), one)
    watched.end(dg.DagsterRunStatus.CANCELED)
    assert watched.look().startswith("the run for this was canceled")
    watched.edit("pairs = 12", "pairs = 11")
    assert watched.look() == PAID


def test_rows_that_nobody_answers_do_not_loop(watched: Watched) -> None:
    def made(unanswered: int) -> None:
        """The partition anew, with so many rows that nobody answered."""
        partitions = Partitions(watched.folder / "warehouse")
        meta = partitions.meta("answers", "logic")
        assert meta
        again = replace(meta, unanswered=unanswered, content_hash=f"{unanswered} failed", stamp="", written_at=None)
        partitions.write("answers", "logic", partitions.rows("answers", "logic"), again)

    watched.switch_on()
    made(3)
    assert watched.look() == PAID
    made(3)
    watched.end()
    assert watched.look() == "started before"
    made(2)
    assert watched.look() == PAID


def test_an_edit_made_twice_with_another_between_starts_a_run_each_time(watched: Watched) -> None:
    watched.switch_on()
    taxonomy, partitions = watched.folder / "taxonomy.toml", Partitions(watched.folder / "warehouse")
    for before, after in (("pairs = 10", "pairs = 11"), ("pairs = 11", "pairs = 10"), ("pairs = 10", "pairs = 11")):
        watched.edit(before, after)
        assert watched.look() == PAID
        for slug in ("logic", "optics", "music"):
            store_fresh(load_project(taxonomy), partitions, rows.made(slug))
        watched.end()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[defaults]", "[dedup]\nngram = 4\n[defaults]"),
        ("[defaults]", "[dedup]\nthreshold = 0.6\n[defaults]"),
        ('["Logic", "Optics"]', '["Logic"]'),
        ('name = "Sound"', 'name = "Sounds"\nslug = "sound"'),
    ],
    ids=["shingles", "threshold", "a discipline less", "a name in the tree"],
)
def test_an_edit_of_what_costs_nothing_is_followed_at_once(watched: Watched, old: str, new: str) -> None:
    watched.edit(old, new)
    assert watched.look() == FREE
    watched.end()
    assert watched.look() == "started before"


def test_a_taxonomy_that_does_not_parse_starts_nothing(watched: Watched) -> None:
    watched.edit("[defaults]", "[defaults")
    assert watched.look().startswith("taxonomy.toml is not usable as it stands")


def test_answers_made_by_hand_are_followed_by_all_that_costs_nothing_and_by_nothing_else(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMALL_KEY", "key-of-the-test")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "unused"))
    folder = declare(tmp_path / "project", head=SERVED.format(url=server.url, pairs=3, parallel=8))
    with open_instance(folder / "warehouse") as instance:
        watched = Watched(folder, instance)
        sync_partitions(instance, load_project(folder / "taxonomy.toml"))
        assert watched.look().startswith("3 disciplines wait")
        materialize(folder, instance, "logic", *DECLARED, *GENERATED)
        server.reset()
        assert watched.look() == FREE
        done = watched.definitions.resolve_job_def(FREE).execute_in_process(instance=instance)
        assert done.success
        [ended] = [event for event in done.all_events if event.is_successful_output]
        told = {name: value.value for name, value in ended.step_output_data.metadata.items()}
        assert (told["calls"], told["usd"], told["disciplines"]) == (0, 0.0, 1)
        watched.end()
        assert watched.look().startswith("2 disciplines wait")
        assert server.count == 0
    with duckdb.connect(str(folder / "warehouse" / "gland.duckdb"), read_only=True) as connection:
        assert connection.execute("select discipline, count(*) from dataset group by all").fetchall() == [("logic", 3)]
