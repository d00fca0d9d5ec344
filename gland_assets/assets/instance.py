"""Dagster's own records, in the warehouse: one home for builds and for the web interface, with telemetry off."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from gland_assets.assets.raised import causes
from gland_assets.core.errors import GlandError, WarehouseError
from gland_assets.io.durable import write_text
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

DATABASE = ("sqlalchemy", "sqlite3")
"""The packages whose errors, in a run, are those of Dagster's records: ours are told before they leave io."""


def dagster_home(warehouse: Path) -> Path:
    """The folder of Dagster's records, made on first use with its settings file. Absolute."""
    home = warehouse.resolve() / "dagster"
    settings = home / "dagster.yaml"
    if not settings.exists() or not settings.stat().st_size:
        write_text(settings, SETTINGS)
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


@contextmanager
def records_told(warehouse: Path) -> Iterator[None]:
    """What Dagster's records, when they are opened or looked into, cannot bear is told as a WarehouseError."""
    try:
        yield
    except GlandError:
        raise
    except Exception as error:
        if not isinstance(error, OSError | UnicodeDecodeError) and _module(error) not in (*DATABASE, "alembic", "yaml", "dagster"):
            raise
        raise _told(warehouse, error) from error


def records_fault(warehouse: Path, error: BaseException | None) -> WarehouseError | None:
    """The fault of Dagster's records inside an error of a run, as what to tell; None if there is none."""
    found = next((each for each in causes(error) if isinstance(each, Exception) and _module(each) in DATABASE), None)
    return None if found is None else _told(warehouse, found)


def _module(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]


def _told(warehouse: Path, error: Exception) -> WarehouseError:
    reason = " ".join(str(getattr(error, "orig", None) or error).split()) or type(error).__name__
    low = reason.lower()
    home = warehouse.resolve() / "dagster"
    if "locked" in low:
        return WarehouseError(f"Dagster's records in {home} stay locked by another process; see that none hangs, then run again")
    if any(sign in low for sign in ("full", "disk i/o", "no space", "readonly", "read-only", "permission", "unable to open")):
        return WarehouseError(f"Dagster's records in {home} cannot be written ({reason}); make room and give write access, then run again")
    return WarehouseError(
        f"Dagster's records in {home} are damaged ({reason}); delete that folder and run again: only the history of runs is lost"
    )


QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run configuration of a build's own runs."""
