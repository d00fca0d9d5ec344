"""Builds at the same time, or within a budget: nothing is paid for twice, limits are shared, and the same dataset comes of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gland_assets.core.project import Price
from tests.cli.running import declare, environment, gland_alone, gland_process
from tests.server import ModelServer
from tests.test_build import CONTENT, KEY, PARALLEL, SERVED, asked_twice, build, rows, served

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


BUILD = """
import json, sys
from pathlib import Path
from gland_assets.assets.build import run_build
from gland_assets.cli.counting import Counts
from gland_assets.core.errors import BudgetReached
from gland_assets.core.plan import make_plan
from gland_assets.io.partitions import Partitions
from gland_assets.io.project import load_project
if __name__ == "__main__":
    folder = Path(sys.argv[1])
    project = load_project(folder / "taxonomy.toml")
    plan = make_plan(project, Partitions(folder / "warehouse").metas())
    counts, reached = Counts(plan.out_of_date()), ""
    try:
        run_build(project, folder / "warehouse", plan, workers=3, on_event=counts.add)
    except BudgetReached as error:
        reached = str(error)
    whole = counts.all
    shown = {"usd": str(whole.usd), "tokens": whole.tokens, "calls": whole.calls, "limited": whole.limited, "rejected": whole.rejected}
    print(json.dumps({**shown, "by": {name: str(part.usd) for name, part in counts.deployments.items()}, "reached": reached}))
"""
LARGE, SMALL = Price(Decimal("3"), Decimal("15"), Decimal("0.3")), Price(Decimal("0.4"), Decimal("1.6"), Decimal("0.1"))
TWO = """
[deployment.small]
model = "openai/small-1"
api_base = "{url}"
key_env = "SMALL_KEY"
max_parallel_requests = 6
usd_per_million = {{ input = 0.4, output = 1.6, cached_input = 0.1 }}
[stage.subjects]
models = ["small", "large"]
[stage.questions]
models = ["small", "large"]
"""


def shown_by(folder: Path) -> dict[str, Any]:
    """What a build with three workers shows in the end."""
    done = subprocess.run([sys.executable, "-c", BUILD, str(folder)], env=environment(KEY), text=True, capture_output=True, timeout=180)
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def test_three_workers_keep_to_a_cap_and_bill_ledger_display_and_dataset_agree_to_the_billionth(
    tmp_path: Path, server: ModelServer
) -> None:
    head = SERVED.format(url=server.url, pairs=6, parallel=PARALLEL).replace(
        "input = 1.0, output = 2.0", "input = 3, output = 15, cached_input = 0.3"
    )
    folder = declare(
        tmp_path / "exact", head=head.replace("[defaults]", '[defaults]\nmodels = ["large", "small"]') + TWO.format(url=server.url)
    )
    taxonomy = folder / "taxonomy.toml"
    declared = taxonomy.read_text()
    cap = Decimal("0.12")
    taxonomy.write_text(f"{declared}\n[budget]\nusd = {cap}\n")
    server.state.latency, server.state.spread = 0.05, 1.0
    for match in ("large-1", "small-1"):
        server.fail("429", times=5, match=match, retry_after=0.05)
        server.fail("refusal", times=2, match=match)
    first = shown_by(folder)
    assert "the budget is reached" in first["reached"], first
    assert set(first["by"]) == {"large", "small"}
    shown = [first]
    for _ in range(2):
        bill, tokens = server.bill({"large-1": LARGE, "small-1": SMALL})
        assert bill == sum(Decimal(one["usd"]) for one in shown) == sum(Decimal(by) for one in shown for by in one["by"].values())
        assert tokens == sum(one["tokens"] for one in shown) and server.answered == sum(one["calls"] for one in shown)
        faults = Counter(entry["fault"] for entry in server.log)
        assert sum(one["limited"] for one in shown) == faults["429"] and sum(one["rejected"] for one in shown) >= faults["refusal"]
        # Published, where it was stopped by the cap too.
        assert rows(folder, "select sum(usd), count(*) from requests") == [(bill, server.answered)]
        assert rows(folder, "select usd from builds order by build_id") == [(Decimal(one["usd"]),) for one in shown]
        if len(shown) == 1:
            assert 0 < bill <= cap
            taxonomy.write_text(declared)
            shown.append(shown_by(folder))
    assert shown[1]["reached"] == "" and asked_twice(server) == []
    assert len(rows(folder, "select id from dataset")) == 18
