"""Runs whose process is gone: a killed build leaves its runs as started for ever, and what follows from them would never be made."""

import socket
from pathlib import Path

import dagster as dg
import psutil

PROCESS = "gland/process"
"""The tag of a run that names the process it runs in."""

SAME_START = 3.0
"""Seconds by which two readings of one process's start may differ: the machine's own is told to the second."""

UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def process_tag() -> dict[str, str]:
    """The tag that names this process, by machine, number, start and the machine's own start: numbers are given anew."""
    process = psutil.Process()
    return {PROCESS: f"{socket.gethostname()}/{process.pid}/{_started(process):.2f}/{_boot()}"}


def end_lost_runs(instance: dg.DagsterInstance) -> list[str]:
    """Record as failed every unfinished run whose process on this machine is gone. Returns their ids; runs elsewhere are left alone."""
    lost = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)):
        if _gone(run.tags.get(PROCESS, "")):
            instance.report_run_failed(run, "its process ended before it did; what it had made stands")
            lost.append(run.run_id)
    return lost


def _gone(tag: str) -> bool:
    host, number, start, boot = (tag.split("/") + [""] * 4)[:4]
    if host != socket.gethostname() or not number.isdigit():
        return False
    if boot != _boot():
        return True
    try:
        process = psutil.Process(int(number))
        return process.status() == psutil.STATUS_ZOMBIE or abs(_started(process) - float(start)) > SAME_START
    except psutil.NoSuchProcess:
        return True


def _boot() -> str:
    """Which start of the machine this is; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _started(process: psutil.Process) -> float:
    """Seconds from the start of the machine to that of the process: a clock that is set anew moves both."""
    return float(process.create_time() - psutil.boot_time())
