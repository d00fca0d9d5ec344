"""A build: bring the disciplines of a plan up to date in worker processes, publish as they finish, and say what happened."""

import atexit
import gc
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from gland_assets.assets.tasks import Finished, Flag, Orders, Task
from gland_assets.core.errors import BudgetReached, GlandError, Stopped, WarehouseError
from gland_assets.core.plan import Plan, make_plan
from gland_assets.core.progress import DisciplineDone, Event, Published
from gland_assets.core.project import STAGES, Project
from gland_assets.io.budget import caps_of, check_prices
from gland_assets.io.builder import recorded_build
from gland_assets.io.locks import is_locked, lock_path
from gland_assets.io.partitions import Partitions

PUBLISH_SECONDS = 60.0  # least time between two publications of a build that goes on
POLL_SECONDS = 0.2
REQUESTS_A_WORKER = 16  # one discipline alone seldom keeps more under way


@dataclass(slots=True)
class BuildResult:
    """What a build did."""

    build_id: str
    disciplines: list[str] = field(default_factory=list)  # brought up to date
    busy: str | None = None  # who holds gland.duckdb, when it could not be published


def worker_count(project: Project, disciplines: Sequence[str]) -> int:
    """How many processes are worthwhile: the local model uses a core each; a provider's parallel requests keep few processes busy."""
    index = project.index()
    used = [project.preferred(index[slug], stage) for slug in disciplines for stage in STAGES]
    cores = os.cpu_count() or 1
    if any(deployment.local for deployment in used):
        fitting = cores
    else:
        parallel = min((deployment.max_parallel_requests for deployment in used), default=1)
        fitting = min(2 * cores, max(1, parallel // REQUESTS_A_WORKER))
    return max(1, min(fitting, len(disciplines)))


def run_build(
    project: Project,
    warehouse: Path,
    plan: Plan,
    workers: int | None = None,
    cap: Decimal | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
) -> BuildResult:
    """Bring everything in `plan` up to date and publish, spending no more than `cap` dollars.

    Raises the first fault that stops the build; what was made stays, and where a budget was reached, it is published.
    """
    late = plan.out_of_date()
    check_prices(project, caps_of(project, cap), [slug for slug, levels in late.items() if not set(levels).isdisjoint(STAGES)])
    reached: BudgetReached | None = None
    with ExitStack() as dismissed:
        try:
            with recorded_build(project, warehouse) as build_id:
                orders = Orders(project.path, warehouse, build_id, cap, tuple(late), plan.retry_failures)
                crew = _Crew(project, orders, workers or worker_count(project, list(late)), on_event, stop)
                dismissed.callback(crew.dismiss)
                crew.make(Task(slug, levels) for slug, levels in late.items())
        except BudgetReached as error:
            reached = error
        # After the build is recorded as ended, so that its row is published too.
        result = crew.publish()
    if reached is not None:
        raise reached
    return result


@contextmanager
def _sheltered() -> Iterator[None]:
    """What is started meanwhile never hears Ctrl-C or a hang-up, which reach the whole process group: we hear them and tell it.

    Ignoring them would not do: Dagster sets handlers of its own while it runs. SIGTERM is not among them: a blocked signal stays so in the
    processes that Dagster starts, and it ends those by SIGTERM.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(*given: Any) -> None:
    gc.disable()  # while all is loaded: what is loaded stays
    atexit.register(gc.freeze)  # and at the end it goes with the process
    from gland_assets.assets.worker import work  # here, for it imports dagster, and only the workers need that

    work(*given)


class _Crew:
    """The workers of one build, each given a task when it is idle."""

    def __init__(self, project: Project, orders: Orders, size: int, on_event: Callable[[Event], None], stop: Callable[[], bool]) -> None:
        context = multiprocessing.get_context("spawn")
        self._project, self._warehouse, self._retry_failures = project, orders.warehouse, orders.retry_failures
        self._stop_flag, self._stop, self._on_event = Flag(), stop, on_event
        self._ready = Flag()
        self._result = BuildResult(orders.build_id)
        self._published_at = time.monotonic()
        self._workers: list[tuple[SpawnProcess, Connection]] = []
        self._told: list[Connection] = []  # what each worker says, until it ends: one that is killed in mid-word silences no other
        self._left: deque[Task] = deque()
        self._given: dict[int, Task] = {}
        self._elsewhere: set[str] = set()  # disciplines found to be in other hands
        self._fault: GlandError | None = None
        resource_tracker.ensure_running()  # else it starts with the first worker, and takes it out of its shelter
        for number in range(size):
            theirs, ours = context.Pipe(duplex=False)
            told, telling = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(number, orders, theirs, telling, self._ready, self._stop_flag), daemon=True)
            with _sheltered():
                process.start()
            theirs.close()
            telling.close()
            self._workers.append((process, ours))
            self._told.append(told)

    def make(self, tasks: Iterable[Task]) -> None:
        """Hand out all tasks, with a publication between them when one is due. Raises the first fault, once nothing is under way."""
        self._left.extend(tasks)
        while self._left or self._given:
            for number in range(len(self._workers)):
                if number in self._given or self._stop_flag.is_set():
                    continue
                task = Task(None) if self._due() else self._next()
                if task is not None:
                    self._give(number, task)
            self._hear()
            if self._stop_flag.is_set() and not self._given:
                raise self._fault or Stopped("stopped")

    def publish(self) -> BuildResult:
        """Deduplicate and publish what stands, and say what the build did."""
        self._fault = None
        self._give(next((number for number, (process, _) in enumerate(self._workers) if process.is_alive()), 0), Task(None))
        while self._given:
            self._hear()
        if self._fault is not None:
            raise self._fault
        return self._result

    def _due(self) -> bool:
        """Whether a minute has passed since the last publication, with disciplines finished meanwhile and nobody publishing now."""
        publishing = any(task.discipline is None for task in self._given.values())
        return bool(self._result.disciplines) and not publishing and time.monotonic() - self._published_at >= PUBLISH_SECONDS

    def _next(self) -> Task | None:
        """The first task whose discipline is in nobody else's hands; of one that has been, what is still out of date."""
        for task in list(self._left):
            slug = task.discipline
            assert slug is not None
            if slug in self._elsewhere:
                if is_locked(lock_path(self._warehouse, slug)):
                    continue
                plan = make_plan(self._project, Partitions(self._warehouse).metas(), [slug], self._retry_failures)
                levels = plan.out_of_date().get(slug)
                self._left.remove(task)
                if levels:
                    return Task(slug, levels)
                self._done(slug)
                self._on_event(DisciplineDone(slug))
            else:
                self._left.remove(task)
                return task
        return None

    def _done(self, slug: str) -> None:
        self._result.disciplines.append(slug)

    def _give(self, number: int, task: Task) -> None:
        self._given[number] = task
        if task.discipline is None:
            self._published_at = time.monotonic()
        with suppress(OSError):  # it has ended: that is told when it is heard of
            self._workers[number][1].send(task)

    def _hear(self) -> None:
        if self._stop():
            self._stop_flag.set()
        events = self._next_events(POLL_SECONDS)
        for event in events:
            self._take(event)
        if not events or len(self._told) < len(self._workers):
            self._check_alive()

    def _next_events(self, timeout: float) -> list[Event | Finished]:
        """What workers have said by now, one event from each that has said something."""
        events = []
        for told in wait(self._told, timeout):
            assert isinstance(told, Connection)
            try:
                events.append(told.recv())
            except (EOFError, OSError):  # it has ended
                self._told.remove(told)
        return events

    def _take(self, event: Event | Finished) -> None:
        if not isinstance(event, Finished):
            if isinstance(event, Published):
                self._result.busy = event.busy
            self._on_event(event)
            return
        self._given.pop(event.worker, None)
        slug = event.task.discipline
        if event.fault is not None:
            self._fail(event.fault)
        elif event.busy and slug:
            self._elsewhere.add(slug)
            self._left.append(event.task)
        elif slug:
            self._done(slug)

    def _fail(self, fault: GlandError) -> None:
        """Remember the first fault; the other workers end what they have paid for, and begin nothing new."""
        self._fault = self._fault or fault
        self._stop_flag.set()

    def _check_alive(self) -> None:
        for number, (process, _) in enumerate(self._workers):
            if not process.is_alive() and number in self._given:
                task = self._given.pop(number).discipline or "publication"
                if not self._stop_flag.is_set():  # else the signal that stops us reached it too
                    self._fail(
                        WarehouseError(f"the worker process making {task} ended {_how(process.exitcode)}; `gland build` goes on from there")
                    )

    def dismiss(self) -> None:
        """Let the workers end; those that do not within a few seconds are ended."""
        self._stop_flag.set()
        for _, tasks in self._workers:
            try:
                tasks.send(None)
                tasks.close()
            except OSError:
                pass  # it has ended already
        deadline = time.monotonic() + 10
        for process, _ in self._workers:
            while process.is_alive() and time.monotonic() < deadline:
                self._drain()
                process.join(POLL_SECONDS)
            if process.is_alive():
                process.kill()  # nothing less reaches it
                process.join()

    def _drain(self) -> None:
        """Hear what is left: a process does not end while it has something to say."""
        while events := self._next_events(0):
            for event in events:
                if not isinstance(event, Finished):
                    self._on_event(event)


def _how(code: int | None) -> str:
    """How a process ended: a signal by its name, and what SIGKILL mostly means."""
    if code is None or code >= 0:
        return f"with code {code}"
    killed = ", as when memory runs out: try fewer `--workers`" if -code == signal.SIGKILL else ""
    return f"by {signal.Signals(-code).name}{killed}"
