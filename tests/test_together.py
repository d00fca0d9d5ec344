"""Builds at the same time, or within a budget: nothing is paid for twice, limits are shared, and the same dataset comes of it."""

from __future__ import annotations

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.running import environment, gland_alone, gland_process
from tests.server import ModelServer
from tests.test_build import CONTENT, KEY, PARALLEL, asked_twice, build, rows, served

MATERIALIZE = """
import sys
import dagster as dg
from gland_assets.assets.definitions import definitions_for
from gland_assets.assets.instance import QUIET, open_instance
from gland_assets.assets.partitions import sync_partitions
from gland_assets.io.project import load_project
from pathlib import Path
folder = Path(sys.argv[1])
with open_instance(folder / "warehouse") as instance:
    sync_partitions(instance, load_project(folder / "taxonomy.toml"))
    job = definitions_for(folder / "taxonomy.toml").resolve_job_def("every_level")
    result = job.execute_in_process(run_config=QUIET, instance=instance, partition_key="logic")
    sys.exit(0 if result.success else 1)
"""


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory, _running_server: ModelServer) -> tuple[list[tuple[object, ...]], int]:
    """The dataset that one undisturbed build makes, and how many requests it takes."""
    _running_server.reset()
    folder = served(tmp_path_factory.mktemp("alone"), _running_server)
    code, said = build(folder)
    assert code == 0, said
    return rows(folder, CONTENT), _running_server.answered


def finish(*processes: subprocess.Popen[str]) -> None:
    for process in processes:
        out, err = process.communicate(timeout=180)
        assert process.returncode == 0, out + err


def test_two_builds_at_once(tmp_path: Path, server: ModelServer, wanted: tuple[list[tuple[object, ...]], int]) -> None:
    folder = served(tmp_path / "two", server)
    server.state.latency = 0.05
    finish(*(gland_process(folder, "build", "--yes", "--workers", count, env=KEY) for count in ("1", "2")))
    assert (rows(folder, CONTENT), server.answered, asked_twice(server)) == (*wanted, [])
    assert server.state.most_in_flight <= PARALLEL  # of three worker processes together
    assert rows(folder, "select sum(calls) from builds") == [(wanted[1],)]
    assert gland_alone(folder, "plan", "--json").json["disciplines"] == []


def test_a_build_and_a_run_of_dagster_at_once(tmp_path: Path, server: ModelServer, wanted: tuple[list[tuple[object, ...]], int]) -> None:
    folder = served(tmp_path / "both", server)
    server.state.latency = 0.05
    run = subprocess.Popen(
        [sys.executable, "-c", MATERIALIZE, str(folder)], env=environment(KEY), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    finish(gland_process(folder, "build", "--yes", "--workers", "1", env=KEY), run)
    assert build(folder)[0] == 0  # what the later of the two has published last may be its own discipline alone
    assert (rows(folder, CONTENT), server.answered, asked_twice(server)) == (*wanted, [])


def test_a_build_within_a_budget_stops_before_it_is_passed_and_goes_on_when_it_is_raised(
    tmp_path: Path, server: ModelServer, wanted: tuple[list[tuple[object, ...]], int]
) -> None:
    folder = served(tmp_path / "budget", server)
    taxonomy = folder / "taxonomy.toml"
    declared = taxonomy.read_text()
    taxonomy.write_text(f"{declared}\n[budget]\nusd = 0.02\n")
    code, said = build(folder)
    assert code == 2 and "Traceback" not in said
    assert re.search(r"the budget is reached: \$0\.0\d+ of \$0\.02 \(\[budget\] usd\)", said)
    assert 0 < rows(folder, "select sum(usd) from requests")[0][0] <= Decimal("0.02")  # type: ignore[operator]
    code, said = build(folder, "--budget", "0.003")
    assert code == 2 and "of the budget of $0.02 are spent; it will stop before it is done" in said
    taxonomy.write_text(declared)
    code, said = build(folder, "--budget", "0.003")
    assert code == 2 and "--budget" in said
    code, said = build(folder)
    assert code == 0, said
    assert (rows(folder, CONTENT), server.answered, asked_twice(server)) == (*wanted, [])
