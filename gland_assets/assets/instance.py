"""Dagster's own records, in the warehouse: one home for builds and for the web interface, with telemetry off."""

import logging
import os
from pathlib import Path

import dagster as dg

SETTINGS = """# Written by gland; Dagster's records of this warehouse stand beside this file.
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 2
# The standard one starts a process a run to copy output, and ending it can take 30 s.
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""


def dagster_home(warehouse: Path) -> Path:
    """The folder of Dagster's records, made on first use with its settings file. Absolute."""
    home = warehouse.resolve() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    settings = home / "dagster.yaml"
    if not settings.exists():
        settings.write_text(SETTINGS)
    return home


def open_instance(warehouse: Path) -> dg.DagsterInstance:
    """The instance over the warehouse's records. Its console log is silenced: it writes 1 KB a step, and progress would drown."""
    home = dagster_home(warehouse)
    os.environ["DAGSTER_HOME"] = str(home)
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    return dg.DagsterInstance.from_config(str(home))


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration of a build's own runs."""
