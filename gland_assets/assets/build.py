"""A build: bring the disciplines of a plan up to date in worker processes, publish as they finish, and say what happened."""

import atexit
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import Empty
from typing import Any

from gland_assets.assets.tasks import Finished, Orders, Task
from gland_assets.core.errors import Stopped, WarehouseError
from gland_assets.core.plan import Plan
from gland_assets.core.progress import Event, Published
from gland_assets.core.project import STAGES, Project
from gland_assets.io.builder import recorded_build

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
    on_event: Callable[[Event], None] = lambda event: None,
    stop: Callable[[], bool] = lambda: False,
) -> BuildResult:
    """Bring everything in `plan` up to date and publish. Raises the first fault that stops the build; what was made stays."""
    late = plan.out_of_date()
    with ExitStack() as dismissed:
        with recorded_build(project, warehouse) as build_id:
            crew = _Crew(project, warehouse, build_id, workers or worker_count(project, list(late)), on_event, stop)
            dismissed.callback(crew.dismiss)
            crew.make([Task(slug, levels) for slug, levels in late.items()])
        # After the build is recorded as ended, so that its row is published too.
        return crew.publish()


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

    def __init__(
        self, project: Project, warehouse: Path, build_id: str, size: int, on_event: Callable[[Event], None], stop: Callable[[], bool]
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._events = context.Queue()
        self._stop_flag, self._stop, self._on_event = context.Event(), stop, on_event
        self._ready = context.Event()
        self._result = BuildResult(build_id)
        self._published_at = time.monotonic()
        self._workers: list[tuple[SpawnProcess, Connection]] = []
        self._given: dict[int, Task] = {}
        orders = Orders(project.path, warehouse, build_id, size)
        for number in range(size):
            theirs, ours = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(number, orders, theirs, self._events, self._ready, self._stop_flag), daemon=True)
            with _sheltered():
                process.start()
            theirs.close()
            self._workers.append((process, ours))

    def make(self, tasks: Iterable[Task]) -> None:
        """Hand out all tasks, with a publication between them when one is due."""
        left = list(reversed(list(tasks)))
        while left or self._given:
            for number in range(len(self._workers)):
                if left and number not in self._given and not self._stop_flag.is_set():
                    self._give(number, Task(None) if self._due() else left.pop())
            self._hear()

    def publish(self) -> BuildResult:
        """Deduplicate and publish what stands, and say what the build did."""
        self._give(0, Task(None))
        while self._given:
            self._hear()
        return self._result

    def _due(self) -> bool:
        """Whether a minute has passed since the last publication, with disciplines finished meanwhile and nobody publishing now."""
        publishing = any(task.discipline is None for task in self._given.values())
        return bool(self._result.disciplines) and not publishing and time.monotonic() - self._published_at >= PUBLISH_SECONDS

    def _give(self, number: int, task: Task) -> None:
        self._given[number] = task
        if task.discipline is None:
            self._published_at = time.monotonic()
        self._workers[number][1].send(task)

    def _hear(self) -> None:
        if self._stop() and not self._stop_flag.is_set():
            self._stop_flag.set()
        try:
            number, event = self._events.get(timeout=POLL_SECONDS)
        except Empty:
            self._check_alive()
            if self._stop_flag.is_set() and not self._given:
                raise Stopped("stopped") from None
            return
        if not isinstance(event, Finished):
            if isinstance(event, Published):
                self._result.busy = event.busy
            self._on_event(event)
            return
        del self._given[number]
        if event.fault is not None:
            raise event.fault
        if event.task.discipline:
            self._result.disciplines.append(event.task.discipline)

    def _check_alive(self) -> None:
        for number, (process, _) in enumerate(self._workers):
            if not process.is_alive() and number in self._given:
                if self._stop_flag.is_set():
                    raise Stopped("stopped")  # the signal that stops us reached it too
                task = self._given[number].discipline or "publication"
                raise WarehouseError(
                    f"the worker process making {task} ended with code {process.exitcode}; run `gland build` again to go on from there"
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
        """Read what is left: a process does not end while its queue is full."""
        try:
            while True:
                _, event = self._events.get_nowait()
                if not isinstance(event, Finished):
                    self._on_event(event)
        except Empty:
            pass
