"""What a build and its worker processes say to each other."""

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from gland_assets.core.errors import GlandError
from gland_assets.core.levels import UNPARTITIONED


class Flag:
    """A sign that all processes of a build see. It has no lock: one that is killed while it looks keeps no other from looking."""

    def __init__(self) -> None:
        self._raised = multiprocessing.get_context("spawn").RawValue("b", 0)

    def set(self) -> None:
        """Raise it, for good."""
        self._raised.value = 1

    def is_set(self) -> bool:
        """Whether it has been raised."""
        return bool(self._raised.value)


@dataclass(frozen=True, slots=True)
class Orders:
    """What a worker needs to start."""

    taxonomy: Path
    warehouse: Path
    build_id: str
    cap: Decimal | None  # dollars that this build may spend
    disciplines: Sequence[str] = ()  # that the build is about to make
    retry_failures: bool = False  # ask again for rows whose replies were all rejected


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
