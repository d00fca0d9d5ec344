"""Dagster's own records, in the warehouse: one home for builds and for the web interface, with telemetry off."""

import logging
import os
from pathlib import Path

import dagster as dg

from gland_assets.io.locks import locked

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
    # Its files are made when they are first opened, and two processes that make one at once leave it broken.
    with locked(warehouse / "locks" / "_dagster.lock", "Dagster's records"):
        instance = dg.DagsterInstance.from_config(str(home))
        instance.get_runs_count()
        instance.all_asset_keys()
        instance.all_instigator_state()
    return instance


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration of a build's own runs."""
