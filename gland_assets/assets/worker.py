"""One worker process of a build: runs Dagster in process for one discipline at a time, over its stale levels.

Processes and not threads: runs in several threads of one process deadlock, since each reconfigures logging.
"""

import gc
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event as Signal

import dagster as dg

from gland_assets.assets.definitions import definitions_for
from gland_assets.assets.instance import QUIET, dagster_home, open_instance
from gland_assets.assets.lost import process_tag
from gland_assets.assets.partitions import sync_partitions
from gland_assets.assets.recipes import report_recipes
from gland_assets.assets.tasks import Finished, Orders, Task
from gland_assets.core.errors import GlandError, Stopped, WarehouseBusy
from gland_assets.core.progress import DisciplineDone, Event, LevelDone, Published
from gland_assets.io.builder import open_builder
from gland_assets.io.project import load_project

WAIT_S = 0.2


def work(
    worker: int, orders: Orders, tasks: Connection, events: "Queue[tuple[int, Event | Finished]]", ready: Signal, stop: Signal
) -> None:
    """Run the tasks that come through `tasks` until None comes or the parent is gone.

    Worker 0 tells Dagster what is declared before any run begins, and the others wait until it is `ready`.
    """
    # The parent hears what is sent to the whole process group, and tells us. A handler, since what is ignored stays so in what we start.
    signal.signal(signal.SIGTERM, lambda *_: None)
    parent = os.getppid()

    def stopping() -> bool:
        return stop.is_set() or os.getppid() != parent

    def tell(event: Event | Finished) -> None:
        events.put((worker, event))

    project = load_project(orders.taxonomy)
    while worker and not ready.wait(WAIT_S):
        if stopping():
            return
    with open_instance(orders.warehouse) as instance, open_builder(
        project, orders.warehouse, orders.build_id, orders.share, tell, stopping
    ) as builder:  # fmt: skip
        if not worker:
            sync_partitions(instance, project)
            report_recipes(instance, project, dagster_home(orders.warehouse))
            ready.set()
        job = definitions_for(orders.taxonomy, orders.warehouse, builder).resolve_implicit_global_asset_job_def()
        gc.freeze()  # all that Dagster is made of stays: no need to look through it again and again
        gc.enable()
        while True:
            try:
                task = tasks.recv()
            except EOFError:
                return
            if task is None:
                return
            fault = _run(job, instance, task, orders.build_id, tell)
            tell(Finished(worker, task, fault))


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
