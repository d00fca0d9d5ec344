"""One worker process of a build: runs Dagster in process for one discipline at a time, over its stale levels.

Processes and not threads: runs in several threads of one process deadlock, since each reconfigures logging.
"""

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from multiprocessing.connection import Connection
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as StopEvent
from pathlib import Path

import dagster as dg

from gland_assets.assets.instance import QUIET, open_instance
from gland_assets.assets.lost import process_tag
from gland_assets.core.errors import GlandError, Stopped, WarehouseBusy
from gland_assets.core.levels import UNPARTITIONED
from gland_assets.core.progress import DisciplineDone, Event, LevelDone, Published
from gland_assets.io.builder import open_builder
from gland_assets.io.project import load_project


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker needs to start."""

    taxonomy: Path
    warehouse: Path
    build_id: str
    cap: Decimal | None  # dollars that this build may spend


@dataclass(frozen=True, slots=True)
class Task:
    """Bring these levels of a discipline up to date; without a discipline: deduplicate and publish."""

    discipline: str | None
    levels: Sequence[str] = UNPARTITIONED


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a task. `fault` stops the whole build: nothing that comes after it could succeed. `busy`: another process has it."""

    worker: int
    task: Task
    fault: GlandError | None = None
    busy: bool = False


def work(worker: int, orders: Orders, tasks: Connection, events: "Queue[tuple[int, Event | Finished]]", stop: StopEvent) -> None:
    """Run the tasks that come through `tasks` until None comes or the parent is gone."""
    from gland_assets.assets.definitions import definitions_for  # which holds the job that starts workers

    # The parent hears what is sent to the whole process group, and tells us. A handler, since what is ignored stays so in what we start.
    signal.signal(signal.SIGTERM, lambda *_: None)
    parent = os.getppid()

    def stopping() -> bool:
        return stop.is_set() or os.getppid() != parent

    def tell(event: Event | Finished) -> None:
        events.put((worker, event))

    instance = open_instance(orders.warehouse)
    project = load_project(orders.taxonomy)
    with open_builder(project, orders.warehouse, orders.build_id, orders.cap, tell, stopping) as builder:
        job = definitions_for(orders.taxonomy, orders.warehouse, builder).resolve_implicit_global_asset_job_def()
        while True:
            try:
                task = tasks.recv()
            except EOFError:
                return
            if task is None:
                return
            with builder.holding(task.discipline) if task.discipline else nullcontext(True) as held:
                fault = _run(job, instance, task, orders.build_id, tell) if held else None
            tell(Finished(worker, task, fault, busy=not held))


def _run(
    job: dg.JobDefinition, instance: dg.DagsterInstance, task: Task, build_id: str, tell: Callable[[Event], None]
) -> GlandError | None:
    try:
        result = job.execute_in_process(
            run_config=QUIET, instance=instance, partition_key=task.discipline, tags={"gland/build": build_id, **process_tag()},
            asset_selection=[dg.AssetKey(level) for level in task.levels],
        )  # fmt: skip
    except Exception as error:
        known = root_fault(error)
        if known is None:
            raise
        return _told(task, known, tell)
    for event in result.get_asset_materialization_events():
        _tell_level(task, event.materialization, tell)
    tell(DisciplineDone(task.discipline) if task.discipline else Published(_rows(result)))
    return None


def _told(task: Task, error: GlandError, tell: Callable[[Event], None]) -> GlandError | None:
    """A held file only puts publication off; a fault of one discipline is told; anything else stops the build."""
    if isinstance(error, WarehouseBusy) and task.discipline is None:
        tell(Published(0, str(error)))
        return None
    if task.discipline and not isinstance(error, Stopped):
        tell(DisciplineDone(task.discipline, str(error)))
    return error


def _tell_level(task: Task, made: dg.AssetMaterialization, tell: Callable[[Event], None]) -> None:
    if task.discipline:
        rows, failed = _count(made, "dagster/partition_row_count"), _count(made, "failed_rows")
        tell(LevelDone(task.discipline, made.asset_key.path[-1], bool(made.metadata["made_now"].value), rows, failed))


def _count(made: dg.AssetMaterialization, name: str) -> int:
    value = made.metadata[name].value
    assert isinstance(value, int)
    return value


def _rows(result: dg.ExecuteInProcessResult) -> int:
    for event in result.get_asset_materialization_events():
        if event.materialization.asset_key.path[-1] == "dataset":
            return _count(event.materialization, "dagster/row_count")
    return 0


def root_fault(error: BaseException | None) -> GlandError | None:
    """Our own error inside what Dagster wrapped it in; None if there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, GlandError):
            return error
        seen.add(id(error))
        error = getattr(error, "user_exception", None) or error.__cause__ or error.__context__
    return None
