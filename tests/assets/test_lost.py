"""A run whose process was killed is recorded as failed; a run that goes on, or runs on another machine, is left alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from gland_assets.assets.lost import PROCESS, end_lost_runs, process_tag

SAY = "from gland_assets.assets.lost import process_tag, PROCESS; print(process_tag()[PROCESS], flush=True); input()"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@dg.job
def work() -> None:
    pass


def started(instance: dg.DagsterInstance, tags: dict[str, str]) -> str:
    return instance.create_run_for_job(work, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_run_of_a_killed_process_has_failed(instance: dg.DagsterInstance) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout
        run = started(instance, {PROCESS: process.stdout.readline().strip()})
        assert end_lost_runs(instance) == []
        process.kill()

    assert end_lost_runs(instance) == [run]
    assert status(instance, run) is dg.DagsterRunStatus.FAILURE
    assert end_lost_runs(instance) == []


def test_a_number_that_was_given_anew_is_another_process(instance: dg.DagsterInstance) -> None:
    host, number, start, boot = process_tag()[PROCESS].split("/")
    earlier = started(instance, {PROCESS: f"{host}/{number}/{float(start) - 60}/{boot}"})
    before_the_machine_started = started(instance, {PROCESS: f"{host}/{number}/{start}/another"})

    assert set(end_lost_runs(instance)) == {earlier, before_the_machine_started}


def test_a_run_that_goes_on_is_left_alone_when_the_clock_is_set_anew(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    run, boot_time = started(instance, process_tag()), psutil.boot_time()
    for jump in (3600 * 24 * 400, -3600 * 24 * 400):
        # The kernel tells when it started by today's clock: that is all a new clock changes in what is known of a process.
        with monkeypatch.context() as clock:
            clock.setattr("psutil._psplatform.boot_time", lambda jump=jump: boot_time + jump)
            assert abs(psutil.Process().create_time() - time.time()) > 3600 * 24 * 300
            assert end_lost_runs(instance) == []
    assert status(instance, run) is dg.DagsterRunStatus.STARTED


@pytest.mark.parametrize("tag", ["elsewhere/1/2.00", "", "nonsense"])
def test_a_run_that_nothing_is_known_of_is_left_alone(instance: dg.DagsterInstance, tag: str) -> None:
    run = started(instance, {PROCESS: tag} if tag else {})

    assert end_lost_runs(instance) == []
    assert status(instance, run) is dg.DagsterRunStatus.STARTED
