"""Runs whose process is gone: a killed build leaves its runs as started for ever, and what follows from them would never be made."""

import socket

import dagster as dg
import psutil

PROCESS = "gland/process"
"""The tag of a run that names the process it runs in."""

UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def process_tag() -> dict[str, str]:
    """The tag that names this process, by machine, number and start: numbers are given anew."""
    process = psutil.Process()
    return {PROCESS: f"{socket.gethostname()}/{process.pid}/{process.create_time():.2f}"}


def end_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Record as failed every unfinished run whose process on this machine is gone. Returns their ids; runs elsewhere are left alone."""
    lost = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)):
        if _gone(run.tags.get(PROCESS, "")):
            instance.report_run_failed(run, "its process ended before it did; what it had made stands")
            lost.append(run.run_id)
    return lost


def _gone(tag: str) -> bool:
    host, _, rest = tag.partition("/")
    number, _, start = rest.partition("/")
    if host != socket.gethostname() or not number.isdigit():
        return False
    try:
        process = psutil.Process(int(number))
        return process.status() == psutil.STATUS_ZOMBIE or f"{process.create_time():.2f}" != start
    except psutil.NoSuchProcess:
        return True
