"""One worker process of a build: runs Dagster in process for one discipline at a time, over its stale levels.

Processes and not threads: runs in several threads of one process deadlock, since each reconfigures logging.
"""

import gc
import io
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, redirect_stderr, suppress
from multiprocessing.connection import Connection

import dagster as dg

from gland_assets.assets.definitions import definitions_for
from gland_assets.assets.instance import QUIET, open_instance, records_fault, records_told
from gland_assets.assets.lost import process_tag
from gland_assets.assets.outbox import Outbox
from gland_assets.assets.partitions import sync_partitions
from gland_assets.assets.raised import causes
from gland_assets.assets.records import Records
from gland_assets.assets.reporting import report
from gland_assets.assets.tasks import Finished, Flag, Orders, Task
from gland_assets.assets.up_to_date import report_up_to_date
from gland_assets.core.errors import GlandError, Stopped, WarehouseBusy
from gland_assets.core.progress import Asked, DisciplineDone, Event, Published
from gland_assets.io.builder import open_builder
from gland_assets.io.project import load_project

WAIT_S = 0.05


def work(worker: int, orders: Orders, tasks: Connection, events: Connection, ready: Flag, stop: Flag) -> None:
    """Run the tasks that come through `tasks` until None comes or the parent is gone.

    Worker 0 tells Dagster what is declared before any run begins, and the others wait until it is `ready`.
    """
    # The parent hears what is sent to the whole process group, and tells us. A handler, since what is ignored stays so in what we start.
    signal.signal(signal.SIGTERM, lambda *_: None)
    starter = multiprocessing.parent_process()
    parent = starter.pid if starter else os.getppid()  # as it was when this process was started: it may be gone by now
    outbox = Outbox()
    unknown: list[BaseException] = []

    def run() -> None:
        try:
            _work(worker, orders, tasks, outbox.put, ready, lambda: stop.is_set() or os.getppid() != parent)
        except GlandError as fault:
            outbox.put(Finished(worker, Task(None), fault))
        except BaseException as error:
            unknown.append(error)
        finally:
            outbox.put(None)

    # In a thread, for in the main one Dagster would set signal handlers of its own, and a SIGTERM would break off what is under way. The
    # main one sends on what is told, so that whoever tells need not wait for the parent to listen.
    working = threading.Thread(target=run, name="work", daemon=True)
    working.start()
    with suppress(OSError):  # the parent is gone
        while (event := outbox.take()) is not None:
            events.send(event)
    working.join()
    if unknown:
        raise unknown[0]


def _work(
    worker: int, orders: Orders, tasks: Connection, tell: Callable[[Asked | Event | Finished], None], ready: Flag,
    stopping: Callable[[], bool],
) -> None:  # fmt: skip
    while worker and not ready.is_set():
        if stopping():
            return
        time.sleep(WAIT_S)
    project = load_project(orders.taxonomy)
    with records_told(orders.warehouse):
        instance = open_instance(orders.warehouse)
        if not worker:
            sync_partitions(instance, project)
            report(Records(instance), project, orders.warehouse, only=orders.disciplines)
            ready.set()
    opened = open_builder(project, orders.warehouse, orders.build_id, orders.cap, tell, stopping, orders.retry_failures)
    with instance, opened as builder:
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
            with builder.holding(task.discipline) if task.discipline else nullcontext(True) as held:
                fault = _run(job, instance, task, orders, tell) if held else None
            if task.discipline is None:
                with records_told(orders.warehouse):
                    report_up_to_date(instance, project, orders.warehouse)
            tell(Finished(worker, task, fault, busy=not held))


def _run(
    job: dg.JobDefinition, instance: dg.DagsterInstance, task: Task, orders: Orders, tell: Callable[[Event], None]
) -> GlandError | None:
    aside = io.StringIO()  # Dagster writes there what it then raises: where its records fail, whole events
    known = None
    try:
        with redirect_stderr(aside):
            result = job.execute_in_process(
                run_config=QUIET, instance=instance, partition_key=task.discipline, tags={"gland/build": orders.build_id, **process_tag()},
                asset_selection=[dg.AssetKey(level) for level in task.levels],
            )  # fmt: skip
    except Exception as error:
        known = root_fault(error) or records_fault(orders.warehouse, error)
        if known is None:
            raise
        return _told(task, known, tell)
    finally:
        if known is None:
            sys.stderr.write(aside.getvalue())
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


def _rows(result: dg.ExecuteInProcessResult) -> int:
    for event in result.get_asset_materialization_events():
        if event.materialization.asset_key.path[-1] == "dataset":
            rows = event.materialization.metadata["dagster/row_count"].value
            assert isinstance(rows, int)
            return rows
    return 0


def root_fault(error: BaseException | None) -> GlandError | None:
    """Our own error inside what Dagster wrapped it in; None if there is none."""
    return next((each for each in causes(error) if isinstance(each, GlandError)), None)
